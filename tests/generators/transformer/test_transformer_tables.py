"""Tasks from tables that people made."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from makeweight.errors import FileProblem, GeneratorError, SchemaError
from makeweight.generators.transformer.tables import FEWEST_TABLES, RealTable, RealTables

ROWS = 600


def table(seed: int, columns: int = 5) -> RealTable:
    """A table whose first column is the row's number, and the last one a code."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(ROWS, columns)).astype(np.float32)
    x[:, 0] = np.arange(ROWS)
    x[:, -1] = rng.integers(4, size=ROWS)
    x[rng.random((ROWS, columns)) < 0.05] = np.nan
    return RealTable(f"t{seed}", x, np.arange(columns) == columns - 1)


@pytest.fixture(scope="module")
def source() -> RealTables:
    return RealTables([table(seed) for seed in range(FEWEST_TABLES)], 40.0)


@pytest.mark.parametrize("seed", range(5))
def test_rows_of_both_labels_and_none_in_both_parts(source, seed):
    drawn = source.draw(6, 80, 20, 4, np.random.default_rng(seed))
    assert drawn.values.shape == (6, 100, 4)
    for values, label in zip(drawn.values, drawn.label, strict=True):
        known, asked = label[:80], label[80:]
        assert 3 <= known.sum() <= 77
        assert 4 <= asked.sum() <= 16
        numbers = values[np.arange(100)[:, None], np.flatnonzero(np.nanmax(values, 0) > 100)]
        numbers = numbers[~np.isnan(numbers)]  # of rows, where that column is not the label
        assert len(np.unique(numbers)) == len(numbers)


def test_imbalance_varies_up_to_what_was_said(source):
    label = source.draw(200, 200, 20, 3, np.random.default_rng(0)).label[:, :200]
    share = np.minimum(label.mean(1), 1 - label.mean(1))
    assert share.min() < 0.05
    assert share.min() >= 1 / 41 - 0.003
    assert share.max() > 0.4


def test_what_gives_the_label_away_is_left_out():
    rng = np.random.default_rng(0)
    tables = []
    for seed in range(FEWEST_TABLES):
        x = np.random.default_rng(seed).normal(size=(ROWS, 4)).astype(np.float32)
        x[:, 1] = 3 * x[:, 0] + 1  # says of column 0 all there is
        tables.append(RealTable(str(seed), x, np.zeros(4, bool)))
    source = RealTables(tables, 10.0)
    drawn = source.draw(50, 80, 20, 2, rng)
    for values, label in zip(drawn.values, drawn.label, strict=True):
        for column in values.T:
            apart = (column[label == 1][:, None] > column[label == 0]).mean()
            assert 0.01 < apart < 0.99


def test_the_same_seed_draws_the_same(source):
    one, other = (source.draw(3, 60, 16, 3, np.random.default_rng(7)) for _ in range(2))
    np.testing.assert_array_equal(one.values, other.values)
    np.testing.assert_array_equal(one.label, other.label)


def write(folder, count, **columns):
    for seed in range(count):
        rng = np.random.default_rng(seed)
        frame = pd.DataFrame(
            {"x": rng.normal(size=90).round(3), "k": rng.choice(["a", "b", None], 90), "same": 1, **columns}
        )
        frame.to_parquet(folder / f"t{seed}.parquet", index=False)


def test_a_folder_is_read(tmp_path):
    write(tmp_path, FEWEST_TABLES)
    (tmp_path / "about.md").write_text("no table")
    read = RealTables.read(tmp_path, 10.0, 40, 16)
    assert len(read.tables) == FEWEST_TABLES
    first = read.tables[0]
    assert first.categorical.tolist() == [False, True]  # what says one thing is left out
    assert np.nanmax(first.values[:, 1]) == 1
    assert np.isnan(first.values[:, 1]).any()


def test_a_folder_without_enough_tables_is_refused(tmp_path):
    write(tmp_path, 2)
    with pytest.raises(FileProblem, match=r"too few tables .*got 2 of 48 rows and two columns at least, expected 8"):
        RealTables.read(tmp_path, 10.0, 40, 16)
    write(tmp_path, FEWEST_TABLES)
    with pytest.raises(FileProblem, match=r"too few tables .*got 0 of 108 rows"):
        RealTables.read(tmp_path, 10.0, 100, 16)
    with pytest.raises(FileProblem, match="no such folder"):
        RealTables.read(tmp_path / "elsewhere", 10.0, 40, 16)


def test_tables_in_which_nothing_can_be_a_label_are_refused():
    x = np.random.default_rng(0).normal(size=(200, 2)).astype(np.float32)
    x[:, 1] = x[:, 0]
    source = RealTables([RealTable(str(k), x, np.zeros(2, bool)) for k in range(FEWEST_TABLES)], 10.0)
    with pytest.raises(GeneratorError, match="no column of these tables can be a label"):
        source.draw(1, 40, 16, 1, np.random.default_rng(0))


def test_dates_are_numbers_and_texts_are_left_out(tmp_path):
    days = pd.date_range("2020-01-01", periods=90, freq="7D")
    words = [f"word {k} of many others {k * k}" for k in range(90)]
    write(tmp_path, FEWEST_TABLES, day=days, said=words)
    read = RealTables.read(tmp_path, 10.0, 40, 16)
    assert read.tables[0].categorical.tolist() == [False, True, False]
    assert read.draw(4, 40, 16, 2, np.random.default_rng(0)).values.shape == (4, 56, 2)


def test_a_table_that_cannot_be_read_is_named(tmp_path):
    write(tmp_path, FEWEST_TABLES, rate=[np.inf, *np.linspace(0.1, 0.9, 89)])
    with pytest.raises(SchemaError, match=r"infinite value \(t0.parquet, column 'rate', row 0\)"):
        RealTables.read(tmp_path, 10.0, 40, 16)
