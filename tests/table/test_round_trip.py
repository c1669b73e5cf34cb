"""Any table of any kinds is balanced, and every new value is one that the column's kind allows."""

import datetime as dt
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from makeweight.cli import main
from makeweight.errors import GenerationShortfall, GeneratorError
from makeweight.sampler import balance
from makeweight.table import Schema
from makeweight.table.io import read_table
from makeweight.table.kinds import codec
from makeweight.table.spelling.reader import read_spelled
from strategies import COLUMNS

pytestmark = pytest.mark.usefixtures("quick_comparisons")

DATA = Path(__file__).parents[1] / "data"
N = 12
DAY = dt.datetime(2020, 1, 1)


def styled(write):
    numbers = st.lists(st.integers(0, 5000), min_size=N, max_size=N)
    return numbers.map(lambda values: pd.Series([write(value) for value in values], dtype="str"))


STYLES = {
    "days first": styled(lambda v: f"{DAY + dt.timedelta(days=v):%d/%m/%Y}"),
    "names of months": styled(lambda v: f"{DAY + dt.timedelta(days=v):%b} {(DAY + dt.timedelta(days=v)).day}, 2020"),
    "times": styled(lambda v: f"{v // 60 % 24:02d}:{v % 60:02d}"),
    "dollars": styled(lambda v: f"${v * 1.25:,.2f}"),
    "European": styled(lambda v: f"{v * 1.5:,.2f}".translate(str.maketrans(",.", ".,"))),
    "percent": styled(lambda v: f"{v / 10:.1f} %"),
    "brackets": styled(lambda v: f"({v})" if v % 3 else f"{v}"),
    "addresses": styled(lambda v: f"10.0.{v // 256}.{v % 256}"),
    "keys": styled(lambda v: f"K{v:05d}"),
    "compact days": styled(lambda v: f"{DAY + dt.timedelta(days=v):%Y%m%d}").map(lambda s: s.astype("int64")),
}


@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_any_table_of_any_kinds(data):
    names = data.draw(st.lists(st.sampled_from([*STYLES, *COLUMNS]), min_size=1, max_size=4, unique=True))
    columns = {name: data.draw((STYLES | COLUMNS)[name]) for name in names}
    frame = pd.DataFrame(columns).assign(y=["no"] * 8 + ["yes"] * 4, a=np.arange(N) * 1.5)
    try:
        generation = balance(frame, target="y", generator="smoothed-bootstrap", random_state=0)
    except (GenerationShortfall, GeneratorError):  # few rows leave few that are new
        return
    new = generation.frame
    assert (new.dtypes == frame.dtypes).all()
    for column in generation.schema.features:
        if column.is_learned:
            assert not codec(column.kind).check(column, new[column.name])[1], column.name
        if column.spelling is not None:
            again = read_spelled(new[column.name], column.kind, column.spelling.form)
            assert not again.values.isna().any()


def test_whole_amounts_with_decimals_keep_their_style_in_folds():
    frame = pd.DataFrame({"fee": ["$0.00", "$5.00", "$7.00"] * 8, "y": ["no", "no", "yes"] * 8})
    schema = Schema.infer(frame, target="y")
    part = Schema.infer(frame.iloc[:9], target="y", kinds={"fee": schema["fee"].stated})
    assert part["fee"].kind == schema["fee"].kind
    assert part["fee"].spelling.most == 2


TABLES = {
    "weather.csv": ("weather", {"date": "datetime"}),
    "warehouse.parquet": ("RETURNED", {"ORDER_ID": "identifier", "DAY_KEY": "datetime", "LOADED_NS": "integer"}),
    "spreadsheet.csv": (
        "bezahlt",
        {"Kunde": "identifier", "Datum": "datetime", "Betrag": "continuous", "Rabatt": "integer", "IBAN": "identifier"},
    ),
}


def run(*arguments):
    assert main([str(argument) for argument in arguments]) == 0


@pytest.mark.parametrize("name", TABLES)
def test_tables_like_those_that_people_have(name, tmp_path, capsys):
    target, kinds = TABLES[name]
    path, out = DATA / name, tmp_path / name
    run("inspect", path, "--target", target, "--json")
    shown = {column["name"]: column["kind"] for column in json.loads(capsys.readouterr().out)["columns"]}
    assert shown | kinds == shown
    written = ("--generator", "smoothed-bootstrap", "--seed", 0, "--synthetic-only", "-o", out)
    run("balance", path, "--target", target, *written)
    real, new = read_table(path), read_table(out)
    for column in real.frame.columns:
        assert real.frame[column].dtype == new.frame[column].dtype
    run("report", path, out, "--target", target)
    few = ("--folds", 2, "--repeats", 1, "--estimator", "lr", "--arm", "smoothed-bootstrap", "--jobs", 1)
    run("evaluate", path, "--target", target, "--generator", "smoothed-bootstrap", *few)
    if name == "spreadsheet.csv":
        assert new.frame["Datum"].str.fullmatch(r"\d\d\.\d\d\.202[12]").all()
        assert new.frame["Betrag"].str.fullmatch(r"(\d\.)?\d{1,3},\d\d €").all()
        assert new.frame["IBAN"].str.fullmatch(r"DE\d{20}").all()
