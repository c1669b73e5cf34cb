"""What a teacher says of rows, and the training sets that follow."""

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

from makeweight import Committee
from makeweight.committee import blend, soft_counts, teach


def lesson(container=pd.DataFrame, m=50, teacher=None, **options):
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(200, 2)), columns=["a", "b"])
    y = np.where(rng.random(200) < 1 / (1 + np.exp(-2 * X["a"])), "yes", "no")
    further = pd.DataFrame(rng.normal(size=(m, 2)), columns=["a", "b"])
    teacher = LogisticRegression() if teacher is None else teacher
    real = X.to_numpy() if container is np.ndarray else X
    return teach(real, y, further, teacher=teacher, random_state=0, **options), X, y, further


def test_real_rows_stand_first_and_every_row_keeps_its_weight():
    taught, X, y, further = lesson()
    rows, labels, weights = taught.training_set(synthetic_weight=0.5)
    assert np.array_equal(rows.iloc[:200].to_numpy(), X.to_numpy())
    assert labels[:200].tolist() == y.tolist()
    assert weights.sum() == pytest.approx(200 + 0.5 * len(further), rel=1e-3)


def test_synthetic_rows_carry_what_the_teacher_says():
    taught, _, _, further = lesson()
    rows, labels, weights = taught.training_set(softness=0)
    last = rows["a"] == further["a"].iloc[-1]
    share = weights[last & (labels == "yes")].sum() / weights[last].sum()
    assert share == pytest.approx(taught.said[-1, 1], abs=2e-3)
    assert np.array_equal(taught.probabilities, np.concatenate([taught.teacher.oof_, taught.said]))


@pytest.mark.parametrize("rows", [0, 10, 50, None])
def test_the_first_synthetic_rows_take_part(rows):
    taught, X, _, further = lesson()
    features = taught.training_set(rows=rows)[0]
    n = 50 if rows is None else rows
    assert set(features["a"]) == set(X["a"]) | set(further["a"][:n])


def test_arrays_come_back_as_arrays():
    assert lesson(np.ndarray)[0].training_set()[0].shape[1] == 2


def test_no_synthetic_rows_are_no_rows():
    taught = lesson(m=0)[0]
    assert taught.said.shape == (0, 2)
    assert len(taught.training_set()[1]) == len(taught.training_set(rows=0)[1])


def test_a_committee_is_asked_as_it_is_and_stays_unfitted():
    committee = Committee(["lr", "closed-form"], cv=3)
    taught = lesson(teacher=committee)[0]
    assert taught.teacher.members_ == ("lr", "closed-form")
    assert not hasattr(committee, "oof_")
    assert np.array_equal(taught.said, lesson(teacher=committee)[0].said)


def test_counts_are_the_tables_own_or_even_over_groups():
    counts = np.array([7000, 300, 20])
    assert soft_counts(counts, by_group=True).tolist() == [4880] * 3
    own = soft_counts(counts)
    assert np.allclose(own / own.sum(), counts / counts.sum(), atol=1e-3)


def test_a_blend_lies_between_and_is_symmetric():
    rng = np.random.default_rng(0)
    one, two = rng.dirichlet(np.ones(3), 20), rng.dirichlet(np.ones(3), 20)
    mixed = blend(one, two)
    assert np.allclose(mixed, blend(two, one))
    assert np.allclose(blend(one, one), one)
    odds = [np.log(p[:, 0] / p[:, 1]) for p in (one, two, mixed)]
    assert np.allclose(odds[2], (odds[0] + odds[1]) / 2)


def test_real_rows_follow_the_teacher_wholly_where_it_is_fitted_by_group():
    sides = np.random.default_rng(1).choice(["a", "b"], 200)
    by_group, _, y, _ = lesson(groups=sides, sample_weight=np.ones(200))
    own = by_group.labels().weights[:200]
    assert own == pytest.approx(by_group.teacher.oof_[np.arange(200), by_group.teacher.labels_])
    half, _, _, _ = lesson()
    assert half.labels().weights[:200].min() >= 0.5
    assert by_group.labels(softness=0.0).weights[:200].tolist() == [1.0] * len(y)
