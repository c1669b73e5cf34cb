"""Peak memory of a worker and rows per second against the length of the table.

    python benchmarks/partitioned.py [--rows 500000 1000000 5000000] [--folder FOLDER]

Every length is written as part files of 100,000 rows, and balanced on a Dask cluster of one worker process
with one thread that is started for it and asked for its peak when it is done. Results are printed and go to
benchmarks/results/partitioned.json. Peaks are read from /proc, so Linux only.
"""

from __future__ import annotations

import argparse
import json
import platform
import resource
import shutil
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from clusters import cluster
from makeweight.partitioned import balance_partitions
from makeweight.progress import Progress

RESULTS = Path(__file__).resolve().parent / "results" / "partitioned.json"
PART = 100_000


def write_part(path: Path, number: int, n: int) -> None:
    """Nine columns of every kind that is learned, an identifier, and five percent of rare rows."""
    rng = np.random.default_rng([7, number])
    rare = rng.random(n) < 0.05
    table = pa.table(
        {
            "id": np.arange(number * n, (number + 1) * n),
            "age": rng.integers(18, 90, n),
            "income": np.round(rng.lognormal(8, 1, n) + 1000 * rare, 2),
            "score": rng.normal(size=n) + rare,
            "visits": rng.poisson(3, n),
            "city": np.array([f"c{i:02d}" for i in range(30)])[rng.integers(0, 30, n)],
            "flag": rng.random(n) < 0.3,
            "when": pa.array(10**15 + rng.integers(0, 9000, n) * 3_600_000_000, pa.timestamp("us")),
            "sex": np.array(["f", "m"])[rng.integers(0, 2, n)],
            "y": np.where(rare, "yes", "no"),
        }
    )
    pq.write_table(table, path)


def peak(pid: int) -> float:
    """Return the largest resident memory that a process has had, in MiB."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) / 1024
    raise AssertionError("no VmHWM")


def measure(n_rows: int, folder: Path) -> dict[str, object]:
    source = folder / "parts"
    source.mkdir(parents=True)
    for number in range(n_rows // PART):
        write_part(source / f"part.{number}.parquet", number, PART)
    size = sum(path.stat().st_size for path in source.iterdir())
    steps: dict[str, float] = {}
    began = time.perf_counter()

    def report(progress: Progress) -> None:
        steps.setdefault(progress.step, time.perf_counter() - began)

    with cluster(1) as started:
        pid = started.workers[0].pid
        idle = peak(pid)
        began = time.perf_counter()
        made = balance_partitions(
            source,
            folder / "out",
            target="y",
            group_by=["sex"],
            generator="smoothed-bootstrap",
            random_state=1,
            engine=started.engine,
            progress=report,
        )
        seconds = time.perf_counter() - began
        highest = peak(pid)
    times = [*steps.values(), seconds]
    assert made.ledger.shortfall == 0
    return {
        "rows": n_rows,
        "mebibytes": round(size / 2**20, 1),
        "synthetic_rows": len(made),
        "seconds": round(seconds, 1),
        "seconds_per_step": {
            step: round(end - start, 1) for step, start, end in zip(steps, times, times[1:], strict=False)
        },
        "synthetic_rows_per_second": round(len(made) / seconds),
        "rows_per_second": round((n_rows + len(made)) / seconds),
        "worker_peak_mebibytes": round(highest),
        "worker_idle_mebibytes": round(idle),
        "driver_peak_mebibytes": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="+", default=[500_000, 1_000_000, 5_000_000])
    parser.add_argument("--folder", type=Path, help="where the tables are written; a temporary folder by default")
    options = parser.parse_args()
    found = []
    for n_rows in options.rows:
        folder = Path(tempfile.mkdtemp(dir=options.folder))
        try:
            found.append(measure(n_rows, folder))
        finally:
            shutil.rmtree(folder)
        print(json.dumps(found[-1]), flush=True)
    packages = {name: version(name) for name in ("makeweight", "pandas", "pyarrow", "numpy", "distributed")}
    report = {
        "command": "python benchmarks/partitioned.py " + " ".join(sys.argv[1:]),
        "machine": {"python": platform.python_version(), "system": platform.platform()},
        "versions": packages,
        "lengths": found,
    }
    RESULTS.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
