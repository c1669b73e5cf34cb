"""One source on two kinds of arrays: numpy says what torch says."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from makeweight.generators.transformer import on_numpy, on_torch, weights  # noqa: E402
from makeweight.generators.transformer.contexts import ColumnSpec  # noqa: E402
from makeweight.generators.transformer.decode import RowModel  # noqa: E402
from makeweight.generators.transformer.prompt import TablePrompt, Walk  # noqa: E402

NETWORK = weights.load(weights.embedded())[0]


def random_table(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows of a label and columns of every kind: numbers, rounded ones, categories, missing cells, equal ones."""
    rng = np.random.default_rng(seed)
    rows, columns = int(rng.integers(20, 300)), int(rng.integers(2, 12))
    values = rng.normal(size=(rows, columns)) @ rng.normal(size=(columns, columns))
    categorical = rng.random(columns) < 0.4
    kind = rng.integers(0, 4, columns)
    for column in range(columns):
        if categorical[column]:
            values[:, column] = np.digitize(values[:, column], np.sort(rng.normal(size=int(rng.integers(1, 9)))))
            values[:, column] = np.unique(values[:, column], return_inverse=True)[1]
        elif kind[column] == 1:
            values[:, column] = np.round(values[:, column])
        elif kind[column] == 2:
            values[:, column] = np.exp(values[:, column]) * (rng.random(rows) < 0.6)
        if rng.random() < 0.4:
            values[rng.random(rows) < 0.2, column] = np.nan
    label = (rng.random(rows) < 0.3).astype(float)
    label[:2] = 0, 1
    return np.column_stack([label, values]), np.array([True, *categorical])


@pytest.mark.parametrize("seed", range(8))
def test_logits_on_numpy_are_those_on_torch(seed):
    """Kernel regressions with large weights multiply what float32 rounds away: the limit grows with those."""
    values, categorical = random_table(seed)
    given = np.arange(len(categorical)) < 1
    shown, asked = values[: 2 * len(values) // 3][None], values[2 * len(values) // 3 :][None]
    walks = []
    for network in (NETWORK, NETWORK.on_torch("cpu")):
        flags = categorical[None], given[None]
        prompt = TablePrompt(network, shown, *flags, np.random.default_rng(seed))
        walks.append(Walk(prompt, asked.shape[1]))
    limit = max(1e-4, 2.5e-7 * abs(walks[0].prompt.context.kernel.weights).sum(-1).max())
    for column in range(len(categorical)):
        logits = []
        for walk, xp in zip(walks, (on_numpy, on_torch), strict=True):
            with np.errstate(all="ignore"):
                forecast = walk.forecast()
                numbers = [*forecast.split(), forecast.missing_log_odds()]
                numbers += [forecast.bins(forecast.split()[0]), forecast.weights(forecast.split()[1])]
                walk.push(xp.array(asked[:, :, column], walk.prompt.network.like))
            logits.append([xp.to_numpy(part) for part in numbers])
        for one, two in zip(*logits, strict=True):
            np.testing.assert_allclose(one, two, atol=limit, rtol=0)


@pytest.mark.parametrize("seed", range(3))
def test_log_probabilities_on_numpy_are_those_on_torch(seed):
    values, categorical = random_table(seed)
    specs = [ColumnSpec(bool(flag)) for flag in categorical]
    one, two = (
        RowModel(network, values[:-40], specs, orders=1, rng=np.random.default_rng(seed)).log_prob(values[-40:])
        for network in (NETWORK, NETWORK.on_torch("cpu"))
    )
    np.testing.assert_allclose(one, two, atol=1e-4 * len(specs), rtol=0)


def test_torch_is_left_as_it_is():
    values, categorical = random_table(0)
    before, threads = torch.get_rng_state(), torch.get_num_threads()
    model = RowModel(NETWORK, values, [ColumnSpec(bool(flag)) for flag in categorical], rng=np.random.default_rng(0))
    model.sample((1,), 5, np.random.default_rng(0))
    assert torch.equal(before, torch.get_rng_state())
    assert threads == torch.get_num_threads()


def test_operations_have_the_same_names():
    assert [name for name in on_numpy.__all__ if not (hasattr(on_numpy, name) and hasattr(on_torch, name))] == []


def test_gelu_is_exact_to_a_hundred_thousandth():
    x = np.linspace(-30, 30, 100_001, dtype=np.float32)
    exact = torch.nn.functional.gelu(torch.as_tensor(x, dtype=torch.float64)).numpy()
    np.testing.assert_allclose(on_numpy.gelu(x), exact, atol=1e-5, rtol=0)


@pytest.mark.parametrize("scale", [0.1, 3.0, 200.0])
def test_attention_is_that_of_torch(scale):
    rng = np.random.default_rng(0)
    q, keys, values = (scale * rng.standard_normal((2, 3, 5, 4), dtype=np.float32) for _ in range(3))
    hidden = np.where(rng.random((5, 5)) < 0.3, -np.inf, 0).astype(np.float32)
    hidden[:, 0] = 0
    for options in ({}, {"causal": True}, {"hidden": hidden}):
        tensors = (torch.as_tensor(x) for x in (q, keys, values))
        given = {k: torch.as_tensor(v) if k == "hidden" else v for k, v in options.items()}
        wanted = on_torch.attend(*tensors, **given)
        np.testing.assert_allclose(on_numpy.attend(q, keys, values, **options), wanted, atol=1e-4 * scale)
