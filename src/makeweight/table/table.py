"""A real table with its schema: what generators learn from."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from makeweight.errors import SchemaError
from makeweight.table.arrow import cast_arrow
from makeweight.table.kinds import codec
from makeweight.table.kinds._values import dense
from makeweight.table.schema import Schema

__all__ = ["Table"]


class Table:
    """Real rows and what their columns are. Never changes the frame it is given.

    Parameters
    ----------
    frame : DataFrame of shape (n_rows, n_columns)
    schema : Schema
        Of this frame.

    Raises
    ------
    SchemaError
        When the frame's columns are not the schema's.

    Examples
    --------
    >>> import pandas as pd
    >>> frame = pd.DataFrame({"age": [31, 45, None], "paid": ["yes", "no", "yes"]})
    >>> table = Table(frame, Schema.infer(frame, target="paid"))
    >>> table.encode("age")
    array([31., 45., nan])
    >>> table.decode({"age": table.encode("age")})["age"].tolist()
    [31.0, 45.0, nan]
    """

    def __init__(self, frame: pd.DataFrame, schema: Schema) -> None:
        if list(frame.columns) != schema.names:
            raise SchemaError(
                "the frame's columns are not the schema's", got=list(frame.columns), expected=schema.names
            )
        self.frame = frame
        self.schema = schema

    def __len__(self) -> int:
        return len(self.frame)

    def encode(self, name: Hashable, rows: np.ndarray | None = None) -> np.ndarray:
        """Return a learned or grouping column as numbers.

        Parameters
        ----------
        name : hashable
        rows : ndarray of int, optional
            Positions of the rows wanted; all by default.

        Returns
        -------
        ndarray of shape (n_rows,)
            float64 with NaN for missing (continuous, integer, datetime), or int32 with -1 for missing
            (categorical, boolean).
        """
        column = self.schema[name]
        series = self.frame[name] if rows is None else self.frame[name].iloc[rows]
        return np.asarray(codec(column.kind).encode(column, dense(series)))

    def decode(self, columns: Mapping[Hashable, np.ndarray | pd.Series]) -> pd.DataFrame:
        """Write encoded columns with the dtypes of the real ones.

        Parameters
        ----------
        columns : mapping of name to ndarray
            As `encode` returns them; a Series is taken as it is.

        Returns
        -------
        DataFrame
        """
        return pd.DataFrame({name: self._decode(name, values) for name, values in columns.items()}, copy=False)

    def _decode(self, name: Hashable, values: np.ndarray | pd.Series) -> pd.Series:
        if isinstance(values, pd.Series):
            return values.reset_index(drop=True)
        column = self.schema[name]
        decoded: pd.Series = codec(column.kind).decode(column, values)
        real: Any = self.frame[name].dtype
        if decoded.dtype == real:
            return decoded
        if isinstance(real, pd.ArrowDtype):
            column = cast_arrow(pa.array(decoded.array), real.pyarrow_dtype)
            return pd.Series(pd.arrays.ArrowExtensionArray(column), name=name)
        return decoded.astype(real)
