"""Pretraining: the prior's promises, resumption, budgets, and that it learns."""

from __future__ import annotations

import csv
import dataclasses

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from makeweight.errors import FileProblem, GeneratorError, OptionError  # noqa: E402
from makeweight.generators.transformer import weights  # noqa: E402
from makeweight.generators.transformer.config import CONFIGS, Config, ModelConfig, PriorConfig, TrainConfig, named  # noqa: E402
from makeweight.generators.transformer.figures import draw_curve  # noqa: E402
from makeweight.generators.transformer.mechanisms import Random, graph_nodes  # noqa: E402
from makeweight.generators.transformer.objective import (  # noqa: E402
    add_rivals,
    chain_scores,
    marginal_scores,
    network_scores,
    prepare,
)
from makeweight.generators.transformer.optimisers import FullMuon, learning_rate  # noqa: E402
from makeweight.generators.transformer.pretrain import Trainer, pretrain  # noqa: E402
from makeweight.generators.transformer.prior import Shape, Tasks, draw_shape, draw_tasks  # noqa: E402
from makeweight.generators.transformer.validation import baselines, validation_batches  # noqa: E402

SMALL = Config(
    "small",
    ModelConfig(width=16, layers=1, heads=2),
    PriorConfig(max_context=30, max_columns=4, queries=8),
    TrainConfig(cells=400, warmup=2, curriculum=5, validation_tasks=4),
)
CPU = torch.device("cpu")


def trainer(folder, steps: int) -> Trainer:
    return Trainer(SMALL, folder, CPU, seconds=1e9, steps=steps)


def test_a_resumed_run_equals_an_uninterrupted_one(tmp_path):
    whole = trainer(tmp_path / "whole", 8)
    whole.run()
    first = trainer(tmp_path / "parts", 4)
    first.run()
    second = trainer(tmp_path / "parts", 8)
    second.resume(tmp_path / "parts" / "checkpoint.pt")
    assert second.step == 4
    second.run()
    assert second.tasks == whole.tasks
    for one, two in zip(whole.model.parameters(), second.model.parameters(), strict=True):
        assert torch.equal(one, two)
    for one, two in zip(whole.averaged.parameters(), second.averaged.parameters(), strict=True):
        assert torch.equal(one, two)


def test_the_best_weights_are_in_the_folder_of_the_run(tmp_path):
    trainer(tmp_path / "one", 4).run()
    state = torch.load(tmp_path / "one" / "checkpoint.pt", weights_only=True)
    torch.save({**state, "best": 0.0}, tmp_path / "lucky.pt")  # better than anything to come
    for folder, kept in (("one", 4), ("two", 6)):
        run = trainer(tmp_path / folder, 6)
        run.resume(tmp_path / "lucky.pt")
        run.run()
        assert weights.read_manifest(tmp_path / folder / "best").steps == kept


def test_the_mean_of_the_weights_is_what_is_kept(tmp_path):
    run = trainer(tmp_path, 100)
    run.folder.mkdir(exist_ok=True)
    name, parameter = next(iter(run.model.named_parameters()))
    mean = None
    for n in range(4):
        run.train_step()
        share = min(SMALL.train.average, (1 + n) / (10 + n))
        now = parameter.detach().clone()
        mean = now if mean is None else share * mean + (1 - share) * now
    run.evaluate()
    assert not torch.equal(mean, parameter)
    torch.testing.assert_close(dict(run.averaged.module.named_parameters())[name], mean)
    kept, _ = weights.load(tmp_path / "best")
    np.testing.assert_allclose(kept.parameters[name], mean.numpy(), rtol=1e-3, atol=1e-3)


def test_a_checkpoint_without_a_mean_begins_one(tmp_path):
    run = trainer(tmp_path, 2)
    run.run()
    path = tmp_path / "checkpoint.pt"
    state = torch.load(path, weights_only=True)
    del state["averaged"]
    torch.save(state, path)
    later = trainer(tmp_path / "later", 2)
    later.resume(path)
    for one, two in zip(later.averaged.module.parameters(), run.model.parameters(), strict=True):
        assert torch.equal(one, two)


def test_a_run_leaves_weights_a_checkpoint_and_figures(tmp_path):
    figures = pretrain(SMALL, tmp_path, hours=1, device="cpu", steps=3)
    model, manifest = weights.load(tmp_path / "best")
    assert manifest.config == "small"
    assert manifest.validation["model"] == pytest.approx(figures)
    assert {"model", "closed form", "chain", "marginal"} == set(manifest.validation)
    assert model.config == SMALL.model
    assert (tmp_path / "checkpoint.pt").exists()
    with (tmp_path / "validation.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["step"] for row in rows] == ["3"]
    assert float(rows[0]["total"]) == pytest.approx(figures["total"], rel=1e-3)


def test_rivals_are_trained_on_where_the_contrast_has_a_weight(tmp_path):
    contrasted = dataclasses.replace(SMALL, train=dataclasses.replace(SMALL.train, contrast=1.0))
    runs = [Trainer(config, tmp_path / name, CPU, 1e9) for name, config in (("a", SMALL), ("b", contrasted))]
    losses = [run.train_step().item() for run in runs]
    assert losses[1] > losses[0]  # the same tables, and a loss on top
    run = runs[1]
    tasks, pairs = add_rivals(grouped([0.5, 0.5]), torch.Generator().manual_seed(0))
    prepared = prepare(SMALL.model, tasks, torch.Generator().manual_seed(0), pairs)
    before = chain_scores(SMALL.model, prepared).contrast.item()
    for _ in range(60):
        scores = network_scores(run.model.network(), prepared, run.model(prepared.inputs, 300))
        for optimiser in run.optimisers:
            optimiser.zero_grad()
        (scores.loss + scores.contrast).backward()
        for optimiser in run.optimisers:
            optimiser.step()
    assert scores.contrast.item() < before


def test_the_time_budget_ends_a_run(tmp_path):
    pretrain(SMALL, tmp_path, hours=0.5 / 3600, device="cpu")
    assert weights.load(tmp_path / "best")[1].seconds > 0


def test_the_network_learns_tables_that_it_sees_again_and_again(tmp_path):
    run = trainer(tmp_path, 1)
    tasks = draw_tasks(SMALL.prior, Shape(2, 60, 24, 5), torch.Generator().manual_seed(0))
    prepared = prepare(SMALL.model, tasks, torch.Generator().manual_seed(0))
    closed_form = chain_scores(SMALL.model, prepared).loss.item()
    for _ in range(60):
        loss = network_scores(run.model.network(), prepared, run.model(prepared.inputs, 60)).loss
        for optimiser in run.optimisers:
            optimiser.zero_grad()
        loss.backward()
        for optimiser in run.optimisers:
            optimiser.step()
    assert loss.item() < closed_form - 0.2


def test_unusable_checkpoints_and_options_are_refused(tmp_path):
    (tmp_path / "half.pt").write_bytes(b"PK\x03\x04 half")
    with pytest.raises(FileProblem, match="checkpoint"):
        trainer(tmp_path, 1).resume(tmp_path / "half.pt")
    with pytest.raises(FileProblem, match="checkpoint"):
        trainer(tmp_path, 1).resume(tmp_path / "none.pt")
    trainer(tmp_path, 1).run()
    other = dataclasses.replace(SMALL, model=ModelConfig(width=32, layers=1, heads=2))
    with pytest.raises(FileProblem, match="another model"):
        Trainer(other, tmp_path, CPU, seconds=1).resume(tmp_path / "checkpoint.pt")
    with pytest.raises(OptionError, match="budget"):
        pretrain(SMALL, tmp_path, hours=0)
    with pytest.raises(OptionError, match="device"):
        pretrain(SMALL, tmp_path, hours=1, device="abacus")
    with pytest.raises(OptionError, match="did you mean 'tiny'"):
        named("tinyy")


def test_progress_is_reported(tmp_path):
    reports = []
    figures = pretrain(SMALL, tmp_path, hours=1, device="cpu", steps=2, progress=reports.append)
    last = reports[-1]
    assert (last.step, last.total, last.done < last.total) == ("validation", 3600, True)
    assert last.detail.startswith("step 2 ")
    for kind, value in figures.items():
        assert f"{kind} {value:.4f} (chain " in last.detail


def test_the_curve_is_drawn(tmp_path):
    with pytest.raises(FileProblem, match="no validation to draw"):
        draw_curve(tmp_path, tmp_path / "curve.png")
    pretrain(SMALL, tmp_path, hours=1, device="cpu", steps=2)
    draw_curve(tmp_path, tmp_path / "curve.png")
    assert (tmp_path / "curve.png").read_bytes().startswith(b"\x89PNG")


def test_a_loss_that_is_not_finite_changes_nothing_and_ends_the_run(tmp_path):
    run = trainer(tmp_path, 100)
    run.model.bins.bias.data[0] = float("nan")
    before = [p.clone() for p in run.model.parameters()]
    assert run.train_step() is None
    for one, two in zip(before, run.model.parameters(), strict=True):
        torch.testing.assert_close(one, two, equal_nan=True, atol=0, rtol=0)
    with pytest.raises(GeneratorError, match="no longer finite"):
        run.run()


def test_global_generators_are_left_alone(tmp_path):
    before = torch.get_rng_state()
    trainer(tmp_path, 1).run()
    assert torch.equal(before, torch.get_rng_state())


def test_learning_rate_is_pure_and_falls_to_zero():
    train = TrainConfig(warmup=10, decay=0.25)
    assert learning_rate(0, 0.0, train) == 0.1
    assert learning_rate(100, 0.5, train) == 1
    assert learning_rate(100, 0.875, train) == pytest.approx(0.5)
    assert learning_rate(100, 1.0, train) == 0


def test_a_split_training_follows_one_schedule(tmp_path):
    run = Trainer(SMALL, tmp_path, CPU, seconds=10, horizon=100)
    run.spent = 90
    assert run.fraction == pytest.approx(0.9, abs=0.05)
    run.spent = 200
    assert run.fraction == 1


@pytest.mark.parametrize("name", list(CONFIGS))
def test_shapes_stay_within_their_configuration(name):
    config = CONFIGS[name]
    rng = np.random.default_rng(0)
    shapes = [draw_shape(config.prior, config.train.cells, p, rng) for p in np.linspace(0, 1, 300)]
    for shape in shapes:
        assert config.prior.min_context <= shape.context <= config.prior.max_context
        assert 2 <= shape.columns <= config.prior.max_columns + 1
        assert shape.batch == 1 or shape.cells <= config.train.cells
    assert max(s.columns for s in shapes) > 0.9 * config.prior.max_columns
    assert max(s.context for s in shapes) > 0.8 * config.prior.max_context


def test_what_the_prior_contains():
    """Over many tables: every kind of column, groups from 2 to many, strong imbalance, missing cells."""
    generator = torch.Generator().manual_seed(0)
    tasks = draw_tasks(PriorConfig(), Shape(64, 200, 16, 9), generator)
    again = draw_tasks(PriorConfig(), Shape(64, 200, 16, 9), torch.Generator().manual_seed(0))
    assert torch.equal(tasks.values.nan_to_num(-1), again.values.nan_to_num(-1))
    labels = tasks.values[:, :200, 0]
    groups = [len(t.unique()) for t in labels]
    assert min(groups) >= 1
    assert max(groups) > 10
    ratios = [c.max() / c.min() for c in (t.unique(return_counts=True)[1] for t in labels)]
    assert max(ratios) > 50
    assert min(ratios) < 2
    assert 0.1 < tasks.given[:, 1].float().mean() < 0.6
    assert not tasks.values[..., 0].isnan().any()
    missing = tasks.values.isnan().float().mean((0, 1))
    assert (missing[2:] > 0.005).all()
    free = ~tasks.given
    numeric = (free & ~tasks.categorical).nonzero()
    distinct = torch.tensor([len(tasks.values[t, :, c].unique()) for t, c in numeric]) / 216
    assert (distinct > 0.9).float().mean() > 0.3  # continuous
    assert (distinct < 0.3).float().mean() > 0.05  # rounded, counted, zero-inflated
    coded = (free & tasks.categorical).nonzero()
    kinds = torch.tensor([len(tasks.values[t, :, c].unique()) for t, c in coded])
    assert (kinds <= 3).any()
    assert (kinds > 15).any()
    assert (tasks.weight == 1).float().mean() > 0.95


def test_graphs_have_dependent_nodes():
    values, codes = graph_nodes(Random(torch.Generator().manual_seed(0)), 40, 300, 10)
    assert values.isfinite().all()
    assert (codes >= 0).any()
    correlation = torch.stack([torch.corrcoef(v.T).nan_to_num() for v in values]).abs()
    strongest = (correlation - torch.eye(10)).amax(-1)
    assert strongest.median() > 0.3


def test_closed_forms_are_ordered_and_validation_is_fixed():
    prior = PriorConfig(max_context=150, max_columns=8, queries=16)
    train = dataclasses.replace(SMALL.train, validation_tasks=40)
    config = dataclasses.replace(SMALL, prior=prior, train=train)
    batches = list(validation_batches(config, CPU))
    figures = baselines(config, batches)
    assert figures == baselines(config, list(validation_batches(config, CPU)))
    assert figures["chain"]["numeric"] < figures["marginal"]["numeric"]
    sizes = [p.context.rows.shape[1] for p in batches]
    assert sizes == sorted(sizes)


def test_closed_forms_hold_on_gaussian_tables():
    """Two correlated columns: the chain gains the mutual information over the marginal."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(4, 1200, 1, generator=generator)
    y = 0.8 * x + 0.6 * torch.randn(4, 1200, 1, generator=generator)
    tasks = draw_tasks(PriorConfig(), Shape(4, 800, 400, 3), generator)
    label = (torch.rand(4, 1200, 1, generator=generator) < 0.5).float()
    plain = dataclasses.replace(
        tasks,
        values=torch.cat([label, x, y], -1),
        categorical=torch.tensor([[True, False, False]]).expand(4, -1),
        given=torch.tensor([[True, False, False]]).expand(4, -1),
        weight=torch.ones(4, 400),
    )
    prepared = prepare(ModelConfig(), plain, generator)
    chain, marginal = chain_scores(ModelConfig(), prepared), marginal_scores(ModelConfig(), prepared)
    gain = (chain.numeric - marginal.numeric).sum() / marginal.numeric_cells.sum()
    assert gain.item() == pytest.approx(-0.5 * np.log(0.36) / 2, abs=0.04)


def grouped(shares: list[float], seed: int = 0) -> Tasks:
    """Two tables of 300 context rows and 200 to predict: label, attribute, a number shifted by the label."""
    generator = torch.Generator().manual_seed(seed)
    label = torch.multinomial(torch.tensor(shares).expand(2, -1), 500, replacement=True, generator=generator)
    attribute = (torch.rand(2, 500, generator=generator) < 0.3).long()
    number = 1.5 * label + torch.randn(2, 500, generator=generator)
    flags = torch.tensor([[True, True, False]]).expand(2, -1)
    values = torch.stack([label.float(), attribute.float(), number], -1)
    return Tasks(values, flags, flags, torch.ones(2, 200), 300)


def test_rivals_differ_in_the_label_alone_and_groups_count_equally():
    tasks = grouped([0.7, 0.2, 0.1])
    twice, pairs = add_rivals(tasks, torch.Generator().manual_seed(0))
    own, rival = twice.values[:, 300:].split(200, 1)
    assert torch.equal(own, tasks.values[:, 300:])
    assert torch.equal(own[..., 1:], rival[..., 1:])
    assert bool((own[..., 0] != rival[..., 0]).all())
    assert pairs.sum(1).tolist() == pytest.approx([1, 1])
    group = own[..., 0] * 2 + own[..., 1]
    for code in range(6):  # every label occurs under both attributes
        assert pairs[group == code].sum().item() / 2 == pytest.approx(1 / 6, rel=1e-5)


def test_rows_without_a_rival_and_rows_that_do_not_count_have_no_weight():
    tasks = grouped([0.5, 0.5])
    values = tasks.values.clone()
    values[0, :, 0] = 1  # one label only
    weight = torch.ones(2, 200)
    weight[1, :50] = 0
    tasks = dataclasses.replace(tasks, values=values, weight=weight)
    twice, pairs = add_rivals(tasks, torch.Generator().manual_seed(0))
    assert pairs[0].sum() == 0
    assert pairs[1, :50].sum() == 0
    assert pairs[1].sum().item() == pytest.approx(1)
    prepared = prepare(ModelConfig(), twice, torch.Generator().manual_seed(0), pairs)
    assert torch.isfinite(chain_scores(ModelConfig(), prepared).contrast)


def test_contrast_is_the_balanced_log_loss_of_the_best_rule_and_leaves_the_likelihood_alone():
    """A number shifted by 1.5 deviations: the log-loss of its own log-ratio, whatever the labels' shares."""
    tasks = grouped([0.8, 0.2], seed=1)
    twice, pairs = add_rivals(tasks, torch.Generator().manual_seed(0))
    one, two = (
        prepare(ModelConfig(), *args)
        for args in ((twice, torch.Generator().manual_seed(0), pairs), (tasks, torch.Generator().manual_seed(0)))
    )
    chain = chain_scores(ModelConfig(), one)
    assert chain.loss.item() == pytest.approx(chain_scores(ModelConfig(), two).loss.item(), abs=1e-5)
    grid = np.random.default_rng(0).normal(size=100_000)
    truth = np.log1p(np.exp(-(1.5 * (grid + 1.5) - 1.125))).mean()
    assert chain.contrast.item() == pytest.approx(truth, abs=0.05)
    assert marginal_scores(ModelConfig(), one).contrast.item() == pytest.approx(np.log(2), abs=1e-5)
    with pytest.raises(ValueError, match="no rivals"):
        _ = chain_scores(ModelConfig(), two).contrast


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_pretraining_on_a_cuda_device(tmp_path):
    figures = pretrain(SMALL, tmp_path, hours=1, device="cuda", steps=5)
    assert np.isfinite(figures["total"])
    model, _ = weights.load(tmp_path / "best", "cuda")
    assert next(model.parameters()).is_cuda


def test_muon_in_full_precision_is_muon() -> None:
    torch.manual_seed(0)
    shapes = (16, 8), (8, 24), (10, 10)
    start = [torch.randn(shape) for shape in shapes]
    weights = [[torch.nn.Parameter(x.clone()) for x in start] for _ in range(2)]
    options = {"lr": 0.05, "weight_decay": 0.1, "adjust_lr_fn": "original"}
    steps = torch.optim.Muon(weights[0], **options), FullMuon(weights[1], **options)
    for _ in range(5):
        for low, full in zip(*weights, strict=True):
            low.grad = torch.randn_like(low)
            full.grad = low.grad.clone()
        for optimiser in steps:
            optimiser.step()
    for low, full, first in zip(*weights, start, strict=True):
        assert (full - first).abs().max() > 0.1
        torch.testing.assert_close(low, full, atol=2e-3, rtol=0)  # three digits of bfloat16
