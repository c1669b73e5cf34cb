"""scikit-learn's and imbalanced-learn's own checks for the sampler with the transformer.

With a small untrained network in place of the one in the package, which needs minutes for them; that one is
checked by ``make test-long``.
"""

import tempfile

import numpy as np
import pytest
from imblearn.utils.estimator_checks import parametrize_with_checks as imblearn_checks
from sklearn.utils.estimator_checks import parametrize_with_checks as sklearn_checks

from makeweight import SyntheticOverSampler
from makeweight.generators.transformer import weights
from makeweight.generators.transformer.config import ModelConfig
from makeweight.generators.transformer.generator import InContextTransformer
from makeweight.generators.transformer.network import untrained


def stand_in() -> str:
    """Weights of the smallest network, in a folder."""
    model = untrained(ModelConfig(width=8, layers=1, heads=1), np.random.default_rng(0))
    folder = tempfile.mkdtemp()
    facts = {"config": "toy", "steps": 0, "tasks": 0, "seconds": 0.0, "device": "cpu", "validation": {}}
    weights.save(model, folder, **facts)
    return folder


class Small(InContextTransformer):
    """With a name that does not depend on the process: tests are told apart by it."""

    def __repr__(self) -> str:
        return "small"


SMALL = Small(weights=stand_in(), orders=1, max_context=60)
SAMPLERS = [SyntheticOverSampler(generator=SMALL, random_state=0)]
REAL = [SyntheticOverSampler(generator="transformer", random_state=0)]


@sklearn_checks(SAMPLERS)
def test_scikit_learn(estimator, check):
    check(estimator)


@imblearn_checks(SAMPLERS)
def test_imbalanced_learn(estimator, check):
    check(estimator)


@pytest.mark.long
@sklearn_checks(REAL)
def test_scikit_learn_with_the_network_of_the_package(estimator, check):
    check(estimator)


@pytest.mark.long
@imblearn_checks(REAL)
def test_imbalanced_learn_with_the_network_of_the_package(estimator, check):
    check(estimator)
