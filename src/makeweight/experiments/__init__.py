"""The published experiments of arXiv 2406.03628, reproduced, and the comparison under equal information."""

from makeweight.experiments.runner import Run, run_experiment
from makeweight.experiments.spec import Experiment, names, read_experiment
from makeweight.experiments.store import Store

__all__ = ["Experiment", "Run", "Store", "names", "read_experiment", "run_experiment"]
