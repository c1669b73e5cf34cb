"""Values from a list: strings, codes, any hashable object."""

from __future__ import annotations

import numpy as np
import pandas as pd

from makeweight.errors import SchemaError
from makeweight.table.column import MAX_CATEGORIES, Column, Kind
from makeweight.table.kinds._values import Rejects, allow_missing, column_of, missing_mask, to_dtype


def observed(series: pd.Series) -> pd.Index:
    """Return the observed values: in the order of an ordered dtype, else sorted where they can be."""
    if isinstance(series.dtype, pd.CategoricalDtype):
        used = np.unique(series.cat.codes.to_numpy())
        ordered: pd.Index = series.dtype.categories[used[used >= 0]]
        return ordered
    try:
        values: pd.Index = pd.Index(series.dropna().unique(), dtype=series.dtype)
    except TypeError as error:
        raise SchemaError(
            "values cannot be used as categories",
            where=f"column {series.name!r}",
            got=str(error),
            hint="drop the column, or turn its lists and dicts into plain values first",
        ) from error
    try:
        return values.sort_values()
    except TypeError:  # values of several types have no order: keep the order of appearance
        return values


def describe(series: pd.Series, reason: str, kind: Kind = Kind.CATEGORICAL) -> Column:
    """Read the categories off a real column.

    Raises SchemaError when values are not hashable, or there are more than `MAX_CATEGORIES`.
    """
    categories = observed(series)
    if len(categories) > MAX_CATEGORIES:
        raise SchemaError(
            "too many distinct values for a category",
            where=f"column {series.name!r}",
            got=f"{len(categories):,} distinct values in {len(series):,} rows",
            expected=f"at most {MAX_CATEGORIES:,}",
            hint=f"--kind {series.name}=identifier (fresh values) or --kind {series.name}=text "
            "(a real row's value), or drop the column",
        )
    return column_of(series, kind, reason, missing_mask(series), len(categories), categories=categories)


def encode(column: Column, series: pd.Series) -> np.ndarray:
    """Return positions in the categories as int32, -1 for missing."""
    assert column.categories is not None
    if isinstance(series.dtype, pd.CategoricalDtype):
        positions = column.categories.get_indexer(series.dtype.categories)
        codes = series.cat.codes.to_numpy()
        return np.where(codes < 0, -1, positions[codes] if len(positions) else -1).astype(np.int32)
    return column.categories.get_indexer(pd.Index(series)).astype(np.int32)


def check(column: Column, series: pd.Series) -> tuple[np.ndarray, Rejects]:
    """Encode proposed values and say which the real column cannot have.

    A value counts as a category when it equals one, or when it is the text of exactly one.
    """
    assert column.categories is not None
    missing = missing_mask(series)
    codes = encode(column, series)
    unknown = (codes < 0) & ~missing
    if unknown.any() and not pd.api.types.is_numeric_dtype(series.dtype):
        texts = column.categories.astype(str)
        if texts.is_unique:
            codes[unknown] = pd.Index(texts).get_indexer(pd.Index(series[unknown].astype(str)))
            unknown = (codes < 0) & ~missing
    rejects: Rejects = {"unknown-category": unknown} if unknown.any() else {}
    allow_missing(column, missing, rejects)
    return codes, rejects


def decode(column: Column, codes: np.ndarray) -> pd.Series:
    """Write positions in the categories with the dtype of the real column."""
    assert column.categories is not None
    missing = codes < 0
    if isinstance(column.dtype, pd.CategoricalDtype):
        positions = column.dtype.categories.get_indexer(column.categories)
        full = np.where(missing, -1, positions[codes] if len(positions) else -1)
        return pd.Series(pd.Categorical.from_codes(full, dtype=column.dtype), name=column.name)
    if not len(column.categories):
        return to_dtype(column, pd.Series([column.missing_value] * len(codes), dtype=object))
    taken = column.categories.take(np.where(missing, 0, codes))
    if column.dtype == object:
        values = taken.to_numpy(dtype=object).copy()
        values[missing] = column.missing_value
        return pd.Series(values, name=column.name, dtype=object)
    written = pd.Series(taken, name=column.name)
    if missing.any():
        written = written.mask(missing)
    return written if written.dtype == column.dtype else to_dtype(column, written)
