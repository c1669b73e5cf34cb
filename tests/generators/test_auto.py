"""The generator that is picked by held-out likelihood."""

import numpy as np
import pandas as pd
import pytest

from makeweight import Limits, Schema
from makeweight.errors import OptionError
from makeweight.generators.auto import AutoGenerator, _judged
from makeweight.generators.contract import CHECKS, example_table
from makeweight.plan import Groups
from makeweight.sampler import balance
from makeweight.table import Table

MANY_FITS = ("check_exactly_the_rows_asked_for", "check_few_rows", "check_the_stream_decides")


@pytest.mark.parametrize(
    "check", [pytest.param(c, marks=[pytest.mark.long] * (c.__name__ in MANY_FITS), id=c.__name__) for c in CHECKS]
)
def test_the_contract(check):
    check(lambda: AutoGenerator(max_rows=10))


def frame_of(law, n=150, seed=0):
    rng = np.random.default_rng(seed)
    frame = law(rng, n)
    return frame.assign(y=np.where(np.arange(n) < n // 5, "rare", "common"))


def two_curves(rng, n):
    """Points on two arcs: a mixture over real rows knows them, a chain of columns has to find them."""
    angle = rng.uniform(0, 2 * np.pi, n)
    return pd.DataFrame({"a": np.cos(angle), "b": np.sin(angle)})


def categories(rng, n):
    """A label and flags that depend on it: few rows, nothing continuous to smooth."""
    hidden = rng.integers(0, 2, n)
    flags = {f"c{j}": np.where(rng.random(n) < 0.85, hidden, 1 - hidden).astype(bool) for j in range(8)}
    return pd.DataFrame(flags)


@pytest.mark.parametrize("law", [two_curves, categories])
def test_the_notes_say_what_was_taken_and_why(law):
    frame = frame_of(law)
    made = balance(frame, target="y", generator="auto", random_state=0, limits=Limits(copies="accept"))
    told = made.details["auto"]
    assert told["picked"] in ("transformer", "smoothed-bootstrap")
    assert told["rows"] > 50
    assert (told["gain"] > 0) == (told["picked"] == "transformer")
    assert any(f"generator auto took {told['picked']}" in note and "nats a row" in note for note in made.notes)
    assert len(made.frame) == 90


def test_the_likelier_of_two_laws_is_picked():
    rows, codes = np.array([1.0, 1.2, 0.8, -9.0]), np.array([0, 0, 0, 1])
    assert _judged(rows[:3], codes[:3]).picked == "transformer"
    worse = _judged(rows, codes)  # the group with one row counts as much as the group with three
    assert worse.picked == "smoothed-bootstrap"
    assert worse.gain == pytest.approx(-4.0)
    assert _judged(np.empty(0), np.empty(0, dtype=int)).gain is None


def test_groups_are_never_held_out_whole():
    table = example_table(30, 2)
    folds = AutoGenerator(folds=3, max_rows=60)._folds(Groups(table), np.random.default_rng(0))
    codes = Groups(table).codes
    for rows in folds:
        assert (np.bincount(codes, minlength=2) > np.bincount(codes[rows], minlength=2)).all()
    assert len(np.unique(np.concatenate(folds))) == len(np.concatenate(folds))


def test_nothing_to_compare_by():
    frame = pd.DataFrame({"x": [1.0, 2.0, 3.0], "y": ["a", "b", "c"]})
    table = Table(frame, Schema.infer(frame, target="y"))
    generator = AutoGenerator().fit(table, rng=np.random.default_rng(0))
    assert generator.choice_.picked == "smoothed-bootstrap"
    assert "nothing to compare" in generator.notes[0]


@pytest.mark.parametrize("options", [{"folds": 1}, {"folds": 2.5}, {"max_rows": 3}])
def test_options_out_of_range_are_refused(options):
    with pytest.raises(OptionError, match="out of range"):
        AutoGenerator(**options).fit(example_table(), rng=np.random.default_rng(0))
