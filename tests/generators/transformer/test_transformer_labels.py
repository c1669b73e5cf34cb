"""The network of labels: evidence that leaves a row's own label out, the model, predictions, files; without torch."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from makeweight.errors import FileProblem, OptionError
from makeweight.generators.transformer.labels import forest, weights
from makeweight.generators.transformer.labels.config import LabelModelConfig
from makeweight.generators.transformer.labels.evidence import EXPERTS, cell_evidence, collect, discriminant, encode
from makeweight.generators.transformer.labels.model import LabelInputs, LabelModel, closed_form, inputs_of, untrained
from makeweight.generators.transformer.labels.predict import PART, label_odds, label_probabilities

SMALL = LabelModelConfig(
    cell_width=16, row_width=16, cell_layers=1, row_layers=1, cell_heads=2, row_heads=2, points=4, trees=8
)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def single(values: np.ndarray) -> np.ndarray:
    """A batch of one."""
    return values.astype(np.float32)[None]


def table(rows: int = 300, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A number, a category and noise; the label depends on the first two."""
    draw = rng(seed)
    x, code = draw.normal(size=rows), draw.choice(4, rows, p=[0.4, 0.3, 0.2, 0.1])
    label = draw.random(rows) < 1 / (1 + np.exp(-2 * x - np.array([-2.0, 0.0, 0.0, 2.0])[code]))
    values = np.stack([x, code, draw.normal(size=rows)], 1)
    values[draw.random(rows) < 0.1, 2] = np.nan
    return values, np.array([False, True, False]), label.astype(int)


def read(values: np.ndarray, kinds: np.ndarray, label: np.ndarray) -> LabelInputs:
    """What the network reads; the first rows have a label."""
    return inputs_of(collect(single(values), kinds[None], single(label), 8, rng()), SMALL.most_columns)


def touched(seed: int = 0) -> LabelModel:
    """A network whose head is not zero."""
    model = untrained(SMALL, rng(seed))
    head = {"head.weight": rng(seed + 1).normal(0, 0.3, model.own["head.weight"].shape).astype(np.float32)}
    return LabelModel(SMALL, {**model.own, **head})


def test_scores_do_not_depend_on_monotone_maps_or_on_the_names_of_categories():
    values, kinds, _ = table()
    other = values.copy()
    other[:, 0] = np.exp(other[:, 0])
    other[:, 1] = np.array([2.0, 0.0, 3.0, 1.0])[values[:, 1].astype(int)]
    one, two = (encode(single(cells), kinds[None], 200) for cells in (values, other))
    for before, after in zip(one[:2], two[:2], strict=True):
        np.testing.assert_array_equal(before, after)


def test_evidence_of_a_known_row_leaves_its_own_label_out():
    values, kinds, label = table(80)
    y, flags = single(label), kinds[None]
    flipped = y.copy()
    flipped[0, 5] = 1 - flipped[0, 5]
    bins = encode(single(values), flags, 80)[1]
    one, two = (cell_evidence(bins, flags, labels)[0, 5] for labels in (y, flipped))
    np.testing.assert_allclose(one, two, atol=1e-4)
    trunk = forest.grow(np.nan_to_num(single(values)), flags, y, 12, rng())
    out = ~trunk.bag[0, :, 5]
    assert out.any()
    share = trunk.leaf[0][np.arange(12), trunk.place[0, :, 5]][out].sum()
    mean = (share + 0.5) / (out.sum() + 1)
    assert forest.own(trunk)[0, 5] == pytest.approx(np.log(mean / (1 - mean)), abs=1e-5)


def test_a_known_row_left_out_of_a_discriminant_is_as_if_it_had_been_asked():
    draw = rng()
    x = draw.normal(size=(1, 60, 3))
    y = (x[..., 0] + draw.normal(size=(1, 60)) > 0).astype(float)
    whole = discriminant(x, y)[0, 7]
    rest = [i for i in range(60) if i != 7]
    asked = np.concatenate([x[:, rest], x[:, 7:8]], 1)
    assert abs(whole - discriminant(asked, y[:, rest])[0, -1]) < 0.05  # weights and centre are those of all rows


@pytest.mark.parametrize("expert", range(len(EXPERTS)))
def test_every_expert_tells_labels_apart_and_is_on_the_right_scale(expert):
    values, kinds, label = table(900)
    odds = collect(single(values), kinds[None], single(label[:400]), 40, rng()).row[0, 400:, expert]
    truth = label[400:]
    assert roc_auc_score(truth, odds) > 0.8
    balanced = np.where(truth == 1, 0.5 / truth.mean(), 0.5 / (1 - truth.mean()))
    loss = [np.mean(balanced * np.log1p(np.exp(-np.where(truth == 1, 1, -1) * s * odds))) for s in (0.5, 1.0, 2.0)]
    assert loss[1] < np.log(2)
    assert loss[1] <= min(loss) + 0.02


def test_trees_find_a_threshold_a_category_and_a_missing_cell():
    draw = rng()
    number, code = draw.normal(size=(2, 200)), draw.integers(0, 5, 200)
    cells = np.stack([number[0], code, number[1]], 1)
    cells[:70, 2] = -9.0
    x, flags = single(cells), np.array([[False, True, False]])
    for truth in (number[0] > 0.4, code == 3, np.arange(200) < 70):
        trunk = forest.grow(x, flags, single(truth), 40, rng())
        assert roc_auc_score(truth, forest.own(trunk)[0]) > 0.97
        assert roc_auc_score(truth, forest.judge(trunk, x)[0]) > 0.97


def test_an_untrained_network_is_closed_form_that_trusts_whoever_was_right():
    values, kinds, label = table(160)
    inputs = read(values, kinds, label[:100])
    np.testing.assert_allclose(untrained(SMALL, rng())(inputs), closed_form(inputs), atol=1e-5)
    saved = np.zeros_like(inputs.saved)
    saved[:, 2] = 100.0
    sure = closed_form(dataclasses.replace(inputs, saved=saved))
    np.testing.assert_allclose(sure, inputs.evidence[:, 100:, 2], atol=1e-4)


def test_labels_do_not_depend_on_the_order_of_columns_or_on_the_other_rows_asked():
    values, kinds, label = table(160)
    model, known, asked = touched(), values[:100], values[100:]
    odds = label_odds(model, known, kinds, label[:100], asked)
    np.testing.assert_allclose(label_odds(model, known, kinds, label[:100], asked[5:9]), odds[5:9], atol=1e-4)
    many = label_odds(model, known, kinds, label[:100], np.tile(asked, (PART // len(asked) + 1, 1)))
    np.testing.assert_allclose(many[: len(asked)], odds, atol=1e-4)
    np.testing.assert_allclose(many[-len(asked) :], odds, atol=1e-4)  # of another part
    evidence = collect(single(values), kinds[None], single(label[:100]), 8, rng())
    turn = [2, 0, 1]
    turned = dataclasses.replace(
        evidence,
        score=evidence.score[..., turn],
        cell=evidence.cell[..., turn],
        missing=evidence.missing[..., turn],
        categorical=evidence.categorical[:, turn],
        strength=evidence.strength[:, turn],
    )
    one, two = (model(inputs_of(e, SMALL.most_columns)) for e in (evidence, turned))
    np.testing.assert_allclose(one, two, atol=1e-5)


def test_several_labels_are_each_against_the_rest():
    draw = rng(1)
    label = draw.integers(0, 3, 240)
    values = np.stack([draw.normal(size=240) + 2 * (label == 1), draw.normal(size=240) + 2 * (label == 2)], 1)
    model, flags = untrained(SMALL, rng()), np.array([False, False])
    p = label_probabilities(model, values[:150], flags, label[:150], values[150:])
    assert p.shape == (90, 3)
    assert np.allclose(p.sum(1), 1)
    assert (p.argmax(1) == label[150:]).mean() > 0.6
    two = label_probabilities(model, values[:150], flags, (label[:150] == 1).astype(int), values[150:])
    assert np.allclose(two.sum(1), 1)
    assert label_probabilities(model, values[:150], flags, label[:150], values[:0]).shape == (0, 3)
    with pytest.raises(OptionError, match="both labels need rows"):
        label_odds(model, values[:150], flags, np.zeros(150), values[150:])


def test_files_that_cannot_be_used_are_refused(tmp_path):
    with pytest.raises(FileProblem, match="cannot be read"):
        weights.load(tmp_path / "none.safetensors")
    (tmp_path / "bad.safetensors").write_bytes(b"no tensors")
    with pytest.raises(FileProblem, match="cannot be read"):
        weights.load(tmp_path / "bad.safetensors")
    model = untrained(SMALL, rng())
    weights.save(LabelModel(LabelModelConfig(), model.own), tmp_path / "other.safetensors", weights.LabelWeights())
    with pytest.raises(FileProblem, match="do not fit the model"):
        weights.load(tmp_path / "other.safetensors")
    broken = {**model.own, "gains": np.full_like(model.own["gains"], np.nan)}
    weights.save(LabelModel(SMALL, broken), tmp_path / "nan.safetensors", weights.LabelWeights())
    with pytest.raises(FileProblem, match="not finite"):
        weights.load(tmp_path / "nan.safetensors")
