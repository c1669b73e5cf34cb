"""The objective and the weights that realise it (acceptance 1)."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from makeweight.errors import OptionError, PlanError, SchemaError
from makeweight.theory import alpha_of_weight, augmentation_weight, effective_sample_size, objective_weights

counts = st.lists(st.integers(1, 40), min_size=2, max_size=5)


@given(counts, st.integers(1, 50), st.floats(0.0, 0.99), st.integers(0, 2**32 - 1))
def test_weighted_erm_is_the_objective_to_1e_12(real: list[int], n_augment: int, alpha: float, seed: int) -> None:
    """(1 - alpha) R_ov + alpha R_aug = weighted mean loss with w = alpha n_maj / ((1 - alpha) N)."""
    rng = np.random.default_rng(seed)
    largest = max(real)
    groups, purposes, weights = [], [], []
    w = augmentation_weight(alpha, largest, n_augment)
    for group, n in enumerate(real):
        rows = {"real": n, "balance": largest - n, "augment": n_augment}
        for purpose, size in rows.items():
            groups += [group] * size
            purposes += [purpose] * size
            weights += [w if purpose == "augment" else 1.0] * size
    losses = rng.exponential(size=len(groups))
    extra = np.array(purposes) == "augment"
    codes = np.array(groups)
    kinds = range(len(real))
    balanced = np.mean([losses[(codes == g) & ~extra].mean() for g in kinds])
    augmented = np.mean([losses[(codes == g) & extra].mean() for g in kinds])
    target = (1 - alpha) * balanced + alpha * augmented
    assert np.average(losses, weights=weights) == pytest.approx(target, rel=1e-12, abs=1e-12)
    direct = objective_weights(groups, purposes, alpha)
    assert direct.sum() == pytest.approx(1.0, abs=1e-12)
    assert direct @ losses == pytest.approx(target, rel=1e-12, abs=1e-12)


@given(st.floats(0.0, 0.999), st.integers(1, 10**6), st.integers(1, 10**6))
def test_weight_and_alpha_are_inverse(alpha: float, largest: int, extra: int) -> None:
    weight = augmentation_weight(alpha, largest, extra)
    assert alpha_of_weight(weight, largest, extra) == pytest.approx(alpha, abs=1e-9)


@given(st.integers(1, 10**5), st.integers(1, 10**5), st.integers(1, 9))
def test_effective_size_of_unit_weights_is_the_published_one(largest: int, extra: int, groups: int) -> None:
    alpha = alpha_of_weight(1.0, largest, extra)
    expected = groups * largest + groups * extra
    assert effective_sample_size(largest, extra, groups) == expected
    assert effective_sample_size(largest, extra, groups, alpha=alpha) == pytest.approx(expected, rel=1e-9)


def test_effective_size_is_largest_at_unit_weight() -> None:
    sizes = [effective_sample_size(100, 300, 2, alpha=a) for a in np.linspace(0, 1, 101)]
    assert int(np.argmax(sizes)) == 75  # alpha = N / (n_maj + N)


@pytest.mark.parametrize("alpha", [-0.1, 1.0, float("nan")])
def test_alpha_out_of_range_is_refused(alpha: float) -> None:
    with pytest.raises(OptionError, match="out of range"):
        augmentation_weight(alpha, 10, 10)


def test_alpha_without_rows_is_refused() -> None:
    with pytest.raises(PlanError, match="augmentation rows"):
        augmentation_weight(0.5, 10, 0)
    with pytest.raises(PlanError, match="augmentation rows"):
        effective_sample_size(10, 0, 2, alpha=0.5)
    with pytest.raises(PlanError, match="no augmentation rows"):
        objective_weights(["a", "b", "b"], ["real", "real", "augment"], 0.5)
    with pytest.raises(PlanError, match="no real or balancing rows"):
        objective_weights(["a", "b", "b"], ["augment", "real", "augment"], 0.5)


def test_unknown_purpose_is_refused() -> None:
    with pytest.raises(SchemaError, match="purpose"):
        objective_weights(["a"], ["extra"], 0.5)
