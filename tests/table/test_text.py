"""Rows as sentences survive the way there and back."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from makeweight import Schema
from makeweight.errors import SchemaError
from makeweight.table import Table
from makeweight.table.kinds import codec
from makeweight.table.text import parse, render, to_texts

AWKWARD = [
    "",
    " ",
    "missing",
    " is ",
    "a is b",
    "New York, NY",
    'say "hi"',
    "line\nend",
    "é🙂",
    "NaN",
    "is",
    "a is",
    ",",
]
texts = st.one_of(st.text(), st.sampled_from(AWKWARD), st.sampled_from(AWKWARD).map(lambda s: s * 3))
rows = st.dictionaries(texts, st.none() | texts, max_size=6)


@given(rows)
def test_every_row_survives(row):
    assert parse(render(row)) == row
    assert list(parse(render(row))) == list(row)


def test_ten_kilobytes_survive():
    row = {"note": 'long, text is "here"\n' * 500}
    assert parse(render(row)) == row


def test_plain_values_are_written_plainly():
    assert render({"age": "39", "job": "clerk"}) == "age is 39, job is clerk"


@pytest.mark.parametrize(
    ("sentence", "says"),
    [
        ("age", "' is ' after a column name"),
        ("age is 39,", "a further column"),
        ("age is 39, ", "a further column"),
        ("age is ", "a column name or a value"),
        ('age is "39', "closing quotation mark"),
        ('age is "39" or so', "a further column"),
        ("age is 39, age is 40", "names a column twice"),
    ],
)
def test_what_is_no_row_is_refused(sentence, says):
    with pytest.raises(SchemaError, match=says):
        parse(sentence)


def test_typed_rows_survive_through_text():
    frame = pd.DataFrame(
        {
            "price": [1.5, 2.25, np.nan, 7.0],
            "count": pd.array([1, None, 3, 70], dtype="Int64"),
            "when": pd.to_datetime(["2024-01-01", "2024-02-03", None, "2025-01-01"]),
            "city": ["New York, NY", "missing", None, "x is y"],
            "flag": [True, False, True, True],
        }
    )
    schema = Schema.infer(frame, kinds={"city": "categorical"})
    table = Table(frame, schema)
    texts = {name: to_texts(schema[name], frame[name]) for name in frame.columns}
    written = [dict(zip(texts, row, strict=True)) for row in zip(*texts.values(), strict=True)]
    read = pd.DataFrame([parse(render(row)) for row in written], dtype=object)
    for column in schema.columns:
        values, rejects = codec(column.kind).check(column, read[column.name])
        assert not rejects, column
        pd.testing.assert_series_equal(table.decode({column.name: values})[column.name], frame[column.name])
