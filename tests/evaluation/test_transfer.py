"""The cost of transfer of a generator, and what a comparison says of it and of the ranking."""

import json

import numpy as np
import pandas as pd
import pytest

from generators_for_tests import Shuffler
from makeweight.evaluation import Design, compare
from makeweight.evaluation.problem import EvaluationProblem
from makeweight.evaluation.transfer import transfer_costs


def two_gaussians(n=1200, rare=240, seed=0):
    rng = np.random.default_rng(seed)
    y = np.repeat(["common", "rare"], [n - rare, rare])
    return pd.DataFrame(rng.normal(size=(n, 3)) + (y == "rare")[:, None], columns=list("abc")).assign(y=y)


class Normal(Shuffler):
    """Writes rows of a shifted normal law: a shift of one is that of the rare class."""

    def __init__(self, shift=1.0):
        self.shift = shift

    def propose(self, group, n, *, rng):
        values = rng.normal(size=(n, 3)) + self.shift * (group[0] == "rare")
        names = ["a", "b", "c"]
        columns = {name: self.table_.schema[name].snap(values[:, j]) for j, name in enumerate(names)}
        return self.table_.decode(columns)


@pytest.fixture(scope="module")
def costs():
    generators = {"perfect": Normal(1.0), "wrong": Normal(-1.0), "bootstrap": "random"}
    problem = EvaluationProblem.read(two_gaussians(), "y")
    return {one.generator: one.cost for one in transfer_costs(problem, generators, "lr", folds=4, random_state=0)}


def test_a_perfect_generator_costs_nothing_and_a_wrong_one_much(costs):
    """Exact: 0 for the true law; half of the rare rows from the other side of the common ones cost over .1 nats."""
    assert costs["perfect"].low < 0.01
    assert abs(costs["perfect"].estimate) < 0.02
    assert costs["wrong"].low > 0.1
    assert abs(costs["bootstrap"].estimate) < 0.05


def test_small_groups_are_not_measured_and_the_reason_is_said():
    problem = EvaluationProblem.read(two_gaussians(60, 8), "y")
    found = transfer_costs(problem, {"bootstrap": "random"}, "lr", folds=4, random_state=0)[0]
    assert found.cost is None
    assert "fewer than 8" in str(found)


def test_a_comparison_reports_it_beside_smote_and_the_bootstrap_and_asks_of_the_ranking():
    said = []
    comparison = compare(
        two_gaussians(300, 80),
        target="y",
        generator="smoothed-bootstrap",
        arms=["smoothed-bootstrap"],
        estimators=["lr"],
        design=Design(repeats=1, folds=3),
        progress=said.append,
    )
    assert [one.generator for one in comparison.transfer] == ["smoothed-bootstrap", "SMOTE", "bootstrap"]
    assert comparison.ranking.startswith("Rows are unlikely to improve the ranking")
    before = said[: [step.detail for step in said].index(comparison.ranking)]
    assert all(step.done == 0 for step in before)  # it is said before anything is spent
    plain = json.loads(json.dumps(comparison.to_dict()["cost_of_transfer"]))
    assert plain[0]["cost"]["low"] < plain[0]["cost"]["high"]
