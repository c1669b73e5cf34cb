"""Training sets without synthetic rows: class weights and undersampling, over groups."""

from __future__ import annotations

import numpy as np

__all__ = ["balancing_weights", "undersampled"]


def balancing_weights(codes: np.ndarray) -> np.ndarray:
    """Return weights of mean one under which every group weighs the same, shape of `codes`.

    >>> balancing_weights(np.array([0, 0, 0, 1])).round(3)
    array([0.667, 0.667, 0.667, 2.   ])
    """
    counts = np.bincount(codes)
    return np.asarray(len(codes) / np.count_nonzero(counts) / counts[codes])


def undersampled(codes: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return positions of as many rows of every group as the smallest has, in order.

    >>> len(undersampled(np.array([0, 0, 0, 1]), np.random.default_rng(0)))
    2
    """
    least = int(np.bincount(codes).min())
    kept = [rng.choice(np.flatnonzero(codes == code), least, replace=False) for code in range(int(codes.max()) + 1)]
    return np.sort(np.concatenate(kept))
