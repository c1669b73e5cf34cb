"""Every type that people have, in every role and container: back as it went in, or one clear error."""

import datetime as dt
import uuid
from decimal import Decimal
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.feather as feather
import pyarrow.parquet as parquet
import pytest

from makeweight import SyntheticOverSampler
from makeweight.errors import MakeweightError, SchemaError
from makeweight.sampler import balance
from makeweight.table.io import read_table, write_table

N, RARE = 60, 12
DAY = dt.datetime(2020, 1, 1)
BERLIN = ZoneInfo("Europe/Berlin")
#: Name to the value number i, the dtype in pandas and the type in Arrow (None: there is none).
TYPES = {
    "int8": (lambda i: i * 2, "int8", pa.int8()),
    "int64": (lambda i: i * 7, "int64", pa.int64()),
    "uint64": (lambda i: 2**63 + i * 3, "uint64", pa.uint64()),
    "Int64": (lambda i: i * 7, "Int64", pa.int64()),
    "float16": (lambda i: i / 4, "float16", pa.float16()),
    "float32": (lambda i: i / 4, "float32", pa.float32()),
    "float64": (lambda i: i / 3, "float64", pa.float64()),
    "big-endian floats": (lambda i: i / 4, ">f8", None),
    "big-endian integers": (lambda i: i * 7, ">i4", None),
    "long double": (lambda i: i / 4, np.longdouble, None),
    "bool": (lambda i: i % 8 == 0, "bool", pa.bool_()),
    "text": (lambda i: f"v{i % 9}", "str", pa.string()),
    "large text": (lambda i: f"v{i % 9}", "string", pa.large_string()),
    "text view": (lambda i: f"v{i % 9}", None, pa.string_view()),
    "text in pandas as a view": (lambda i: f"v{i % 9}", pd.ArrowDtype(pa.string_view()), None),
    "bytes": (lambda i: f"v{i % 9}".encode(), "object", pa.binary()),
    "bytes view": (lambda i: f"v{i % 9}".encode(), None, pa.binary_view()),
    "decimals": (lambda i: Decimal(i * 7).scaleb(-2), "object", pa.decimal128(10, 2)),
    "NUMBER(38,0)": (lambda i: Decimal(10**20 + i * 7), "object", pa.decimal128(38, 0)),
    "Decimal(38,18)": (lambda i: Decimal(10**17 + i * 7919).scaleb(-18), "object", pa.decimal128(38, 18)),
    "Decimal256": (lambda i: Decimal(10**40 + i * 10**30).scaleb(-18), "object", pa.decimal256(60, 18)),
    "dates": (lambda i: (DAY + dt.timedelta(days=i)).date(), "object", pa.date32()),
    "datetimes": (lambda i: DAY + dt.timedelta(hours=7 * i), "datetime64[us]", pa.timestamp("us")),
    "seconds": (lambda i: DAY + dt.timedelta(hours=7 * i), "datetime64[s]", pa.timestamp("s")),
    "zones": (
        lambda i: (DAY + dt.timedelta(hours=7 * i)).replace(tzinfo=BERLIN),
        "datetime64[us, Europe/Berlin]",
        pa.timestamp("us", "Europe/Berlin"),
    ),
    "zones in objects": (lambda i: (DAY + dt.timedelta(hours=7 * i)).replace(tzinfo=BERLIN), "object", None),
    "times of day": (lambda i: dt.time(i % 24, i), "object", pa.time64("us")),
    "durations": (lambda i: dt.timedelta(minutes=i), "timedelta64[us]", pa.duration("us")),
    "categories": (lambda i: f"v{i % 9}", "category", pa.dictionary(pa.int8(), pa.string())),
    "runs": (lambda i: i // 4, None, pa.run_end_encoded(pa.int32(), pa.int64())),
    "NumPy scalars": (lambda i: np.int16(i * 3), "object", None),
    "NumPy floats": (lambda i: np.float32(i / 4), "object", None),
    "UUIDs": (lambda i: uuid.UUID(int=i), "object", None),
    "lists": (lambda i: [i, i + 1], "object", pa.list_(pa.int64())),
    "structs": (lambda i: {"a": i}, "object", pa.struct([("a", pa.int64())])),
    "dates as text": (lambda i: f"{DAY + dt.timedelta(days=i):%d/%m/%Y}", "str", pa.string()),
    "amounts as text": (lambda i: f"${i * 137.5:,.2f}", "str", pa.string()),
}
NESTED = ("lists", "structs")


def values_of(name, role):
    value = TYPES[name][0]
    if role == "column":
        return [value(i) for i in range(N)]
    few = [value(12), value(24)]  # whole numbers, as labels are
    rare = N - RARE if role == "label" else N // 2
    return [few[i >= rare] for i in range(N)] if role == "label" else [few[i % 2] for i in range(N)]


def pandas_series(name, role):
    dtype = TYPES[name][1]
    if dtype is None:
        pytest.skip("pandas has no such type")
    values = values_of(name, role)
    if isinstance(dtype, pd.ArrowDtype):
        return pd.Series(pd.arrays.ArrowExtensionArray(pa.array(values, dtype.pyarrow_dtype)))
    return pd.Series(values, dtype=dtype)


def arrow_column(name, role):
    kind = TYPES[name][2]
    if kind is None:
        pytest.skip("Arrow has no such type")
    values = values_of(name, role)
    if pa.types.is_run_end_encoded(kind):
        return pa.chunked_array([pa.compute.run_end_encode(pa.array(values, kind.value_type), kind.run_end_type)])
    if pa.types.is_float16(kind):
        return pa.chunked_array([pa.array(np.array(values, dtype=np.float16))])
    return pa.chunked_array([pa.array(values, kind)])


X = pd.DataFrame({"a": np.random.default_rng(0).normal(size=N).round(2), "b": np.arange(N) % 7 / 2})
Y = ["no"] * (N - RARE) + ["yes"] * RARE


def resampled(name, role, make_column, make_table):
    """Give a sampler a value of every type as column, label or group; return what went in and what came out."""
    column = make_column(name, role)
    others = {key: list(X[key]) for key in X}
    label = column if role == "label" else make_column("text", "label")
    table = make_table(others if role == "label" else others | {"v": column})
    sampler = SyntheticOverSampler("smoothed-bootstrap", group_by="v" if role == "group" else None, random_state=0)
    features, labels = sampler.fit_resample(table, label)
    return (label, labels) if role == "label" else (table, features)


def outcome(name, role, make_column, make_table):
    """Return what went in and what came out; None where nested values were refused by name."""
    if name not in NESTED:
        return resampled(name, role, make_column, make_table)
    with pytest.raises(MakeweightError) as refused:
        resampled(name, role, make_column, make_table)
    assert refused.value.hint
    assert role == "label" or "'v'" in str(refused.value)
    return None


@pytest.mark.parametrize("role", ["column", "label", "group"])
@pytest.mark.parametrize("name", TYPES)
def test_pandas(name, role):
    done = outcome(name, role, pandas_series, pd.DataFrame)
    if done is None:
        return
    before, after = done
    dtypes = (before.dtype, after.dtype) if role == "label" else (before["v"].dtype, after["v"].dtype)
    assert dtypes[0] == dtypes[1]
    old, new = (before, after) if role == "label" else (before["v"], after["v"])
    assert old.tolist() == new.iloc[:N].tolist()
    assert len(new) > N
    assert {type(value) for value in new} == {type(value) for value in old}
    check_range(name, old.tolist(), new.iloc[N:].tolist())


def check_range(name, old, new):
    if name not in (*NESTED, "UUIDs", "bytes", "dates as text", "amounts as text"):
        assert min(old) <= min(new)
        assert max(new) <= max(old)


@pytest.mark.parametrize("role", ["column", "label", "group"])
@pytest.mark.parametrize("name", TYPES)
def test_arrow(name, role):
    done = outcome(name, role, arrow_column, pa.table)
    if done is None:
        return
    before, after = done
    if role != "label":
        assert before.schema == after.schema
        before, after = before.column("v"), after.column("v")
    assert before.type == after.type
    old, new = before.to_pylist(), after.to_pylist()
    assert new[:N] == old
    assert len(new) > N
    check_range(name, old, new[N:])


@pytest.mark.parametrize("role", ["column", "label", "group"])
@pytest.mark.parametrize(
    "name", [name for name in TYPES if name not in ("float16", "bytes view", "text view", "runs", "Decimal256")]
)
def test_polars(name, role):
    def make(name, role):
        return pl.from_arrow(arrow_column(name, role)).rename("v")

    done = outcome(name, role, make, pl.DataFrame)
    if done is None:
        return
    before, after = done
    if role != "label":
        assert before.schema == after.schema
        before, after = before["v"], after["v"]
    assert before.dtype == after.dtype
    assert after[:N].to_list() == before.to_list()
    assert len(after) > N


#: What a format of files cannot hold.
CANNOT = {
    "parquet": ("runs", "text view", "bytes view", "durations"),
    "feather": (),
    "csv": ("bytes", "bytes view", *NESTED),
}


@pytest.mark.parametrize("role", ["column", "label", "group"])
@pytest.mark.parametrize("name", TYPES)
@pytest.mark.parametrize("end", ["csv", "parquet", "feather"])
def test_files(tmp_path, end, name, role):
    if name in CANNOT[end]:
        pytest.skip(f"{end} has no such type")
    column = arrow_column(name, role)
    label = column if role == "label" else pa.array(Y)
    table = pa.table({**X.to_dict("list"), **({} if role == "label" else {"v": column}), "y": label})
    source, target = tmp_path / f"t.{end}", tmp_path / f"o.{end}"
    if end == "csv":
        pd.DataFrame({name: table.column(name).to_pylist() for name in table.column_names}).to_csv(source, index=False)
    else:
        (parquet.write_table if end == "parquet" else feather.write_feather)(table, source)
    groups = ["v"] if role == "group" else []
    if name in NESTED:
        with pytest.raises(SchemaError) as refused:
            balance(read_table(source).frame, target="y", group_by=groups, generator="smoothed-bootstrap")
        assert refused.value.hint
        assert role == "label" or "'v'" in str(refused.value)
        return
    file = read_table(source)
    rows = balance(file.frame, target="y", group_by=groups, generator="smoothed-bootstrap", random_state=0).frame
    write_table(file, rows, target)
    if end == "csv":
        assert target.read_bytes().startswith(source.read_bytes())
        read_table(target)
        return
    after = (parquet.read_table if end == "parquet" else feather.read_table)(target)
    before = (parquet.read_table if end == "parquet" else feather.read_table)(source)
    assert after.schema == before.schema
    assert after.slice(0, N) == before
    assert after.num_rows > N


LABELS = {
    "two levels": pd.MultiIndex.from_tuples([("p", "a"), ("p", "b"), ("q", "a")], names=["u", "v"]),
    "named": pd.Index(["a", "b", "c"], name="feature"),
    "truth values and a number": pd.Index([True, False, 2], dtype=object),
    "NaN": pd.Index([1.5, np.nan, 2.5]),
    "dates": pd.date_range("2020-01-01", periods=3),
    "numbers": pd.RangeIndex(3),
    "mixed": pd.Index(["a", 1, None], dtype=object),
    "tuples": pd.Index([("a", 1), ("b", 2), ("c", 3)], tupleize_cols=False),
}


@pytest.mark.parametrize("name", LABELS)
def test_labels_of_columns_come_back(name):
    frame = pd.DataFrame(np.random.default_rng(0).normal(size=(N, 3)), columns=LABELS[name])
    out, _ = SyntheticOverSampler("smoothed-bootstrap", random_state=0).fit_resample(frame, np.array(Y))
    pd.testing.assert_index_equal(out.columns, LABELS[name])
    pd.testing.assert_frame_equal(out.iloc[:N], frame)


@pytest.mark.parametrize("make", [pl.DataFrame, pa.table, pd.DataFrame])
def test_a_table_of_one_column_as_labels(make):
    labels = make({"y": Y})
    _, out = SyntheticOverSampler("smoothed-bootstrap", random_state=0).fit_resample(make(X.to_dict("list")), labels)
    assert type(out) is type(labels)
    assert (out.column_names if hasattr(out, "column_names") else list(out.columns)) == ["y"]


@pytest.mark.parametrize("group_by", [pd.Index(["g"]), np.array(["g"]), ("g",), ["g"], "g", {"g": 1}.keys()])
def test_grouping_attributes_as_any_sequence(group_by):
    frame = X.assign(g=["f", "m"] * (N // 2))
    sampler = SyntheticOverSampler("smoothed-bootstrap", group_by=group_by, random_state=0)
    sampler.fit_resample(frame, np.array(Y))
    assert len(list(sampler.plan_)) == 4


def test_nested_values_are_refused_with_their_name():
    with pytest.raises(SchemaError, match="'tags'") as error:
        SyntheticOverSampler("random").fit_resample(pa.table({"a": list(X["a"]), "tags": [[i] for i in range(N)]}), Y)
    assert "leave the column out" in error.value.hint


@pytest.mark.parametrize(
    "column",
    [
        pa.array([pa.MonthDayNano([i % 5, 1, 0]) for i in range(N)]),
        pl.Series([object()] * N, dtype=pl.Object),
        pl.Series(range(N), dtype=pl.Int128),
        pa.array([[i] for i in range(N)], pa.list_view(pa.int64())),
    ],
    ids=["months and days", "objects of polars", "wide integers of polars", "list views"],
)
def test_types_that_cannot_be_carried_are_refused_with_their_column(column):
    is_polars = isinstance(column, pl.Series)
    table = pl.DataFrame({"a": list(X["a"]), "odd": column}) if is_polars else pa.table({"a": X["a"], "odd": column})
    with pytest.raises(SchemaError, match="'odd'") as error:
        SyntheticOverSampler("random").fit_resample(table, Y)
    assert "leave the column out" in error.value.hint
    with pytest.raises(SchemaError):
        SyntheticOverSampler("random").fit_resample(X, column)
