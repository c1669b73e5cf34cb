"""Groups of few rows are warned about by name and number; what takes long is forecast."""

import logging

import numpy as np
import pandas as pd
import pytest

from makeweight import Schema, Synthesizer, SyntheticOverSampler, balance
from makeweight.errors import PlanError
from makeweight.generators.forewarning import FewRowsWarning, forecast
from makeweight.generators.resampler import Resampler
from makeweight.groups import Groups
from makeweight.plan import GroupPlan, Plan
from makeweight.table import Table


def frame(rare, common=420):
    rng = np.random.default_rng(0)
    n = rare + common
    return pd.DataFrame(
        {"x": rng.normal(size=n).round(2), "sex": ["f", "m"] * (n // 2), "y": ["r"] * rare + ["c"] * common}
    )


def test_every_door_warns_by_name_and_number():
    table = frame(10)
    says = "y=r has 10 real rows and is to get 410, 41 for each"
    with pytest.warns(FewRowsWarning, match=says) as caught:
        balance(table, target="y", generator="random", random_state=0)
    assert caught[0].filename == __file__
    with pytest.warns(FewRowsWarning, match=says.replace("y=r", "y=r")):
        SyntheticOverSampler("random", random_state=0).fit_resample(table[["x"]], table["y"])
    with pytest.warns(FewRowsWarning, match="y=r has 10 real rows and is to get 300"):
        Synthesizer("random", random_state=0).fit(table, target="y").sample(300, where={"y": "r"})
    with pytest.warns(FewRowsWarning, match="y=r, sex=f has 5 real rows.*; y=r, sex=m has 5"):
        balance(table, target="y", group_by=["sex"], generator="random", random_state=0)


@pytest.mark.parametrize(("rare", "strategy"), [(20, "auto"), (10, {"r": 210}), (40, "auto")])
def test_enough_rows_or_few_times_as_many_are_no_warning(rare, strategy, recwarn):
    balance(frame(rare), target="y", generator="random", sampling_strategy=strategy, random_state=0)
    assert not [each for each in recwarn if isinstance(each.message, FewRowsWarning)]


def test_many_groups_are_cut_short():
    plan = Plan(tuple(GroupPlan((i,), 1, 30) for i in range(9)), ("y",))
    from makeweight.generators.forewarning import warn_of_few_rows

    with pytest.warns(FewRowsWarning, match="y=4 has 1 real row and is to get 30, 30 for each; and 4 groups more"):
        warn_of_few_rows(plan)


@pytest.mark.parametrize(
    ("generator", "options", "n", "says"),
    [
        ("transformer", {}, 200_000, "transformer: about 5 minutes to write 200,000 rows"),
        ("causal-lm", {"model": "scratch"}, 0, "causal-lm: about"),
        ("smoothed-bootstrap", {}, 100, None),
        ("transformer", {}, 10, None),
    ],
)
def test_more_than_half_a_minute_is_forecast(generator, options, n, says, caplog):
    caplog.set_level(logging.INFO, "makeweight")
    forecast(Plan((GroupPlan(("r",), 20_000, n), GroupPlan(("c",), 20_000)), ("y",)), generator, options)
    assert (says in caplog.text) if says else not caplog.text


def wide_plan(columns, n):
    return Plan((GroupPlan(("r",), 50, n), GroupPlan(("c",), 150)), ("y",), n_learned=columns)


def test_a_wide_table_is_forecast_by_its_columns(caplog):
    caplog.set_level(logging.INFO, "makeweight")
    wide = pd.DataFrame(np.random.default_rng(0).normal(size=(30, 1_500))).add_prefix("c")
    wide["y"] = ["n"] * 20 + ["r"] * 10
    forecast(Plan.make(Groups(Table(wide, Schema.infer(wide, target="y")))), "transformer")
    assert "to write 10 rows of 1,500 columns; generator smoothed-bootstrap takes about 1 second" in caplog.text


@pytest.mark.parametrize(("columns", "n", "allowed"), [(9_000, 100, None), (2_000, 100, 60), (600, 20_000, None)])
def test_a_wide_table_that_takes_too_long_is_refused_before_work(columns, n, allowed):
    with pytest.raises(PlanError, match="so many columns") as caught:
        forecast(wide_plan(columns, n), "transformer", None, allowed)
    assert "generator smoothed-bootstrap takes about" in caught.value.hint
    seconds = int(caught.value.hint.split("--max-seconds ")[1].split()[0])
    forecast(wide_plan(columns, n), "transformer", None, seconds)


@pytest.mark.parametrize("method", ["smotenc", "SMOTEN", "SVMSMOTE"])
def test_methods_that_compare_rows_cost_more_than_smote(method):
    plan = Plan((GroupPlan(("r",), 2_000, 2_000), GroupPlan(("c",), 4_000)), ("y",), n_learned=1_000)
    assert Resampler(method).cost(plan).seconds > 2 * Resampler("smote").cost(plan).seconds
