"""Rows are found in whatever models write, or rejected with a reason; nothing is evaluated."""

import csv
import io
import json

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("openai", reason='the chat generator needs: pip install "makeweight[chat]"')

from makeweight import Schema
from makeweight.generators.chat.fields import fields_of
from makeweight.generators.chat.parse import read_rows
from makeweight.generators.chat.values import Reader, number, to_frame
from makeweight.table.text import render

LABELS = ["age", "city", "pay (EUR)"]
ROWS = [{"age": "39", "city": "New York, NY", "pay (EUR)": "1,234.5"}, {"age": "7", "city": "x", "pay (EUR)": "2"}]


def read(text, style="json", labels=LABELS, needed=None, cut=False):
    return read_rows(text, labels, needed=labels if needed is None else needed, style=style, cut=cut)


def as_texts(rows):
    return [{name: str(value) for name, value in row.items()} for row in rows]


IN_MANY_FORMS = {
    "sentences": "age is 39, city is New York, NY, pay (EUR) is 1,234.5.\nage is 7, city is x, pay (EUR) is 2",
    "numbered sentences": "Here you are:\n\n1. age is 39, city is New York, NY, pay (EUR) is 1,234.5\n"
    "2) age is 7, city is x, pay (EUR) is 2\n\nI hope that helps!",
    "bullets, bold, capitals": "- **Age** is 39, **City** is New York, NY, and **Pay (EUR)** is 1,234.5\n"
    "- Age is 7, City is x, and Pay (EUR) is 2",
    "all on one line": "age is 39, city is New York, NY, pay (EUR) is 1,234.5; age is 7, city is x, pay (EUR) is 2",
    "broken lines": "age is 39,\ncity is New York, NY, pay (EUR) is 1,234.5\nage is 7, city is x,\npay (EUR) is 2",
    "reordered": "city is New York, NY, pay (EUR) is 1,234.5, age is 39\npay (EUR) is 2, age is 7, city is x",
    "json": '{"rows": [{"age": 39, "city": "New York, NY", "pay (EUR)": "1,234.5"}, '
    '{"age": 7, "city": "x", "pay (EUR)": 2}]}',
    "json in a fence": 'Sure:\n```json\n[{"Age": 39, "City": "New York, NY", "Pay": "1,234.5"},\n'
    ' {"age": 7, "city": "x", "pay": 2}]\n```\nDone.',
    "json lines": '{"age": 39, "city": "New York, NY", "pay (EUR)": "1,234.5"}\n'
    '{"age": 7, "city": "x", "pay_": 2, "pay": 2}',
    "json of lists": '{"columns": ["age", "pay", "city"], "rows": [[39, "1,234.5", "New York, NY"], [7, 2, "x"]]}',
    "json, cut": '{"rows": [{"age": 39, "city": "New York, NY", "pay": "1,234.5"}, '
    '{"age": 7, "city": "x", "pay": 2}, {"age": 5, "ci',
    "csv": 'age,city,pay (EUR)\n39,"New York, NY","1,234.5"\n7,x,2\n',
    "csv, reordered and renamed": 'City,Pay,AGE\n"New York, NY","1,234.5",39\nx,2,7',
    "csv without a header": '39,"New York, NY","1,234.5"\n7,x,2',
    "csv, header twice": 'age,city,pay\n39,"New York, NY","1,234.5"\nage,city,pay\n7,x,2',
    "tabs": "age\tcity\tpay\n39\tNew York, NY\t1,234.5\n7\tx\t2",
    "markdown": "| age | city | pay (EUR) |\n|-----|:----:|---:|\n| 39 | New York, NY | 1,234.5 |\n| 7 | x | 2 |",
}


@pytest.mark.parametrize("style", ["json", "sentence", "csv"])
@pytest.mark.parametrize("form", IN_MANY_FORMS)
def test_rows_are_found_in_many_forms_whatever_was_asked_for(form, style):
    parsed = read(IN_MANY_FORMS[form], style)
    assert as_texts(parsed.rows)[0] == ROWS[0] or as_texts(parsed.rows)[0]["pay (EUR)"] == "1,234.5."
    assert as_texts(parsed.rows)[1] == ROWS[1]
    assert len(parsed.rows) == 2


@pytest.mark.parametrize(
    ("text", "style", "rejected"),
    [
        ("age is 39, city is x", "sentence", {"missing-column: pay (EUR)": 1}),
        ("age is 39, city is x, pay (EUR) is 1\nage is 3", "sentence", {"missing-column: city": 1}),
        ('{"age": 1}', "json", {"missing-column: city": 1}),
        ('[[1, "x"], [1, "x", 2]]', "json", {"wrong-number-of-columns": 1}),
        ("age,city,pay\n1,x,2,3\n1,x\n1,x,2", "csv", {"wrong-number-of-columns": 2}),
        ("age,city\n1,x", "csv", {"missing-column: pay (EUR)": 1}),
        ("", "json", {"answer-without-rows": 1}),
        ("I am sorry, I cannot do that.", "json", {"answer-without-rows": 1}),
        ("__import__('os').system('echo')", "csv", {"answer-without-rows": 1}),
        ('{"rows": [{"age": 1, "city": "x", "pay": 2}, {"age": 1, "ci', "json", {"truncated-row": 1}),
    ],
)
def test_what_is_no_row_has_a_reason(text, style, rejected):
    assert dict(read(text, style).rejected) == rejected


def test_the_last_row_of_a_cut_answer_is_no_row():
    text = "age is 39, city is x, pay (EUR) is 1\nage is 3, city is x, pay (EUR) is 1"
    assert len(read(text, "sentence").rows) == 2
    parsed = read(text, "sentence", cut=True)
    assert (len(parsed.rows), dict(parsed.rejected)) == (1, {"truncated-row": 1})
    parsed = read("age,city,pay\n1,x,2\n1,x,25", "csv", cut=True)
    assert (len(parsed.rows), dict(parsed.rejected)) == (1, {"truncated-row": 1})


names = st.lists(st.text(min_size=1, max_size=8).map(str.strip).filter(bool), min_size=1, max_size=5, unique=True)
cells = st.one_of(
    st.none(),
    st.text(max_size=20),
    st.sampled_from(["NaN", "missing", "a, b", " is ", '"', "x is y", "1,234.5", "\n", "🙂", "New York, NY", "."]),
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
)


@st.composite
def tables(draw):
    labels = draw(names)
    rows = draw(st.lists(st.fixed_dictionaries(dict.fromkeys(labels, cells)), min_size=1, max_size=5))
    return labels, rows


@settings(max_examples=200, deadline=None)
@given(tables())
def test_json_comes_back_as_it_was_written(case):
    labels, rows = case
    text = json.dumps({"rows": rows}, ensure_ascii=False)
    assert read(text, "json", labels).rows == rows


plain = st.sampled_from(["a", "age", "Total pay", "x_1", "größe", "A-B", "pay (EUR)", "is", "b, c"])


@settings(max_examples=200, deadline=None)
@given(labels=st.lists(plain, min_size=1, max_size=5, unique_by=str.casefold), data=st.data())
def test_sentences_come_back_as_they_were_written(labels, data):
    row = {label: data.draw(cells) for label in labels}
    parsed = read("Sure!\n" + render(row) + "\n", "sentence", labels)
    assert parsed.rows == [row]


@settings(max_examples=100, deadline=None)
@given(labels=st.lists(plain, min_size=2, max_size=5, unique_by=str.casefold), data=st.data())
def test_csv_comes_back_as_it_was_written(labels, data):
    value = st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\r|\t"), max_size=12).map(str.strip)
    rows = [{label: data.draw(value) for label in labels} for _ in range(3)]
    rows = [{**row, labels[0]: str(i) + "x"} for i, row in enumerate(rows)]
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, labels, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    assert read(buffer.getvalue(), "csv", labels).rows == rows


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=300), st.sampled_from(["json", "sentence", "csv"]), st.booleans())
def test_nothing_breaks_the_parser(text, style, cut):
    parsed = read(text, style, cut=cut)
    assert not parsed.is_empty
    assert all(set(LABELS) <= set(row) for row in parsed.rows)


@pytest.mark.parametrize(
    "text",
    [
        "[" * 300_000,
        '{"a":' * 200_000,
        "{" * 1_000_000,
        '{"age": 1, ' * 100_000,
        "age is " * 100_000,
        "age is 1, city is " * 50_000,
        '"' * 500_000,
        "," * 1_000_000,
        "a,b,c\n" * 100_000,
        "| " * 500_000,
        'age is "' * 50_000,
        " " * 1_000_000,
    ],
    ids=lambda text: text[:12],
)
def test_hostile_answers_take_bounded_time(text):
    read(text)  # what grew with the square of the length would take hours


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("1,234.5", 1234.5),
        ("$1,200", 1200),
        ("13.2 cm", 13.2),
        ("45 %", 45),
        ("-0.5.", -0.5),
        ("1e-3", 0.001),
        ("7", 7),
        (7.5, 7.5),
        ("1.234,5", "1.234,5"),
        ("twelve", "twelve"),
        ("1-2", "1-2"),
        ("1e999", "1e999"),
        ("", ""),
        ("9" * 25, int("9" * 25)),
        ("1_000", "1_000"),
        ("0x10", "0x10"),
        (True, True),
    ],
)
def test_numbers(written, read):
    assert number(written) == read


def frame_of():
    return pd.DataFrame(
        {
            "size": [1.5, None, 2.25, 3.5] * 5,
            "code": [0, 1, 1, 0] * 5,
            "flag": [True, False] * 10,
            "grade": pd.Categorical(["low", "High", "low", "mid"] * 5),
            "level": [1.0, 2.0, 3.0, 1.0] * 5,
            "when": pd.to_datetime(["2024-01-01", "2024-05-01"] * 10),
            "word": ["None", "N/A", "b", None] * 5,
            "y": ["p", "q"] * 10,
        }
    )


@pytest.mark.parametrize(
    ("label", "written", "read"),
    [
        ("size", "missing", None),
        ("size", None, None),
        ("size", "2.25 m", 2.25),
        ("size", "?", "?"),
        ("code", "1.0", 1),
        ("code", "yes", "yes"),
        ("code", 0.0, 0),
        ("flag", "True", True),
        ("flag", False, False),
        ("grade", "HIGH", "High"),
        ("grade", " low.", "low"),
        ("grade", "purple", "purple"),
        ("level", "2", 2.0),
        ("when", "2024-03-01", "2024-03-01"),
        ("word", "none", "None"),
        ("word", "N/A", "N/A"),
        ("word", "", None),
        ("word", ["b"], "['b']"),
        ("size", {"a": 1}, "{'a': 1}"),
    ],
)
def test_values_are_read_as_their_columns_have_them(label, written, read):
    frame = frame_of()
    fields = {field.label: field for field in fields_of(Schema.infer(frame, target="y"))}
    assert Reader(fields[label]).read(written) == read


def test_frames_have_the_columns_that_can_be_checked():
    fields = fields_of(Schema.infer(frame_of(), target="y"))
    rows = [{field.label: "1" for field in fields if field.label != "y"}]
    assert "y" not in to_frame(rows, fields).columns
    assert list(to_frame([{**rows[0], "y": "p"}], fields)["y"]) == ["p"]
    assert len(to_frame([], fields)) == 0
