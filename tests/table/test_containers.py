"""Tables of every container go in and come out as what they were."""

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from makeweight.errors import SchemaError
from makeweight.table.containers import append_rows, append_values, to_frame, to_series

FRAME = pd.DataFrame({"n": pd.array([1, None, 3], dtype="Int64"), "s": ["a", None, "c"]})


def test_pandas_is_taken_as_it_is():
    assert to_frame(FRAME) is FRAME


def test_arrays_are_not_copied():
    array = np.arange(6.0).reshape(3, 2)
    assert np.shares_memory(to_frame(array).to_numpy(), array)


def test_polars_and_arrow_keep_whole_numbers_whole():
    for data in (pl.DataFrame({"n": [1, None, 2**60]}), pa.table({"n": [1, None, 2**60]})):
        assert to_frame(data)["n"].dropna().tolist() == [1, 2**60]


def test_what_is_no_table_is_refused():
    for data, hint in ((pl.DataFrame({"n": [1]}).lazy(), "collect"), ({"n": [1]}, "pandas"), (np.arange(3), "pandas")):
        with pytest.raises(SchemaError, match="not a table") as error:
            to_frame(data)
        assert hint in error.value.hint
    twice = pa.table([[1], [2]], names=["a", "a"])
    with pytest.raises(SchemaError, match="one name"):
        to_frame(twice)


def test_metadata_and_index_of_appended_rows():
    table = pa.table({"n": [1, 2]}).replace_schema_metadata({"made": "by hand"})
    out = append_rows(table, pd.DataFrame({"n": [3]}))
    assert out.schema.metadata == table.schema.metadata
    assert out.column("n").to_pylist() == [1, 2, 3]
    named = FRAME.set_axis(["x", "y", "z"], axis=0)
    assert append_rows(named, FRAME.iloc[:1]).index.tolist() == [0, 1, 2, 3]
    assert append_rows(named, FRAME.iloc[:0]).index.tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    "values",
    [
        [1, 2],
        np.array([1, 2], dtype="int8"),
        pd.Series([1, 2], name="k", dtype="int16"),
        pl.Series("k", [1, 2], dtype=pl.UInt8),
        pa.array([1, 2], type=pa.int16()),
        pa.chunked_array([[1], [2]]),
    ],
)
def test_values_are_appended_in_their_container(values):
    series = to_series(values, 2)
    assert series.tolist() == [1, 2]
    out = append_values(values, pd.Series([3]))
    assert type(out) is type(values)
    assert list(getattr(out, "to_pylist", lambda: out)()) == [1, 2, 3]
    if not isinstance(values, list):
        assert getattr(out, "dtype", None) == getattr(values, "dtype", None)
    with pytest.raises(SchemaError, match="lengths differ"):
        to_series(values, 3)
