"""What is left out where there is no time for five splits, and what never is."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from generators_for_tests import Shuffler
from makeweight.cli._options import read_strategy
from makeweight.committee import soft_counts
from makeweight.evaluation.amounts import amounts_of, fewer_soft_rows, soft_strategy
from makeweight.evaluation.arms import catalogue
from makeweight.evaluation.budget import Clock
from makeweight.evaluation.design import Design
from makeweight.evaluation.problem import EvaluationProblem
from makeweight.evaluation.store import ArmRecord, Log
from makeweight.evaluation.training import Settings, Task, _out_of_fold
from makeweight.evaluation.work import LEAST_SHARE, SOFT_SHARE, Work, can_wait, forecast
from makeweight.generators.base import Cost
from makeweight.plan import Amount, Groups

SETTINGS = Settings(5, 3, 1.0, "auto", {"lr": "lr"}, 0)


class Priced(Shuffler):
    """Says what its rows cost."""

    def cost(self, plan):
        return Cost(seconds=0.01 * plan.n_synthetic)


@pytest.fixture(scope="module")
def problem():
    frame = pd.DataFrame({"x": np.arange(400.0), "sex": ["f", "m"] * 200, "y": ["no"] * 300 + ["yes"] * 100})
    return EvaluationProblem.read(frame, "y")


def work(problem, seconds, took, *, by_name=False):
    """Return work of which one split was done, that took so many seconds in all."""
    log, sources = Log(None, {}), catalogue(Priced())
    clock = Clock(seconds, measured=took)
    log.add([ArmRecord(0, 0, source.name, "any", "lr", task_seconds=took / len(sources)) for source in sources])
    splits = Design().wanted
    return Work(problem, SETTINGS, sources, splits, clock, log, "local", 1, None, by_name)


def test_arms_that_can_wait_are_taken_in_where_there_is_time():
    waiting = [arm.name for source in catalogue(Priced()) for arm in source.arms if can_wait(arm)]
    assert waiting == ["Priced+augment", "Priced+augment+platt", "auto", "auto+platt"]


@pytest.mark.parametrize(("seconds", "left_out"), [(1000.0, []), (62.0, ["auto"]), (52.0, ["auto", "Priced+augment"])])
def test_arms_are_left_out_by_what_they_are_expected_to_take(problem, seconds, left_out):
    job = work(problem, seconds, 10.0)
    everything = job.sources
    job._decide(everything)
    assert [line.split(" was left out")[0] for line in job.left_out] == left_out
    assert all("--max-seconds 0 runs it" in line for line in job.left_out)
    names = [arm.name for arm in job.arms]
    for name in ("auto", "Priced+augment"):
        assert (name in names) == (name not in left_out)
    assert {"nothing+platt", "soft", "Priced", "committee"} <= set(names)


def test_fewer_soft_rows_are_written_where_they_are_dear_and_it_is_told(problem):
    sources, total = catalogue(Priced()), int(soft_counts(problem.counts).sum())
    free = amounts_of(problem, sources, Priced(), Design(), None, 1)
    assert free.soft == free.all_soft == total
    assert fewer_soft_rows(free, Design(), Clock(None)) == ()
    assert soft_strategy(problem, free) == ""
    dear = amounts_of(problem, sources, Priced(), Design(), 100.0, 1)
    assert 0 < dear.soft < total
    assert dear.soft * 0.01 == pytest.approx(LEAST_SHARE * 100.0 / 5, rel=0.01)  # the balanced arm takes the rest
    roomy = amounts_of(problem, sources, Priced(), Design(), 1000.0, 1)
    assert roomy.soft == min(total, round(SOFT_SHARE * 1000.0 / 5 / 0.01))
    (line,) = fewer_soft_rows(dear, Design(), Clock(100.0))
    assert f"{dear.soft:,} rows with soft labels were written rather than {total:,}" in line
    assert amounts_of(problem, sources, Priced(), Design(soft_rows=77), 1.0, 1).soft == 77
    assert amounts_of(problem, sources, Priced(), Design(), 100.0, 2).soft >= dear.soft


@pytest.mark.parametrize(
    ("generator", "options", "writer"),
    [
        ("transformer", None, "SmoothedBootstrap"),
        ("transformer", {"orders": 2}, "InContextTransformer"),
        ("transport", None, "TransportGenerator"),
        (Priced(), None, "Priced"),
    ],
)
def test_rows_that_a_committee_labels_are_the_quick_generators_unless_one_is_named(generator, options, writer):
    sources = {source.name: source for source in catalogue(generator, options)}
    assert {type(sources[name].generator).__name__ for name in ("committee", "auto")} == {writer}


def test_one_inner_fold_calibrates_where_rows_are_dear_and_groups_large(problem):
    sources, limited = catalogue(Priced()), Design()
    assert amounts_of(problem, sources, Priced(), limited, 10.0, 1).calibration_folds == 3  # 100 rare rows are too few
    frame = pd.DataFrame({"x": np.arange(3000.0), "y": ["no"] * 2000 + ["yes"] * 1000})
    large = EvaluationProblem.read(frame, "y")
    assert amounts_of(large, sources, Priced(), limited, None, 1).calibration_folds == 3
    few = amounts_of(large, sources, Priced(), limited, 100.0, 1)
    assert few.calibration_folds == 1
    assert "--calibration-folds 3" in fewer_soft_rows(few, limited, Clock(100.0))[0]
    assert amounts_of(large, sources, Priced(), Design(calibration_folds=2), 100.0, 1).calibration_folds == 2


def test_rows_of_other_inner_folds_take_no_part_in_calibration(problem):
    (source,) = [one for one in catalogue("random") if one.name == "random"]
    every, one = (
        _out_of_fold(Task(problem, replace(SETTINGS, calibration_folds=folds), source, 0, 0), np.arange(400))
        for folds in (3, 1)
    )
    assert every[1].all()
    assert one[1].mean() == pytest.approx(1 / 3, abs=0.01)
    key = ("balanced", "lr")
    np.testing.assert_array_equal(one[0][key], every[0][key][one[1]])


@pytest.mark.parametrize("group_by", [(), ("sex",)])
def test_the_command_writes_as_many_soft_rows_as_were_measured(problem, group_by):
    grouped = EvaluationProblem.read(problem.frame, "y", group_by)
    dear = amounts_of(grouped, catalogue(Priced()), Priced(), Design(), 100.0, 1)
    strategy = soft_strategy(grouped, dear)
    json.loads(strategy)
    groups = Groups(grouped.table(np.arange(len(grouped))))
    plan = Amount(sampling_strategy=read_strategy(strategy)).plan(groups)
    assert plan.n_synthetic == pytest.approx(dear.soft, abs=len(groups.keys))


def test_the_time_is_foreseen_from_what_generators_say(problem):
    sources = catalogue(Priced())
    once = forecast(problem, sources, SETTINGS, 1, 1)
    assert forecast(problem, sources, SETTINGS, 10, 1) == pytest.approx(10 * once)
    assert once > 4 * 0.01 * 200  # the balancing rows of one arm, in four fits
    cheaper = [replace(source, generator=None) for source in sources]
    assert forecast(problem, cheaper, SETTINGS, 1, 1) < once
