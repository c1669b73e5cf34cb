"""A table as other packages take it, and the way back."""

import numpy as np
import pandas as pd
import pytest

from makeweight.errors import GeneratorError
from makeweight.generators.adapters.adapter import seeded
from makeweight.generators.adapters.plain import PlainTable
from makeweight.generators.base import remarks_of
from makeweight.generators.contract import example_table
from makeweight.plan import Groups
from makeweight.table import Schema, Table


@pytest.mark.parametrize("kinds", ["mixed", "numbers", "categories"])
def test_the_real_rows_come_back(kinds):
    table = example_table(kinds=kinds, group_by=("sex",))
    plain = PlainTable.of(table)
    frame = plain.frame(table)
    assert not frame.isna().any().any()
    assert set(map(str, frame.dtypes)) <= {"object", "str", "float64"}  # str from pandas 3 on
    groups = Groups(table)
    for group in groups.keys:
        rows = plain.proposal(frame, group)
        own = table.frame.iloc[groups.rows(group)].reset_index(drop=True)
        pd.testing.assert_frame_equal(rows, own[list(rows.columns)])


def spoiled(name, value):
    table = example_table()
    plain = PlainTable.of(table)
    frame = plain.frame(table)
    frame.loc[frame["y"] == "rare", name] = value
    return remarks_of(plain.proposal(frame, ("rare",))).rejected


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("size", 99.0, "out-of-range: size"),
        ("size", np.nan, "not-a-number: size"),
        ("count", 20.4, None),
        ("colour", "_RARE_", "unknown-category: colour"),
        ("colour", "(missing)", "unknown-category: colour"),
        ("job", "(missing)", None),
        ("income (missing)", "yes", None),
        ("y", "common", "wrong-group: y"),
    ],
)
def test_what_does_not_belong_is_counted_by_reason(name, value, reason):
    rejected = spoiled(name, value)
    assert rejected.get(reason, 0) == {None: 0, "wrong-group: y": 80}.get(reason, 24)
    if reason is None:
        assert set(rejected) == {"wrong-group: y"}


def test_names_and_texts_that_read_alike_stay_apart():
    frame = pd.DataFrame(
        {1: [0.5, 1.5, 2.5, 3.5] * 5, "1": [1, "1", None, "x"] * 5, "y": ["a", "b"] * 10}, dtype=object
    )
    frame[1] = frame[1].astype(float)
    table = Table(frame, Schema.infer(frame, target="y"))
    plain = PlainTable.of(table)
    shown = plain.frame(table)
    assert list(shown) == ["y", "1", "1_"]
    assert shown["1_"].nunique() == 4
    rows = plain.proposal(shown, ("a",))
    assert rows["1"].map(type).tolist() == frame.loc[frame["y"] == "a", "1"].map(type).tolist()


def test_a_lacking_column_is_named():
    table = example_table()
    plain = PlainTable.of(table)
    with pytest.raises(GeneratorError, match="no 'colour'"):
        plain.proposal(plain.frame(table).drop(columns="colour"), ("rare",))


def test_torch_is_seeded_and_left_as_it_was():
    torch = pytest.importorskip("torch")
    before = torch.get_rng_state()
    draws = []
    for _ in range(2):
        with seeded(np.random.default_rng(1)):
            draws.append(torch.rand(3))
    assert torch.equal(*draws)
    assert torch.equal(torch.get_rng_state(), before)
