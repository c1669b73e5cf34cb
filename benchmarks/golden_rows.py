"""Hashes of the rows that generators write from one seed, to see that a change of structure changed none.

    python benchmarks/golden_rows.py            # compare with benchmarks/results/golden_rows.json
    python benchmarks/golden_rows.py --record   # after a change that is meant to change rows

Three made tables: numbers, mixed kinds with missing values, and label x attribute groups. Hashes are of bytes, and so
belong to one kind of processor.
"""

from __future__ import annotations

import os

os.environ["OMP_NUM_THREADS"] = "1"  # sums, and so bytes, depend on the number of threads

import argparse
import hashlib
import json
import warnings
from pathlib import Path

import numpy as np
import pandas as pd

from makeweight.generators.registry import available
from makeweight.sampler import balance

RESULTS = Path(__file__).parent / "results" / "golden_rows.json"
Case = tuple[pd.DataFrame, list[str]]


def tables() -> dict[str, Case]:
    """Return made tables and their grouping attributes."""
    rng = np.random.default_rng(20260101)
    y = np.where(rng.random(240) < 0.15, "rare", "common")
    numbers = pd.DataFrame(rng.normal(size=(240, 5)) @ rng.normal(size=(5, 5)), columns=list("abcde"))
    numbers["a"] += y == "rare"
    numbers["y"] = y
    mixed = pd.DataFrame(
        {
            "age": rng.integers(18, 80, 240),
            "income": np.where(rng.random(240) < 0.1, np.nan, rng.lognormal(8, 1, 240).round(2)),
            "job": rng.choice(["clerk", "cook", "nurse", None], 240, p=[0.5, 0.3, 0.15, 0.05]),
            "member": rng.random(240) < 0.3,
            "since": pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 900, 240), unit="D"),
            "y": y,
        }
    )
    groups = mixed.assign(sex=rng.choice(["f", "m"], 240, p=[0.35, 0.65]))
    return {"numbers": (numbers, []), "mixed": (mixed, []), "groups": (groups, ["sex"])}


def hashes() -> dict[str, str]:
    """Return the hash of what every local generator writes for every table."""
    found = {}
    for info in available():
        if info.cost_class not in ("instant", "pretrained") or info.origin != "makeweight" or info.extra:
            continue
        for name, (frame, group_by) in tables().items():
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                augment = 0 if info.name == "borderline-smote" else 20  # it writes for rare groups only
                generation = balance(
                    frame, target="y", group_by=group_by, generator=info.name, augment=augment, random_state=3
                )
            text = generation.frame.to_csv(index=False, float_format="%r")
            found[f"{info.name} {name}"] = hashlib.sha256(text.encode()).hexdigest()[:16]
    return found


def main() -> None:
    """Compare, or record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--record", action="store_true")
    now = hashes()
    if parser.parse_args().record:
        RESULTS.write_text(json.dumps(now, indent=1) + "\n")
        return
    before = json.loads(RESULTS.read_text())
    changed = [name for name in before if now.get(name) != before[name]]
    print(f"{len(before) - len(changed)} of {len(before)} as recorded" + "".join(f"\nchanged: {n}" for n in changed))
    raise SystemExit(bool(changed))


if __name__ == "__main__":
    main()
