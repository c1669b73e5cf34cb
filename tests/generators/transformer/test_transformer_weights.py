"""Weights that are damaged, incomplete or unknown are refused."""

from __future__ import annotations

import json

import numpy as np
import pytest

from makeweight.errors import FileProblem
from makeweight.generators.transformer import weights
from makeweight.generators.transformer.config import PRIOR_VERSION, ModelConfig
from makeweight.generators.transformer.network import untrained

FACTS = {"config": "toy", "steps": 1, "tasks": 2, "seconds": 3.0, "device": "cpu", "validation": {}}


@pytest.fixture
def model():
    return untrained(ModelConfig(width=16, layers=1, heads=2), np.random.default_rng(0))


@pytest.fixture
def folder(tmp_path, model):
    weights.save(model, tmp_path, **FACTS)
    return tmp_path


def test_round_trip(folder, model):
    loaded, manifest = weights.load(folder)
    assert manifest.model == model.config
    assert manifest.steps == 1
    for name, value in model.parameters.items():
        np.testing.assert_allclose(loaded.parameters[name], value, atol=2e-3, rtol=2e-3)
        assert loaded.parameters[name].dtype == np.float32
    assert not list(folder.glob("*.partial"))


def test_missing_files(folder):
    (folder / "weights.safetensors").unlink()
    with pytest.raises(FileProblem, match="cannot be read"):
        weights.load(folder)
    (folder / "manifest.json").unlink()
    with pytest.raises(FileProblem, match="cannot be read"):
        weights.load(folder)


@pytest.mark.parametrize("damage", [lambda b: b[:-10], lambda b: b[:100] + b"x" + b[101:], lambda b: b""])
def test_truncated_or_altered_weights(folder, damage):
    path = folder / "weights.safetensors"
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(FileProblem, match="not those of the manifest"):
        weights.load(folder)


def change(folder, **changes):
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest.update(changes)
    path.write_text(json.dumps(manifest))


def test_unknown_manifests(folder):
    change(folder, format=99)
    with pytest.raises(FileProblem, match="unknown format"):
        weights.load(folder)
    change(folder, format=weights.FORMAT, surprise=1)
    with pytest.raises(FileProblem, match="other keys"):
        weights.load(folder)
    (folder / "manifest.json").write_text("{half")
    with pytest.raises(FileProblem, match="not JSON"):
        weights.load(folder)
    (folder / "manifest.json").write_text("[]")
    with pytest.raises(FileProblem, match="other keys"):
        weights.load(folder)


def test_weights_of_another_shape(folder):
    manifest = json.loads((folder / "manifest.json").read_text())
    change(folder, model={**manifest["model"], "width": 32})
    with pytest.raises(FileProblem, match="do not fit"):
        weights.load(folder)
    change(folder, model={"wide": 32})
    with pytest.raises(FileProblem, match="another model"):
        weights.load(folder)


def test_weights_that_are_not_finite(tmp_path, model):
    model.parameters["gains"][0] = np.nan
    weights.save(model, tmp_path, **FACTS)
    with pytest.raises(FileProblem, match="not finite"):
        weights.load(tmp_path)


def test_the_weights_of_the_package_are_whole_and_small():
    manifest = weights.load(weights.embedded())[1]
    size = sum(path.stat().st_size for path in weights.embedded().iterdir())
    assert size <= 12e6
    assert manifest.prior_version == PRIOR_VERSION
    assert manifest.validation["model"]["total"] < manifest.validation["chain"]["total"]
