"""Two versions of the default generator side by side: time, memory, and what is imported.

    python benchmarks/transformer_beside.py CHECKOUT [--only craft adult "250 columns" "300 columns"]

Runs each job in CHECKOUT and in this one, one after the other, in processes of their own with one thread, from the
start of the interpreter to the rows, and prints both: seconds of the wall clock and, in brackets, of the processor, of
which so many for imports, and the peak of memory. On a shared machine only seconds of the processor can be compared,
and only between the two columns. `git worktree add CHECKOUT 39aa9b6` gives the last version that ran on torch.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pandas as pd

from quality import DATA
from transformer_shapes import labelled, numbers

ROOT = Path(__file__).resolve().parent.parent
JOB = """
import json, sys, time
try:
    from makeweight import balance
except ImportError:  # where it was before
    from makeweight.sampler import balance
import pandas as pd
imports, frame = time.process_time(), pd.read_csv(sys.argv[1])
made = balance(frame, target=sys.argv[2], generator="transformer", random_state=0)
print(json.dumps({"imports": imports, "rows": len(made.frame)}))
"""


def tables() -> dict[str, tuple[pd.DataFrame, str]]:
    """Return the tables and their targets."""
    common = pd.read_csv(DATA / "paper" / "craft" / "train0.csv").sample(900, random_state=0)
    craft = pd.concat([pd.read_csv(DATA / "paper" / "craft" / "seed.csv"), common])
    adult = pd.read_csv(DATA / "real" / "adult_census.csv").sample(5_000, random_state=0)
    wide, short = labelled(numbers(600, 250)), labelled(numbers(60, 300))
    real = {"craft": (craft, "Target"), "adult": (adult, "income")}
    return real | {"250 columns": (wide, "y"), "300 columns": (short, "y")}


def run(checkout: Path, path: Path, target: str) -> dict[str, float]:
    """Return what one process took, from the start of the interpreter on."""
    environment = {**os.environ, "PYTHONPATH": str(checkout / "src"), "OMP_NUM_THREADS": "1"}
    began = time.perf_counter()
    command = [sys.executable, "-W", "ignore", "-c", JOB, str(path), target]
    with tempfile.TemporaryFile("w+") as out:
        process = subprocess.Popen(command, env=environment, stdout=out, text=True)
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise SystemExit(f"{checkout}: exit status {process.returncode}")
        out.seek(0)
        told = json.loads(out.read())
    spent = used.ru_utime + used.ru_stime
    return {**told, "wall": time.perf_counter() - began, "cpu": spent, "mb": used.ru_maxrss / 1024}


def shown(figures: dict[str, float]) -> str:
    """Return a cell of the table."""
    return f"{figures['wall']:.1f} s ({figures['cpu']:.1f}, imports {figures['imports']:.1f}), {figures['mb']:.0f} MB"


def main() -> int:
    """Run every job in both checkouts."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("checkout", type=Path)
    parser.add_argument("--only", nargs="+")
    options = parser.parse_args()
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores\n")
    print(f"| table | rows | {options.checkout} | here |\n|---|---|---|---|")
    for name, (frame, target) in tables().items():
        if options.only and name not in options.only:
            continue
        with tempfile.TemporaryDirectory() as place:
            path = Path(place) / "table.csv"
            frame.to_csv(path, index=False)
            before, now = (run(checkout, path, target) for checkout in (options.checkout.resolve(), ROOT))
        print(f"| {name} | {now['rows']:.0f} | {shown(before)} | {shown(now)} |", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
