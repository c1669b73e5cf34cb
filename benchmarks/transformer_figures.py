"""Pictures for docs/pretraining.md: tables that the prior draws, and the validation curve.

    python benchmarks/transformer_figures.py [--run FOLDER] [-o docs]

The folder of a run holds ``validation.csv`` and ``best/manifest.json`` (or ``manifest.json``).
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import matplotlib as mpl
import numpy as np
import torch

from makeweight.generators.transformer.config import PRIOR_VERSION, named
from makeweight.generators.transformer.figures import draw_curve
from makeweight.generators.transformer.prior import Shape, draw_tasks

mpl.use("Agg")
import matplotlib.pyplot as plt

TABLES, COLUMNS, ROWS = 4, 6, 300


def picture_of_the_prior(path: Path) -> None:
    """Per table: label shares, then each column against the next, coloured by label."""
    generator = torch.Generator().manual_seed(11)
    shape = Shape(TABLES, ROWS, 8, COLUMNS + 1)
    tasks = draw_tasks(named("tiny").prior, shape, generator)
    figure, axes = plt.subplots(TABLES, COLUMNS, figsize=(2 * COLUMNS, 1.9 * TABLES))
    jitter = np.random.default_rng(0)
    for table, row in enumerate(axes):
        values = tasks.values[table, :ROWS].numpy()
        labels = values[:, 0].astype(int)
        row[0].bar(*np.unique(labels, return_counts=True), color="0.4")
        row[0].set_ylabel(f"table {table + 1}")
        row[0].set_title("rows per label" if table == 0 else "", fontsize=9)
        for column, axis in zip(range(1, COLUMNS), row[1:], strict=True):
            pair = values[:, [column, column + 1]].copy()
            kinds = []
            for side, number in enumerate((column, column + 1)):
                coded = bool(tasks.categorical[table, number])
                given = bool(tasks.given[table, number])
                kinds.append("attribute" if given else "category" if coded else "number")
                if coded:
                    pair[:, side] += jitter.uniform(-0.3, 0.3, ROWS)
            axis.scatter(pair[:, 0], pair[:, 1], c=labels % 10, cmap="tab10", vmin=0, vmax=9, s=4, lw=0)
            missing = np.isnan(values[:, column]).mean()
            note = f", {missing:.0%} missing" if missing else ""
            axis.set_title(f"{kinds[0]}{note} → {kinds[1]}", fontsize=7)
        for axis in row:
            axis.tick_params(labelsize=6)
    figure.tight_layout()
    figure.savefig(path, dpi=80)
    plt.close(figure)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", default="pretraining", type=Path)
    parser.add_argument("-o", "--output", default="docs", type=Path)
    options = parser.parse_args()
    picture_of_the_prior(options.output / "pretraining-prior.png")
    print(f"prior version {PRIOR_VERSION}: {options.output / 'pretraining-prior.png'}")
    if (options.run / "validation.csv").exists():
        draw_curve(options.run, options.output / "pretraining-curve.png")
        print(f"curve of {options.run}: {options.output / 'pretraining-curve.png'}")
    else:
        print(f"skipped the curve: no run at {options.run}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
