"""The tables: craft from its recipe is the stored one, value for value."""

import numpy as np
import pandas as pd
import pytest
import sklearn.datasets

from makeweight.errors import FileProblem, OptionError
from makeweight.experiments import data
from makeweight.experiments.data import COLUMNS, PARTS, paper_parts
from makeweight.theory.published.worlds import CraftWorld


def test_craft_is_the_published_table_value_for_value(data_dir):
    made = data.split(data.craft(), COLUMNS["craft"])
    for part in PARTS:
        stored = pd.read_csv(data_dir / "paper" / "craft" / f"{part}.csv")
        np.testing.assert_array_equal(getattr(made, part).to_numpy(float), stored.to_numpy(float))


def test_craft_follows_the_law_of_the_theory_room():
    frame = data.craft(40_000, seed=1)
    expected = CraftWorld().probabilities(frame.drop(columns="Target").to_numpy())
    assert abs(expected.mean() - frame["Target"].mean()) < 0.01
    bins = np.digitize(expected, [0.2, 0.4, 0.6, 0.8])
    for b in range(5):
        assert abs(expected[bins == b].mean() - frame["Target"][bins == b].mean()) < 0.02


def test_the_split_keeps_every_row_once():
    parts = data.split(data.craft(2000), COLUMNS["craft"])
    assert len(parts.seed) == 200
    assert set(data.cells(parts.seed, parts.columns).value_counts()) == {50}
    assert len(parts.train0) + len(parts.train1) == len(parts.train_pos) + len(parts.train_neg) == len(parts.train)
    assert len(parts.seed) + len(parts.train) + len(parts.test) == 2000
    assert (parts.train1["Target"] == 1).all()
    assert set(data.cells(parts.train_pos, parts.columns)) == {"00", "11"}


def test_stored_tables_have_a_fingerprint_of_their_rows(data_dir):
    gender = paper_parts("gender", data_dir)
    assert (
        gender.fingerprint == paper_parts("gender", data_dir).fingerprint != paper_parts("craft", data_dir).fingerprint
    )
    assert len(gender.train) == len(gender.train0) + len(gender.train1)


def test_unknown_and_missing_tables_are_errors(tmp_path):
    with pytest.raises(OptionError, match="unknown table"):
        paper_parts("crafts", tmp_path)
    with pytest.raises(FileProblem, match="not public"):
        paper_parts("gender", tmp_path)
    (tmp_path / "paper" / "adult").mkdir(parents=True)
    with pytest.raises(FileProblem, match=r"(?s)stored table is missing.*--data-dir"):
        paper_parts("adult", tmp_path)
    with pytest.raises(FileProblem, match="stored table is missing"):
        data.opal_split("craft/imbalanced", 1, tmp_path)


def test_a_table_that_cannot_be_fetched_is_an_error_that_says_where_to_put_it(tmp_path, monkeypatch):
    def unreachable(*args, **kwargs):
        raise ConnectionError("no route to host")

    monkeypatch.setattr(sklearn.datasets, "fetch_openml", unreachable)
    with pytest.raises(FileProblem, match=r"(?s)OpenML does not answer.*no route.*seed\.csv"):
        paper_parts("diabetes130", tmp_path)


def test_codes_are_the_published_ones():
    frame = pd.DataFrame({"sex": ["m", "f", "m"], "job": ["c", "a", "b"], "age": [3, 1, 2]})
    assert data.encode(frame).to_numpy().tolist() == [[0, 2, 3], [1, 0, 1], [0, 1, 2]]
