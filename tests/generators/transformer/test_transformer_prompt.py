"""The cached path against the full forward pass, and who sees whom."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from makeweight.generators.transformer.config import ModelConfig, PriorConfig
from makeweight.generators.transformer.features import encode_cells
from makeweight.generators.transformer.model import InContextModel
from makeweight.generators.transformer.objective import Prepared, interval_log_mass, prepare
from makeweight.generators.transformer.prior import Shape, Tasks, draw_tasks
from makeweight.generators.transformer.prompt import TablePrompt, Walk

CONFIG = ModelConfig(width=32, layers=3, heads=4)


@pytest.fixture
def model() -> InContextModel:
    return random_model(0)


def random_model(seed: int) -> InContextModel:
    """A model none of whose weights is zero, so that everything it could look at matters."""
    generator = torch.Generator().manual_seed(seed)
    model = InContextModel(CONFIG).eval().requires_grad_(False)
    for parameter in model.parameters():
        noise = torch.randn(parameter.shape, generator=generator)
        parameter.add_(noise * (0.2 if parameter.ndim < 2 else 0.6 / parameter.shape[-1] ** 0.5))
    return model


def tasks(seed: int = 0, columns: int = 7, batch: int = 3) -> Tasks:
    generator = torch.Generator().manual_seed(seed)
    return draw_tasks(PriorConfig(), Shape(batch, 40, 12, columns), generator)


def prepared(drawn: Tasks, seed: int = 1) -> Prepared:
    return prepare(CONFIG, drawn, torch.Generator().manual_seed(seed))


def walk(model: InContextModel, drawn: Tasks, seed: int = 1) -> list:
    """Forecasts and cells of every column, with the true values pushed."""
    rows = drawn.context
    prompt = TablePrompt(
        model, drawn.values[:, :rows], drawn.categorical, drawn.given, torch.Generator().manual_seed(seed)
    )
    steps, walking = [], Walk(prompt, drawn.values.shape[1] - rows)
    for column in range(drawn.values.shape[2]):
        forecast = walking.forecast()
        cells = walking.push(drawn.values[:, rows:, column])
        steps.append((forecast, cells))
        if column == 0:  # the group is known only from here on
            assert (walking.groups == cells.code[..., 0].clamp_min(0)).all()
    return steps


@pytest.mark.parametrize("seed", range(4))
def test_cached_decoding_equals_the_full_forward_pass(model, seed):
    drawn = tasks(seed)
    full = prepared(drawn)
    content, query = model(full.inputs, drawn.context)
    for column, (forecast, _) in enumerate(walk(model, drawn)):
        if column == 0:
            continue
        torch.testing.assert_close(forecast.query, query[:, :, column], atol=1e-5, rtol=1e-5)
        for own, other in (
            (forecast.laws.chain, full.laws.chain[:, :, column]),
            (forecast.laws.kernel, full.laws.kernel[:, :, column]),
        ):
            torch.testing.assert_close(own.mean, other.mean, atol=1e-5, rtol=1e-5)
            torch.testing.assert_close(own.deviation, other.deviation, atol=1e-5, rtol=1e-5)
        keys = model.point_to(content[:, :, column])
        torch.testing.assert_close(forecast.prompt.targets[:, column], keys, atol=1e-5, rtol=1e-5)


def test_cached_log_probabilities_equal_the_objective(model):
    drawn = tasks(5)
    full = prepared(drawn)
    _, query = model(full.inputs, drawn.context)
    numeric = ~drawn.categorical
    for column, (forecast, cells) in enumerate(walk(model, drawn)):
        free = (numeric[:, column] & ~drawn.given[:, column]).nonzero()[:, 0]
        if not len(free):
            continue
        args = (query[free, :, column], full.laws[free, :, column])
        bins = model.log_density(*args, drawn.context)
        ends = (getattr(full.cells, name)[free, :, column] for name in ("low", "score", "high"))
        wanted = interval_log_mass(bins, *ends, CONFIG.reach)
        odds = model.missing_logit(query, full.missing)[free, :, column]
        odds = torch.where(full.missing[free, :, column] > 0, odds, -torch.inf)
        missing = full.cells.missing[free, :, column]
        wanted = torch.where(missing, torch.sigmoid(odds).log(), torch.sigmoid(-odds).log() + wanted)
        known = full.cells.known[free, :, column]
        got = forecast.log_prob(cells)[free]
        torch.testing.assert_close(got[known], wanted[known], atol=2e-5, rtol=1e-5)
        assert (got[~known] == -torch.inf).all()


def perturbed(drawn: Tasks, row: int, column: int) -> Tasks:
    """Another value of the same column in one cell: that of a context row which differs."""
    values = drawn.values.clone()
    for table in range(len(values)):
        others = drawn.values[table, : drawn.context, column]
        different = others[(others != values[table, row, column]) & ~others.isnan()]
        if len(different):
            values[table, row, column] = different[0]
    return dataclasses.replace(drawn, values=values)


@settings(max_examples=15, deadline=None)
@given(st.integers(1, 6), st.integers(0, 11), st.integers(0, 50))
def test_a_query_sees_neither_its_own_value_nor_later_ones(column, asked, seed):
    model, drawn = random_model(0), tasks(seed)
    changed = perturbed(drawn, drawn.context + asked, column)
    before = model(prepared(drawn).inputs, drawn.context)[1]
    after = model(prepared(changed).inputs, drawn.context)[1]
    assert torch.equal(before[:, :, : column + 1], after[:, :, : column + 1])
    here = (drawn.values != changed.values).nan_to_num().any(-1).any(-1)  # tables in which a value differs
    if column < 6 and here.any():
        assert not torch.equal(before[:, asked, column + 1 :], after[:, asked, column + 1 :])


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 6), st.integers(0, 39), st.integers(0, 50))
def test_the_context_is_encoded_without_the_rows_to_predict(column, row, seed):
    """Keys, values and targets of a prompt are those of the full pass, whatever rows stand beside them."""
    model, drawn = random_model(0), tasks(seed)
    rows = drawn.context
    prompt = TablePrompt(
        model, drawn.values[:, :rows], drawn.categorical, drawn.given, torch.Generator().manual_seed(1)
    )
    content, _ = model(prepared(drawn).inputs, rows)
    keys = model.point_to(content[:, row, column])
    torch.testing.assert_close(prompt.targets[:, column, row], keys, atol=1e-5, rtol=1e-5)


def test_blocks_do_not_change_a_prompt(model, monkeypatch):
    drawn = tasks(8)
    made = []
    for block in (7, 100, 10**9):
        monkeypatch.setattr("makeweight.generators.transformer.prompt.BLOCK", block)
        stream = torch.Generator().manual_seed(1)
        values = drawn.values[:, : drawn.context]
        made.append(TablePrompt(model, values, drawn.categorical, drawn.given, stream))
    for other in made[1:]:
        torch.testing.assert_close(other.targets, made[0].targets, atol=1e-5, rtol=1e-5)
        for one, two in zip(made[0].keys, other.keys, strict=True):
            torch.testing.assert_close(one, two, atol=1e-5, rtol=1e-5)


def test_context_rows_and_other_rows_never_see_a_row_to_predict(model):
    drawn = tasks(3)
    row = drawn.context + 4
    content, query = model(prepared(drawn).inputs, drawn.context)
    content2, query2 = model(prepared(perturbed(drawn, row, 1)).inputs, drawn.context)
    assert torch.equal(content, content2)
    others = [i for i in range(query.shape[1]) if i != 4]
    assert torch.equal(query[:, others], query2[:, others])


def test_context_rows_are_seen(model):
    drawn = tasks(3)
    before = model(prepared(drawn).inputs, drawn.context)[1]
    after = model(prepared(perturbed(drawn, 0, 2)).inputs, drawn.context)[1]
    assert not torch.equal(before[:, :, 2], after[:, :, 2])


def test_the_order_of_context_rows_does_not_matter(model):
    drawn = tasks(4)
    order = torch.randperm(drawn.context, generator=torch.Generator().manual_seed(0))
    order = torch.cat([order, torch.arange(drawn.context, drawn.values.shape[1])])
    shuffled = dataclasses.replace(drawn, values=drawn.values[:, order])
    one = model(prepared(drawn).inputs, drawn.context)[1]
    two = model(prepared(shuffled).inputs, drawn.context)[1]
    torch.testing.assert_close(one, two, atol=2e-4, rtol=1e-4)


def test_rows_do_not_depend_on_the_rows_written_beside_them(model):
    drawn = tasks(6)
    cut = dataclasses.replace(drawn, values=drawn.values[:, : drawn.context + 3], weight=drawn.weight[:, :3])
    one = model(prepared(drawn).inputs, drawn.context)[1]
    two = model(prepared(cut).inputs, drawn.context)[1]
    torch.testing.assert_close(one[:, :3], two, atol=1e-5, rtol=1e-5)


def test_cells_column_by_column_equal_cells_at_once():
    drawn = tasks(7)
    context = prepared(drawn).context
    whole = encode_cells(context, drawn.values)
    for column in range(drawn.values.shape[2]):
        part = encode_cells(context, drawn.values[..., column : column + 1], slice(column, column + 1))
        for name in ("score", "low", "high", "code", "missing", "known", "mass"):
            assert torch.equal(getattr(whole, name)[..., column], getattr(part, name)[..., 0])
