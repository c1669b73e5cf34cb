"""Input checks shared by the theory room: what comes in is finite, aligned, and not empty."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from makeweight.errors import OptionError, PlanError, SchemaError

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]


def as_matrix(value: npt.ArrayLike, name: str, *, columns: int | None = None) -> Floats:
    """Return a finite float matrix of shape (n, d), n and d at least 1."""
    array = np.asarray(value, dtype=np.float64)
    if array.ndim != 2 or array.size == 0:
        raise SchemaError("a table of numbers is needed", where=name, got=f"shape {array.shape}", expected="(n, d)")
    if columns is not None and array.shape[1] != columns:
        raise SchemaError("column counts differ", where=name, got=array.shape[1], expected=columns)
    _finite(array, name)
    return array


def as_vector(value: npt.ArrayLike, name: str, *, length: int | None = None) -> Floats:
    """Return a finite float vector of shape (n,), n at least 1."""
    array = np.asarray(value, dtype=np.float64)
    if array.ndim != 1 or array.size == 0:
        raise SchemaError("a list of numbers is needed", where=name, got=f"shape {array.shape}", expected="(n,)")
    if length is not None and len(array) != length:
        raise SchemaError("lengths differ", where=name, got=len(array), expected=length)
    _finite(array, name)
    return array


def _finite(array: Floats, name: str) -> None:
    bad = int(np.sum(~np.isfinite(array)))
    if bad:
        raise SchemaError(
            "missing or infinite numbers",
            where=name,
            got=f"{bad} of {array.size}",
            expected="none",
            hint="drop or impute these rows before calling",
        )


def as_weights(value: npt.ArrayLike | None, length: int, *, signed: bool = False) -> Floats:
    """Return weights of shape (length,): ones by default, a positive sum always."""
    if value is None:
        return np.ones(length)
    weights = as_vector(value, "sample_weight", length=length)
    if not signed and np.any(weights < 0):
        raise OptionError("negative weights", where="sample_weight", got=float(weights.min()), expected=">= 0")
    if weights.sum() <= 0:
        raise OptionError(
            "weights sum to zero or less", where="sample_weight", got=float(weights.sum()), expected="> 0"
        )
    return weights


def as_binary(value: npt.ArrayLike, *, length: int | None = None, both: bool = True) -> Floats:
    """Return labels 0 (majority) and 1 (minority) as floats of shape (n,)."""
    labels = as_vector(value, "labels", length=length)
    values = np.unique(labels)
    if not np.isin(values, (0.0, 1.0)).all():
        raise SchemaError("labels must be 0 and 1", where="labels", got=values[:5].tolist(), expected="0 and 1")
    if both and len(values) < 2:
        raise PlanError("only one class is present", where="labels", got=values.tolist(), expected="rows of 0 and of 1")
    return labels


def as_codes(value: npt.ArrayLike, name: str, *, length: int | None = None) -> tuple[npt.NDArray[Any], Integers]:
    """Return the sorted distinct groups, and for each row the position of its group among them.

    A group is a value or a tuple of values.
    """
    groups = _as_groups(value)
    if groups.ndim != 1 or groups.size == 0:
        raise SchemaError("one group per row is needed", where=name, got=f"shape {groups.shape}", expected="(n,)")
    if length is not None and len(groups) != length:
        raise SchemaError("lengths differ", where=name, got=len(groups), expected=length)
    if groups.dtype.kind == "f" and not np.isfinite(groups).all():
        raise SchemaError("missing groups", where=name, got=int(np.sum(~np.isfinite(groups))), expected="none")
    if groups.dtype != object:
        names, codes = np.unique(groups, return_inverse=True)
        return names, codes.astype(np.int64)
    distinct = list(dict.fromkeys(groups))
    try:
        distinct.sort()
    except TypeError:  # values of several types have no order of their own
        distinct.sort(key=repr)
    place = {group: position for position, group in enumerate(distinct)}
    return _as_groups(distinct), np.array([place[group] for group in groups], dtype=np.int64)


def _as_groups(value: npt.ArrayLike) -> npt.NDArray[Any]:
    """Return an array of groups; tuples stay whole."""
    if isinstance(value, list | tuple) and len(value) and isinstance(value[0], tuple):
        groups = np.empty(len(value), dtype=object)
        groups[:] = value
        return groups
    return np.asarray(value)


def fraction(value: float, name: str, *, open_end: bool = False) -> float:
    """Check that a number lies in [0, 1], or in [0, 1) with `open_end`."""
    number = float(value)
    if not (0.0 <= number < 1.0 or (number == 1.0 and not open_end)):
        raise OptionError("out of range", where=name, got=value, expected="[0, 1)" if open_end else "[0, 1]")
    return number


def count(value: int, name: str, *, least: int = 0) -> int:
    """Check that a whole number is at least `least`."""
    number = int(value)
    if number != value or number < least:
        raise OptionError("not a usable count", where=name, got=value, expected=f"a whole number >= {least}")
    return number


def choice(value: str, name: str, known: tuple[str, ...]) -> str:
    """Check that an option is one of its known words."""
    if value not in known:
        raise OptionError("unknown option", where=name, got=repr(value), expected=", ".join(map(repr, known)))
    return value
