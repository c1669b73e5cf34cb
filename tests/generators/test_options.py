"""Options as data: errors that write themselves, scikit-learn's get_params, and a table for every generator."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV

from makeweight import SyntheticOverSampler
from makeweight.errors import OptionError
from makeweight.generators.registry import available, stated_options
from makeweight.generators.resampler import Resampler
from makeweight.generators.smoothed_bootstrap import SmoothedBootstrap


@pytest.mark.parametrize("info", [info for info in available() if info.usable], ids=lambda info: info.name)
def test_every_option_of_every_generator_is_documented(info):
    for row in info.options():
        assert row.takes, row
        assert row.meaning, row
        assert row.default, row


def test_an_error_says_what_the_option_takes():
    with pytest.raises(OptionError, match=r'recombine.*got 2, expected "auto" or a number in \[0, 1\]'):
        SmoothedBootstrap(recombine=2)._check_options()


def test_a_sampler_is_cloned_with_its_generators_options_and_none_of_what_it_learned():
    sampler = SyntheticOverSampler(generator=SmoothedBootstrap(bandwidth=0.5))
    assert sampler.get_params()["generator__bandwidth"] == 0.5
    twin = clone(sampler).set_params(generator__bandwidth=0.9)
    assert (twin.generator.bandwidth, sampler.generator.bandwidth) == (0.9, 0.5)
    assert not hasattr(twin.generator, "_known")


def test_a_grid_goes_over_a_generators_options():
    from imblearn.pipeline import Pipeline

    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(120, 2)), np.repeat([0, 1], [90, 30])
    over = SyntheticOverSampler(generator=SmoothedBootstrap(), random_state=0)
    grid = GridSearchCV(
        Pipeline([("over", over), ("model", LogisticRegression())]), {"over__generator__bandwidth": [0.3, 1.0]}, cv=2
    )
    grid.fit(x, y)
    assert grid.best_params_["over__generator__bandwidth"] in (0.3, 1.0)


def test_options_of_an_object_among_the_options_are_set_too():
    from imblearn.over_sampling import SMOTE

    generator = Resampler(SMOTE(k_neighbors=3))
    assert generator.get_params()["method__k_neighbors"] == 3
    assert generator.set_params(method__k_neighbors=2).method.k_neighbors == 2


def test_a_representation_names_what_was_set_and_no_secret():
    assert repr(SmoothedBootstrap(n_neighbors=3)) == "SmoothedBootstrap(n_neighbors=3)"
    assert stated_options(SmoothedBootstrap(n_neighbors=3).get_params())["n_neighbors"] == "3"
