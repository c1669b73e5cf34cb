"""Grouping attributes are named alike at every seam: one column, several, or none."""

import numpy as np
import pandas as pd
import pytest

from makeweight import QualityReport, Schema, Synthesizer, SyntheticOverSampler, balance
from makeweight.evaluation import Design, compare, scaling_curve
from makeweight.partitioned import balance_partitions

pytestmark = pytest.mark.usefixtures("quick_comparisons")

QUICK = {"generator": "smoothed-bootstrap", "random_state": 0}
DESIGN = Design(splits=2, folds=3)


@pytest.fixture
def frame() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    y = np.repeat(["common", "rare"], [90, 30])
    return pd.DataFrame({"x": rng.normal(size=120) + (y == "rare"), "sex": rng.choice(["f", "m"], 120), "y": y})


def resampled(frame, group_by):
    sampler = SyntheticOverSampler("smoothed-bootstrap", group_by=group_by, random_state=0)
    X, _ = sampler.fit_resample(frame[["x", "sex"]], frame["y"])
    return len(X), sampler.generation_.plan.columns[1:]


def partitioned(frame, group_by, folder):
    frame.to_parquet(folder / "part.parquet")
    done = balance_partitions(folder / "part.parquet", folder / "out", target="y", group_by=group_by, **QUICK)
    return done.ledger.accepted


def reported(frame, group_by):
    report = QualityReport(frame, frame[:40], target="y", group_by=group_by).to_dict()
    return {name: value for name, value in report.items() if name != "seconds"}


def compared(frame, group_by):
    arms = ["nothing", "smoothed-bootstrap"]
    return compare(frame, target="y", group_by=group_by, arms=arms, estimators="lr", design=DESIGN, **QUICK).problem


def scaled(frame, group_by):
    options = {"sizes": [0, 40], "repeats": 2, "folds": 2, **QUICK}
    return scaling_curve(frame, target="y", group_by=group_by, **options).risks.tolist()


SEAMS = {
    "Schema": lambda frame, by, _: Schema.infer(frame, target="y", group_by=by).group_by,
    "balance": lambda frame, by, _: balance(frame, target="y", group_by=by, **QUICK).plan.columns,
    "SyntheticOverSampler": lambda frame, by, _: resampled(frame, by),
    "Synthesizer": lambda frame, by, _: Synthesizer("smoothed-bootstrap").fit(frame, "y", by).schema_.group_by,
    "QualityReport": lambda frame, by, _: reported(frame, by),
    "compare": lambda frame, by, _: compared(frame, by),
    "scaling_curve": lambda frame, by, _: scaled(frame, by),
    "balance_partitions": lambda frame, by, folder: partitioned(frame, by, folder),
}


@pytest.mark.parametrize("seam", SEAMS)
@pytest.mark.parametrize(
    ("name", "other"), [(lambda: "sex", ["sex"]), (lambda: None, []), (lambda: iter(["sex"]), ["sex"])]
)
def test_one_column_several_or_none(frame, seam, name, other, tmp_path):
    folders = [tmp_path / name for name in ("one", "other")]
    for folder in folders:
        folder.mkdir()
    first, second = (SEAMS[seam](frame, by, folder) for by, folder in zip((name(), other), folders, strict=True))
    first, second = (value.group_by if hasattr(value, "group_by") else value for value in (first, second))
    assert first == second
