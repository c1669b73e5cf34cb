"""Which kind a column is taken for, and why; what is refused."""

import datetime as dt
import uuid

import numpy as np
import pandas as pd
import pytest

from makeweight import Schema
from makeweight.errors import MakeweightError, SchemaError
from makeweight.table import Table

N = 60
RNG = np.random.default_rng(0)


@pytest.mark.parametrize(
    ("values", "kind", "reason"),
    [
        (RNG.normal(size=N), "continuous", "fractional"),
        (np.r_[RNG.normal(size=N - 1), np.nan], "continuous", "fractional"),
        (RNG.integers(0, 1000, N), "integer", "whole numbers"),
        (RNG.integers(0, 1000, N).astype(float), "integer", "whole numbers"),
        (RNG.integers(0, 1000, N).astype(object), "integer", "whole numbers"),
        (RNG.integers(0, 2, N), "boolean", "0 and 1 only"),
        (RNG.integers(0, 2, N).astype("float32"), "boolean", "0 and 1 only"),
        (RNG.choice([-1, 1], N), "categorical", "two distinct numbers"),
        (RNG.integers(0, 4, N), "categorical", "4 distinct whole numbers: codes"),
        (RNG.random(N) < 0.5, "boolean", "dtype bool"),
        (np.array([True, None] * 30, dtype=object), "boolean", "bool objects"),
        (RNG.choice(["a", "b"], N), "categorical", "2 distinct strings"),
        (pd.Categorical(RNG.choice(["a", "b"], N)), "categorical", "dtype category"),
        (pd.Timestamp("2024-01-01") + pd.to_timedelta(RNG.integers(0, 99, N), unit="D"), "datetime", "datetime64"),
        (np.array([dt.date(2024, 1, 1 + i % 28) for i in range(N)], dtype=object), "datetime", "date objects"),
        (pd.to_timedelta(RNG.integers(0, 99, N), unit="h"), "datetime", "timedelta64"),
        ([f"K{i}" for i in range(N)], "identifier", "every value is different"),
        ([uuid.UUID(int=i) for i in range(N)], "categorical", "objects of type UUID"),
        (np.arange(N)[::-1], "identifier", "count through"),
        (RNG.permutation(np.arange(N) * 7), "integer", "whole numbers"),
        (2**60 * RNG.integers(-7, 7, N), "integer", "whole numbers"),
        (np.r_[RNG.integers(-(2**62), 2**62, N)], "identifier", "too widely"),
        ([f"the {i} words of a note" for i in range(N)], "text", "different"),
        ([f"{i // 1.05:.0f}x" for i in range(N)], "text", "different"),
        ([None] * N, "categorical", "every value is missing"),
        (np.full(N, np.nan), "categorical", "every value is missing"),
        ([("a", 1), ("b", 2)] * 30, "categorical", "objects of type tuple"),
    ],
)
def test_kind_and_reason(values, kind, reason):
    column = Schema.infer(pd.DataFrame({"x": values}))["x"]
    assert column.kind == kind
    assert reason in column.reason


def test_a_unique_whole_number_is_an_identifier_if_its_name_says_so():
    values = RNG.permutation(np.arange(N) * 7)
    for name, kind in (("customer_id", "identifier"), ("customerID", "identifier"), ("paid", "integer")):
        assert Schema.infer(pd.DataFrame({name: values}))[name].kind == kind


@pytest.mark.parametrize(
    ("values", "warning"),
    [
        ([f"K{i}" for i in range(N)], "identifier"),
        ([f"the {i} words of a note" for i in range(N)], "free text"),
        ([5.5] * N, "constant"),
        ([None] * N, "every value is missing"),
        (["no" if i % 3 else "yes" for i in range(N)], "copy of the target"),
    ],
)
def test_warnings(values, warning):
    frame = pd.DataFrame({"x": values, "y": [int(i % 3 == 0) for i in range(N)]})
    assert any(warning in text for text in Schema.infer(frame, target="y")["x"].warnings)


def test_harmless_columns_have_no_warning():
    frame = pd.DataFrame({"x": RNG.normal(size=N), "z": ["a", "b"] * 30, "y": [0, 0, 1] * 20})
    schema = Schema.infer(frame, target="y")
    assert not any(column.warnings for column in schema.columns)


def test_roles():
    frame = pd.DataFrame({"x": RNG.normal(size=N), "sex": ["f", "m"] * 30, "y": [0, 0, 1] * 20, "k": "v"})
    schema = Schema.infer(frame, target="y", group_by=["sex"])
    assert schema.group_columns == ("y", "sex")
    assert [column.name for column in schema.features] == ["x", "k"]
    assert [column.name for column in schema.learned] == ["x"]
    assert schema["y"].reason == "the target"
    assert "x" in schema


def test_values_of_the_target_keep_their_type():
    for values in ([0.0, 1.0, 1.0], [True, False, True], ["a", "b", "a"], [3, 4, 3]):
        frame = pd.DataFrame({"x": [1.5, 2.5, 3.5], "y": values})
        table = Table(frame, Schema.infer(frame, target="y"))
        back = table.decode({"y": table.encode("y")})["y"]
        pd.testing.assert_series_equal(back, frame["y"])


MANY = pd.DataFrame({"y": RNG.normal(size=500)})
WIDE = pd.DataFrame({"x": [2**62, 1, -(2**62)]})
BASE = pd.DataFrame({"x": np.arange(6) * 0.5, "sex": list("fmfmfm"), "income": ["hi", "lo"] * 3})


@pytest.mark.parametrize(
    ("make", "says", "hint"),
    [
        (lambda: Schema.infer(BASE, target="incme"), "unknown column", "did you mean 'income'?"),
        (lambda: Schema.infer(BASE, group_by=["Sex"]), "unknown column", "did you mean 'sex'?"),
        (lambda: Schema.infer(BASE, kinds={"z": "text"}), "unknown column", "known: 'x'"),
        (lambda: Schema.infer(BASE, kinds={"x": "contnuous"}), "unknown kind", "did you mean 'continuous'?"),
        (lambda: Schema.infer(BASE, target="sex", group_by=["sex"]), "once", None),
        (lambda: Schema.infer(BASE.iloc[:0]), "no rows", None),
        (lambda: Schema.infer(BASE[[]]), "no columns", None),
        (lambda: Schema.infer(BASE.set_axis(["a", "b", "a"], axis=1)), "one name", "rename"),
        (lambda: Schema.infer(BASE.assign(x=np.inf)), "infinite value", "missing value"),
        (lambda: Schema.infer(BASE.assign(x=1j)), "not supported", "drop"),
        (lambda: Schema.infer(BASE.assign(x=pd.period_range("2024", periods=6))), "not supported", "convert"),
        (lambda: Schema.infer(BASE.assign(x=[[1]] * 6)), "cannot be used as categories", "drop"),
        (lambda: Schema.infer(BASE, kinds={"sex": "continuous"}), "not numbers", "--kind sex=categorical"),
        (lambda: Schema.infer(BASE, kinds={"sex": "datetime"}), "not dates", "pandas.to_datetime"),
        (lambda: Schema.infer(BASE, kinds={"x": "boolean"}), "at most two", "categorical"),
        (lambda: Schema.infer(BASE, kinds={"x": "integer"}), "not a whole number", "continuous"),
        (lambda: Schema.infer(BASE, kinds={"x": "identifier"}), "whole numbers, strings or UUIDs", "drop"),
        (lambda: Schema.infer(BASE.assign(y=[None, *"abaab"]), target="y"), "missing in some rows", "drop"),
        (lambda: Schema.infer(MANY, target="y"), "too many distinct", "pandas.cut"),
        (lambda: Schema.infer(BASE)["sx"], "unknown column", "did you mean"),
        (lambda: Table(BASE, Schema.infer(BASE[["x"]])), "columns are not the schema's", None),
        (lambda: Schema.infer(WIDE, kinds={"x": "integer"}), "spread too widely", "identifier"),
    ],
)
def test_what_cannot_be_used_is_refused(make, says, hint):
    with pytest.raises(SchemaError.__mro__[1], match=says) as error:
        make()
    assert isinstance(error.value, MakeweightError)
    if hint is not None:
        assert hint in error.value.hint


def test_a_column_of_a_million_categories_is_refused():
    values = np.char.add("v", np.arange(200_000).repeat(5).astype(str))
    with pytest.raises(SchemaError, match="too many distinct values") as error:
        Schema.infer(pd.DataFrame({"code": values}))
    assert "--kind code=identifier" in error.value.hint


def test_errors_survive_pickling():
    import pickle

    with pytest.raises(SchemaError) as error:
        Schema.infer(BASE, target="incme")
    again = pickle.loads(pickle.dumps(error.value))
    assert str(again) == str(error.value)
    assert again.hint == error.value.hint
