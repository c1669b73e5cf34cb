"""Time and peak memory of balancing against rows and columns.

    python benchmarks/scaling.py [--generator smoothed-bootstrap] [--full]

Prints the curves, the exponents of time = a * size^b, and for 1,000,000 x 20 the peak memory on top of the
caller's frame, as a multiple of the frame's own memory. Every point runs in a process of its own.
"""

import argparse
import json
import platform
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np

RESULTS = Path(__file__).parent / "results" / "scaling.json"


def make_frame(n_rows, n_columns, rare_share, seed=0):
    """Half continuous, a quarter integer and a quarter categorical columns, and a label."""
    import pandas as pd

    rng = np.random.default_rng(seed)
    shift = (np.arange(n_rows) < rare_share * n_rows) * 0.7
    columns = {}
    for j in range(n_columns):
        if j % 4 == 3:
            codes = rng.integers(0, 8, n_rows)
            columns[f"c{j}"] = pd.Categorical.from_codes(codes, list("abcdefgh"))
        elif j % 4 == 2:
            columns[f"c{j}"] = rng.poisson(30 + 10 * shift)
        else:
            columns[f"c{j}"] = rng.normal(size=n_rows) + shift
    y = np.where(shift > 0, "rare", "common")
    return pd.DataFrame(columns), pd.Series(pd.Categorical(y))


class Peak:
    """Highest resident memory while the block runs, sampled every few milliseconds."""

    def __enter__(self):
        import psutil

        self._process, self._stop = psutil.Process(), threading.Event()
        self.before = self.highest = self._process.memory_info().rss
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()
        return self

    def _watch(self):
        while not self._stop.wait(0.005):
            self.highest = max(self.highest, self._process.memory_info().rss)

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join()


def measure(generator, n_rows, n_columns, rare_share):
    from makeweight import SyntheticOverSampler

    small = make_frame(400, 4, 0.2)
    SyntheticOverSampler(generator=generator, random_state=0).fit_resample(*small)  # imports are not measured
    X, y = make_frame(n_rows, n_columns, rare_share)
    size = int(X.memory_usage(deep=True).sum() + y.memory_usage(deep=True))
    with Peak() as peak:
        start = time.perf_counter()
        sampler = SyntheticOverSampler(generator=generator, random_state=0)
        X_res, _ = sampler.fit_resample(X, y)
        seconds = time.perf_counter() - start
    return {
        "rows": n_rows,
        "columns": n_columns,
        "written": len(X_res) - n_rows,
        "seconds": round(seconds, 3),
        "frame_mb": round(size / 1e6, 1),
        "extra_mb": round((peak.highest - peak.before) / 1e6, 1),
        "extra_per_frame": round((peak.highest - peak.before) / size, 2),
    }


def in_a_process(*arguments):
    command = [sys.executable, __file__, "--point", *map(str, arguments)]
    return json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def exponent(points, size):
    return float(np.polyfit(np.log([p[size] for p in points]), np.log([p["seconds"] for p in points]), 1)[0])


def show(points):
    for p in points:
        print(
            f"{p['rows']:>9,} x {p['columns']:<3} {p['written']:>9,} written {p['seconds']:8.2f} s "
            f"frame {p['frame_mb']:7.1f} MB  "
            f"extra {p['extra_mb']:7.1f} MB = {p['extra_per_frame']:.2f} x frame",
            flush=True,
        )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--generator", default="smoothed-bootstrap")
    parser.add_argument("--share", type=float, default=0.2, help="share of rare rows")
    parser.add_argument("--point", nargs=4, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.point:
        name, rows, columns, share = options.point
        print(json.dumps(measure(name, int(rows), int(columns), float(share))))
        return
    rows, columns = [], []
    for n_rows in (30_000, 100_000, 300_000, 1_000_000):
        rows.append(in_a_process(options.generator, n_rows, 20, options.share))
        show(rows[-1:])
    for n_columns in (10, 20, 40, 80, 160):
        columns.append(in_a_process(options.generator, 50_000, n_columns, options.share))
        show(columns[-1:])
    result = {
        "command": " ".join(["python", "benchmarks/scaling.py", *sys.argv[1:]]),
        "machine": f"{platform.machine()}, {platform.system()}, Python {platform.python_version()}",
        "generator": options.generator,
        "rare_share": options.share,
        "by_rows": rows,
        "by_columns": columns,
        "exponent_rows": round(exponent(rows, "rows"), 3),
        "exponent_columns": round(exponent(columns, "columns"), 3),
        "peak_per_frame_at_1e6": rows[-1]["extra_per_frame"],
    }
    print(f"time grows as rows^{result['exponent_rows']:.2f} and columns^{result['exponent_columns']:.2f}")
    print(f"peak memory at 1,000,000 x 20: {result['peak_per_frame_at_1e6']:.2f} x the frame")
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
