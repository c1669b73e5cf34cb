"""Prompts: fresh and balanced examples, nothing sent without need, and rows that come back as they went."""

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

pytest.importorskip("openai", reason='the chat generator needs: pip install "makeweight[chat]"')

from chat_endpoints import completion, serving
from makeweight import Schema
from makeweight.errors import SchemaError
from makeweight.generators.chat import ChatGenerator
from makeweight.generators.chat.parse import read_rows
from makeweight.generators.chat.prompt import STYLES, Prompter
from makeweight.generators.chat.values import to_frame
from makeweight.generators.check import first_reasons
from makeweight.generators.contract import example_table
from makeweight.plan import Groups
from makeweight.sampler import balance
from makeweight.table import Table
from strategies import COLUMNS, ROWS


def prompter(table, style="json", examples=20, description=None):
    return Prompter(table, style=style, examples=examples, description=description)


def blocks_of(text):
    """Return the rows of every block of examples, set by set."""
    sets = []
    for part in text.split("Examples, set ")[1:]:
        blocks = {}
        for line in part.split("\n"):
            if line[1:].startswith(". rows of the group "):
                name = line.partition("rows of the group ")[2]
                blocks[name] = []
            elif line.startswith("{"):
                blocks[name].append(line)
        sets.append(blocks)
    return sets


def test_sets_of_examples_are_balanced_and_fresh():
    table = example_table(n=200, rare=30)
    writer = prompter(table)
    seen = set()
    texts = [writer.write(("rare",), 5, np.random.default_rng(i)) for i in range(30)]
    for prompt in texts:
        sets = blocks_of(prompt.user)
        assert len(sets) == 4
        for blocks in sets:
            assert [len(rows) for rows in blocks.values()] == [5, 5]
            assert list(blocks)[-1] == "y=rare"
        rows = [line for blocks in sets for line in blocks["y=rare"]]
        assert len(set(rows)) == 20
        seen.update(rows)
    assert len({prompt.user for prompt in texts}) == 30
    assert len(seen) == 30  # of a pool that never shrinks, every row is shown at some time
    again = prompter(table).write(("rare",), 5, np.random.default_rng(3))
    assert again.user == texts[3].user


def test_few_rows_are_balanced_too():
    table = example_table(n=60, rare=3)
    sets = blocks_of(prompter(table).write(("rare",), 5, np.random.default_rng(0)).user)
    assert [[len(rows) for rows in blocks.values()] for blocks in sets] == [[3, 3]]


def test_a_group_without_rows_is_asked_for_by_contrast():
    table = example_table(n=80, rare=10, group_by=("sex", "old"))
    frame = table.frame[(table.frame["sex"] == "m") | (table.frame["y"] == "common")].reset_index(drop=True)
    table = Table(frame, Schema.infer(frame, target="y", group_by=("sex", "old")))
    prompt = prompter(table, "sentence").write(("rare", "f", True), 2, np.random.default_rng(0))
    assert "There is no example of the group y=rare, sex=f, old=True" in prompt.user
    assert 'y = "rare", sex = "f", old = true' in prompt.user
    row = {"y": "rare", "sex": "f", "old": True}
    row |= json.loads(prompter(table)._render(prompter(table)._records(np.array([0])))) | row
    with serving(lambda body, number: completion(json.dumps({"rows": [row] * 2}))) as endpoint:
        made = balance(
            frame,
            target="y",
            group_by=("sex", "old"),
            sampling_strategy={("rare", "f", True): 2},
            generator=ChatGenerator(model="m", base_url=endpoint.url),
            random_state=0,
        )
    assert made.ledger.accepted == 2


def test_only_what_is_asked_for_is_sent():
    table = example_table()
    meanings = {"": "people and things", "size": "in metres", "key": "never sent"}
    for style in STYLES:
        text = str(prompter(table, style, description=meanings).write(("rare",), 3, np.random.default_rng(0)))
        assert "K-0" not in text
        assert "unit" not in text
        assert "never sent" not in text
        assert "The table: people and things" in text
        assert "- size: in metres; number with at most 3 decimals from" in text
        assert "Write exactly 3 new rows of the group y=rare" in text


def test_the_schema_of_an_answer_allows_every_real_row_of_the_group():
    table = example_table(n=100, rare=40, group_by=("sex",))
    writer = prompter(table)
    for group in writer.groups.keys:
        rule = writer.response_format(group)["json_schema"]["schema"]["properties"]["rows"]["items"]
        text = writer._render(writer._records(writer.groups.rows(group)))
        for row in map(json.loads, text.split("\n")):
            assert list(row) == rule["required"]
            for name, value in row.items():
                one = rule["properties"][name]
                if "enum" in one:
                    assert any(value is option or value == option for option in one["enum"])
                elif isinstance(value, int | float):
                    assert one["minimum"] <= value <= one["maximum"]
        assert rule["properties"]["y"] == {"type": "string", "enum": [group[0]]}
        assert all("type" in one for one in rule["properties"].values())


def check_round_trip(table, style):
    """Real rows, written as examples and read as answers, are the real rows."""
    writer = prompter(table, style)
    rows = np.arange(len(table))
    text = writer._render(writer._records(rows))
    labels = [field.label for field in writer.fields]
    needed = [field.label for field in writer.fields if field.needed]
    parsed = read_rows(text, labels, needed=needed, style=style)
    assert len(parsed.rows) == len(table), parsed.rejected
    frame = to_frame(parsed.rows, writer.fields)
    for group in Groups(table).keys:
        mine = Groups(table).rows(group)
        part = frame.iloc[mine].reset_index(drop=True)
        schema = table.schema
        columns, reasons = first_reasons(part, schema.learned, schema.group_columns, group, schema)
        assert (reasons == "").all(), reasons
        expected = writer.encoded(mine)
        for j, name in enumerate(writer.learned):
            np.testing.assert_array_equal(columns[name], expected[:, j])


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("kinds", ["mixed", "numbers", "categories"])
def test_real_rows_come_back(style, kinds):
    check_round_trip(example_table(kinds=kinds), style)
    check_round_trip(example_table(n=160, rare=60, group_by=("sex", "old"), kinds=kinds), style)


@pytest.mark.parametrize("style", ["json", "sentence"])
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_rows_of_every_dtype_come_back(style, data):
    chosen = data.draw(st.lists(st.sampled_from(sorted(COLUMNS)), min_size=1, max_size=3, unique=True))
    frame = pd.DataFrame({name: data.draw(COLUMNS[name]) for name in chosen})
    frame["y"] = ["a", "b"] * (ROWS // 2)
    try:
        table = Table(frame, Schema.infer(frame, target="y"))
    except SchemaError:  # refused elsewhere, for its own reasons
        return
    check_round_trip(table, style)
