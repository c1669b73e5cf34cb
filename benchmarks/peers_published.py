"""Generators behind one contract, judged as published tables judge them: rows alone, and told from real ones.

Usage: python benchmarks/peers.py --published [--tables travel ...] [--peers NAME ...] [--seeds 1] [--show]

Every table is cut once per seed: up to 3,000 rows to learn from, up to 4,000 to judge by, stratified. A generator
learns from the first and writes as many rows of every label. Then

* *AUROC*: LightGBM, a random forest and XGBoost, each at its defaults, are trained on the written rows alone, and
  judged by the rows that nobody saw: their mean. "real rows" is the same with the rows to learn from.
* *C2ST*: AUROC, cross-fitted, of boosted trees that tell written rows from as many unseen real ones (.5: they cannot).
* *copies*: share of the written rows that equal a row to learn from; beside it that of unseen real rows.
* *accepted*: rows accepted per row proposed: what the one check and the label rejected.

"NAME + committee" are the same rows with probabilities for labels: a committee that has learned from the rows to learn
from says p(label | row), and a row stands once per label, weighing p. Told apart are rows with labels drawn from p.
Controls: "real rows + committee", where the committee has not seen the rows of which it speaks, and the committee.

Published rows are those of arXiv 2509.04152, which cuts the tables otherwise: they stand beside, not in one ranking.
Whatever is installed in this environment is measured; results are kept as they come.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict, train_test_split

from makeweight import Committee, Schema
from makeweight.committee.soft import soft_labels
from makeweight.errors import MakeweightError
from makeweight.generators.check import fingerprints
from makeweight.generators.fill import Limits, fill
from makeweight.generators.registry import available, resolve
from makeweight.measure.matrix import Matrix
from makeweight.plan import Groups, Plan
from makeweight.table import Table
from makeweight.table.files import replace_file

ROOT = Path(__file__).resolve().parent.parent
DATA = Path(os.environ.get("MAKEWEIGHT_DATA", ROOT.parent / "shared" / "data"))
RESULTS = ROOT / "benchmarks" / "results" / "peers_published.json"
LEARNED, JUDGED = 3_000, 4_000
REAL, TAUGHT, COMMITTEE = "real rows", " + committee", "committee"
CONTROLS = (REAL, REAL + TAUGHT, COMMITTEE)
#: Cheap ones first: an interrupted run has them all.
PEERS = (
    "smoothed-bootstrap",
    "smoothed-bootstrap + committee",
    "transport",
    "transformer",
    "transformer + committee",
    "gaussian-copula",
    "arf",
    "tvae",
    "mostlyai",
    "ctgan",
)
#: File, label, and how the file is read.
TABLES: dict[str, tuple[str, str, dict[str, Any]]] = {
    "travel": ("travel_churn.csv", "ChurnOrNot", {}),
    "german": ("german_credit.csv", "credit", {}),
    "sick": ("sick.csv", "Class", {"na_values": "?"}),
    "adult": ("adult_census.csv", "income", {"na_values": "?", "skipinitialspace": True}),
    "mammography": ("mammography.csv", "label", {"names": [*(f"x{i}" for i in range(6)), "label"]}),
    "telco": ("telco_churn.csv", "Churn", {}),
    "law": ("law_school.csv", "pass_bar", {}),
}
#: arXiv 2509.04152: real rows only, the best synthetic rows, and TabDDPM's two-sample AUROC.
PUBLISHED = {
    "adult": (0.886, 0.890, 0.705),
    "german": (0.779, 0.708, 0.806),
    "sick": (0.986, 0.987, 0.636),
    "travel": (0.907, 0.907, 0.813),
}


def cut(name: str, seed: int) -> tuple[Table, pd.DataFrame]:
    """Return the rows to learn from, and those to judge by."""
    file, target, reading = TABLES[name]
    rows = pd.read_csv(DATA / "real" / file, **reading)
    if name == "telco":
        rows = rows.drop(columns="customerID")
    rows = rows[rows[target].notna()]
    rest = min(JUDGED, len(rows) - min(LEARNED, int(0.8 * len(rows))))
    learned, judged = train_test_split(
        rows, train_size=min(LEARNED, int(0.8 * len(rows))), test_size=rest, stratify=rows[target], random_state=seed
    )
    learned = learned.reset_index(drop=True)
    return Table(learned, Schema.infer(learned, target=target)), judged.reset_index(drop=True)


def learners(seed: int) -> dict[str, Any]:
    """Return the three classifiers, at their defaults."""
    from lightgbm import LGBMClassifier
    from xgboost import XGBClassifier

    return {
        "lightgbm": LGBMClassifier(random_state=seed, n_jobs=1, verbose=-1),
        "forest": RandomForestClassifier(random_state=seed, n_jobs=1),
        "xgboost": XGBClassifier(random_state=seed, n_jobs=1),
    }


def judge(
    table: Table, rows: pd.DataFrame, judged: pd.DataFrame, seed: int, weights: np.ndarray | None = None
) -> dict[str, float]:
    """Return the AUROC of each learner that is trained on the rows alone, weighted where weights are given."""
    target = table.schema.target
    labels = sorted(table.frame[target].unique())
    rare = min(labels, key=lambda label: int((table.frame[target] == label).sum()))
    matrix = Matrix(table)
    X, y = matrix.transform(rows), (rows[target] == rare).to_numpy(int)
    held, truth = matrix.transform(judged), (judged[target] == rare).to_numpy(int)
    return {
        name: float(roc_auc_score(truth, learner.fit(X, y, sample_weight=weights).predict_proba(held)[:, 1]))
        for name, learner in learners(seed).items()
    }


def told_apart(table: Table, rows: pd.DataFrame, judged: pd.DataFrame) -> float:
    """Return the cross-fitted AUROC of telling rows from unseen real ones, label included."""
    target, size = table.schema.target, min(len(rows), len(judged), 1_000)
    both = pd.concat([rows.sample(size, random_state=0), judged.sample(size, random_state=0)[list(rows)]])
    label = (both[target] == table.frame[target].iloc[0]).to_numpy(float)[:, None]
    X, y = np.hstack([Matrix(table).transform(both), label]), np.repeat([1, 0], size)
    folds = StratifiedKFold(5, shuffle=True, random_state=0)
    model = HistGradientBoostingClassifier(random_state=0)
    return float(roc_auc_score(y, cross_val_predict(model, X, y, cv=folds, method="predict_proba")[:, 1]))


def copied(table: Table, rows: pd.DataFrame) -> float:
    """Return the share of rows that equal a row to learn from, label included."""
    known = fingerprints(table, Groups(table).codes)
    own = Table(rows[table.schema.names].reset_index(drop=True), table.schema)
    codes = np.searchsorted([key[0] for key in Groups(table).keys], own.frame[table.schema.target])
    return float(np.isin(fingerprints(own, codes), known).mean())


def taught(
    table: Table, teacher: Committee, rows: pd.DataFrame, p: np.ndarray, judged: pd.DataFrame, seed: int
) -> dict[str, float]:
    """Return the AUROC of each learner that is trained on the rows, each standing once per label and weighing p."""
    soft = soft_labels(np.zeros(0, dtype=int), np.zeros((0, p.shape[1])), p)
    labelled = rows.iloc[soft.rows].assign(**{table.schema.target: teacher.classes_[soft.labels]})
    return judge(table, labelled, judged, seed, soft.weights)


def measure(name: str, peer: str, seed: int) -> dict[str, Any]:
    """Return the record of a generator on a table."""
    table, judged = cut(name, seed)
    target = table.schema.target
    record: dict[str, Any] = {"table": name, "peer": peer, "seed": seed, "learned": len(table), "judged": len(judged)}
    record["measured"] = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    if peer == REAL:
        held = copied(table, judged)
        return record | {"auroc": judge(table, table.frame, judged, seed), "copies": held}
    began = time.process_time()
    if peer in (REAL + TAUGHT, COMMITTEE):
        teacher = committee(table, seed)
        record |= {"cpu_seconds": time.process_time() - began}
        if peer == REAL + TAUGHT:
            return record | {"auroc": taught(table, teacher, table.frame, teacher.oof_, judged, seed)}
        truth, p = judged[target] == teacher.classes_[1], teacher.predict_proba(judged.drop(columns=target))[:, 1]
        return record | {"auroc": {COMMITTEE: float(roc_auc_score(truth, p))}}
    groups = Groups(table)
    generator = resolve(peer.removesuffix(TAUGHT)).fit(table, rng=np.random.default_rng(seed))
    plan = Plan.make(groups, {key: 2 * int(n) for key, n in zip(groups.keys, groups.counts, strict=True)})
    limits = Limits(on_shortfall="warn")
    written = fill(generator, table, plan, seed=np.random.SeedSequence(seed), groups=groups, limits=limits)
    rows = written.frame
    if peer.endswith(TAUGHT):
        teacher = committee(table, seed)
        p = teacher.predict_proba(rows.drop(columns=target))
    record |= {"cpu_seconds": time.process_time() - began, "rows": len(written)}
    record |= {"accepted": written.ledger.accepted / max(1, written.ledger.proposed)}
    if peer.endswith(TAUGHT):
        record |= {"auroc": taught(table, teacher, rows, p, judged, seed)}
        drawn = (np.cumsum(p[:, :-1], axis=1) <= np.random.default_rng(seed).random((len(p), 1))).sum(axis=1)
        rows = rows.assign(**{target: teacher.classes_[drawn]})
    else:
        record |= {"auroc": judge(table, rows, judged, seed)}
    return record | {"c2st": told_apart(table, rows, judged), "copies": copied(table, rows)}


def committee(table: Table, seed: int) -> Committee:
    """Return a committee that has learned from the table."""
    target = table.schema.target
    return Committee(random_state=seed).fit(table.frame.drop(columns=target), table.frame[target])


def show(records: list[dict[str, Any]]) -> None:
    """Print every figure as a table of generators and tables of data, means over the cuts, as markdown."""
    frame = pd.DataFrame([record for record in records if "auroc" in record])
    frame["auroc"] = [float(np.mean(list(learners.values()))) for learners in frame["auroc"]]
    names = [name for name in TABLES if name in set(frame["table"])]
    peers = [peer for peer in (*CONTROLS, *PEERS) if peer in set(frame["peer"])]
    published = {
        "auroc": {"published: real rows": 0, "published: best synthetic rows": 1},
        "c2st": {"published: TabDDPM": 2},
    }
    for figure, form in {
        "auroc": ".3f",
        "c2st": ".3f",
        "copies": ".3f",
        "accepted": ".2f",
        "cpu_seconds": ",.0f",
    }.items():
        seeds = frame.groupby("table")["seed"].nunique()
        print(f"\n{figure}, {seeds.min()} to {seeds.max()} cuts:\n")
        print(f"| | {' | '.join(names)} |\n|---|{'---:|' * len(names)}")
        for title, place in published.get(figure, {}).items():
            cells = [format(PUBLISHED[name][place], ".3f") if name in PUBLISHED else "" for name in names]
            print(f"| *{title}* | {' | '.join(cells)} |")
        means = frame.pivot_table(index="peer", columns="table", values=figure).reindex(index=peers, columns=names)
        for peer, row in means.dropna(how="all").iterrows():
            print(f"| {peer} | {' | '.join('' if np.isnan(value) else format(value, form) for value in row)} |")
    for record in records:
        if "error" in record:
            print(f"\n{record['table']}, {record['peer']}: {record['error']}")


def main(argv: list[str]) -> int:
    """Measure what is not measured yet, keep everything and print it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tables", nargs="+", default=list(TABLES), choices=TABLES)
    parser.add_argument("--peers", nargs="+", default=list(PEERS))
    parser.add_argument("--seeds", nargs="+", type=int, default=[1])
    parser.add_argument("--show", action="store_true")
    options = parser.parse_args(argv)
    records = json.loads(RESULTS.read_text(encoding="utf-8"))["records"] if RESULTS.exists() else []
    usable = {info.name for info in available() if info.usable}
    known = {(record["table"], record["peer"], record["seed"]) for record in records}
    for peer in (*CONTROLS, *options.peers) if not options.show else ():
        if peer not in CONTROLS and peer.removesuffix(TAUGHT) not in usable:
            print(f"{peer} is not installed here: left out", file=sys.stderr)
            continue
        for seed in options.seeds:
            for name in options.tables:
                if (name, peer, seed) in known:
                    continue
                print(f"{datetime.datetime.now():%H:%M:%S} {name}: {peer}, seed {seed}", file=sys.stderr, flush=True)
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    try:
                        record = measure(name, peer, seed)
                    except MakeweightError as error:
                        record = {"table": name, "peer": peer, "seed": seed, "error": error.message}
                records.append(record)
                text = json.dumps({"command": "python benchmarks/peers.py --published", "records": records}, indent=1)
                replace_file(RESULTS, lambda stream, text=text: stream.write((text + "\n").encode()))
    show(records)
    return 0
