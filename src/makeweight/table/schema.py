"""The schema of a table: its columns, the target and the grouping attributes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np
import pandas as pd

from makeweight.errors import SchemaError, nearest
from makeweight.notebook import html_block
from makeweight.table.column import Column, Kind, stated_form
from makeweight.table.infer import infer_column
from makeweight.table.kinds import codec
from makeweight.table.kinds._values import dense

__all__ = ["MAX_NUMERIC_LABELS", "MOST_LABELS", "GroupBy", "Schema", "check_frame", "column_names"]

GroupBy: TypeAlias = Hashable | Iterable[Hashable] | None
"""The grouping attributes, as a user names them: one column, several or none."""

#: Of more distinct values than this, numbers with fractions that are mostly rare are no labels.
MAX_NUMERIC_LABELS = 100
#: Nor are values of which there are more than this for every row.
MOST_LABELS = 0.5


def column_names(group_by: GroupBy, columns: Iterable[Hashable] = ()) -> tuple[Hashable, ...]:
    """Return grouping attributes by name; a tuple is one name where a column is called so.

    >>> column_names("sex"), column_names(["sex", "race"]), column_names(None)
    (('sex',), ('sex', 'race'), ())
    """
    if group_by is None:
        return ()
    if isinstance(group_by, str) or not isinstance(group_by, Iterable):
        return (group_by,)
    return (group_by,) if isinstance(group_by, tuple) and group_by in list(columns) else tuple(group_by)


@dataclass(frozen=True, eq=False)
class Schema:
    """What every column of a table is, in the order of the table.

    Parameters
    ----------
    columns : tuple of Column
    target : hashable or None
        Name of the column with the labels.
    group_by : tuple of hashable
        Names of the grouping attributes.

    Examples
    --------
    >>> import pandas as pd
    >>> frame = pd.DataFrame({"age": [31, 45, 62], "paid": ["yes", "no", "yes"]})
    >>> schema = Schema.infer(frame, target="paid")
    >>> schema["age"].kind.value, schema["paid"].reason
    ('integer', 'the target')
    """

    columns: tuple[Column, ...]
    target: Hashable | None = None
    group_by: tuple[Hashable, ...] = ()

    def __repr__(self) -> str:
        kinds = Counter(column.kind.value for column in self.columns)
        parts = ", ".join(f"{count} {kind}" for kind, count in kinds.most_common())
        by = f", by {', '.join(map(str, self.group_by))}" if self.group_by else ""
        target = "" if self.target is None else f"; target {self.target}{by}"
        return f"<Schema of {len(self.columns)} columns: {parts}{target}>"

    def _repr_html_(self) -> str:
        facts = [] if self.target is None else [("target", self.target)]
        facts += [("group by", ", ".join(map(str, self.group_by)))] if self.group_by else []
        lines = [
            (column.name, column.stated, column.reason, f"{column.n_distinct:,}", f"{column.missing_share:.1%}")
            for column in self.columns
        ]
        return html_block("Schema", facts, ("column", "kind", "why", "distinct", "missing"), lines)

    def __getitem__(self, name: Hashable) -> Column:
        try:
            return self._by_name[name]
        except KeyError:
            raise SchemaError("unknown column", where=f"column {name!r}", hint=nearest(str(name), self.names)) from None

    def __contains__(self, name: Hashable) -> bool:
        return name in self._by_name

    @cached_property
    def _by_name(self) -> dict[Hashable, Column]:
        return {column.name: column for column in self.columns}

    @property
    def names(self) -> list[Hashable]:
        """Column names in table order."""
        return [column.name for column in self.columns]

    @property
    def group_columns(self) -> tuple[Hashable, ...]:
        """The target and the grouping attributes, in the order in which a group names its values."""
        return ((self.target,) if self.target is not None else ()) + self.group_by

    @property
    def features(self) -> tuple[Column, ...]:
        """All columns but the target and the grouping attributes."""
        grouping = set(self.group_columns)
        return tuple(column for column in self.columns if column.name not in grouping)

    @property
    def learned(self) -> tuple[Column, ...]:
        """The features that generators write: neither constant, nor text, nor identifier."""
        return tuple(column for column in self.features if column.is_learned)

    @classmethod
    def infer(
        cls,
        frame: pd.DataFrame,
        *,
        target: Hashable | None = None,
        group_by: GroupBy = (),
        kinds: Mapping[Any, str | Kind] | None = None,
    ) -> Schema:
        """Find the kind of every column of a frame.

        Parameters
        ----------
        frame : DataFrame of shape (n_rows, n_columns)
        target : hashable, optional
            Name of the column with the labels.
        group_by : column name or iterable of them, optional
            The grouping attributes.
        kinds : mapping of name to kind, optional
            Columns whose kind the user states.

        Returns
        -------
        Schema

        Raises
        ------
        SchemaError
            When a name is unknown or occurs twice, the frame is empty, the target has missing values or fewer
            than two labels, or a column cannot be used.
        """
        check_frame(frame)
        attributes = column_names(group_by, frame.columns)
        roles: dict[Hashable, str] = dict.fromkeys(attributes, "a grouping attribute")
        if target is not None:
            roles[target] = "the target"
        given = {name: Kind.parse(kind) for name, kind in (kinds or {}).items()}
        forms = {name: stated_form(kind) for name, kind in (kinds or {}).items()}
        for name in (*roles, *given):
            if name not in frame.columns:
                raise SchemaError("unknown column", where=f"column {name!r}", hint=nearest(str(name), frame.columns))
        if len(roles) < len(attributes) + (target is not None):
            raise SchemaError("a column can be target or grouping attribute once", got=[target, *attributes])
        columns = []
        for position, name in enumerate(frame.columns):
            series = frame.iloc[:, position]
            if name in roles:
                series = dense(series)
                columns.append(_role_column(series, roles[name], name == target))
            else:
                columns.append(infer_column(series, given.get(name), form=forms.get(name)))
        schema = cls(tuple(columns), target, attributes)
        return schema._with_leak_warnings(frame) if target is not None else schema

    def widen(self, name: Hashable, low: float | None = None, high: float | None = None) -> Schema:
        """Allow synthetic values of one column outside its observed range; see `Column.widen`."""
        wider = self[name].widen(low, high)
        return replace(self, columns=tuple(wider if column.name == name else column for column in self.columns))

    def _with_leak_warnings(self, frame: pd.DataFrame) -> Schema:
        labels, _ = pd.factorize(dense(frame[self.target]))
        columns = [
            replace(column, warnings=(*column.warnings, "looks like a copy of the target"))
            if column.name not in self.group_columns and _determines(frame[column.name], column, labels)
            else column
            for column in self.columns
        ]
        return replace(self, columns=tuple(columns))


def _determines(series: pd.Series, column: Column, labels: np.ndarray) -> bool:
    """Tell whether every value goes with one label and every label with one value."""
    if not column.kind.is_coded or column.n_states != len(np.unique(labels)) or column.n_rows < 10:
        return False
    codes = codec(column.kind).encode(column, dense(series))
    pairs = np.unique(np.stack([codes, labels]), axis=1).shape[1]
    return bool(pairs == column.n_states)


def check_frame(frame: pd.DataFrame) -> None:
    """Refuse a frame without rows or columns, or with two columns of one name."""
    if not frame.shape[1]:
        raise SchemaError("the table has no columns")
    if not frame.columns.is_unique:
        twice = sorted({str(name) for name in frame.columns[frame.columns.duplicated()]})
        raise SchemaError(
            "two columns have one name", where=", ".join(map(repr, twice)), hint="rename or drop one of them"
        )
    if not len(frame):
        raise SchemaError("the table has no rows", got=f"0 rows x {frame.shape[1]} columns")


def _role_column(series: pd.Series, role: str, is_target: bool) -> Column:
    if series.dtype != object or series.map(pd.api.types.is_hashable).all():  # else refused below
        _refuse_many(series, role, int(series.nunique()))
    column = infer_column(series, Kind.CATEGORICAL, role)
    if is_target and column.n_missing:
        rows = np.flatnonzero(series.isna().to_numpy())[:5].tolist()
        raise SchemaError(
            "the target is missing in some rows",
            where=column.label,
            got=f"{column.n_missing} of {column.n_rows} rows, the first of them {rows}",
            hint="drop those rows, or give them a label of their own; where a text such as NA is a label, "
            "--missing TEXT says what alone stands for a missing value",
        )
    return column


def _refuse_many(series: pd.Series, role: str, n_distinct: int) -> None:
    continuous = pd.api.types.is_float_dtype(series.dtype)
    if n_distinct > MAX_NUMERIC_LABELS and n_distinct > (0.05 if continuous else MOST_LABELS) * len(series):
        raise SchemaError(
            f"{role} has too many distinct values to form groups",
            where=f"column {series.name!r}",
            got=f"{n_distinct:,} distinct values in {len(series):,} rows"
            + (": Unknown label type: continuous" if continuous else ""),
            hint="name another column, or cut this one into bins (pandas.cut)",
        )
