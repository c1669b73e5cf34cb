"""Any generator of the registry can be put on the capacity curve, by its rows or by its likelihood."""

import numpy as np
import pytest

from makeweight.errors import OptionError
from makeweight.experiments.capacity import CapacitySettings, ContextLaw, law, measure
from makeweight.experiments.records import ExperimentTask
from makeweight.generators.registry import able, names
from makeweight.theory.published.capacity import capacity_curve
from makeweight.theory.published.densities import GaussianDensity

LAW = GaussianDensity([0.0, 1.0], [[1.0, 0.6], [0.6, 2.0]])
INSTANT = [name for name in names("instant") if name not in ("random", "adasyn")]
CHAIN = law("network-2")[0]


@pytest.mark.parametrize("name", INSTANT)
def test_a_generator_comes_nearer_to_a_gaussian_with_more_context(name):
    def call(context, width, rng):
        return ContextLaw.fit(name, context, "continuous", rng).sample(1000, rng)

    few, many = capacity_curve(LAW, call, n_context=[20, 600], widths=[1], rng=np.random.default_rng(0), repeats=3)
    assert np.isfinite([few.divergence.estimate, many.divergence.estimate]).all()
    if name in ("smoothed-bootstrap", "transport"):
        assert many.divergence.estimate < few.divergence.estimate
        assert many.divergence.estimate < 0.1


def shown(name, context, seed=0):
    return ContextLaw.fit(name, context, "categorical", np.random.default_rng(seed))


def test_codes_stay_codes_of_the_law():
    context = np.random.default_rng(0).integers(0, 3, (90, 2)).astype(float)
    rows = shown("smoothed-bootstrap", context).sample(50, np.random.default_rng(0))
    assert set(np.unique(rows)) <= {0.0, 1.0, 2.0}


@pytest.mark.parametrize("name", [name for name in able("log_prob") if name in INSTANT])
def test_a_likelihood_of_codes_is_a_law_and_that_of_the_rows(name):
    """All nine cells sum to one; the shares of 20,000 written rows are near: within .05 in sum, half of it rows'."""
    context = shown(name, CHAIN.sample(400, np.random.default_rng(0)))
    cells = np.exp(context.log_prob(CHAIN.support))
    rows = context.sample(20_000, np.random.default_rng(1))
    shares = np.array([(rows == cell).all(axis=1).mean() for cell in CHAIN.support])
    assert cells.sum() == pytest.approx(1)
    assert np.abs(cells - shares).sum() / 2 < 0.1


def test_the_divergence_of_a_likelihood_falls_with_context_and_needs_no_row():
    def call(context, width, rng):
        return ContextLaw.fit("smoothed-bootstrap", context, "categorical", rng)

    few, many = capacity_curve(CHAIN, call, n_context=[100, 800], widths=[1], rng=np.random.default_rng(0), repeats=3)
    assert {few.divergence.method, many.divergence.method} == {"exact"}
    assert 0 < many.divergence.estimate < few.divergence.estimate / 2


def test_a_code_that_the_context_lacks_makes_the_divergence_infinite():
    context = np.array([[0.0, 0.0], [0.0, 1.0]] * 20)  # the first column is constant
    logs = shown("smoothed-bootstrap", context).log_prob(np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 2.0]]))
    assert np.isfinite(logs[0])
    assert np.isneginf(logs[1:]).all()


def test_numbers_and_generators_without_likelihood_are_measured_by_their_rows():
    numbers = ContextLaw.fit("smoothed-bootstrap", np.eye(30), "continuous", np.random.default_rng(0))
    for context in (numbers, shown("random", np.array([[0.0, 1.0], [1.0, 0.0]] * 20))):
        assert not context.has_density
        with pytest.raises(OptionError, match="no likelihood"):
            context.log_prob(np.zeros((1, 2)))


def test_the_right_structure_is_measured_exactly():
    """Parameters over 2 n: 16 columns' means and covariances have 5 in two dimensions."""
    settings = CapacitySettings(100, 100)
    tasks = [ExperimentTask("gaussian-2", "right-structure", seed, settings, step=400) for seed in range(40)]
    values = [next(measure(task, None)).value for task in tasks]
    assert np.mean(values) == pytest.approx(5 / 800, rel=0.4)


def test_an_odd_number_of_rows_is_refused():
    with pytest.raises(OptionError, match="two groups"):
        shown("random", np.array([[0.0, 1.0], [1.0, 0.0]] * 2)).sample(7, np.random.default_rng(0))
