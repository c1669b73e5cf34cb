"""A picture of rows: real, SMOTE, smoothed bootstrap and transformer, side by side.

    python benchmarks/transformer_rows.py [--weights FOLDER] [-o docs/transformer-rows.png]

adult_census: 1,000 rows of which 100 earn more than 50K. Every panel shows as many rows of that group: hours
per week against age, and occupations; the first panel shows real rows that no generator has seen.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd

from makeweight.generators.fill import Limits
from makeweight.generators.registry import resolve
from makeweight.generators.transformer import weights
from makeweight.sampler import balance
from quality import DATA

mpl.use("Agg")
import matplotlib.pyplot as plt

TARGET, RARE, COMMON, SEEN = "income", ">50K", "<=50K", 100
WRITTEN = 800
NUMBERS = ["age", "education.num", "capital.gain", "capital.loss", "hours.per.week"]
EVERYTHING = [*NUMBERS, "workclass", "marital.status", "occupation", "sex", "race"]


def rows(name: str, seen: pd.DataFrame, folder: str) -> pd.DataFrame:
    """Rows of the rare label by a generator."""
    options = {"weights": folder} if name == "transformer" else {}
    wanted = {RARE: SEEN + WRITTEN, COMMON: int((seen[TARGET] == COMMON).sum())}
    made = balance(
        seen,
        target=TARGET,
        generator=resolve(name, options),
        sampling_strategy=wanted,
        limits=Limits(copies="accept"),
        random_state=0,
    )
    return made.frame


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--weights", default=str(weights.embedded()))
    parser.add_argument("-o", "--output", type=Path, default=Path("docs/transformer-rows.png"))
    options = parser.parse_args()
    if not DATA.is_dir():
        print(f"skipped: no tables in {DATA}", file=sys.stderr)
        return 0
    frame = pd.read_csv(DATA / "real" / "adult_census.csv").replace("?", None)[[*EVERYTHING, TARGET]]
    rare = frame[frame[TARGET] == RARE].sample(SEEN + WRITTEN, random_state=0)
    common = frame[frame[TARGET] == COMMON].sample(900, random_state=0)
    seen = pd.concat([rare.iloc[:SEEN], common], ignore_index=True)
    panels = {
        "real rows, never shown": rare.iloc[SEEN:],
        "SMOTENC": rows("smotenc", seen, options.weights),
        "smoothed bootstrap": rows("smoothed-bootstrap", seen, options.weights),
        "transformer": rows("transformer", seen, options.weights),
    }
    figure, axes = plt.subplots(2, 4, figsize=(12, 5.6), height_ratios=(3, 2), layout="constrained")
    jobs = panels["real rows, never shown"]["occupation"].value_counts().index[:8]
    for number, (name, part) in enumerate(panels.items()):
        axis, bars = axes[:, number]
        women = (part["sex"] == "Female").to_numpy()
        for chosen, colour, label in ((~women, "C0", "men"), (women, "C1", "women")):
            axis.scatter(
                part["age"][chosen], part["hours.per.week"][chosen], s=7, c=colour, alpha=0.55, lw=0, label=label
            )
        axis.set(title=name, xlim=(15, 92), ylim=(0, 101), xlabel="age")
        whole = np.mean(part["hours.per.week"] == 40)
        gains = np.mean(part["capital.gain"] > 0)
        note = f"{whole:.0%} work 40 hours\n{gains:.0%} have a capital gain\n{women.mean():.0%} women"
        axis.text(
            0.97,
            0.03,
            note,
            transform=axis.transAxes,
            ha="right",
            va="bottom",
            fontsize=8,
            bbox={"facecolor": "white", "alpha": 0.8, "lw": 0, "pad": 2},
        )
        shares = part["occupation"].value_counts(normalize=True).reindex(jobs).fillna(0)
        bars.barh(range(len(jobs)), shares, color="0.55")
        bars.set(xlim=(0, 0.42), xlabel="share of rows")
        bars.set_yticks(range(len(jobs)), jobs if number == 0 else [""] * len(jobs), fontsize=8)
        bars.invert_yaxis()
        if number == 0:
            axis.set_ylabel("hours per week")
            axis.legend(loc="upper right", fontsize=8, markerscale=2)
    figure.suptitle(
        f"{WRITTEN} rows of income >50K; every generator saw {SEEN} real ones, and 900 of the other label", fontsize=11
    )
    figure.savefig(options.output, dpi=90)
    print(f"written to {options.output}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
