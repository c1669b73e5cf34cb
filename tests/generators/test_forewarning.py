"""Groups of few rows are warned about by name and number; what takes long is forecast."""

import logging

import numpy as np
import pandas as pd
import pytest

from makeweight import Schema, Synthesizer, SyntheticOverSampler, balance
from makeweight.generators.forewarning import FewRowsWarning, forecast
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
        ("transformer", {}, 200_000, "transformer: about 13 minutes to write 200,000 rows"),
        ("causal-lm", {"model": "scratch"}, 0, "causal-lm: about"),
        ("smoothed-bootstrap", {}, 100, None),
        ("transformer", {}, 10, None),
    ],
)
def test_more_than_half_a_minute_is_forecast(generator, options, n, says, caplog):
    caplog.set_level(logging.INFO, "makeweight")
    forecast(Plan((GroupPlan(("r",), 20_000, n), GroupPlan(("c",), 20_000)), ("y",)), generator, options)
    assert (says in caplog.text) if says else not caplog.text


def test_a_wide_table_is_forecast_by_its_columns(caplog):
    caplog.set_level(logging.INFO, "makeweight")
    wide = pd.DataFrame(np.random.default_rng(0).normal(size=(30, 2_000))).add_prefix("c")
    wide["y"] = ["n"] * 20 + ["r"] * 10
    forecast(Plan.make(Groups(Table(wide, Schema.infer(wide, target="y")))), "transformer")
    assert "minutes to write 10 rows" in caplog.text
