"""The training of the network of labels, which runs on torch, and that both kinds of arrays say the same."""

from __future__ import annotations

import csv
import dataclasses

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

torch = pytest.importorskip("torch")

from makeweight.committee.networks import label_weights  # noqa: E402
from makeweight.errors import FileProblem, OptionError  # noqa: E402
from makeweight.generators.transformer.arrays import to_torch  # noqa: E402
from makeweight.generators.transformer.config import PriorConfig  # noqa: E402
from makeweight.generators.transformer.labels import weights  # noqa: E402
from makeweight.generators.transformer.labels.config import LabelConfig, LabelModelConfig, LabelTrainConfig  # noqa: E402
from makeweight.generators.transformer.labels.evidence import collect  # noqa: E402
from makeweight.generators.transformer.labels.model import inputs_of, untrained  # noqa: E402
from makeweight.generators.transformer.labels.tasks import draw  # noqa: E402
from makeweight.generators.transformer.labels.training import (  # noqa: E402
    LabelTrainer,
    TrainableLabels,
    auroc,
    balanced_loss,
    prepare,
    pretrain_labels,
)
from makeweight.generators.transformer.prior import Shape, real_tasks  # noqa: E402
from makeweight.generators.transformer.tables import RealTable, RealTables  # noqa: E402

SMALL = LabelConfig(
    LabelModelConfig(
        cell_width=16, row_width=16, cell_layers=1, row_layers=1, cell_heads=2, row_heads=2, points=4, trees=8
    ),
    PriorConfig(max_ratio=10.0, max_columns=5, queries=16),
    LabelTrainConfig(largest=(56, 72), grow_at=4, cells=3_000, warmup=2, validation_tasks=6),
)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def some_tasks(seed: int = 0, cells: int = 9_000):
    return draw(SMALL.prior, (40, 72), cells, np.random.default_rng(seed), generator(seed))


def test_harder_tasks_have_the_same_labels_and_values_in_other_places():
    drawn = (40, 72), 60_000
    plain, exchanged, shuffled = (
        draw(SMALL.prior, *drawn, np.random.default_rng(3), generator(3), harder=harder)
        for harder in ((0.0, 0.0), (1.0, 0.0), (0.0, 1.0))
    )
    n = len(plain.label) * 4 // 5  # all come from one batch
    for part in (slice(0, plain.rows), slice(plain.rows, None)):
        torch.testing.assert_close(exchanged.label[:n, part].sum(1), plain.label[:n, part].sum(1))
        before, after = (tasks.values[:n, part].nan_to_num(-9.0).sort(dim=1).values for tasks in (plain, shuffled))
        torch.testing.assert_close(before, after)
    assert (exchanged.label[:n] != plain.label[:n]).any(1).float().mean() > 0.8
    moved = (shuffled.values[:n] != plain.values[:n]).any(1)
    assert 0.2 < moved.float().mean() < 0.8
    torch.testing.assert_close(exchanged.values[:n], plain.values[:n], equal_nan=True)
    torch.testing.assert_close(shuffled.label[:n], plain.label[:n])


@pytest.mark.parametrize("seed", range(4))
def test_numpy_says_what_torch_says(seed):
    model, tasks = weights.load(label_weights())[0], some_tasks(seed)
    values, categorical, known = (x.numpy() for x in (tasks.values, tasks.categorical, tasks.known))
    trees = model.config.trees
    with np.errstate(all="ignore"):
        own = collect(values, categorical, known, trees, np.random.default_rng(seed))
    other = collect(tasks.values, tasks.categorical, tasks.known, trees, np.random.default_rng(seed))
    for name in ("score", "cell", "strength", "alike"):
        np.testing.assert_allclose(getattr(own, name), getattr(other, name).numpy(), atol=1e-3, err_msg=name)
    off = np.abs(own.row - other.row.numpy())
    assert off[..., :4].max() < 1e-3
    assert off[..., 4:].mean() < 0.1  # which of two equally good splits a tree takes is a matter of rounding
    inputs = inputs_of(own, model.config.most_columns)
    same = TrainableLabels(model)(to_torch(inputs, "cpu")).detach().numpy()
    np.testing.assert_allclose(model(inputs), same, atol=1e-4)


def test_tasks_have_rows_of_both_labels_and_as_many_as_asked_for():
    one, two = some_tasks(3), some_tasks(3)
    assert torch.equal(one.values.nan_to_num(), two.values.nan_to_num())
    assert torch.equal(one.label, two.label)
    for seed in range(6):
        tasks = some_tasks(seed)
        ones = tasks.known.sum(1)
        assert bool(((ones >= 3) & (ones <= tasks.rows - 3)).all())
        assert bool(((tasks.weight * tasks.asked).sum(1) > 0).all())
        assert bool(((tasks.weight * (1 - tasks.asked)).sum(1) > 0).all())


def test_half_of_the_tasks_are_of_real_tables_that_are_large_enough():
    tables = [RealTable(str(k), 1_000 + rng_table(k), np.zeros(4, bool)) for k in range(8)]  # no table of the prior
    source = RealTables(tables, 10.0)
    shares = []
    for seed in range(12):
        seeds = np.random.default_rng(seed), generator(seed)
        tasks = draw(SMALL.prior, (40, 72), 6_000, *seeds, source)
        real = (tasks.values.nan_to_num() > 500).all(2).all(1)
        shares.append((real.float().mean().item(), tasks.values.shape[2]))
        assert (tasks.label.sum(1) > 0).all()
    assert all(abs(share - 0.5) < 0.2 for share, columns in shares if columns < 4)
    assert all(share == 0 for share, columns in shares if columns >= 4)
    assert {columns for _, columns in shares} == {2, 3, 5}


def test_rows_of_groups_that_the_context_lacks_weigh_nothing():
    tables = []
    for seed in range(8):
        x = rng_table(seed)
        x[:, 3] = np.minimum(np.random.default_rng(seed).geometric(0.7, 400), 4) + 10  # codes with gaps, rare ones too
        tables.append(RealTable(str(seed), x, np.arange(4) == 3))
    tasks = real_tasks(RealTables(tables, 20.0), Shape(60, 16, 16, 4), np.random.default_rng(0))
    assert tasks.given[:, 0].all()
    assert 0.1 < tasks.given[:, 1].float().mean() < 0.5
    assert not tasks.given[:, 2:].any()
    group = tasks.values[..., 0] * 4 + torch.where(tasks.given[:, 1:2], tasks.values[..., 1], 0.0)
    for own, weight in zip(group, tasks.weight, strict=True):
        assert weight.tolist() == [float(value in own[:16]) for value in own[16:]]
    assert 0.5 < tasks.weight.mean() < 1


def rng_table(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(400, 4)).astype(np.float32)


def test_loss_and_area_of_a_task():
    tasks = some_tasks(2)
    sure = 20 * (2 * tasks.asked - 1)
    assert float(balanced_loss(sure, tasks).max()) < 1e-6
    assert torch.allclose(balanced_loss(torch.zeros_like(sure), tasks), torch.tensor(np.log(2.0)).float())
    assert torch.allclose(auroc(sure, tasks), torch.ones(len(sure)))
    odds = torch.randn(sure.shape, generator=generator())
    area = [roc_auc_score(y, o, sample_weight=w) for y, o, w in zip(tasks.asked, odds, tasks.weight, strict=True)]
    assert np.allclose(auroc(odds, tasks).numpy(), area, atol=1e-5)


def trainer(folder, steps: int) -> LabelTrainer:
    return LabelTrainer(SMALL, folder, seconds=1e9, steps=steps)


def test_a_resumed_training_equals_an_uninterrupted_one(tmp_path):
    whole = trainer(tmp_path / "whole", 6)
    whole.run()
    trainer(tmp_path / "parts", 3).run()
    second = trainer(tmp_path / "parts", 6)
    second.resume(tmp_path / "parts" / "checkpoint.pt")
    assert second.step == 3
    second.run()
    assert second.tasks == whole.tasks
    for one, two in zip(whole.averaged.parameters(), second.averaged.parameters(), strict=True):
        assert torch.equal(one, two)
    with (tmp_path / "parts" / "validation.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [int(row["step"]) for row in rows] == [3, 6]
    assert rows[0]["closed_loss"] == rows[1]["closed_loss"]
    assert float(rows[1]["core_hours"]) > float(rows[0]["core_hours"])
    assert list((tmp_path / "parts" / "kept").iterdir())
    model, facts = weights.load(tmp_path / "parts" / "labels.safetensors")
    assert facts.steps == 6
    assert model.config == SMALL.model


def test_steps_lower_the_loss():
    tasks = some_tasks(4)
    rng = np.random.default_rng(0)
    inputs, model = prepare(SMALL, tasks, rng), TrainableLabels(untrained(SMALL.model, rng))
    optimiser = torch.optim.Adam(model.parameters(), 3e-3)
    losses = []
    for _ in range(40):
        loss = balanced_loss(model(inputs), tasks).mean()
        losses.append(loss.item())
        optimiser.zero_grad()
        torch.autograd.backward(loss)
        optimiser.step()
    assert losses[-1] < losses[0] - 0.1


def test_a_branch_decays_and_leaves_the_line_alone(tmp_path):
    trainer(tmp_path / "line", 3).run()
    before = (tmp_path / "line" / "checkpoint.pt").read_bytes()
    branch = LabelTrainer(SMALL, tmp_path / "branch", seconds=1.0, decay=True)
    branch.resume(tmp_path / "line" / "checkpoint.pt")
    assert branch.rate() > 0.5
    branch.run()
    assert branch.rate() == 0.0
    assert branch.step > 3
    assert (tmp_path / "line" / "checkpoint.pt").read_bytes() == before


def test_checkpoints_that_cannot_be_used_are_refused(tmp_path):
    trainer(tmp_path, 1).run()
    other = LabelTrainer(dataclasses.replace(SMALL, model=LabelModelConfig()), tmp_path, seconds=1.0)
    with pytest.raises(FileProblem, match="another model"):
        other.resume(tmp_path / "checkpoint.pt")
    with pytest.raises(OptionError, match="must be positive"):
        pretrain_labels(SMALL, tmp_path, hours=0)
