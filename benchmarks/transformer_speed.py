"""How long the in-context transformer takes, how much memory, and how near to the processor's peak it works.

    python benchmarks/transformer_speed.py [--weights FOLDER] [--threads N]

Prints, for 1,000 rows of 15 columns from 500 context rows (one context of all rows, four column orders), the
seconds to load, to encode and to write, the peak of the process's memory, and the share of the measured rate
of a large matrix product that writing reaches; the same for twice the rows, columns and context; then the
time from the start of the interpreter to a balanced table, with the defaults of the generator. Seconds are of
the wall clock and, in brackets, of the processor: on a shared machine only the latter can be compared.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import time

import numpy as np
import torch

from makeweight.generators.transformer import weights
from makeweight.generators.transformer.contexts import ColumnSpec
from makeweight.generators.transformer.decode import RowModel
from makeweight.generators.transformer.model import InContextModel
from quality import DATA

WHOLE = """
import sys, time
from makeweight.sampler import balance
import pandas as pd
frame = pd.read_csv(sys.argv[1])
made = balance(frame, target=sys.argv[2], generator="transformer", limits=Limits(copies="accept"), random_state=0,
               options={"weights": sys.argv[3]})
print(len(frame), len(made.frame), time.process_time())
"""


class Clock:
    """Seconds of the wall clock and of the processor since it was made."""

    def __init__(self) -> None:
        self.wall, self.spent = time.perf_counter(), time.process_time()

    def read(self) -> tuple[float, float]:
        return time.perf_counter() - self.wall, time.process_time() - self.spent


def told(seconds: tuple[float, float]) -> str:
    return f"{seconds[0]:.2f} s ({seconds[1]:.2f})"


def measure(model: InContextModel, context: int, columns: int, rows: int) -> list[tuple[float, float]]:
    """Seconds to encode four column orders of a table, and to write rows of its rare label."""
    rng = np.random.default_rng(0)
    values = rng.normal(size=(context, columns))
    coded = max(1, columns // 4)
    values[:, -coded:] = rng.integers(0, 5, (context, coded))
    table = np.concatenate([(rng.random((context, 1)) < 0.1).astype(float), values], axis=1)
    specs = [ColumnSpec(True)] + [ColumnSpec(column >= columns - coded) for column in range(columns)]
    clock = Clock()
    reader = RowModel(model, table, specs, orders=4, max_context=context, rng=rng)
    reader.prompt()
    encoding, clock = clock.read(), Clock()
    reader.sample((1,), rows, rng)
    return [encoding, clock.read()]


def operations(model: InContextModel, context: int, columns: int, rows: int) -> float:
    """Floating-point operations of the matrix products that writing takes."""
    width, layers = model.config.width, model.config.layers
    product = 2 * width * width
    attention = 4 * width * (context + columns / 2)
    network = 4 * width * width * model.config.expansion
    asked = layers * (4 * product + attention + network)  # q o along columns, q o along rows
    asked += 2 * width * (model.config.bins + width)  # heads
    kept = (layers - 1) * (6 * product + attention + network) + 3 * product  # k v as well, and alone in the last
    return rows * columns * (asked + kept)  # the label is not asked for, nor the last column kept


def peak() -> float:
    """Operations a second of the processor in a product of large matrices."""
    a = torch.randn(1_500, 1_500)
    best = np.inf
    for _ in range(5):
        clock = Clock()
        a @ a
        best = min(best, clock.read()[1])
    return 2 * 1_500**3 / best


def whole(name: str, folder: str) -> None:
    """From the start of the interpreter to a balanced table."""
    import tempfile

    import pandas as pd

    if name == "craft":
        common = pd.read_csv(DATA / "paper" / "craft" / "train0.csv").sample(900, random_state=0)
        frame, target = pd.concat([pd.read_csv(DATA / "paper" / "craft" / "seed.csv"), common]), "Target"
    else:
        frame = pd.read_csv(DATA / "real" / "adult_census.csv").sample(5_000, random_state=0)
        target = "income"
    with tempfile.TemporaryDirectory() as place:
        path = f"{place}/table.csv"
        frame.to_csv(path, index=False)
        began = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-c", WHOLE, path, target, folder], capture_output=True, text=True, check=True
        )
        seconds = time.perf_counter() - began
    real, written, spent = done.stdout.split()
    print(f"{name}, {real} real rows, {written} written: {told((seconds, float(spent)))}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--weights", default=str(weights.embedded()))
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    clock = Clock()
    model, manifest = weights.load(options.weights)
    loading = clock.read()
    best = peak()
    sizes = (500, 15, 1_000)
    encoding, writing = measure(model, *sizes)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    rate = operations(model, *sizes) / writing[1]
    print(f"{manifest.config}, {options.threads} threads: load {told(loading)}, encode {told(encoding)},")
    print(f"write {told(writing)}, {1000 / writing[1]:.0f} rows a second of CPU, peak memory {memory:.0f} MB")
    print(f"writing: {rate / 1e9:.0f} of {best / 1e9:.0f} GFLOP/s of a large matrix product, {rate / best:.0%}")
    for name, size in {
        "2,000 rows": (500, 15, 2_000),
        "30 columns": (500, 30, 1_000),
        "1,000 context": (1_000, 15, 1_000),
    }.items():
        encoding, writing = measure(model, *size)
        print(f"{name}: encode {told(encoding)}, write {told(writing)}")
    if DATA.is_dir():
        os.environ["OMP_NUM_THREADS"] = str(options.threads)
        for name in ("craft", "adult"):
            whole(name, options.weights)
    return 0


if __name__ == "__main__":
    sys.exit(main())
