"""Tables from stored results: means, intervals, how many runs are behind them, and the published numbers."""

from __future__ import annotations

import json
from collections.abc import Hashable, Iterator, Mapping
from dataclasses import asdict, fields
from pathlib import Path

import numpy as np
import pandas as pd
from pandas.api.typing import SeriesGroupBy
from scipy.stats import t as student

from makeweight.experiments.records import DONE, FAILED
from makeweight.experiments.spec import Experiment, PublishedNumber

__all__ = ["DIFFERENCES", "agreement", "published_numbers", "summarise", "versus", "worth"]

#: What identifies a mean.
CELL = ["data", "learner", "arm", "step", "stage", "metric"]
LEVEL = 0.95
STAGES = {"imbalance_base": "raw", "balance_base": "balanced", "balance_augment": "augmented"}
NAMES = {
    "balanced_cross_entropy": "bce",
    "min_cross_entropy": "min_ce",
    "balanced_log_cross_entropy": "log_bce",
    "min_log_cross_entropy": "log_min_ce",
}
#: Of the file of published results: arm, metric, step and statistic to a number, by classifier.
ByLearner = Mapping[str, Mapping[str, Mapping[str, Mapping[str, Mapping[str, float]]]]]
#: By kind: metric and stage in which arms are compared with doing nothing, and what to call it.
DIFFERENCES = {
    "same-information": [
        ("bce_ranking", "ranking", "balanced log-loss, equal calibration on test halves"),
        ("auroc", "ranking", "AUROC"),
        ("bce", "platt", "balanced log-loss after balanced Platt scaling out of fold"),
    ],
    "opal": [
        ("error", "balanced", "error on the test rows"),
        ("bce_ranking", "balanced", "balanced log-loss, equal calibration on test halves"),
    ],
    "simulation": [
        ("bce", "platt", "balanced log-loss after balanced Platt scaling out of fold"),
        ("auroc", "ranking", "AUROC"),
    ],
}
NOTHING = "nothing"
#: Half of the last digit that is published.
ROUNDING = 5e-6


def summarise(rows: pd.DataFrame) -> pd.DataFrame:
    """Return means over seeds.

    Per cell of data, classifier, arm, step, stage and metric there is a row: ``mean``, ``sd`` over seeds as published
    (divided by n), ``half``, half the length of the 95 % t-interval, ``n`` seeds, and ``failed``, the tasks of the
    same data, classifier, arm and step that have no result.

    >>> from makeweight.experiments.store import Store
    >>> summarise(Store(Path("nowhere")).read()).empty
    True
    """
    done = rows[rows["status"] == DONE]
    logs = done[done["metric"].isin(["bce", "min_ce"])].copy()
    logs["value"], logs["metric"] = np.log(logs["value"]), "log_" + logs["metric"]
    grouped = pd.concat([done, logs]).groupby(CELL, sort=False)["value"]
    means = grouped.agg(mean="mean", n="size").reset_index()
    means["sd"] = grouped.std(ddof=0).to_numpy()
    means["half"] = half_interval(grouped)
    where = ["data", "learner", "arm", "step"]
    failed = rows[rows["status"] == FAILED].groupby(where).size().rename("failed").reset_index()
    means = means.merge(failed, on=where, how="outer")
    return means.fillna({"n": 0, "failed": 0}).astype({"n": "int64", "failed": "int64"})


def half_interval(grouped: SeriesGroupBy[float, tuple[Hashable, ...]]) -> np.ndarray:
    """Return half the length of the 95 % t-interval of every group's mean; NaN for a single value."""
    n = grouped.size().to_numpy(dtype=float)
    with np.errstate(invalid="ignore", divide="ignore"):
        error = grouped.std().to_numpy() / np.sqrt(n)
        return np.where(n > 1, student.ppf((1 + LEVEL) / 2, n - 1) * error, np.nan)


def versus(rows: pd.DataFrame, metric: str, stage: str) -> pd.DataFrame:
    """Return paired differences to doing nothing, seed by seed, with 95 % t-intervals.

    Per data, classifier and arm there is a row: ``difference``, ``half``, ``n``. Negative is less than doing nothing.
    Simulated cells are paired one by one and joined by their law.
    """
    chosen = rows[(rows["status"] == DONE) & (rows["metric"] == metric) & (rows["stage"] == stage)]
    chosen = chosen.assign(cell=chosen["data"], data=chosen["data"].str.split(" ").str[0])
    pair = ["cell", "learner", "seed"]
    base = chosen.loc[chosen["arm"] == NOTHING, [*pair, "value"]]
    both = chosen[chosen["arm"] != NOTHING].merge(base, on=pair, suffixes=("", "_nothing"))
    both["difference"] = both["value"] - both["value_nothing"]
    grouped = both.groupby(["data", "learner", "arm"], sort=False)["difference"]
    differences = grouped.agg(difference="mean", n="size").reset_index()
    return differences.assign(half=half_interval(grouped))


def worth(rows: pd.DataFrame) -> pd.DataFrame:
    """Return how many times the real rare rows would have done what an arm does, in simulations.

    Per law, classifier and arm there is a row with ``times``, read off the straight lines between the mean losses
    after Platt scaling of the arms ``nothing``, ``real-x2`` and ``real-x4`` against the logarithm of the factor. Below
    1 the arm does harm. It is infinite where an arm does better than four times the rows, and zero where it does worse
    than half of them would.
    """
    chosen = rows[(rows["status"] == DONE) & (rows["metric"] == "bce") & (rows["stage"] == "platt")]
    chosen = chosen.assign(data=chosen["data"].str.split(" ").str[0])
    lines = []
    for (data, learner), part in chosen.groupby(["data", "learner"], sort=False):
        means = part.groupby("arm", sort=False)["value"].mean()
        if not {NOTHING, "real-x2", "real-x4"} <= set(means.index):
            continue
        one, two, four = (float(means[arm]) for arm in (NOTHING, "real-x2", "real-x4"))
        if not one > two > four:
            continue  # more real rows do not help: nothing to compare with
        losses, logs = [four, two, one, 2 * one - two], [2.0, 1.0, 0.0, -1.0]
        for arm, mean in means.items():
            if arm not in (NOTHING, "real-x2", "real-x4"):
                power = np.interp(mean, losses, logs, left=np.inf, right=-np.inf)
                lines.append({"data": data, "learner": learner, "arm": arm, "times": float(2.0**power)})
    return pd.DataFrame(lines, columns=["data", "learner", "arm", "times"])


def published_numbers(experiment: Experiment, folder: Path) -> pd.DataFrame:
    """Return the published numbers that belong to an experiment.

    They have the columns of a cell, ``published`` and ``published_sd``. Without ``paper/published_results.json`` in
    the folder there are only those that the experiment's file states.
    """
    numbers = list(experiment.published)
    path = folder / "paper" / "published_results.json"
    if experiment.kind == "published" and path.exists():
        content = json.loads(path.read_text(encoding="utf-8"))
        task = {"imbalance": "imbalanced_class", "spurious": "spurious_corr"}[experiment.settings.task]
        vary = {"ratio": "ratio", "augmentation": "additional"}[experiment.settings.vary]
        for data in experiment.data:
            numbers += _of_file(data, content.get(data, {}).get(task, {}).get(vary, {}))
    columns = [column.name for column in fields(PublishedNumber)]
    return pd.DataFrame(map(asdict, numbers), columns=columns).drop_duplicates(CELL)


def _of_file(data: str, by_learner: ByLearner) -> Iterator[PublishedNumber]:
    for learner, by_arm in by_learner.items():
        for arm, by_metric in by_arm.items():
            for metric, by_step in by_metric.items():
                for step, values in by_step.items():
                    name = NAMES[metric]
                    if "train_all_augment" in values:
                        yield PublishedNumber(data, learner, "real-rows", 0, "real", name, values["train_all_augment"])
                    for key, stage in STAGES.items():
                        if f"{key}_mean" in values:
                            whose, mean, sd = "nothing" if stage == "raw" else arm, f"{key}_mean", f"{key}_std"
                            cell = (data, learner, whose, int(step), stage, name)
                            yield PublishedNumber(*cell, values[mean], values[sd])


def agreement(summary: pd.DataFrame, published: pd.DataFrame) -> pd.DataFrame:
    """Return the reproduced means with the published numbers beside them.

    The further columns are ``published``, ``published_sd``, ``difference`` and ``within``: whether the difference is at
    most the published standard deviation (None where none is published).
    """
    both = summary.merge(published, on=CELL, how="left")
    both["difference"] = both["mean"] - both["published"]
    within = both["difference"].abs() <= both["published_sd"] + ROUNDING
    both["within"] = within.astype(object).where(both["published_sd"].notna() & both["mean"].notna(), None)
    return both
