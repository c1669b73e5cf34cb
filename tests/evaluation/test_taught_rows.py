"""What a comparison's committee teaches is what a sampler's would."""

import numpy as np
import pandas as pd
import pytest

from makeweight.evaluation.problem import EvaluationProblem
from makeweight.evaluation.taught import Taught


@pytest.fixture(scope="module")
def frame():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"x": rng.normal(size=240), "sex": rng.choice(["f", "m"], 240)})
    return frame.assign(y=np.where(rng.random(240) < 1 / (1 + np.exp(1 - 2 * frame["x"])), "yes", "no"))


@pytest.mark.parametrize("group_by", [(), ("sex",)])
def test_real_rows_are_half_soft_and_wholly_with_attributes(frame, group_by):
    problem = EvaluationProblem.read(frame, "y", group_by)
    train, held = np.arange(180), np.arange(180, 240)
    taught = Taught(problem, problem.table(train), train, held, None, {"members": ["lr"]}, 0)
    soft, p = taught.lesson.labels(), taught.lesson.teacher.oof_
    own = soft.weights[:180]
    said = p[np.arange(180), problem.labels[train]]
    weights = taught.lesson.sample_weight if group_by else np.ones(180)
    assert np.allclose(own, weights * (said if group_by else (1 + said) / 2))
    assert (taught.lesson.teacher.combination_.by_group is not None) == bool(group_by)
