"""A generator that remembers writes what it would have written, and works once."""

import copy

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.tree import DecisionTreeClassifier

from makeweight.committee import Committee
from makeweight.evaluation import Design, harness
from makeweight.evaluation.remembering import Memory, Remembering, RememberingCommittee
from makeweight.generators.contract import example_table
from makeweight.generators.registry import resolve
from makeweight.generators.smoothed_bootstrap import SmoothedBootstrap


class Counting(SmoothedBootstrap):
    """Counts what all its copies are asked."""

    fits = proposals = 0

    def fit(self, table, *, rng):
        Counting.fits += 1
        return super().fit(table, rng=rng)

    def propose(self, group, n, *, rng):
        Counting.proposals += 1
        return super().propose(group, n, rng=rng)


@pytest.fixture(autouse=True)
def _from_zero():
    Counting.fits = Counting.proposals = 0


def written(generator, *, fit_seed=0, seed=1, n=5, table=None):
    """Rows, and what two streams give afterwards."""
    table = example_table() if table is None else table
    to_fit, to_write = np.random.default_rng(fit_seed), np.random.default_rng(seed)
    fitted = copy.deepcopy(generator).fit(table, rng=to_fit)
    key = next(iter(table.frame[list(table.schema.group_columns)].itertuples(index=False, name=None)))
    rows = fitted.propose(key, n, rng=to_write)
    left = [(rng.random(), rng.spawn(1)[0].random()) for rng in (to_fit, to_write)]
    return rows, left


@pytest.mark.parametrize("name", ["smoothed-bootstrap", "transport", "smotenc", "random"])
def test_rows_and_streams_are_those_without_a_memory(name):
    plain, remembering = resolve(name), Remembering(resolve(name))
    expected = written(plain)
    for _ in range(3):
        rows, left = written(remembering)
        pd.testing.assert_frame_equal(rows, expected[0])
        assert left == expected[1]


def test_the_same_is_done_once_and_everything_else_anew():
    generator = Remembering(Counting())
    written(generator)
    written(generator)
    assert (Counting.fits, Counting.proposals) == (1, 1)
    for changed in ({"fit_seed": 2}, {"seed": 2}, {"n": 6}):
        before = Counting.proposals
        written(generator, **changed)
        assert Counting.proposals == before + 1
    table = example_table()
    fewer = type(table)(table.frame.iloc[:-1], table.schema)
    written(generator, table=fewer)
    assert Counting.fits == 3  # another stream, other rows


def test_what_is_remembered_cannot_be_spoiled():
    generator = Remembering(resolve("smoothed-bootstrap"))
    first, _ = written(generator)
    kept = first.copy()
    first.iloc[:, 0] = first.iloc[0, 0]
    pd.testing.assert_frame_equal(written(generator)[0], kept)


def test_it_tells_what_its_generator_tells():
    generator = Remembering(Counting())
    assert generator.traits is Counting.traits
    with pytest.raises(AttributeError, match="nonsense"):
        _ = generator.nonsense


def test_a_committee_answers_as_without_a_memory_and_is_fitted_once(monkeypatch):
    rng = np.random.default_rng(0)
    X, y = pd.DataFrame({"x": rng.normal(size=60)}), np.repeat([0, 1], 30)
    fits, fit = [], Committee.fit

    def counted(self, *given, **named):
        fits.append(self)
        return fit(self, *given, **named)

    monkeypatch.setattr(Committee, "fit", counted)
    options = {"members": ["lr"], "random_state": 1}
    plain, committee = Committee(**options), RememberingCommittee(**options, memory=Memory())
    expected = plain.fit(X, y).predict_proba(X)
    for _ in range(2):
        assert np.array_equal(clone(committee).fit(X, y).predict_proba(X), expected)
    assert len(fits) == 2
    weights = np.where(y, 2.0, 1.0)
    weighed = clone(committee).fit(X, y, sample_weight=weights)
    assert np.array_equal(weighed.predict_proba(X), plain.fit(X, y, sample_weight=weights).predict_proba(X))
    assert len(fits) == 4


def test_estimators_of_a_comparison_share_the_work_of_the_generator():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"x": rng.normal(size=90), "y": np.repeat([0, 0, 1], 30)})
    learners = {"lr": LogisticRegression(), "tree": DecisionTreeClassifier(max_depth=3)}

    def compared(*estimators):
        Counting.fits = 0
        found = harness.compare(
            frame,
            target="y",
            generator=Counting(),
            arms=["auto"],
            estimators={name: learners[name] for name in estimators},
            design=Design(splits=2),
            max_seconds=None,
        )
        mine = found.scores.records("tree", "auto+platt")
        return [(r.metrics, r.n_added) for r in mine], Counting.fits

    (among_others, shared), (alone, single) = compared("lr", "tree"), compared("tree")
    assert among_others == alone
    assert len(alone) == 2
    assert shared < 2 * single
