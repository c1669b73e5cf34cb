"""One reading finds what `Schema.infer` finds of the whole table, however it is cut."""

import shutil
import tempfile
from dataclasses import fields
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from makeweight import Schema
from makeweight.errors import PlanError, SchemaError
from makeweight.partitioned import Workers, survey
from makeweight.partitioned.facts import exact_decimals
from makeweight.partitioned.source import PartSource
from makeweight.plan import Amount, Groups, Target
from makeweight.table import Table
from makeweight.table.containers import to_frame
from makeweight.table.kinds._numeric import count_decimals
from partitioned_tables import cut, make_table

COMPARED = [
    field.name
    for field in fields(Schema.infer(pd.DataFrame({"x": [1]}))["x"])
    if field.name not in ("dtype", "categories", "reason", "missing_value", "python_type")
]


def assert_same_columns(found, known):
    """Compare schemas: all but dtypes, which hold missing values whether or not a piece has them."""
    for mine, theirs in zip(found.columns, known.columns, strict=True):
        for name in COMPARED:
            assert getattr(mine, name) == getattr(theirs, name), (mine.name, name)
        assert (mine.categories is None) == (theirs.categories is None)
        if isinstance(theirs.dtype, pd.CategoricalDtype):  # a dictionary, which every piece has its own of
            assert mine.categories.tolist() == sorted(theirs.categories)
        elif mine.categories is not None:
            assert mine.categories.tolist() == theirs.categories.tolist()


def surveyed(table, edges, row_group_size=None, group_by=("sex",), kinds=None):
    folder = Path(tempfile.mkdtemp())
    try:
        parts = cut(table, folder / "parts", edges, row_group_size)
        return survey(parts, Target("y", group_by, kinds or {}), Amount(), Workers())
    finally:
        shutil.rmtree(folder)


def inferred(table, group_by=("sex",), kinds=None):
    frame = to_frame(table)
    schema = Schema.infer(frame, target="y", group_by=group_by, kinds=kinds)
    return schema, Groups(Table(frame, schema))


@settings(max_examples=12, deadline=None)
@given(edges=st.lists(st.integers(0, 400), max_size=6), row_group_size=st.sampled_from([None, 7, 50]))
@example(edges=[1], row_group_size=None)
def test_any_cut_gives_the_schema_and_the_groups_of_the_whole(whole, edges, row_group_size):
    schema, groups = inferred(whole)
    found = surveyed(whole, edges, row_group_size)
    assert_same_columns(found.schema, schema)
    assert found.groups.keys == groups.keys
    assert found.groups.counts.tolist() == groups.counts.tolist()
    assert found.plan.n_real == len(whole)


def columns_of_numbers():
    """Tables whose columns are near the rules' edges: few values, whole or not, all different or not."""
    odd = st.sampled_from([-0.0, 0.0, 1e-13, 123456789.12])
    few = st.integers(0, 1) | st.integers(0, 12) | st.none()
    value = few | st.integers(-(2**40), 2**40) | st.integers(0, 999).map(lambda v: v / 100) | odd
    value |= st.floats(-1e6, 1e6)
    return st.lists(value, min_size=2, max_size=40)


@settings(max_examples=60, deadline=None)
@given(values=columns_of_numbers(), edge=st.integers(0, 40), whole_numbers=st.booleans())
def test_numbers_get_the_same_kind_however_they_are_cut(values, edge, whole_numbers):
    if whole_numbers:
        column = pa.array([None if v is None else int(v) for v in values], pa.int64())
    else:
        column = pa.array([None if v is None else float(v) for v in values], pa.float64())
    table = pa.table({"x": column, "y": np.resize(["a", "b"], len(values))})
    schema, _ = inferred(table, group_by=())
    assert_same_columns(surveyed(table, [edge], group_by=()).schema, schema)


@settings(max_examples=30, deadline=None)
@given(
    units=st.lists(st.integers(-3000, 3000), min_size=10, max_size=40),
    step=st.sampled_from([1, 5, 20, 250]),
    decimals=st.integers(0, 3),
    kind=st.sampled_from([pa.float64(), pa.float32(), pa.int64()]),
    edge=st.integers(0, 40),
)
def test_numbers_keep_their_grid_however_they_are_cut(units, step, decimals, kind, edge):
    values = np.array(units) * step
    if kind != pa.int64():
        values = values / 10.0**decimals
    table = pa.table({"x": pa.array(values).cast(kind), "y": np.resize(["a", "b"], len(values))})
    schema, _ = inferred(table, group_by=())
    assert_same_columns(surveyed(table, [edge], group_by=()).schema, schema)


@settings(max_examples=40, deadline=None)
@given(
    values=st.lists(
        st.sampled_from(["a", "b b", "c c c", "", "d", None]) | st.text(max_size=9), min_size=2, max_size=60
    ),
    edge=st.integers(0, 60),
)
def test_strings_get_the_same_kind_however_they_are_cut(values, edge):
    labels = np.resize(["a", "b"], len(values))
    table = pa.table({"x": pa.array(values, pa.string()), "y": labels})
    schema, _ = inferred(table, group_by=())
    assert_same_columns(surveyed(table, [edge], group_by=()).schema, schema)


@settings(max_examples=40, deadline=None)
@given(
    ticks=st.lists(st.integers(-(10**7), 10**7), min_size=2, max_size=20),
    unit=st.sampled_from([1, 1_000, 1_000_000, 60_000_000, 3_600_000_000]),
    edge=st.integers(0, 20),
)
def test_dates_keep_their_step_however_they_are_cut(ticks, unit, edge):
    column = pa.array([tick * unit for tick in ticks], pa.timestamp("us"))
    table = pa.table({"x": column, "y": np.resize(["a", "b"], len(ticks))})
    schema, _ = inferred(table, group_by=())
    assert_same_columns(surveyed(table, [edge], group_by=()).schema, schema)


@given(st.lists(st.floats(-1e9, 1e9).map(lambda v: round(v, 3)) | st.floats(), max_size=30), st.booleans())
def test_exact_decimals_are_those_that_are_counted(values, single):
    dtype = np.dtype("float32" if single else "float64")
    finite = np.array([v for v in values if np.isfinite(v) and abs(v) < 1e30]).astype(dtype).astype(float)
    exact = exact_decimals(finite, dtype)
    assert ((exact & -exact).bit_length() - 1 if exact else None) == count_decimals(finite, dtype)


def test_kinds_that_are_stated_hold(whole):
    kinds = {"code": "integer", "visits": "categorical", "number": "continuous", "note": "categorical"}
    schema, _ = inferred(whole, kinds=kinds)
    assert_same_columns(surveyed(whole, [100, 101, 300], kinds=kinds).schema, schema)


def test_a_copy_of_the_target_is_told(whole):
    found = surveyed(whole, [3])
    assert "looks like a copy of the target" in found.schema["copy"].warnings
    assert "looks like a copy of the target" not in found.schema["flag"].warnings


def test_more_different_values_than_are_kept(monkeypatch):
    monkeypatch.setattr("makeweight.partitioned.facts.NUMBERS", 64)
    rng = np.random.default_rng(0)
    n = 5000
    table = pa.table(
        {
            "row_id": rng.permutation(n) * 7,
            "often": rng.integers(0, 1000, n),
            "real": rng.normal(size=n),
            "y": np.resize(["a", "b"], n),
        }
    )
    kinds = {}
    for edges in ([], [1, 2000], list(range(0, n, 250))):
        found = surveyed(table, edges, group_by=())
        kinds[len(edges)] = [(c.kind, c.n_distinct, c.decimals) for c in found.schema.columns]
        assert found.schema["row_id"].reason == "every value is different, and the name says so"
        assert found.schema["row_id"].n_distinct == found.schema["real"].n_distinct == n
        assert found.schema["often"].n_distinct == pytest.approx(1000, rel=4 / np.sqrt(64))
    assert kinds[0] == kinds[2] == kinds[20]


def test_a_column_without_a_value_in_some_parts(tmp_path):
    table = pa.table({"x": pa.array([None] * 5 + [1.5, 2.25] * 10), "y": ["a", "b", "a", "a", "b"] * 5})
    folder = cut(table, tmp_path / "parts", [5])
    first = pa.table({"x": pa.nulls(5), "y": table["y"][:5]})
    pa.parquet.write_table(first, folder / "part.0.parquet")
    schema, _ = inferred(table, group_by=())
    assert_same_columns(survey(folder, Target("y"), Amount(), Workers()).schema, schema)


def test_part_files_come_in_the_order_of_their_numbers(tmp_path):
    cut(make_table(12), tmp_path / "parts", range(12))
    assert [Path(file).name for file in PartSource.open(tmp_path / "parts").files] == [
        f"part.{number}.parquet" for number in range(12)
    ]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.set_column(0, "x", pa.array([None, 1.0, float("inf")] * 4)), "row 2 of .*part.0.parquet"),
        (lambda t: t.set_column(1, "y", pa.array(["a", None] * 6)), "6 of 12 rows, .*row 1 of .*part.0"),
        (lambda t: t.set_column(1, "y", pa.array(["a"] * 12)), "one class"),
        (lambda t: t.set_column(0, "x", pa.array([[1]] * 12)), "'x' in .*part.0.parquet"),
        (lambda t: t.rename_columns(["y", "z"]).append_column("z2", t["y"]), None),
    ],
)
def test_tables_that_cannot_be_balanced(change, message):
    table = change(pa.table({"x": np.arange(12) * 1.5, "y": ["a", "b", "b"] * 4}))
    if message is None:
        assert surveyed(table, [4], group_by=("z",)).schema.target == "y"
        return
    with pytest.raises((SchemaError, PlanError), match=message):
        surveyed(table, [4], group_by=())


def test_a_target_with_too_many_values():
    table = pa.table({"x": np.resize([1.5, 2.5], 500), "y": np.arange(500) / 7})
    with pytest.raises(SchemaError, match="too many distinct values to form groups"):
        surveyed(table, [100], group_by=())
