"""Rows that carry probabilities: every row stands once per label, with the label's probability as its weight."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from makeweight.errors import OptionError

__all__ = ["SoftLabels", "drawn_labels", "soft_labels"]

#: A label with less of its row's weight is left out: its rows cost time and change nothing.
LEAST_WEIGHT = 1e-3


@dataclass(frozen=True, eq=False)
class SoftLabels:
    """Rows repeated once per label."""

    #: shape (r,); position of the row that is repeated: real ones first, in their order, each with its own label first
    #: of all
    rows: np.ndarray
    labels: np.ndarray  # shape (r,); class numbers
    weights: np.ndarray  # shape (r,); not negative; a real row's own label stays even where it weighs nothing


def soft_labels(
    labels: np.ndarray,
    real: np.ndarray,
    synthetic: np.ndarray,
    *,
    sample_weight: np.ndarray | None = None,
    softness: float = 0.5,
    synthetic_weight: float = 1.0,
) -> SoftLabels:
    """Return the labels and weights of real and synthetic rows.

    `labels` of shape (n,): class numbers of the real rows. `real` of shape (n, k): their probabilities, by models that
    have not seen them. `synthetic` of shape (m, k): probabilities of the synthetic rows. `sample_weight` of shape (n,):
    of the real rows. `softness` in [0, 1]: share of a real row's weight that follows its probabilities; the rest stays
    with its label. `synthetic_weight`: of a synthetic row, where a real one weighs 1 on average, or where there is
    none. Rows 0 to n - 1 are real, n to n + m - 1 synthetic.

    >>> soft = soft_labels(np.array([0]), np.array([[0.6, 0.4]]), np.array([[0.1, 0.9]]))
    >>> soft.rows, soft.labels, soft.weights
    (array([0, 0, 1, 1]), array([0, 1, 0, 1]), array([0.8, 0.2, 0.1, 0.9]))
    """
    if not 0.0 <= softness <= 1.0:
        raise OptionError("softness is a share", got=softness, expected="a number from 0 to 1")
    n, k = real.shape
    weights = np.ones(n) if sample_weight is None else sample_weight
    own = np.eye(k)[labels]
    mixed = weights[:, None] * ((1.0 - softness) * own + softness * real)
    of_row = np.concatenate([weights, np.full(len(synthetic), synthetic_weight * (weights.mean() if n else 1.0))])
    every = np.concatenate([mixed, of_row[n:, None] * synthetic])
    kept = every > LEAST_WEIGHT * of_row[:, None]
    kept[np.arange(n), labels] = True
    others = kept.copy()
    others[np.arange(n), labels] = False
    rows, classes = np.nonzero(others)
    rows, classes = np.concatenate([np.arange(n), rows]), np.concatenate([labels, classes])
    return SoftLabels(rows, classes, every[rows, classes])


def drawn_labels(labels: np.ndarray, real: np.ndarray, synthetic: np.ndarray, rng: np.random.Generator) -> SoftLabels:
    """Return labels drawn from probabilities, for learners that take no weights.

    Every row stands twice and weighs one: a real row with its own label and with a drawn one, a synthetic row with two
    drawn ones.

    Draws are antithetic: a synthetic row's two labels, and those of two real rows with next to equal probabilities,
    come from u and 1 - u. A pair with p = 1/2 has one label of either kind for certain (Hammersley and Morton, 1956).

    >>> drawn = drawn_labels(np.array([0]), np.array([[1.0, 0.0]]), np.array([[0.5, 0.5]]), np.random.default_rng(0))
    >>> drawn.rows, drawn.labels
    (array([0, 0, 1, 1]), array([0, 0, 0, 1]))
    """
    n, m = len(labels), len(synthetic)
    pairs = np.repeat(np.arange(n, n + m), 2)
    order = np.argsort(real[:, -1], kind="stable")
    second = np.empty(n, dtype=np.int64)
    second[order] = _antithetic(real[order], rng)
    drawn = _antithetic(np.repeat(synthetic, 2, axis=0), rng)
    rows = np.concatenate([np.arange(n), np.arange(n), pairs])
    return SoftLabels(rows, np.concatenate([labels, second, drawn]), np.ones(len(rows)))


def _antithetic(p: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return one label per row of probabilities; every two rows share u and 1 - u."""
    u = np.repeat(rng.random(-(-len(p) // 2)), 2)[: len(p)]
    u[1::2] = 1.0 - u[1::2]
    return np.asarray((np.cumsum(p[:, :-1], axis=1) <= u[:, None]).sum(axis=1))
