"""A small experiment of simulated rows, as a user would write it."""

import pytest

from makeweight.experiments import Store, read_experiment, run_experiment

TOML = """
title = "A small one"
kind = "simulation"
data = ["logit"]
arms = ["nothing", "random", "smoothed-bootstrap"]
learners = ["lr"]
steps = [0]
seeds = [1, 2, 3, 4]
metrics = ["bce", "auroc"]

[settings]
d = [2]
n1 = [20]
kappa = [3]
folds = 2
"""


@pytest.fixture(scope="session")
def toml(tmp_path_factory):
    path = tmp_path_factory.mktemp("experiment") / "small.toml"
    path.write_text(TOML)
    return path


@pytest.fixture
def small(toml):
    return read_experiment(str(toml))


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "results" / "small")


@pytest.fixture(scope="session")
def finished(toml, tmp_path_factory):
    """The store of a whole run in this process; not to be written to."""
    kept = Store(tmp_path_factory.mktemp("finished") / "small")
    run_experiment(read_experiment(str(toml)), kept, folder=kept.folder)
    return kept
