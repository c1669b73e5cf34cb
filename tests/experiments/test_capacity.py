"""Any generator of the registry can be put on the capacity curve."""

import numpy as np
import pytest

from makeweight.errors import OptionError
from makeweight.experiments.capacity import rows_in_context
from makeweight.generators.registry import names
from makeweight.theory.published.capacity import capacity_curve
from makeweight.theory.published.densities import GaussianDensity

LAW = GaussianDensity([0.0, 1.0], [[1.0, 0.6], [0.6, 2.0]])
INSTANT = [name for name in names("instant") if name not in ("random", "adasyn")]


@pytest.mark.parametrize("name", INSTANT)
def test_a_generator_comes_nearer_to_a_gaussian_with_more_context(name):
    def call(context, width, rng):
        return rows_in_context(name, context, 1000, "continuous", rng)

    few, many = capacity_curve(LAW, call, n_context=[20, 600], widths=[1], rng=np.random.default_rng(0), repeats=3)
    assert np.isfinite([few.divergence.estimate, many.divergence.estimate]).all()
    if name in ("smoothed-bootstrap", "transport"):
        assert many.divergence.estimate < few.divergence.estimate
        assert many.divergence.estimate < 0.1


def test_codes_stay_codes_of_the_law():
    context = np.random.default_rng(0).integers(0, 3, (90, 2)).astype(float)
    rows = rows_in_context("smoothed-bootstrap", context, 50, "categorical", np.random.default_rng(0))
    assert set(np.unique(rows)) <= {0.0, 1.0, 2.0}


def test_an_odd_number_of_rows_is_refused():
    with pytest.raises(OptionError, match="two groups"):
        rows_in_context("random", np.zeros((4, 2)), 7, "continuous", np.random.default_rng(0))
