"""The label-last network: evidence that leaves a row's own label out, the model, predictions, training."""

from __future__ import annotations

import csv
import dataclasses

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

torch = pytest.importorskip("torch")

from makeweight.errors import FileProblem, OptionError  # noqa: E402
from makeweight.generators.transformer.config import PriorConfig  # noqa: E402
from makeweight.generators.transformer.labels import forest, weights  # noqa: E402
from makeweight.generators.transformer.labels.config import LabelConfig, LabelModelConfig, LabelTrainConfig  # noqa: E402
from makeweight.generators.transformer.labels.evidence import EXPERTS, cell_evidence, collect, discriminant, encode  # noqa: E402
from makeweight.generators.transformer.labels.model import LabelModel, closed_form, inputs_of  # noqa: E402
from makeweight.generators.transformer.labels.predict import label_odds, label_probabilities  # noqa: E402
from makeweight.generators.transformer.labels.tasks import draw  # noqa: E402
from makeweight.generators.transformer.labels.training import (  # noqa: E402
    LabelTrainer,
    auroc,
    balanced_loss,
    prepare,
    pretrain_labels,
)

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


def table(rows: int = 300, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A number, a category and noise; the label depends on the first two."""
    rng = np.random.default_rng(seed)
    x, code = rng.normal(size=rows), rng.choice(4, rows, p=[0.4, 0.3, 0.2, 0.1])
    label = rng.random(rows) < 1 / (1 + np.exp(-2 * x - np.array([-2.0, 0.0, 0.0, 2.0])[code]))
    values = np.stack([x, code, rng.normal(size=rows)], 1)
    values[rng.random(rows) < 0.1, 2] = np.nan
    return values, np.array([False, True, False]), label.astype(int)


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


def test_scores_do_not_depend_on_monotone_maps_or_on_the_names_of_categories():
    values, kinds, _ = table()
    x = torch.tensor(values, dtype=torch.float32)[None]
    other = x.clone()
    other[..., 0] = other[..., 0].exp()
    other[..., 1] = torch.tensor([2.0, 0.0, 3.0, 1.0])[x[..., 1].long()]
    flags = torch.tensor(kinds)[None]
    for one, two in zip(encode(x, flags, 200)[:2], encode(other, flags, 200)[:2], strict=True):
        assert torch.equal(one[..., [0, 2]], two[..., [0, 2]])
        assert torch.equal(one[..., 1], two[..., 1])


def test_evidence_of_a_known_row_leaves_its_own_label_out():
    values, kinds, label = table(80)
    x, flags = torch.tensor(values, dtype=torch.float32)[None], torch.tensor(kinds)[None]
    y = torch.tensor(label, dtype=torch.float32)[None]
    flipped = y.clone()
    flipped[0, 5] = 1 - flipped[0, 5]
    bins = encode(x, flags, 80)[1]
    one, two = (cell_evidence(bins, flags, labels)[0, 5] for labels in (y, flipped))
    assert torch.allclose(one, two, atol=1e-4)
    trunk = forest.grow(x.nan_to_num(), flags, y, 12, generator())
    out = ~trunk.bag[0, :, 5]
    assert bool(out.any())
    share = (trunk.leaf[0, :, :].gather(1, trunk.place[0, :, 5:6])[:, 0] * out).sum()
    expected = torch.logit((share + 0.5) / (out.sum() + 1))
    assert torch.allclose(forest.own(trunk)[0, 5], expected, atol=1e-5)


def test_a_known_row_left_out_of_a_discriminant_is_as_if_it_had_been_asked():
    rng = np.random.default_rng(0)
    x = torch.tensor(rng.normal(size=(1, 60, 3)), dtype=torch.float64)
    y = (x[..., 0] + torch.tensor(rng.normal(size=(1, 60))) > 0).double()
    whole = discriminant(x, y)[0, 7]
    rest = [i for i in range(60) if i != 7]
    asked = torch.cat([x[:, rest], x[:, 7:8]], 1)
    assert abs(whole - discriminant(asked, y[:, rest])[0, -1]) < 0.05  # weights and centre are those of all rows


@pytest.mark.parametrize("expert", range(len(EXPERTS)))
def test_every_expert_tells_labels_apart_and_is_on_the_right_scale(expert):
    values, kinds, label = table(900)
    y = torch.tensor(label[:400], dtype=torch.float32)[None]
    x, flags = torch.tensor(values, dtype=torch.float32)[None], torch.tensor(kinds)[None]
    odds = collect(x, flags, y, 40, generator()).row[0, 400:, expert].numpy()
    truth = label[400:]
    assert roc_auc_score(truth, odds) > 0.8
    balanced = np.where(truth == 1, 0.5 / truth.mean(), 0.5 / (1 - truth.mean()))
    loss = [np.mean(balanced * np.log1p(np.exp(-np.where(truth == 1, 1, -1) * s * odds))) for s in (0.5, 1.0, 2.0)]
    assert loss[1] < np.log(2)
    assert loss[1] <= min(loss) + 0.02


def test_trees_find_a_threshold_a_category_and_a_missing_cell():
    rng = np.random.default_rng(0)
    number, code = rng.normal(size=(2, 200)), rng.integers(0, 5, 200)
    cells = np.stack([number[0], code, number[1]], 1)
    cells[:70, 2] = -9.0
    x, flags = torch.tensor(cells, dtype=torch.float32)[None], torch.tensor([[False, True, False]])
    for truth in (number[0] > 0.4, code == 3, np.arange(200) < 70):
        y = torch.tensor(truth, dtype=torch.float32)[None]
        trunk = forest.grow(x, flags, y, 40, generator())
        assert roc_auc_score(truth, forest.own(trunk)[0].numpy()) > 0.97
        assert roc_auc_score(truth, forest.judge(trunk, x)[0].numpy()) > 0.97


def test_an_untrained_network_is_closed_form_that_trusts_whoever_was_right():
    inputs = prepare(SMALL, some_tasks(1), generator())
    odds = LabelModel(SMALL.model)(inputs)
    assert torch.allclose(odds, closed_form(inputs), atol=1e-5)
    saved = torch.zeros_like(inputs.saved)
    saved[:, 2] = 100.0
    sure = closed_form(dataclasses.replace(inputs, saved=saved))
    assert torch.allclose(sure, inputs.evidence[:, inputs.label.shape[1] :, 2], atol=1e-4)


def touched(seed: int = 0) -> LabelModel:
    """A network whose head is not zero."""
    torch.manual_seed(seed)
    model = LabelModel(SMALL.model)
    torch.nn.init.normal_(model.head.weight, std=0.3)
    return model


def test_labels_do_not_depend_on_the_order_of_columns_or_on_the_other_rows_asked():
    values, kinds, label = table(160)
    model, known, asked = touched(), values[:100], values[100:]
    odds = label_odds(model, known, kinds, label[:100], asked)
    assert np.allclose(label_odds(model, known, kinds, label[:100], asked[5:9]), odds[5:9], atol=1e-4)
    x, flags = torch.tensor(values, dtype=torch.float32)[None], torch.tensor(kinds)[None]
    evidence = collect(x, flags, torch.tensor(label[None, :100]).float(), 8, generator())
    turn = [2, 0, 1]
    turned = dataclasses.replace(
        evidence,
        score=evidence.score[..., turn],
        cell=evidence.cell[..., turn],
        missing=evidence.missing[..., turn],
        categorical=evidence.categorical[:, turn],
        strength=evidence.strength[:, turn],
    )
    one, two = (model(inputs_of(e, SMALL.model.most_columns)) for e in (evidence, turned))
    assert torch.allclose(one, two, atol=1e-5)


def test_several_labels_are_each_against_the_rest():
    rng = np.random.default_rng(1)
    label = rng.integers(0, 3, 240)
    values = np.stack([rng.normal(size=240) + 2 * (label == 1), rng.normal(size=240) + 2 * (label == 2)], 1)
    model, flags = LabelModel(SMALL.model), np.array([False, False])
    p = label_probabilities(model, values[:150], flags, label[:150], values[150:])
    assert p.shape == (90, 3)
    assert np.allclose(p.sum(1), 1)
    assert (p.argmax(1) == label[150:]).mean() > 0.6
    two = label_probabilities(model, values[:150], flags, (label[:150] == 1).astype(int), values[150:])
    assert np.allclose(two.sum(1), 1)
    with pytest.raises(OptionError, match="both labels need rows"):
        label_odds(model, values[:150], flags, np.zeros(150), values[150:])


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
    inputs, model = prepare(SMALL, tasks, generator()), touched()
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


def test_files_that_cannot_be_used_are_refused(tmp_path):
    with pytest.raises(FileProblem, match="cannot be read"):
        weights.load(tmp_path / "none.safetensors")
    (tmp_path / "bad.safetensors").write_bytes(b"no tensors")
    with pytest.raises(FileProblem, match="cannot be read"):
        weights.load(tmp_path / "bad.safetensors")
    trainer(tmp_path, 1).run()
    other = LabelTrainer(dataclasses.replace(SMALL, model=LabelModelConfig()), tmp_path, seconds=1.0)
    with pytest.raises(FileProblem, match="another model"):
        other.resume(tmp_path / "checkpoint.pt")
    with pytest.raises(OptionError, match="must be positive"):
        pretrain_labels(SMALL, tmp_path, hours=0)
