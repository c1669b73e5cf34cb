"""Every dtype survives encoding and decoding, and no codec lets a value pass that the column cannot have."""

import uuid

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from makeweight import Schema
from makeweight.errors import OptionError, SchemaError
from makeweight.table import Kind, Table
from makeweight.table.kinds import codec, identifier
from strategies import COLUMNS

few = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def described(series, kind=None):
    frame = series.rename("x").to_frame()
    return Schema.infer(frame, kinds={"x": kind} if kind else None)["x"], frame


@pytest.mark.parametrize("name", COLUMNS)
@few
@given(data=st.data())
def test_values_come_back_as_they_went_in(name, data):
    column, frame = described(data.draw(COLUMNS[name]))
    if not column.kind.is_learned:
        return
    table = Table(frame, Schema((column,)))
    encoded = table.encode("x")
    assert encoded.dtype == (np.float64 if column.kind.is_numeric else np.int32)
    back = table.decode({"x": encoded})["x"]
    assert back.dtype == frame["x"].dtype
    pd.testing.assert_series_equal(back, frame["x"], check_freq=False)
    values, rejects = codec(column.kind).check(column, frame["x"])
    assert not rejects
    np.testing.assert_array_equal(values, encoded)


@pytest.mark.parametrize("name", COLUMNS)
@few
@given(data=st.data())
def test_decoding_nothing_keeps_the_dtype(name, data):
    column, frame = described(data.draw(COLUMNS[name]))
    if column.kind.is_learned:
        empty = np.empty(0, dtype=np.float64 if column.kind.is_numeric else np.int32)
        assert codec(column.kind).decode(column, empty).dtype == frame["x"].dtype


@pytest.mark.parametrize(
    ("real", "proposed", "reasons"),
    [
        (
            [1.0, 2.5, 9.25],
            [1.25, 10.0, 0.5, np.nan, np.inf, 2.001],
            {"out-of-range": [1, 2, 4], "missing-not-seen": [3], "not-a-number": [4], "too-many-decimals": [5]},
        ),
        ([1, 2, 30], [3, 2.5, "7", "many"], {"not-a-whole-number": [1], "not-a-number": [3]}),
        ([1.5, None, 3.5], [None, 2.5], {}),
        (["a", "b", "a"], ["a", "c", None], {"unknown-category": [1], "missing-not-seen": [2]}),
        ([True, False, True], ["yes", "false", "maybe", 1], {"unknown-category": [2]}),
        (
            pd.to_datetime(["2024-01-01", "2024-02-01", "2024-03-01"]),
            ["2024-01-15", "2025-01-01", "soon", "2024-01-15 12:00"],
            {"out-of-range": [1], "not-a-date": [2], "finer-than-column": [3]},
        ),
    ],
)
def test_what_a_column_cannot_have_is_rejected_by_name(real, proposed, reasons):
    column, _ = described(pd.Series(real))
    _, rejects = codec(column.kind).check(column, pd.Series(proposed, dtype=object))
    assert {reason: np.flatnonzero(mask).tolist() for reason, mask in rejects.items()} == reasons


def test_unused_categories_of_a_dtype_are_not_proposed():
    column, _ = described(pd.Series(pd.Categorical(["a", "b"] * 5, categories=["z", "a", "b"])))
    codes, rejects = codec(column.kind).check(column, pd.Series(["z", "b"]))
    assert rejects["unknown-category"].tolist() == [True, False]
    assert codes.tolist() == [-1, 1]


@pytest.mark.parametrize(
    "real",
    [
        pd.Series([7, 3, 9], dtype="int64"),
        pd.Series([254, 255, 1], dtype="uint8"),
        pd.Series(["7590-VHVEG", "5575-GNVDE", "3668-QPYBK"]),
        pd.Series(["7590-VHVEG", "5575-GNVDE", "3668-QPYBK"], dtype="string[pyarrow]"),
        pd.Series(["a", "b", None], dtype="str"),
        pd.Series([str(uuid.UUID(int=i)) for i in range(3)]),
        pd.Series([uuid.UUID(int=i) for i in range(3)]),
        pd.Series([1.0, 2.0, np.nan]),
    ],
)
def test_identifiers_are_fresh_unique_and_of_the_same_dtype(real):
    column, frame = described(real, "identifier")
    fresh = identifier.fresh(column, frame["x"], 200, np.random.default_rng(0))
    assert fresh.dtype == real.dtype
    assert fresh.is_unique
    assert not fresh.isna().any()
    assert not set(fresh) & set(real)
    again = identifier.fresh(column, frame["x"], 200, np.random.default_rng(0))
    pd.testing.assert_series_equal(fresh, again)


def test_identifiers_keep_their_shape():
    column, frame = described(pd.Series(["7590-VHVEG", "5575-GNVDE", "3668-QPYBK"]), "identifier")
    fresh = identifier.fresh(column, frame["x"], 100, np.random.default_rng(0))
    assert fresh.str.fullmatch(r"\d{4}-[A-Z]{5}").all()


def test_identifiers_without_room_are_refused():
    real = pd.Series(range(-128, 128), dtype="int8")
    column, frame = described(real, "identifier")
    with pytest.raises(SchemaError, match="no room for fresh identifiers"):
        identifier.fresh(column, frame["x"], 5, np.random.default_rng(0))


def test_range_is_widened_only_on_request():
    schema = Schema.infer(pd.DataFrame({"x": [0.5, 1.5, 2.5]}))
    proposed = pd.Series([9.5])
    assert codec(Kind.CONTINUOUS).check(schema["x"], proposed)[1]
    wider = schema.widen("x", high=10)
    assert not codec(Kind.CONTINUOUS).check(wider["x"], proposed)[1]
    with pytest.raises(OptionError, match="only numbers"):
        Schema.infer(pd.DataFrame({"x": ["a", "b"]})).widen("x", high=1)


def test_decimals_of_single_precision_are_those_that_were_written():
    column, _ = described(pd.Series([0.1, 0.25, 3.3], dtype="float32"))
    assert column.decimals == 2
    assert column.snap(np.array([0.1234, 99.0])).tolist() == pytest.approx([0.12, 3.3])


@pytest.mark.parametrize(
    ("values", "grid"),
    [
        (np.arange(40) * 5 / 100, 5),
        (-np.arange(40) * 25 / 1000, 25),
        (np.arange(40) * 500, 500),
        ((np.arange(40) * 5 / 100).astype("float32"), 5),
        (np.append(np.arange(40) * 5 / 100, 0.01), 1),  # one value is off the grid
        (np.arange(19) * 5 / 100, 1),  # so few may be multiples by chance
        (np.arange(40) * 5 / 100 + 2.0**34, 1),  # a float is too coarse
        (np.arange(40) / 7, 1),  # no decimals
        (np.arange(40) * 500 + 2**60, 1),  # counted from the smallest
    ],
)
def test_numbers_that_are_multiples_have_a_grid(values, grid):
    column, _ = described(pd.Series(values))
    assert column.grid == grid


@given(
    units=st.lists(st.integers(-500, 500), min_size=20, max_size=60, unique=True),
    step=st.sampled_from([1, 2, 5, 25, 50]),
    decimals=st.integers(0, 4),
    proposed=st.lists(st.floats(-1e5, 1e5) | st.just(np.nan), min_size=1),
)
def test_snapping_leads_to_the_grid_within_the_range(units, step, decimals, proposed):
    real = np.round(np.array(units) * step / 10.0**decimals, decimals)
    column, _ = described(pd.Series(real), kind="continuous")
    assert np.array_equal(column.snap(real), real)
    snapped = column.snap(np.array(proposed))
    assert np.array_equal(np.isnan(snapped), np.isnan(proposed))
    found = snapped[~np.isnan(snapped)]
    assert ((found >= real.min()) & (found <= real.max())).all()
    assert column.decimals is not None
    counted = np.round(found * 10.0**column.decimals)
    assert (counted % column.grid == 0).all()
    assert np.array_equal(np.round(found, column.decimals), found)
    _, rejects = codec(column.kind).check(column, pd.Series(found))
    assert not rejects


def test_the_largest_single_precision_value_is_in_range_as_it_is_written():
    series = pd.Series([0.5, 16384.6875, 7.0], dtype="float32", name="x")
    column, _ = described(series)
    values, rejects = codec(column.kind).check(column, pd.Series([16384.688, 16384.7]))
    assert {reason: mask.tolist() for reason, mask in rejects.items()} == {"out-of-range": [False, True]}
    assert codec(column.kind).decode(column, values)[0] == series[1]
