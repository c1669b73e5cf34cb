"""Any generator of the registry can be put on the capacity curve."""

import numpy as np
import pytest

from makeweight.errors import OptionError
from makeweight.experiments.capacity import generator_in_context
from makeweight.generators.registry import names
from makeweight.theory.published.capacity import capacity_curve
from makeweight.theory.published.densities import GaussianDensity

LAW = GaussianDensity([0.0, 1.0], [[1.0, 0.6], [0.6, 2.0]])
INSTANT = [name for name in names("instant") if name not in ("random", "adasyn")]


@pytest.mark.parametrize("name", INSTANT)
def test_a_generator_comes_nearer_to_a_gaussian_with_more_context(name):
    call = generator_in_context(name, n_rows=1000)
    few, many = capacity_curve(LAW, call, n_context=[20, 600], widths=[1], rng=np.random.default_rng(0), repeats=3)
    assert np.isfinite([few.divergence.estimate, many.divergence.estimate]).all()
    if name in ("smoothed-bootstrap", "transport"):
        assert many.divergence.estimate < few.divergence.estimate
        assert many.divergence.estimate < 0.1


def test_the_width_sets_an_option():
    context = LAW.sample(60, np.random.default_rng(0))
    call = generator_in_context("smote", n_rows=100, width_option="k_neighbors")
    one, five = (call(context, width, np.random.default_rng(1)) for width in (1, 5))
    assert one.shape == five.shape == (100, 2)
    assert not np.array_equal(one, five)


def test_codes_stay_codes_of_the_law():
    context = np.random.default_rng(0).integers(0, 3, (90, 2)).astype(float)
    rows = generator_in_context("smoothed-bootstrap", n_rows=50, kind="categorical")(
        context, 1, np.random.default_rng(0)
    )
    assert set(np.unique(rows)) <= {0.0, 1.0, 2.0}


@pytest.mark.parametrize("options", [{"n_rows": 7}, {"kind": "text"}])
def test_what_does_not_fit_is_refused(options):
    with pytest.raises(OptionError):
        generator_in_context("random", **options)
