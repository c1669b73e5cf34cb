"""Our generators beside the peers: time, memory, valid rows, copies, and what a classifier makes of the rows.

Usage: python benchmarks/peers.py [--tables craft adult telco mammography] [--peers NAME ...] [--seconds 600]
                                  [--environments build/peers] [--again] [--output FILE]

Every peer gets an environment of its own from PyPI (made on first use) and a process of its own; it sees
the training rows, and has to write rows of the rare label. All run after one another on this machine. A
peer that fails, or does not end in time, stands in the table with its message; results are kept as they
come, so an interrupted run goes on where it was.

What the columns say. *valid*: right label, categories that the table has, numbers within its range, whole
numbers where the column is whole. *copies*: equal to a training row. *decimals*: every number has as few
decimals as its column. *C2ST*: AUROC of boosted trees, cross-fitted, that tell the rows from held-out real
rows of the same label (.5: they cannot). *log-loss*, *AUROC*: balanced log-loss on untouched real rows of a
random forest on training and synthetic rows, as it is and after a two-parameter calibration fitted on one
half of the test rows for the other (what is left is what the rows are worth beyond calibration).
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import platform
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict

from makeweight import Schema
from makeweight.evaluation.estimators import Matrix
from makeweight.table import Table

ROOT = Path(__file__).resolve().parent.parent
DATA = Path(os.environ.get("MAKEWEIGHT_DATA", ROOT.parent / "shared" / "data"))
WORKER = Path(__file__).with_name("peers_worker.py")
FOREST_SEEDS = (1, 2, 3)
TORCH = "torch==2.13.0"

#: Peer to the packages of its environment; the versions are those that install and run together.
REQUIREMENTS = {
    "ctgan": [TORCH, "ctgan==0.12.1"],
    "tvae": [TORCH, "ctgan==0.12.1"],
    "arfpy": ["arfpy==0.1.1", "numpy<2.4", "pandas<3"],
    "forest-diffusion": ["ForestDiffusion==1.0.6", "xgboost-cpu", "pandas<3"],
    "mostlyai-argn": [
        TORCH, "accelerate", "datasets", "huggingface-hub", "joblib", "json-repair", "opacus>=1.6",
        "pandas<3", "peft", "psutil<6", "pyarrow", "scikit-learn", "tokenizers", "transformers>=5.5.3",
    ],
    "realtabformer": [
        TORCH, "realtabformer==0.2.4", "transformers<5", "datasets<4.5", "huggingface-hub<1", "pandas<3",
    ],
    "be-great": [TORCH, "be_great==0.0.14"],
}  # fmt: skip
#: Installed without its own requirements: the language half pulls gigabytes that the tabular half never uses.
ALONE = {"mostlyai-argn": ["mostlyai-engine==2.7.3"]}
#: Peers that share an environment.
SHARED = {"tvae": "ctgan"}
NOTES = {
    "forest-diffusion": "2 noise levels and 10 copies instead of 50 and 100",
    "realtabformer": "training cut at 20 steps: speed only",
    "be-great": "GPT-2 sized, untrained but for 10 steps: speed only",
}
STEPS = {"realtabformer": 20, "be-great": 10}
OURS = ("makeweight:smoothed-bootstrap", "makeweight:transformer")
PEERS = (*OURS, "smote", *REQUIREMENTS)


@dataclass
class Case:
    """One table: what the peers see, what judges them, and how many rows of which label are wanted."""

    name: str
    train: pd.DataFrame
    test: pd.DataFrame
    target: str
    label: Any
    n: int


def load(name: str) -> Case:
    """Read a table and cut it into training and test rows."""
    if name == "craft":
        folder = DATA / "paper" / "craft"
        common = pd.read_csv(folder / "train0.csv").sample(900, random_state=1)
        train = pd.concat([pd.read_csv(folder / "seed.csv"), common], ignore_index=True)
        return Case(name, train, pd.read_csv(folder / "test.csv"), "Target", 1, 900)
    file, target, label, n, size = {
        "adult": ("adult_census.csv", "income", ">50K", 5000, 10_000),
        "telco": ("telco_churn.csv", "Churn", "Yes", 2500, 5000),
        "mammography": ("mammography.csv", "label", "'1'", 5000, 7800),
    }[name]
    header = None if name == "mammography" else "infer"
    rows = pd.read_csv(DATA / "real" / file, header=header, skipinitialspace=True)
    if name == "mammography":
        rows.columns = [*(f"x{i}" for i in range(rows.shape[1] - 1)), target]
    if name == "telco":
        rows = rows.drop(columns="customerID")
    rows = rows.sample(frac=1, random_state=1, ignore_index=True)
    return Case(name, rows[:size].copy(), rows[size : size + 10_000].copy(), target, label, n)


def python_of(peer: str, environments: Path) -> str:
    """Return the interpreter of a peer's environment, made on first use."""
    if peer not in REQUIREMENTS:
        return sys.executable
    folder = environments / SHARED.get(peer, peer)
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    if not (folder / "ready").exists():
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        install = [str(python), "-m", "pip", "install", "--quiet"]
        subprocess.run([*install, "psutil", *REQUIREMENTS[peer]], check=True)
        if peer in ALONE:
            subprocess.run([*install, "--no-deps", *ALONE[peer]], check=True)
        (folder / "ready").touch()
    return str(python)


def run_peer(
    peer: str, case: Case, options: argparse.Namespace
) -> tuple[dict[str, Any], pd.DataFrame | None]:
    """Run a peer in a process of its own; return its measurements, or its error, and the rows."""
    python = python_of(peer, options.environments.resolve())
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        case.train.to_csv(folder / "train.csv", index=False)
        coded = [str(c) for c in case.train if not pd.api.types.is_numeric_dtype(case.train[c])]
        few = [str(c) for c in case.train if c not in coded and case.train[c].nunique() == 2]
        task = {
            "train": str(folder / "train.csv"), "rows": str(folder / "rows.csv"), "target": case.target,
            "report": str(folder / "report.json"), "label": case.label, "n": case.n, "seed": 1,
            "categorical": sorted({*coded, *few, case.target}), "steps": STEPS.get(peer),
            "sampling_seconds": options.seconds / 4,
        }  # fmt: skip
        (folder / "task.json").write_text(json.dumps(task), encoding="utf-8")
        try:
            done = subprocess.run(
                [python, str(WORKER), peer, str(folder / "task.json")], capture_output=True, text=True,
                timeout=options.seconds, check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            return {"error": f"not finished after {options.seconds:.0f} s"}, None
        if done.returncode:
            lines = [line for line in done.stderr.strip().splitlines() if line.strip()]
            return {"error": lines[-1][:300] if lines else f"exit status {done.returncode}"}, None
        rows = pd.read_csv(folder / "rows.csv", keep_default_na=case.train.isna().to_numpy().any())
        return json.loads((folder / "report.json").read_text(encoding="utf-8")), rows


def decimals(values: pd.Series[Any]) -> int:
    """Return the most decimals that a number of a column has."""
    text = values.dropna().drop_duplicates().map(lambda v: np.format_float_positional(v, trim="-"))
    return int(text.str.partition(".")[2].str.len().max()) if len(text) else 0


def audit(case: Case, rows: pd.DataFrame) -> tuple[dict[str, float], pd.DataFrame]:
    """Return the shares of valid rows, copies and kept decimals, and the valid rows, typed."""
    valid = rows[case.target].astype(str) == str(case.label)
    on_grid = pd.Series(True, index=rows.index)
    typed = pd.DataFrame(index=rows.index)
    for name, real in case.train.items():
        if pd.api.types.is_numeric_dtype(real):
            values = pd.to_numeric(rows[name], errors="coerce")
            inside = values.between(real.min(), real.max())
            if (real.dropna() == real.dropna().round()).all():
                inside &= values == values.round()
            on_grid &= values.isna() | np.isclose(values, values.round(decimals(real)), rtol=0, atol=1e-12)
            typed[name] = values
        else:
            values = rows[name].where(rows[name].isna(), rows[name].astype(str))
            inside = values.isin(set(real.dropna().astype(str)))
            typed[name] = values
        valid &= inside | (rows[name].isna() & real.isna().any())
    keys = pd.util.hash_pandas_object(typed.round(9).astype(str), index=False)
    own = pd.util.hash_pandas_object(case.train[list(typed)].round(9).astype(str), index=False)
    shares = {
        "valid": float(valid.mean()),
        "copies": float(keys.isin(set(own)).mean()),
        "decimals": float(on_grid.mean()),
    }
    return shares, typed[valid].reset_index(drop=True)


def balanced_log_loss(labels: np.ndarray, p: np.ndarray) -> float:
    """Return the mean over both labels of their mean log-loss."""
    q = np.clip(p, 2.2e-16, 1 - 2.2e-16)
    return float(-0.5 * (np.log(q[labels]).mean() + np.log(1 - q[~labels]).mean()))


def calibrated(labels: np.ndarray, p: np.ndarray) -> np.ndarray:
    """Return probabilities whose logits are moved and stretched by a fit on the other half of the rows."""
    score = np.log(np.clip(p, 1e-4, 1 - 1e-4) / (1 - np.clip(p, 1e-4, 1 - 1e-4)))[:, None]
    model = LogisticRegression(C=1e6, class_weight="balanced")
    halves = StratifiedKFold(2, shuffle=True, random_state=0)
    return np.asarray(cross_val_predict(model, score, labels, cv=halves, method="predict_proba")[:, 1])


def worth(case: Case, extra: pd.DataFrame | None) -> dict[str, float]:
    """Judge a forest on the training rows and ``extra`` by the test rows; means over forests."""
    schema = Schema.infer(case.train, target=case.target)
    matrix = Matrix(Table(case.train, schema))
    rows = case.train if extra is None else pd.concat([case.train, extra[list(case.train)]])
    X, y = matrix.transform(rows), (rows[case.target].astype(str) == str(case.label)).to_numpy()
    held_out = matrix.transform(case.test)
    labels = (case.test[case.target].astype(str) == str(case.label)).to_numpy()
    figures = []
    for seed in FOREST_SEEDS:
        forest = RandomForestClassifier(criterion="entropy", random_state=seed, n_jobs=2).fit(X, y)
        p = forest.predict_proba(held_out)[:, 1]
        loss, even = balanced_log_loss(labels, p), balanced_log_loss(labels, calibrated(labels, p))
        figures.append((loss, even, roc_auc_score(labels, p)))
    means = np.mean(figures, axis=0)
    return dict(zip(("log_loss", "calibrated_log_loss", "auroc"), map(float, means), strict=True))


def c2st(case: Case, rows: pd.DataFrame) -> float:
    """Return the cross-fitted AUROC of telling the rows from held-out real rows of their label."""
    fresh = case.test[case.test[case.target].astype(str) == str(case.label)]
    size = min(len(fresh), len(rows), 2000)
    both = pd.concat([fresh.sample(size, random_state=0), rows[list(fresh)].sample(size, random_state=0)])
    matrix = Matrix(Table(case.train, Schema.infer(case.train, target=case.target)))
    made = np.repeat([0, 1], size)
    folds = StratifiedKFold(5, shuffle=True, random_state=0)
    judge = HistGradientBoostingClassifier(random_state=0)
    p = cross_val_predict(judge, matrix.transform(both), made, cv=folds, method="predict_proba")[:, 1]
    return float(roc_auc_score(made, p))


def measure(peer: str, case: Case, options: argparse.Namespace) -> dict[str, Any]:
    """Return the record of a peer on a table."""
    record: dict[str, Any] = {"table": case.name, "peer": peer, "wanted": case.n}
    report, rows = run_peer(peer, case, options)
    if "error" in report and case.train.isna().to_numpy().any():
        record["error_with_missing_values"] = report["error"]
        case = Case(case.name, case.train.dropna(), case.test, case.target, case.label, case.n)
        report, rows = run_peer(peer, case, options)
    record |= report | {"peer": peer}
    if rows is None:
        return record
    record["rows_per_second"] = report["kept"] / report["sample_seconds"]
    if not len(rows):
        return record
    shares, valid = audit(case, rows)
    record |= shares
    if peer not in STEPS and len(valid) >= 50:
        record |= {"c2st": c2st(case, valid), "judged_rows": len(valid)} | worth(case, valid)
    return record


def show(records: list[dict[str, Any]]) -> None:
    """Print one table of figures per table of data, as markdown."""
    columns = {
        "import s": ("import_seconds", ".1f"), "fit s": ("fit_seconds", ".1f"),
        "sample s": ("sample_seconds", ".2f"),
        "rows/s": ("rows_per_second", ",.0f"), "drawn": ("drawn", ",d"), "MB": ("peak_mb", ",.0f"),
        "valid": ("valid", ".3f"), "copies": ("copies", ".3f"), "decimals": ("decimals", ".2f"),
        "C2ST": ("c2st", ".3f"), "log-loss": ("log_loss", ".3f"),
        "calibrated": ("calibrated_log_loss", ".3f"),
        "AUROC": ("auroc", ".3f"),
    }  # fmt: skip
    for table in dict.fromkeys(record["table"] for record in records):
        print(f"\n{table}\n\n| peer | {' | '.join(columns)} | note |")
        print(f"|{'---|' * (len(columns) + 2)}")
        for record in records:
            if record["table"] != table:
                continue
            cells = [format(record[key], form) if key in record else "-" for key, form in columns.values()]
            short = record.get("kept", record["wanted"]) < record["wanted"]
            notes = [
                NOTES.get(record["peer"], ""),
                record.get("error", ""),
                f"only {record['kept']} of {record['wanted']} rows" if short else "",
                "rows with missing values dropped: " + record["error_with_missing_values"]
                if "error_with_missing_values" in record
                else "",
            ]
            print(f"| {record['peer']} | {' | '.join(cells)} | {'; '.join(filter(None, notes))} |")


def one(peer: str, case: Case, options: argparse.Namespace) -> dict[str, Any] | None:
    """Return the record of a peer or of a reference, or None where the table has no such reference."""
    if peer == "do nothing":
        return {"table": case.name, "peer": peer, "wanted": 0} | worth(case, None)
    if peer != "real rows":
        return measure(peer, case, options)
    if case.name != "craft":
        return None  # only there are further real rows of the label left
    more = pd.read_csv(DATA / "paper" / "craft" / "train1.csv").sample(case.n, random_state=1)
    return {"table": case.name, "peer": peer, "wanted": case.n} | worth(case, more)


def keep(path: Path, records: list[dict[str, Any]]) -> None:
    """Write the results through a temporary file."""
    packages = ("makeweight", "imbalanced-learn", "scikit-learn", "torch")
    state = {
        "command": " ".join(["python benchmarks/peers.py", *sys.argv[1:]]),
        "python": platform.python_version(),
        "cores": os.cpu_count(),
        "versions": {package: importlib.metadata.version(package) for package in packages},
        "requirements": REQUIREMENTS | ALONE,
        "records": records,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps(state, indent=1), encoding="utf-8")
    os.replace(partial, path)


def main() -> int:
    """Measure what is not measured yet, keep everything and print it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tables", nargs="+", default=["craft", "adult", "telco", "mammography"])
    parser.add_argument("--peers", nargs="+", default=list(PEERS), choices=PEERS)
    parser.add_argument("--seconds", type=float, default=600, help="for one peer on one table")
    parser.add_argument("--environments", type=Path, default=ROOT / "build" / "peers")
    parser.add_argument("--again", action="store_true", help="measure what has been measured, too")
    parser.add_argument("--output", type=Path, default=ROOT / "benchmarks" / "results" / "peers.json")
    options = parser.parse_args()
    if not DATA.is_dir():
        print(f"error: no tables in {DATA}\nhint: name their folder in MAKEWEIGHT_DATA", file=sys.stderr)
        return 2
    records: list[dict[str, Any]] = []
    if options.output.exists():
        records = json.loads(options.output.read_text(encoding="utf-8"))["records"]
    known = {(record["table"], record["peer"]) for record in records}
    for case in map(load, options.tables):
        for peer in ("do nothing", "real rows", *options.peers):
            if (case.name, peer) in known and not options.again:
                continue
            print(f"{case.name}: {peer}", file=sys.stderr)
            record = one(peer, case, options)
            if record is not None:
                records = [r for r in records if (r["table"], r["peer"]) != (case.name, peer)] + [record]
                keep(options.output, records)
    show(records)
    return 0


if __name__ == "__main__":
    sys.exit(main())
