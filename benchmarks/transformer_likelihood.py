"""How likely are rows that were not shown? The transformer beside the closed form and the smoothed bootstrap.

    python benchmarks/transformer_likelihood.py [--weights FOLDER] [--tasks N]

Tables are drawn from the prior with seeds that no step of training and no validation uses. All three are
generators fitted to the same context rows, and are asked for the log-probability of 32 other rows given
their group (``log_prob``; a number counts with the mass of a tenth of a normal score's standard deviation, or
of its ties). Rows with a category that the context lacks are left out. Printed: nats per cell, lower is
better, and the mean difference of the transformer to the others with its standard error over tables.
"""

from __future__ import annotations

import argparse
import sys
from typing import Any

import numpy as np
import pandas as pd
import torch

from makeweight import Schema
from makeweight.generators.registry import resolve
from makeweight.generators.transformer import weights
from makeweight.generators.transformer.config import named
from makeweight.generators.transformer.prior import Shape, draw_tasks
from makeweight.table import Table
from transformer_protocol import closed_form

ROWS, COLUMNS = (20, 60, 200), (3, 8, 16)
FIRST_SEED = 777_000_000


def frames(rows: int, columns: int, seed: int) -> tuple[pd.DataFrame, pd.DataFrame, dict[str, str]]:
    """Context rows, rows to predict, and the kinds of the columns, of one table of the prior."""
    generator = torch.Generator().manual_seed(FIRST_SEED + 1000 * rows + 50 * columns + seed)
    tasks = draw_tasks(named("tiny").prior, Shape(1, rows, 32, columns + 1), generator)
    names = ["y", *(f"x{j}" for j in range(columns))]
    frame = pd.DataFrame(tasks.values[0].double().numpy(), columns=names)
    coded = tasks.categorical[0].tolist()
    kinds = {n: "categorical" if c else "continuous" for n, c in zip(names, coded, strict=True) if n != "y"}
    used = np.r_[np.ones(rows, dtype=bool), tasks.weight[0].numpy() > 0]
    known = frame["y"].isin(frame["y"][:rows])
    return frame[:rows], frame[rows:][(used & known)[rows:]], kinds


def per_cell(frame: pd.DataFrame, asked: pd.DataFrame, kinds: dict[str, str], arms: dict) -> dict | None:
    """Nats per cell of every arm; None where the table has nothing to compare by."""
    shown = frame.dropna(axis=1, how="all")
    kinds = {name: kind for name, kind in kinds.items() if name in shown}
    schema = Schema.infer(shown, target="y", kinds=kinds)
    if shown["y"].nunique() < 2 or not schema.learned or not len(asked):
        return None
    table = Table(shown.reset_index(drop=True), schema)
    told = {}
    for arm, (name, options) in arms.items():
        generator: Any = resolve(name, options)
        told[arm] = generator.fit(table, rng=np.random.default_rng(0)).log_prob(asked)
    both = np.all([np.isfinite(values) for values in told.values()], axis=0)
    if not both.any():
        return None
    return {arm: -float(values[both].mean()) / len(schema.learned) for arm, values in told.items()}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--weights", default=str(weights.embedded()))
    parser.add_argument("--tasks", type=int, default=12, help="tables per number of rows and columns")
    options = parser.parse_args()
    torch.set_num_threads(1)
    arms = {
        "smoothed bootstrap": ("smoothed-bootstrap", {}),
        "closed form": ("transformer", {"weights": closed_form(options.weights)}),
        "transformer": ("transformer", {"weights": options.weights}),
    }
    manifest = weights.read_manifest(options.weights)
    print(f"{manifest.config}, {manifest.steps} steps; nats per cell of {options.tasks} tables each")
    print("rows columns  " + "  ".join(f"{arm:>18s}" for arm in arms) + "   transformer against the others")
    for rows in ROWS:
        for columns in COLUMNS:
            found = [per_cell(*frames(rows, columns, seed), arms) for seed in range(options.tasks)]
            lines = pd.DataFrame([line for line in found if line is not None])
            means = "  ".join(f"{lines[arm].mean():18.3f}" for arm in arms)
            gaps = []
            for arm in list(arms)[:2]:
                gap = lines["transformer"] - lines[arm]
                gaps.append(f"{gap.mean():+.3f} ±{gap.sem():.3f}")
            print(f"{rows:4d} {columns:7d}  {means}   {'  '.join(gaps)}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
