"""Kernel regression on the chain's residuals: what it finds, and what it must not see."""

from __future__ import annotations

import math

import pytest

torch = pytest.importorskip("torch")

from makeweight.generators.transformer import kernel  # noqa: E402
from makeweight.generators.transformer.features import encode_cells, experts, fit_context  # noqa: E402
from makeweight.generators.transformer.kernel import Experts, Normal  # noqa: E402

CONTEXT, ASKED = 150, 200


def laws(columns: list[torch.Tensor], context: int = CONTEXT) -> tuple[Experts, torch.Tensor]:
    """Laws and scores of rows that were not learned from; the label comes first."""
    values = torch.stack(columns, -1)[None]
    flags = torch.tensor([[True] + [False] * (len(columns) - 1)])
    fitted = fit_context(values[:, :context], flags, flags, 16, torch.Generator().manual_seed(0))
    cells = encode_cells(fitted, values)
    found = experts(fitted, cells, cells.code[..., 0])
    return found[:, context:], cells.score[:, context:]


def loss(law: Normal, score: torch.Tensor) -> float:
    """Mean negative log-likelihood of the last column."""
    law, score = law[..., -1], score[..., -1]
    distance = (score - law.mean) / law.deviation
    return float((0.5 * distance**2 + law.deviation.log() + 0.5 * math.log(2 * math.pi)).mean())


def draws(seed: int, count: int) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    rows = CONTEXT + ASKED
    label = (torch.rand(rows, generator=generator) < 0.4).float()
    return [label, *torch.randn(count, rows, generator=generator)]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    ("make", "gain"),
    [
        (lambda x, y, noise: x * y, 0.3),
        (lambda x, y, noise: x / (y.abs() + 0.3), 0.3),
        (lambda x, y, noise: (2 * x).sin() + 0.2 * noise, 0.3),
        (lambda x, y, noise: noise * (1.2 * x).exp(), 0.1),
    ],
    ids=["product", "ratio", "wave", "uneven noise"],
)
def test_relations_that_are_not_linear_are_found(seed, make, gain):
    label, x, y, noise = draws(seed, 3)
    found, score = laws([label, x, y, make(x, y, noise)])
    assert loss(found.kernel, score) < loss(found.chain, score) - gain


@pytest.mark.parametrize("seed", range(5))
def test_linear_relations_are_left_to_the_chain(seed):
    label, x, y, noise = draws(seed, 3)
    found, score = laws([label, x, y, x - y + label + 0.5 * noise])
    assert loss(found.kernel, score) < loss(found.chain, score) + 0.03


def test_a_row_is_expected_from_the_others_alone():
    generator = torch.Generator().manual_seed(0)
    x, y = torch.randn(2, 30, dtype=torch.float64, generator=generator)
    noise = torch.full_like(x, 0.3)
    covariance = torch.exp(-0.5 * (x[:, None] - x) ** 2)
    _, mean, variance = kernel._regress(covariance, noise, y)
    for row in range(30):
        rest = torch.arange(30) != row
        weights, _, _ = kernel._regress(covariance[rest][:, rest], noise[rest], y[rest])
        assert mean[row].item() == pytest.approx((covariance[row, rest] @ weights).item(), abs=1e-9)
        inverse = torch.linalg.inv(covariance[rest][:, rest] + torch.diag(noise[rest]))
        expected = 1.3 - covariance[row, rest] @ inverse @ covariance[rest, row]
        assert variance[row].item() == pytest.approx(expected.item(), abs=1e-9)


def test_missing_cells_teach_nothing():
    label, x, y, noise = draws(1, 3)
    score = torch.stack([label, x, y, x * y], -1)[None]
    missing = torch.zeros(score.shape, dtype=torch.bool)
    missing[0, ::3, 3] = True
    fitted = kernel.fit_kernel(score, score, missing)
    other = torch.where(missing, 7 * noise[None, :, None], score)
    again = kernel.fit_kernel(score, other, missing)
    torch.testing.assert_close(fitted.weights, again.weights)
    assert (fitted.weights[0, 3, :, missing[0, : kernel.ROWS, 3]] == 0).all()
    assert (fitted.weights[0, 3] != 0).any()


def test_tables_of_a_batch_do_not_meet():
    columns = [draws(seed, 3) for seed in range(3)]
    score = torch.stack([torch.stack([a, x, y, x * y], -1) for a, x, y, _ in columns])[:, :80]
    missing = torch.zeros(score.shape, dtype=torch.bool)
    together = kernel.fit_kernel(score, score, missing)
    for table in range(3):
        here = slice(table, table + 1)
        alone = kernel.fit_kernel(score[here], score[here], missing[here])
        torch.testing.assert_close(together.weights[here], alone.weights, atol=1e-4, rtol=1e-4)
        torch.testing.assert_close(together.own_mean[here], alone.own_mean, atol=1e-4, rtol=1e-4)


def test_of_a_large_context_the_first_rows_are_learned_from(monkeypatch):
    monkeypatch.setattr(kernel, "ROWS", 60)
    label, x, y, _ = draws(2, 3)
    values = torch.stack([label, x, y, x * y], -1)[None]
    flags = torch.tensor([[True, False, False, False]])
    fitted = fit_context(values[:, :CONTEXT], flags, flags, 16, torch.Generator().manual_seed(0))
    assert fitted.kernel.score.shape == (1, 60, 4)
    cells = encode_cells(fitted, values)
    found = experts(fitted, cells, cells.code[..., 0])
    for rows in (slice(60, CONTEXT), slice(CONTEXT, None)):  # shown but not learned from, and not shown
        score = cells.score[:, rows]
        assert loss(found.kernel[:, rows], score) < loss(found.chain[:, rows], score) - 0.2


def test_nothing_to_learn_from_is_the_chain():
    """Columns without spread, without values, or a single one."""
    nothing = torch.full((40,), torch.nan)
    label = (torch.arange(40) < 8).float()
    for columns in ([label], [label, nothing], [label, torch.ones(40), nothing, torch.ones(40)]):
        found, _ = laws(columns, context=20)
        assert torch.isfinite(found.kernel.mean).all()
        assert torch.isfinite(found.kernel.deviation).all()
        assert (found.kernel.deviation > 0).all()
