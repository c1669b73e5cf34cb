"""A learner's name means one learner, whoever measures with it."""

import functools

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier

from makeweight.evaluation import Design, compare, scaling_curve

#: Settings that follow from the seed and the number of training rows.
OF_THE_FIT = {"random_state", "max_samples"}


@pytest.mark.parametrize(("name", "learner"), [("rf", RandomForestClassifier), ("hgb", HistGradientBoostingClassifier)])
def test_compare_and_scaling_curve_fit_the_same_learner(monkeypatch, name, learner):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(120, 3)), columns=list("abc"))
    frame["y"] = np.repeat(["common", "rare"], [80, 40])
    fitted = []
    fit = learner.fit

    @functools.wraps(fit)
    def recorded(self, *args, **kwargs):
        fitted.append({key: value for key, value in self.get_params().items() if key not in OF_THE_FIT})
        return fit(self, *args, **kwargs)

    monkeypatch.setattr(learner, "fit", recorded)
    quick = {"target": "y", "generator": "random"}
    compare(frame, arms=["random"], estimators=[name], design=Design(repeats=1, folds=3), **quick)
    in_compare = len(fitted)
    scaling_curve(frame, estimator=name, sizes=[0, 20], repeats=1, folds=3, **quick)
    assert 0 < in_compare < len(fitted)
    assert all(settings == fitted[0] for settings in fitted)
