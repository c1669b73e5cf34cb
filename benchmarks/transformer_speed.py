"""How long the in-context transformer takes: 1,000 rows of 15 columns from 500 context rows, and scaling.

    python benchmarks/transformer_speed.py [--weights FOLDER] [--threads N]

Prints seconds to load, to encode the contexts and to write, rows a second, and the peak of the process's
memory; then seconds for twice the rows, columns and context.
"""

from __future__ import annotations

import argparse
import resource
import sys
import time

import numpy as np
import torch

from makeweight.generators.transformer import weights
from makeweight.generators.transformer.decode import ColumnSpec, RowModel
from makeweight.generators.transformer.model import InContextModel


def measure(model: InContextModel, context: int, columns: int, rows: int) -> tuple[float, float]:
    """Seconds to encode four column orders of a table, and to write rows of its rare label."""
    rng = np.random.default_rng(0)
    values = rng.normal(size=(context, columns))
    coded = max(1, columns // 4)
    values[:, -coded:] = rng.integers(0, 5, (context, coded))
    table = np.concatenate([(rng.random((context, 1)) < 0.1).astype(float), values], axis=1)
    specs = [ColumnSpec(True)] + [ColumnSpec(column >= columns - coded) for column in range(columns)]
    began = time.perf_counter()
    reader = RowModel(model, table, specs, rng=rng)
    reader.prompt()
    encoded = time.perf_counter()
    reader.sample((1,), rows, rng)
    return encoded - began, time.perf_counter() - encoded


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--weights", default=str(weights.embedded()))
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    began = time.perf_counter()
    model, manifest = weights.load(options.weights)
    loading = time.perf_counter() - began
    encoding, writing = measure(model, 500, 15, 1000)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{manifest.config}, {options.threads} threads: load {loading:.2f} s, encode {encoding:.2f} s,")
    print(f"write {writing:.2f} s ({1000 / writing:.0f} rows a second), peak memory {peak:.0f} MB")
    for name, sizes in {
        "2,000 rows": (500, 15, 2000),
        "30 columns": (500, 30, 1000),
        "1,000 context rows": (1000, 15, 1000),
    }.items():
        encoding, writing = measure(model, *sizes)
        print(f"{name}: encode {encoding:.2f} s, write {writing:.2f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
