"""Tables of extreme shapes through the transformer: does it write them, how long, with how much memory?

    python benchmarks/transformer_shapes.py [--weights FOLDER] [--only NAME ...]

Every table is balanced in a process of its own; the memory is the peak of that process, less what it has
after the imports.
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import sys
import time

import numpy as np
import pandas as pd


def labelled(frame: pd.DataFrame, share: float = 0.1) -> pd.DataFrame:
    return frame.assign(y=np.where(np.arange(len(frame)) < max(2, share * len(frame)), "rare", "common"))


def numbers(rows: int, columns: int) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    values = rng.normal(size=(rows, columns)) @ rng.normal(size=(columns, columns)) / columns**0.5
    return pd.DataFrame(values.round(2), columns=[f"x{j}" for j in range(columns)])


def dates_and_gaps() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    frame = numbers(400, 4)
    frame["when"] = pd.Timestamp("2024-03-01") + pd.to_timedelta(rng.integers(0, 10**6, 400), unit="min")
    frame["day"] = pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 900, 400), unit="D")
    frame["flag"] = rng.random(400) < 0.3
    frame["job"] = rng.choice(["cook", "clerk"], 400)
    return frame.mask(rng.random(frame.shape) < 0.25)


def many_categories(rows: int, values: int, columns: int) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    names = np.array([f"v{i}" for i in range(values)])
    return pd.DataFrame({f"c{j}": names[rng.permutation(rows) % values] for j in range(columns)})


def tables() -> dict[str, tuple[pd.DataFrame, tuple[str, ...], dict[str, str]]]:
    rng = np.random.default_rng(0)
    labels = numbers(2_000, 8).assign(y=[f"label {i}" for i in (50 * rng.random(2_000) ** 2).astype(int)])
    cells = labelled(numbers(1_500, 6)).assign(sex=rng.choice(["f", "m"], 1_500), race=rng.choice(5, 1_500))
    kinds = {f"c{j}": "categorical" for j in range(3)}
    return {
        "1 column": (labelled(numbers(200, 1)), (), {}),
        "10 rows": (labelled(numbers(10, 5), 0.3), (), {}),
        "250 columns": (labelled(numbers(600, 250)), (), {}),
        "6,000 rows": (labelled(numbers(6_000, 15)), (), {}),
        "100,000 rows, to 12,000": (labelled(numbers(100_000, 10)), (), {}),
        "50 labels": (labels, (), {}),
        "label x 2 attributes": (cells, ("sex", "race"), {}),
        "3 columns of 5,000 categories": (labelled(many_categories(10_000, 5_000, 3)), (), kinds),
        "dates, flags, a quarter missing": (labelled(dates_and_gaps()), (), {}),
    }


def measure(name: str, folder: str | None, out: multiprocessing.Queue) -> None:
    import torch

    from makeweight import Limits
    from makeweight.generators.registry import resolve
    from makeweight.sampler import balance

    torch.set_num_threads(1)
    frame, group_by, kinds = tables()[name]
    options = {} if folder is None else {"weights": folder}
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    began, spent = time.perf_counter(), time.process_time()
    strategy = {"rare": 12_000} if "12,000" in name else "auto"
    made = balance(
        frame,
        target="y",
        group_by=group_by,
        kinds=kinds,
        generator=resolve("transformer", options),
        sampling_strategy=strategy,
        limits=Limits(copies="accept"),
        random_state=0,
    )
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    out.put((len(made.frame), time.perf_counter() - began, time.process_time() - spent, peak - before))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--weights", default=None)
    parser.add_argument("--only", nargs="+", default=None)
    options = parser.parse_args()
    context = multiprocessing.get_context("spawn")
    print(f"{'table':34s} {'rows written':>12s} {'seconds':>8s} {'of CPU':>8s} {'MB more':>8s}")
    for name in options.only or tables():
        out: multiprocessing.Queue = context.Queue()
        process = context.Process(target=measure, args=(name, options.weights, out))
        process.start()
        process.join()
        if process.exitcode:
            print(f"{name:34s} failed with exit code {process.exitcode}")
            continue
        rows, seconds, spent, memory = out.get()
        print(f"{name:34s} {rows:12,d} {seconds:8.1f} {spent:8.1f} {memory:8.0f}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
