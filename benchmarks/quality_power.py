"""How often does the quality report cry wolf, and how small a fault does it see?

Usage: python benchmarks/quality_power.py [--seeds N] [--only NAME ...] [--output FILE]

Tables of mixed kinds are drawn from a known law (tests/quality/worlds.py), so that a perfect generator is at
hand: fresh rows. Its reports count the false alarms; generators with one fault of stated strength count the
power. For every case: the share of reports in which each check raises an issue or a tip, and the verdicts.
MWQ18 (balance) is muted, and MWQ03 (are the held-out rows fresh?) where the generator has a fault.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
import time
from collections import Counter
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from makeweight.quality import QualityReport

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "quality"))
import worlds  # noqa: E402

PACKAGES = ("makeweight", "numpy", "scipy", "pandas", "scikit-learn")
SIZES = {
    "small": {"common": 120, "rare": 30, "added": 90, "held": 1.0},
    "medium": {"common": 400, "rare": 100, "added": 300, "held": 0.5},
}
Fault = Callable[[pd.DataFrame, pd.DataFrame, np.random.Generator], pd.DataFrame]


def mixed(fault: Fault, share: float) -> Fault:
    """Return a generator that has a fault in a share of its rows only."""

    def generate(real: pd.DataFrame, added: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
        bad = rng.random(len(added)) < share
        return pd.concat([added[~bad], fault(real, added, rng)[bad]], ignore_index=True)

    return generate


def shifted(size: float) -> Fault:
    """Return a generator whose score is off by so many standard deviations."""

    def generate(real: pd.DataFrame, added: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
        low, high = real["score"].min(), real["score"].max()
        moved = (added["score"] + size * added["score"].std()).clip(low, high)
        return added.assign(score=moved.round(3))

    return generate


def shuffling_one_column(real: pd.DataFrame, added: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Permute the income within each group."""
    groups = added.groupby(["paid", "sex"])["income"]
    return added.assign(income=groups.transform(lambda values: rng.permutation(values.to_numpy())))


def without_rare_categories(real: pd.DataFrame, added: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Replace the rare colours by common ones."""
    rare = added["colour"].isin(["pink", "gold", "teal"])
    return added.assign(colour=added["colour"].where(~rare, "red"))


def rounding(real: pd.DataFrame, added: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Write incomes without cents."""
    return added.assign(income=added["income"].round(0))


def without_gaps(real: pd.DataFrame, added: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Fill missing tenures by the median."""
    return added.assign(tenure=added["tenure"].fillna(added["tenure"].median()))


def beyond_the_range(real: pd.DataFrame, added: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Write ages that no real row has."""
    return added.assign(age=95)


def mislabelling(real: pd.DataFrame, added: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Write rows of the other label."""
    other = worlds.fresh(worlds.numbers(len(added) // 2, 0), rng)
    return other.assign(paid="yes")


def coarse(frame: pd.DataFrame) -> pd.DataFrame:
    """Keep a few columns with few values, so that real rows repeat each other."""
    kept = frame[["age", "colour", "member", "sex", "paid"]]
    return kept.assign(age=(kept["age"] // 10) * 10)


#: Name of the case: size, generator, what is done to all tables.
CASES: dict[str, tuple[str, Fault, Callable[[pd.DataFrame], pd.DataFrame]]] = {
    "perfect, small": ("small", worlds.perfect, pd.DataFrame.copy),
    "perfect, medium": ("medium", worlds.perfect, pd.DataFrame.copy),
    "perfect, duplicates": ("medium", worlds.perfect, coarse),
    "2 % copies": ("medium", mixed(worlds.copying, 0.02), pd.DataFrame.copy),
    "10 % copies": ("medium", mixed(worlds.copying, 0.1), pd.DataFrame.copy),
    "30 % near copies": ("medium", mixed(worlds.near_copying, 0.3), pd.DataFrame.copy),
    "all near copies": ("medium", worlds.near_copying, pd.DataFrame.copy),
    "one column off by 0.25 sd": ("medium", shifted(0.25), pd.DataFrame.copy),
    "one column off by 0.5 sd": ("medium", shifted(0.5), pd.DataFrame.copy),
    "one column shuffled": ("medium", shuffling_one_column, pd.DataFrame.copy),
    "all columns shuffled": ("medium", worlds.shuffling_columns, pd.DataFrame.copy),
    "no rare categories": ("medium", without_rare_categories, pd.DataFrame.copy),
    "2 % beyond the range": ("medium", mixed(beyond_the_range, 0.02), pd.DataFrame.copy),
    "10 % beyond the range": ("medium", mixed(beyond_the_range, 0.1), pd.DataFrame.copy),
    "no decimals in one column": ("medium", rounding, pd.DataFrame.copy),
    "no missing values": ("medium", without_gaps, pd.DataFrame.copy),
    "20 % wrong labels": ("medium", mixed(mislabelling, 0.2), pd.DataFrame.copy),
    "50 % wrong labels": ("medium", mixed(mislabelling, 0.5), pd.DataFrame.copy),
    "label ignored": ("medium", worlds.ignoring_the_label, pd.DataFrame.copy),
    "one row over and over": ("medium", worlds.constant, pd.DataFrame.copy),
}


def run(name: str, seeds: int) -> dict[str, Any]:
    """Write reports on one case and count."""
    size, generate, change = CASES[name]
    issues: Counter[str] = Counter()
    tips: Counter[str] = Counter()
    verdicts: Counter[str] = Counter()
    alarmed = 0
    seconds = []
    for seed in range(seeds):
        real, holdout, added, rng = worlds.tables(seed, **SIZES[size])
        made = generate(real, added, rng)
        start = time.perf_counter()
        report = QualityReport(
            change(real),
            change(made),
            target="paid",
            group_by=["sex"],
            holdout=change(holdout),
            contains_real=False,
            mute=["MWQ18"] if generate is worlds.perfect else ["MWQ03", "MWQ18"],
            random_state=seed,
        )
        seconds.append(time.perf_counter() - start)
        issues.update(check.code for check in report.issues)
        tips.update(check.code for check in report.checks if check.drawer == "tip")
        verdicts[report.verdict.code] += 1
        alarmed += any(check.drawer in ("issue", "tip") for check in report.checks)
    return {
        "size": SIZES[size],
        "any_issue_or_tip": alarmed / seeds,
        "issue": {code: n / seeds for code, n in sorted(issues.items())},
        "tip": {code: n / seeds for code, n in sorted(tips.items())},
        "verdicts": {code: n / seeds for code, n in verdicts.most_common()},
        "seconds": float(np.median(seconds)),
    }


def main() -> None:
    """Run all cases, and write after each what is known."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=50)
    parser.add_argument("--only", nargs="+", choices=list(CASES), default=list(CASES), metavar="NAME")
    parser.add_argument("--output", type=Path, default=ROOT / "benchmarks" / "results" / "quality_power.json")
    arguments = parser.parse_args()
    results: dict[str, Any] = {
        "seeds": arguments.seeds,
        "versions": {"python": platform.python_version(), **{name: version(name) for name in PACKAGES}},
        "cases": {},
    }
    if arguments.output.exists():  # cases that are not run again are kept
        known = json.loads(arguments.output.read_text(encoding="utf-8"))
        if {key: known[key] for key in ("seeds", "versions")} == {key: results[key] for key in ("seeds", "versions")}:
            results["cases"] = known["cases"]
    for name in arguments.only:
        results["cases"][name] = case = run(name, arguments.seeds)
        print(f"{name:34s} any {case['any_issue_or_tip']:.2f}  issues {case['issue']}  tips {case['tip']}", flush=True)
        arguments.output.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
