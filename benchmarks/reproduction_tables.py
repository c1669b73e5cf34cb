"""Tables of docs/reproduction.md, from the stored results alone.

Usage: python benchmarks/reproduction_tables.py [imbalance spurious capacity ...]

Per experiment: how many published means lie within their published standard deviation, with the largest
relative difference; the median relative difference by data set; and the means of the last step. Of the capacity, the
divergence and the energy distance from each law by context rows.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from makeweight.experiments import Store, read_experiment
from makeweight.experiments.data import data_folder
from makeweight.experiments.spec import Experiment
from makeweight.experiments.tables import agreement, published_numbers, summarise

RESULTS = Path(__file__).resolve().parent / "results" / "reproduction"
NAMES = {"gpt2_finetuned": "GPT-2 *"}
LAST_STEP = ("classifier", "arm", "stage", "reproduced", "published", "within sd", "equal calibration", "AUROC")


def row(*cells: object) -> str:
    return f"| {' | '.join(str(cell) for cell in cells)} |"


def within(found: pd.DataFrame) -> Iterator[str]:
    """Say how often the published means come out."""
    yield row("arm", "classifier", "within sd", "largest relative difference")
    yield "|---|---|---:|---:|"
    for (learner, arm), part in found.groupby(["learner", "arm"]):
        inside = f"{int(part['within'].sum())} of {len(part)}"
        yield row(arm, learner, inside, f"{part['relative'].max():.4f}")
    yield ""
    yield row("data", "classifier", "arm", "median relative difference")
    yield "|---|---|---|---:|"
    for (data, learner, arm), part in found.groupby(["data", "learner", "arm"]):
        yield row(data, learner, arm, f"{part['relative'].median():.5f}")


def last_step(experiment: Experiment, found: pd.DataFrame) -> Iterator[str]:
    """Yield the means of the last step, a table per data set."""
    at_end = found[found["step"] == max(experiment.steps)]
    order = {arm: position for position, arm in enumerate(experiment.arms)}
    for data, part in at_end.groupby("data"):
        yield f"\n{data}:\n"
        yield row(*LAST_STEP)
        yield "|---|---|---|---:|---:|---:|---:|---:|"
        for learner in ("xgb", "rf"):
            own = part[part["learner"] == learner]
            for arm in sorted(own["arm"].unique(), key=order.__getitem__):
                for stage in ("raw", "balanced", "augmented"):
                    cells = own[(own["arm"] == arm) & (own["stage"] == stage)].set_index("metric")
                    if "bce" in cells.index and np.isfinite(cells.loc["bce", "mean"]):
                        yield line(learner, arm, stage, cells)


def line(learner: str, arm: str, stage: str, cells: pd.DataFrame) -> str:
    loss, told, verdict = cells.loc["bce"], "-", ""
    if np.isfinite(loss["published"]):
        told, verdict = (f"{loss['published']:.4f} (sd {loss['published_sd']:.4f})", "yes" if loss["within"] else "no")
    mean, ranking, auroc = (cells.loc[metric, "mean"] for metric in ("bce", "bce_ranking", "auroc"))
    return row(
        learner,
        NAMES.get(arm, arm),
        stage,
        f"{mean:.4f} ±{loss['half']:.4f}",
        told,
        verdict,
        f"{ranking:.3f}",
        f"{auroc:.3f}",
    )


def from_laws(experiment: Experiment, means: pd.DataFrame) -> Iterator[str]:
    """Yield a table per metric: law and generator by context rows, mean and 95 % interval over seeds."""
    for metric in experiment.metrics:
        part = means[means["metric"] == metric]
        steps = sorted(part["step"].unique())
        yield f"\n{metric}:\n"
        yield row("law", "generator", *(f"n = {step}" for step in steps))
        yield "|---|---|" + "---:|" * len(steps)
        for data in experiment.data:
            for arm in experiment.arms:
                own = part[(part["data"] == data) & (part["arm"] == arm)].set_index("step")
                if len(own):
                    yield row(data, arm, *(of_seeds(own.loc[step]) if step in own.index else "-" for step in steps))


def of_seeds(cell: pd.Series) -> str:
    if not np.isfinite(cell["mean"]):
        return "∞"
    return f"{cell['mean']:.4f}" + (f" ±{cell['half']:.4f}" if np.isfinite(cell["half"]) else "")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("experiments", nargs="*", default=["imbalance", "spurious"])
    folder = data_folder(None)
    for name in parser.parse_args().experiments:
        experiment = read_experiment(name)
        stored = summarise(Store(RESULTS / name).latest())
        if experiment.kind == "capacity":
            print(*from_laws(experiment, stored), sep="\n")
            continue
        found = agreement(stored, published_numbers(experiment, folder))
        found["relative"] = (found["mean"] - found["published"]).abs() / found["published"].abs()
        print(f"\n# {name}\n")
        print(*within(found[found["published"].notna() & found["mean"].notna()]), sep="\n")
        print(*last_step(experiment, found), sep="\n")


if __name__ == "__main__":
    main()
