"""Frames of every dtype that people have, for hypothesis."""

import datetime as dt
from decimal import Decimal

import numpy as np
import pandas as pd
from hypothesis import strategies as st

ROWS = 12


def _column(values, dtype):
    return st.lists(values, min_size=ROWS, max_size=ROWS).map(lambda v: pd.Series(v, dtype=dtype))


def _maybe(values):
    return st.one_of(values, values, st.none())


small_ints = st.integers(-50, 50)
floats = st.floats(-1e6, 1e6, allow_nan=False, width=32)
grid = st.integers(-500, 500).map(lambda v: v / 100)
words = st.sampled_from(["a", "b", "c c", "ü,", "NaN", ""])
days = st.dates(dt.date(1950, 1, 1), dt.date(2050, 1, 1))
times = st.datetimes(dt.datetime(1950, 1, 1), dt.datetime(2050, 1, 1)).map(lambda t: t.replace(microsecond=0))

#: Name of a dtype to a strategy for a series of it; with missing values where the dtype has them.
COLUMNS = {
    "int8": _column(st.integers(-128, 127), "int8"),
    "int16": _column(small_ints, "int16"),
    "int64": _column(st.integers(-(2**40), 2**40), "int64"),
    "large int64": _column(st.integers(2**60, 2**60 + 10**6), "int64"),
    "uint8": _column(st.integers(0, 255), "uint8"),
    "large uint64": _column(st.integers(2**64 - 10**6, 2**64 - 1), "uint64"),
    "Int8": _column(_maybe(st.integers(-128, 127)), "Int8"),
    "Int64": _column(_maybe(small_ints), "Int64"),
    "UInt16": _column(_maybe(st.integers(0, 60_000)), "UInt16"),
    "float32": _column(floats, "float32"),
    "float64": _column(st.one_of(floats, st.just(np.nan)), "float64"),
    "float64 grid": _column(grid, "float64"),
    "Float64": _column(_maybe(grid), "Float64"),
    "bool": _column(st.booleans(), "bool"),
    "boolean": _column(_maybe(st.booleans()), "boolean"),
    "bool objects": _column(_maybe(st.booleans()), "object"),
    "zero one": _column(st.integers(0, 1), "int32"),
    "str": _column(_maybe(words), "str"),
    "string": _column(_maybe(words), "string"),
    "string objects": _column(_maybe(words), "object"),
    "int objects": _column(_maybe(small_ints), "object"),
    "decimals": _column(_maybe(grid.map(lambda v: Decimal(f"{v:.2f}"))), "object"),
    "mixed objects": _column(st.one_of(words, st.integers(2, 5)), "object"),
    "category": _column(_maybe(words), "object").map(lambda s: s.astype("category")),
    "ordered": _column(_maybe(st.sampled_from(["low", "mid"])), "object").map(
        lambda s: s.astype(pd.CategoricalDtype(["low", "mid", "high"], ordered=True))
    ),
    "int category": _column(small_ints, "int64").map(lambda s: s.astype("category")),
    "datetime": _column(_maybe(days), "datetime64[ns]"),
    "datetime s": _column(_maybe(times), "datetime64[s]"),
    "datetime zone": _column(_maybe(times), "datetime64[us]").map(lambda s: s.dt.tz_localize("UTC")),
    "datetime Berlin": _column(days, "datetime64[us]").map(
        lambda s: s.dt.tz_localize("Europe/Berlin", ambiguous=True, nonexistent="shift_forward")
    ),
    "date objects": _column(_maybe(days), "object"),
    "timedelta": _column(_maybe(st.integers(0, 10**6).map(lambda s: dt.timedelta(seconds=s))), "timedelta64[ms]"),
    "arrow int": _column(_maybe(small_ints), "int64[pyarrow]"),
    "arrow float": _column(_maybe(grid), "double[pyarrow]"),
    "arrow bool": _column(_maybe(st.booleans()), "bool[pyarrow]"),
    "arrow string": _column(_maybe(words), "string[pyarrow]"),
    "arrow timestamp": _column(_maybe(times), "timestamp[us][pyarrow]"),
    "arrow date": _column(_maybe(days), "date32[pyarrow]"),
    "all missing float": _column(st.just(np.nan), "float64"),
    "all missing object": _column(st.none(), "object"),
    "all missing Int64": _column(st.none(), "Int64"),
}
