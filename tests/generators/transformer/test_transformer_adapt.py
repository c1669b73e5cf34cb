"""Fine-tuning on a table: held-out rows get likelier, never less likely, and the seed decides."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

pytest.importorskip("torch")

from makeweight import Schema
from makeweight.errors import GeneratorError, OptionError
from makeweight.generators.transformer import weights
from makeweight.generators.transformer.adapt import FineTuner, adapt
from makeweight.generators.transformer.config import ModelConfig
from makeweight.generators.transformer.generator import InContextTransformer
from makeweight.generators.transformer.network import Network, untrained
from makeweight.table import Table


def network(seed: int = 0) -> Network:
    return untrained(ModelConfig(width=32, layers=2, heads=2), np.random.default_rng(seed))


def wave(n: int = 240, seed: int = 0) -> np.ndarray:
    """A number that swings with another, faster than most relations of the prior."""
    rng = np.random.default_rng(seed)
    label = (rng.random(n) < 0.3).astype(float)
    x = rng.uniform(-3, 3, n)
    return np.stack([label, x, np.sin(2 * x) + 0.05 * rng.normal(size=n)], axis=1)


NUMBERS = np.array([True, False, False])


def tuned(model: Network, values: np.ndarray, steps: int, seed: int = 1):
    rng = np.random.default_rng(seed)
    return adapt(model, values, NUMBERS, 1, steps=steps, max_context=100, rng=rng)


def test_held_out_rows_of_a_table_the_network_has_not_learned_get_likelier(monkeypatch):
    monkeypatch.setattr("makeweight.generators.transformer.adapt.CELLS", 2_000)  # quick steps
    model = weights.load(weights.embedded())[0]
    before = {name: value.copy() for name, value in model.parameters.items()}
    adapted, told = tuned(model, wave(), 20)
    assert told.after < told.before - 0.03
    assert told.best_step > 0
    assert all(isinstance(value, np.ndarray) for value in adapted.parameters.values())
    for name, value in before.items():
        assert np.array_equal(value, model.parameters[name])


@pytest.mark.parametrize("seed", range(3))
def test_held_out_rows_never_get_less_likely(seed, monkeypatch):
    monkeypatch.setattr("makeweight.generators.transformer.adapt.RATE", 0.3)  # wrecks any network
    values = wave(80, seed)
    _, told = tuned(network(seed), values, 10, seed)
    assert told.after <= told.before
    noise = values.copy()
    noise[:, 1:] = np.random.default_rng(seed).normal(size=(80, 2))
    adapted, told = tuned(network(seed), noise, 10, seed)
    assert told.after <= told.before
    if not told.best_step:
        for name, value in network(seed).parameters.items():
            np.testing.assert_allclose(adapted.parameters[name], value, atol=2e-3, rtol=2e-3)


def test_what_is_told_is_the_likelihood_of_what_is_kept():
    values, model = wave(120), network()
    adapted, told = tuned(model, values, 15)
    again = FineTuner(adapted, values, NUMBERS, 1, 100, np.random.default_rng(1))
    assert again.held_out(adapted) == pytest.approx(told.after, abs=1e-6)


def test_held_out_rows_are_not_trained_on():
    tuner = FineTuner(network(), wave(), NUMBERS, 1, 100, np.random.default_rng(0))
    assert not set(tuner.held) & set(tuner.train)
    assert len(tuner.held) + len(tuner.train) == 240
    shares = [np.bincount(tuner.groups[rows]) / len(rows) for rows in (tuner.held, tuner.train)]
    np.testing.assert_allclose(*shares, atol=0.03)


def test_one_seed_one_network():
    one, two = (tuned(network(), wave(80), 6)[0].parameters for _ in range(2))
    other = tuned(network(), wave(80), 6, seed=2)[0].parameters
    assert all(np.array_equal(one[name], two[name]) for name in one)
    assert not all(np.array_equal(one[name], other[name]) for name in one)


def test_small_tables_are_refused():
    with pytest.raises(GeneratorError, match="too small to adapt to"):
        tuned(network(), wave(39), 5)
    with pytest.raises(GeneratorError, match="too small to adapt to"):
        adapt(network(), wave()[:, :1], NUMBERS[:1], 1, steps=5, max_context=10, rng=np.random.default_rng(0))


@pytest.fixture
def folder(tmp_path):
    facts = {"config": "toy", "steps": 0, "tasks": 0, "seconds": 0.0, "device": "cpu", "validation": {}}
    weights.save(network(), tmp_path / "weights", **facts)
    return tmp_path / "weights"


def test_the_generator_adapts_tells_and_saves(folder, tmp_path):
    frame = pd.DataFrame(wave(), columns=["y", "x", "z"]).assign(y=lambda f: f["y"].astype(int))
    table = Table(frame, Schema.infer(frame, target="y"))
    generator = InContextTransformer(weights=folder, adapt=40, orders=2, max_context=100)
    generator.fit(table, rng=np.random.default_rng(0))
    assert generator.adaptation_.steps <= 40
    assert "adapted to the table" in generator.notes[0]
    generator.save(tmp_path / "saved")
    loaded = InContextTransformer.load(tmp_path / "saved", table)
    assert loaded.adaptation_ == generator.adaptation_
    assert loaded.notes == generator.notes
    rows = [g.propose((1,), 30, rng=np.random.default_rng(3)) for g in (generator, loaded)]
    pd.testing.assert_frame_equal(*rows, check_exact=True)
    np.testing.assert_array_equal(generator.log_prob(frame[:20]), loaded.log_prob(frame[:20]))


def test_without_adaptation_nothing_is_told(folder):
    frame = pd.DataFrame(wave(60), columns=["y", "x", "z"]).assign(y=lambda f: f["y"].astype(int))
    table = Table(frame, Schema.infer(frame, target="y"))
    generator = InContextTransformer(weights=folder).fit(table, rng=np.random.default_rng(0))
    assert generator.adaptation_ is None
    assert generator.notes == ()
    with pytest.raises(OptionError, match="adapt"):
        InContextTransformer(weights=folder, adapt=-1).fit(table, rng=np.random.default_rng(0))
