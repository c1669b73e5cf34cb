"""Rows as segments of text, and grammars of what a column can have."""

import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from makeweight import Schema
from makeweight.generators.causal_lm import model as models
from makeweight.generators.causal_lm.constraints import Grammars
from makeweight.generators.causal_lm.patterns import number_pattern, pattern_of, read_value
from makeweight.generators.causal_lm.rows import RowText
from makeweight.generators.contract import example_table
from makeweight.plan import Groups
from makeweight.table import Table
from makeweight.table.kinds import codec
from makeweight.table.text import parse

TROUBLE = [
    "a, b",
    'say "x"',
    "two\nlines",
    "this is it",
    "\U0001f600 ok",
    "NaN",
    "missing",
    "",
    " padded ",
    "x" * 10_000,
]


def table_of(**columns):
    frame = pd.DataFrame(columns)
    frame["y"] = np.where(np.arange(len(frame)) % 3 == 0, "rare", "common")
    return Table(frame, Schema.infer(frame, target="y"))


def patterns(rows, table):
    return [pattern_of(s, cells) for s, cells in zip(rows.columns, rows.cells(table), strict=True)]


@settings(max_examples=60, deadline=None)
@given(
    low=st.integers(-2000, 2000), size=st.integers(0, 3000), decimals=st.integers(0, 3), value=st.integers(-9999, 9999)
)
def test_a_number_pattern_takes_its_range_and_nothing_else(low, size, decimals, value):
    pattern = re.compile(number_pattern(low, low + size, decimals))
    for number in (low, low + size, low + size // 2, low - 1, low + size + 1, value):
        text = f"{number / 10**decimals:.{decimals}f}" if decimals else str(number)
        text = text.replace("-0.0", "0.0") if number == 0 else text
        assert bool(pattern.fullmatch(text)) == (low <= number <= low + size), text
    assert not pattern.fullmatch(f"{low / 10**decimals:.{decimals + 1}f}")
    assert not pattern.fullmatch("0" + str(abs(low) + 10**decimals))


@settings(max_examples=100, deadline=None)
@given(st.lists(st.text(max_size=30), min_size=6, max_size=6))
@example(["", "", "", "", "", "x"])
def test_any_text_survives(texts):
    table = table_of(note=pd.Series(texts, dtype=object), size=np.arange(6) * 1.5)
    assume(table.schema["note"].spelling is None)  # texts that are all numbers, where an empty one is missing
    rows = RowText(table)
    written = [
        "".join(rows.prompt((label,))) + "".join(n + c[i] for n, c in zip(rows.names(), rows.cells(table), strict=True))
        for i, label in enumerate(table.frame["y"])
    ]
    for sentence, text in zip(written, texts, strict=True):
        row = parse(sentence)
        assert set(row) == {"y", *(s.label for s in rows.columns)}
        if "note" in row:  # a constant column is not written
            assert row["note"] == text


def test_troublesome_categories_come_back():
    table = table_of(word=TROUBLE * 3)
    rows = RowText(table)
    texts = [read_value(segment) for segment in rows.cells(table)[0]]
    assert texts == TROUBLE * 3
    assert rows.frame([texts])["word"].tolist() == TROUBLE * 3


def test_every_real_value_matches_its_pattern_and_comes_back():
    table = example_table()
    rows = RowText(table)
    columns = []
    for spelling, pattern, cells in zip(rows.columns, patterns(rows, table), rows.cells(table), strict=True):
        for segment in cells:
            assert re.fullmatch(pattern, segment), (spelling.label, segment)
        columns.append([read_value(segment) for segment in cells])
    frame = rows.frame(columns)
    for column in table.schema.learned:
        real, back = (codec(column.kind).encode(column, f[column.name]) for f in (table.frame, frame))
        np.testing.assert_allclose(real, back, rtol=1e-9)
        assert column.kind.value == "datetime" or frame[column.name].dtype == table.frame[column.name].dtype


def test_dates_with_a_clock_have_its_shape():
    when = pd.Timestamp("2021-02-03 04:05:06") + pd.to_timedelta(np.arange(40) * 12_345_678, unit="s")
    table = table_of(when=when.tz_localize("Europe/Berlin"), day=when.date)
    rows = RowText(table)
    pattern = patterns(rows, table)[0]
    for segment in rows.cells(table)[0]:
        assert re.fullmatch(pattern, segment)
    for wrong in (" 2021-13-03T04:05:06+01:00", " 2021-02-03T24:05:06+01:00", " 1999-02-03T04:05:06+01:00"):
        assert not re.fullmatch(pattern, wrong)


def test_numbers_without_a_grid_get_six_digits():
    rng = np.random.default_rng(0)
    table = table_of(x=rng.normal(size=60) * 1e-3, z=rng.lognormal(9, 1, 60))
    rows = RowText(table)
    for spelling in rows.columns:
        real = table.frame[spelling.column.name]
        back = np.array(spelling.write(real), dtype=float)
        np.testing.assert_allclose(back, real, atol=1e-5 * real.abs().median())


def test_values_that_look_alike_are_told_apart():
    table = table_of(code=pd.Series([1, "1", 2] * 10, dtype=object))
    rows = RowText(table)
    texts = [read_value(segment) for segment in rows.cells(table)[0]]
    assert rows.frame([texts])["code"].tolist() == [1, "1", 2] * 10


def scratch(table):
    rows, groups = RowText(table), Groups(table)
    prompts = [rows.prompt(key) for key in groups.keys]
    values = [value for column in rows.cells(table) for value in column]
    language = models.make(rows.names(), sorted({p[0] for p in prompts}), values, longest=500, layers=1, width=32)
    return rows, language


def test_the_tokenizer_gives_back_what_it_gets():
    table = table_of(word=[*TROUBLE, "missing data"] * 2, size=np.arange(22) * 1.5 - 9)
    rows, language = scratch(table)
    for segment in [*rows.names(), *(s for column in rows.cells(table) for s in column), " missing"]:
        assert language.decode(language.encode(segment)) == segment
    assert [len(language.encode(name)) for name in rows.names()] == [1, 1]
    assert language.encode(" -12.5") == [t for part in (" -1", "2.", "5") for t in language.encode(part)]


def test_a_grammar_follows_every_real_value_and_ends_only_where_one_ends():
    table = example_table()
    rows, language = scratch(table)
    grammars = Grammars(language.tokenizer, rows.columns, patterns(rows, table), language.width)
    for twice in range(2):  # the second time from what was kept
        for j, cells in enumerate(rows.cells(table)):
            for segment in cells[: 5 + 5 * twice]:
                cursor = grammars.begin(j)
                for token in language.encode(segment):
                    answer = cursor.answer()
                    assert np.unpackbits(answer.tokens, bitorder="little")[token], segment
                    cursor.write(token)
                assert cursor.answer().may_end
                assert not np.unpackbits(cursor.answer().tokens, bitorder="little")[language.end]
            assert not grammars.begin(j).answer().may_end


def test_many_categories_make_one_grammar():
    words = [f"place {i:04d} ({i % 7}.{i % 3})" for i in range(3000)]
    table = table_of(place=words * 2)
    rows, language = scratch(table)
    grammars = Grammars(language.tokenizer, rows.columns, patterns(rows, table), language.width)
    cursor = grammars.begin(0)
    for token in language.encode(" place 0042 (0.0)"):
        cursor.write(token)
    assert cursor.answer().may_end


@pytest.mark.parametrize(
    ("segment", "text"), [(" missing", None), (' "missing"', "missing"), (' "a\\n\\"b"', 'a\n"b'), (" -0.5", "-0.5")]
)
def test_values_are_read(segment, text):
    assert read_value(segment) == text
