"""Are the transformer's rows like real ones? The quality report's figures, beside its rivals.

    python benchmarks/transformer_report.py [--weights FOLDER] [--seeds N] [--tables NAME ...] [--output FILE]

Tables as in transformer_calibrated.py: 1,000 common and 100 rare rows to learn from. The rare label is
brought up to the common one, and the new rows are reported on (`makeweight.quality`) with rows that no
generator saw as holdout. Printed per table, as means over seeds: the AUROC of telling the rows from held-out
ones of their label (C2ST; .5 is best), how much nearer they lie to the rows that were learned from than
held-out rows do (MWQ06; 0 is fresh, 1 is copied), the AUROC of telling from the rows who was in the table
(MWQ07; .5 is best), and the number of checks that raise an issue.
"""

from __future__ import annotations

import argparse
import sys
import warnings
from pathlib import Path
from typing import Any

import pandas as pd

from makeweight import SyntheticOverSampler
from makeweight.generators.registry import resolve
from makeweight.generators.transformer import weights
from makeweight.quality import QualityReport
from peers_judge import Case, c2st
from quality import DATA, ROOT, SEEDS
from records import Records
from transformer_calibrated import RARE, settings, split

RESULTS = ROOT / "benchmarks" / "results" / "transformer_report.parquet"
ARMS = ("smotenc", "smoothed-bootstrap", "transformer")
CHECKS = {"too near": "MWQ06", "membership": "MWQ07"}
FIGURES = ("told apart", *CHECKS, "issues")
HELD_OUT = 1_000


def measure(table: str, arm: str, seed: int, folder: str) -> dict[str, Any]:
    """Figures of one report."""
    train, held = split(table, RARE[0], seed)
    options = {"weights": folder} if arm == "transformer" else {}
    sampler = SyntheticOverSampler(resolve(arm, options), random_state=seed)
    X, y = sampler.fit_resample(train.drop(columns="label"), train["label"])
    rows = X.assign(label=y).iloc[len(train) :]
    parts = [part.head(HELD_OUT) for _, part in held.groupby("label")]
    report = QualityReport(train, rows, target="label", holdout=pd.concat(parts), random_state=seed)
    figures = {name: report[code].value for name, code in CHECKS.items()}
    apart = c2st(Case(table, train, held, "label", 1, len(rows), None), rows)
    codes = [check.code for check in report.issues]
    return {"told apart": apart, **figures, "issues": len(codes), "codes": codes}


def show(frame: pd.DataFrame) -> None:
    """Print means over seeds."""
    figures = list(FIGURES)
    frame[figures] = frame[figures].astype(float)
    for arm, part in frame.groupby("arm", sort=False):
        print(f"\n{arm}, {part.seed.nunique()} seeds")
        means = part.groupby("table", sort=False)[figures].mean()
        means.loc["mean"] = means.mean()
        print(means.round({**dict.fromkeys(FIGURES, 3), "issues": 1}).to_string())


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--weights", default=str(weights.embedded()))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--tables", nargs="+", default=None)
    parser.add_argument("--arms", nargs="+", default=list(ARMS))
    parser.add_argument("--output", type=Path, default=RESULTS)
    options = parser.parse_args()
    if not DATA.is_dir():
        print(f"skipped: no tables in {DATA}", file=sys.stderr)
        return 0
    warnings.filterwarnings("ignore")
    digest = weights.read_manifest(options.weights).sha256[:12]
    records = Records(options.output)
    tables = [table for table, rare in settings() if rare == RARE[0]]
    for seed in SEEDS[: options.seeds]:
        for table in options.tables or tables:
            for arm in options.arms:
                key = {"table": table, "seed": seed, "arm": arm}
                key["weights"] = digest if arm == "transformer" else ""
                if records.has(key):
                    continue
                records.add(key, [measure(table, arm, seed, options.weights)])
                print(f"{table}, seed {seed}, {arm}", file=sys.stderr)
    records.show(show, digest, keep=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
