"""Expressions over columns: read by a whitelist of Python's grammar, and computed without running any code.

A comparison with a missing value is neither true nor false, as in SQL, and so is what follows from it.
"""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from makeweight.errors import OptionError, nearest
from makeweight.rules.values import DAY, Meaning, Values, microseconds

MOST_CHARACTERS, MOST_PARTS = 2_000, 300
EXAMPLE = "for example start <= end, or not married or age >= 16, or `price in EUR` > 0"
#: A quoted text, which stays as it is, or a name between backticks.
QUOTED = re.compile(r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"|`([^`]*)`")
ARITHMETIC: dict[type, Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Mod: operator.mod,
}
COMPARISONS: dict[type, Callable[[Any, Any], Any]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}
#: What dates and durations give when they are added or subtracted; a number is a number of days.
SUMS: dict[tuple[type, Meaning, Meaning], Meaning] = {
    (ast.Sub, "date", "date"): "duration",
    (ast.Add, "date", "duration"): "date",
    (ast.Sub, "date", "duration"): "date",
    (ast.Add, "duration", "date"): "date",
    (ast.Add, "duration", "duration"): "duration",
    (ast.Sub, "duration", "duration"): "duration",
}
NUMBERS = ("number", "truth")


@dataclass(frozen=True, eq=False)
class _Truth:
    """Which rows a part is true of, and which false; neither where a value is missing."""

    true: np.ndarray
    false: np.ndarray


@dataclass(frozen=True, eq=False)
class Expression:
    """A condition on rows that was read.

    >>> expression = Expression.read("`first day` <= last", ["first day", "last"])
    >>> sorted(expression.names.values())
    ['first day', 'last']
    """

    text: str
    tree: ast.expr
    names: Mapping[str, Hashable]  # identifiers in the tree, and the columns they stand for

    @classmethod
    def read(cls, text: str, columns: list[Hashable]) -> Expression:
        """Return the expression that a text says.

        `text`: columns, numbers, quoted texts and dates; ``+ - * / %``, comparisons, ``in``, ``and``, ``or``, ``not``.
        `columns`: those that it may name; names that are no Python names go between backticks.
        """
        if not isinstance(text, str) or not text.strip() or len(text) > MOST_CHARACTERS:
            raise _refusal(text, f"text of 1 to {MOST_CHARACTERS:,} characters")
        quoted: dict[str, str] = {}

        def placeholder(match: re.Match[str]) -> str:
            if match[1] is None:
                return match[0]
            return quoted.setdefault(match[1], f"_quoted_{len(quoted)}_")

        try:
            tree = ast.parse(QUOTED.sub(placeholder, text).strip(), mode="eval").body
            parts = list(ast.walk(tree))
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            raise _refusal(text, "one condition on columns", got=type(error).__name__) from None
        if len(parts) > MOST_PARTS:
            raise _refusal(text, f"at most {MOST_PARTS} parts", got=f"{len(parts)} parts")
        for part in parts:
            _check_part(part, text)
        known, named = {str(column): column for column in columns}, {key: name for name, key in quoted.items()}
        names: dict[str, Hashable] = {}
        for part in parts:
            if isinstance(part, ast.Name):
                name = named.get(part.id, part.id)
                if name not in known:
                    raise OptionError(
                        "a constraint names an unknown column",
                        where=text[:80],
                        got=repr(name),
                        hint=nearest(name, known),
                    )
                names[part.id] = known[name]
        if not names:
            raise _refusal(text, "a condition on columns", got="no column")
        return cls(text, tree, names)

    def false(self, values: Mapping[Hashable, Values], n_rows: int) -> np.ndarray:
        """Tell which rows it is false of; a row of which it is neither true nor false is not among them."""
        with np.errstate(all="ignore"):
            result = self._truth(self.tree, values).false
        return np.broadcast_to(result, (n_rows,)).copy()

    def _truth(self, part: ast.expr, values: Mapping[Hashable, Values]) -> _Truth:
        if isinstance(part, ast.BoolOp):
            parts = [self._truth(each, values) for each in part.values]
            true, false = [p.true for p in parts], [p.false for p in parts]
            if isinstance(part.op, ast.Or):
                return _Truth(_joined(np.logical_or, true), _joined(np.logical_and, false))
            return _Truth(_joined(np.logical_and, true), _joined(np.logical_or, false))
        if isinstance(part, ast.UnaryOp) and isinstance(part.op, ast.Not):
            inner = self._truth(part.operand, values)
            return _Truth(inner.false, inner.true)
        if isinstance(part, ast.Compare):
            sides = [part.left, *part.comparators]
            pairs = [self._comparison(sides[i], op, sides[i + 1], values) for i, op in enumerate(part.ops)]
            return _Truth(
                _joined(np.logical_and, [p.true for p in pairs]), _joined(np.logical_or, [p.false for p in pairs])
            )
        value = self._value(part, values)
        if value.meaning != "truth":
            raise self._misuse(part, f"{value.meaning} is neither true nor false")
        return _Truth((value.data != 0) & ~value.missing, (value.data == 0) & ~value.missing)

    def _comparison(self, left: ast.expr, op: ast.cmpop, right: ast.expr, values: Mapping[Hashable, Values]) -> _Truth:
        if isinstance(op, ast.In | ast.NotIn):
            if not isinstance(right, ast.Tuple | ast.List) or not right.elts:
                raise self._misuse(right, "in takes a list, such as (1, 2, 3)")
            each = [self._comparison(left, ast.Eq(), element, values) for element in right.elts]
            result = _Truth(
                _joined(np.logical_or, [p.true for p in each]), _joined(np.logical_and, [p.false for p in each])
            )
            return result if isinstance(op, ast.In) else _Truth(result.false, result.true)
        ours, theirs = self._alike(left, right, values)
        if ours.meaning == "text" and not isinstance(op, ast.Eq | ast.NotEq):
            raise self._misuse(left, "texts have no order")
        holds = np.asarray(COMPARISONS[type(op)](ours.data, theirs.data), dtype=bool)
        known = ~(ours.missing | theirs.missing)
        return _Truth(holds & known, ~holds & known)

    def _alike(self, left: ast.expr, right: ast.expr, values: Mapping[Hashable, Values]) -> tuple[Values, Values]:
        """Return both sides in one kind: a text beside a date is a date, a number beside a duration is days."""
        ours, theirs = self._value(left, values), self._value(right, values)
        ours, theirs = self._as(ours, theirs.meaning, left), self._as(theirs, ours.meaning, right)
        if ours.meaning != theirs.meaning and not {ours.meaning, theirs.meaning} <= set(NUMBERS):
            raise self._misuse(left, f"{ours.meaning} beside {theirs.meaning}")
        return ours, theirs

    def _as(self, value: Values, meaning: Meaning, part: ast.expr) -> Values:
        if value.meaning == "number" and meaning == "duration":
            return Values("duration", value.data * DAY, value.missing)
        if value.meaning != "text" or not isinstance(part, ast.Constant) or meaning not in ("date", "duration"):
            return value
        try:
            ticks = microseconds(part.value, meaning)
        except (ValueError, TypeError, OverflowError):
            raise self._misuse(part, f"{part.value!r} is no {meaning}") from None
        return Values(meaning, np.array([ticks]), np.array([False]))

    def _value(self, part: ast.expr, values: Mapping[Hashable, Values]) -> Values:
        if isinstance(part, ast.Name):
            return values[self.names[part.id]]
        if isinstance(part, ast.Constant):
            if isinstance(part.value, str):
                return Values("text", np.array([part.value], dtype=object), np.array([False]))
            try:
                number = float(cast("float", part.value))
            except OverflowError:
                raise self._misuse(part, "a number is too large") from None
            meaning: Meaning = "truth" if isinstance(part.value, bool) else "number"
            return Values(meaning, np.array([number]), np.array([False]))
        if isinstance(part, ast.UnaryOp) and isinstance(part.op, ast.USub | ast.UAdd):
            inner = self._value(part.operand, values)
            if inner.meaning not in (*NUMBERS, "duration"):
                raise self._misuse(part, f"{inner.meaning} has no sign")
            return Values(inner.meaning, -inner.data if isinstance(part.op, ast.USub) else inner.data, inner.missing)
        if isinstance(part, ast.BinOp):
            return self._arithmetic(part, values)
        raise self._misuse(part, "a column, a number or a text is expected here")

    def _arithmetic(self, part: ast.BinOp, values: Mapping[Hashable, Values]) -> Values:
        ours, theirs = self._value(part.left, values), self._value(part.right, values)
        missing = ours.missing | theirs.missing
        if {ours.meaning, theirs.meaning} <= set(NUMBERS):
            data = ARITHMETIC[type(part.op)](ours.data, theirs.data)
            return Values("number", data, missing | ~np.isfinite(data))
        if isinstance(part.op, ast.Mult | ast.Div) and (ours.meaning, theirs.meaning) == ("duration", "number"):
            data = ARITHMETIC[type(part.op)](ours.data, theirs.data)
            return Values("duration", data, missing | ~np.isfinite(data))
        ours, theirs = (
            Values("duration", each.data * DAY, each.missing) if each.meaning == "number" else each
            for each in (ours, theirs)
        )
        meaning = SUMS.get((type(part.op), ours.meaning, theirs.meaning))
        if meaning is None:
            raise self._misuse(part, f"no such arithmetic of {ours.meaning} and {theirs.meaning}")
        return Values(meaning, ARITHMETIC[type(part.op)](ours.data, theirs.data), missing)

    def _misuse(self, part: ast.AST, why: str) -> OptionError:
        written = ast.unparse(cast("ast.expr", part))
        for identifier, name in self.names.items():
            written = written.replace(identifier, f"`{name}`" if identifier.startswith("_quoted_") else identifier)
        return OptionError(
            "a constraint cannot be computed", where=self.text[:80], got=f"{why} ({written[:60]})", hint=EXAMPLE
        )


#: Everything an expression may consist of; calls, attributes, subscripts, powers and the rest are refused.
PARTS = (
    ast.BoolOp,
    ast.And,
    ast.Or,
    ast.UnaryOp,
    ast.Not,
    ast.USub,
    ast.UAdd,
    ast.BinOp,
    *ARITHMETIC,
    ast.Compare,
    *COMPARISONS,
    ast.In,
    ast.NotIn,
    ast.Tuple,
    ast.List,
    ast.Name,
    ast.Load,
    ast.Constant,
)


def _check_part(part: ast.AST, text: str) -> None:
    if isinstance(part, ast.Constant) and not isinstance(part.value, int | float | str):
        raise _refusal(text, "numbers, texts, True and False", got=repr(part.value)[:40])
    if not isinstance(part, PARTS):
        raise _refusal(
            text, "columns, numbers, texts, + - * / %, comparisons, in, and, or, not", got=type(part).__name__
        )


def _refusal(text: Any, expected: str, got: str | None = None) -> OptionError:
    return OptionError("not a constraint", where=repr(text)[:100], got=got, expected=expected, hint=EXAMPLE)


def _joined(join: Any, parts: list[np.ndarray]) -> np.ndarray:
    result = parts[0]
    for part in parts[1:]:
        result = join(result, part)
    return np.asarray(result)
