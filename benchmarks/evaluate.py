"""How long does a comparison take on 10,000 rows x 20 columns, and does it keep its budget?

    python benchmarks/evaluate.py [--generator transformer] [--max-seconds 300] [--jobs 2] [--splits N]

A table of 16 numeric and 4 categorical columns with one rare row in ten. Prints seconds per arm and
split, and what was cut.
"""

import argparse
import json
import os
import platform
import time
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.datasets import make_classification

from makeweight.evaluation import Design, compare
from makeweight.generators import DEFAULT_GENERATOR

RESULTS = Path(__file__).resolve().parent / "results" / "evaluate.json"


def table(rows=10_000, columns=20, seed=0):
    """Return a mixed table with one rare row in ten."""
    X, y = make_classification(
        rows, columns, n_informative=columns // 2, n_clusters_per_class=3, weights=[0.9], flip_y=0.02, random_state=seed
    )
    frame = pd.DataFrame(X.round(3), columns=[f"x{i}" for i in range(columns)])
    for name in frame.columns[-columns // 5 :]:
        frame[name] = np.array(list("abcdef"))[np.digitize(frame[name], [-2, -1, 0, 1, 2])]
    return frame.assign(y=np.where(y == 1, "rare", "common"))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--columns", type=int, default=20)
    parser.add_argument("--max-seconds", type=float, default=300, help="no limit with --splits")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--splits", type=int)
    parser.add_argument("--generator", default=DEFAULT_GENERATOR)
    options = parser.parse_args()
    frame = table(options.rows, options.columns)
    start = time.perf_counter()
    found = compare(
        frame,
        target="y",
        generator=options.generator,
        max_seconds=options.max_seconds if options.splits is None else None,
        n_jobs=options.jobs,
        design=Design(splits=options.splits),
        progress=lambda p: print(f"{p.done}/{p.total} {p.seconds:.0f} s, {p.seconds_left:.0f} s left"),
    )
    seconds = time.perf_counter() - start
    records = pd.DataFrame(
        [asdict(r) for e in found.scores.estimators for a in found.scores.arms for r in found.scores.records(e, a.name)]
    )
    per_source = records.groupby("source")["task_seconds"].sum() / len(found.splits)
    fits = records.groupby(["arm", "estimator"])["seconds"].mean().unstack().round(2)
    print(per_source.round(2).to_string())
    print(fits.to_string())
    print(f"{seconds:.0f} s, {len(found.splits)} splits; cut: {list(found.cut)}")
    print(found.verdict.sentence)
    result = {
        "generator": options.generator,
        "rows": options.rows,
        "columns": options.columns,
        "max_seconds": options.max_seconds,
        "jobs": options.jobs,
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "seconds": round(seconds, 1),
        "splits": len(found.splits),
        "cut": list(found.cut),
        "seconds_per_split": {name: round(float(value), 2) for name, value in per_source.items()},
        "verdict": found.verdict.sentence,
    }
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
