"""Which members a committee should have: chosen on real tables that no other benchmark reports.

    python benchmarks/committee_members.py ten|thirty|rare|whole [--tables NAME ...] [--members NAME ...]
        [--beside NAME ...] [--weights FILE ...]

Tables are the development half of further_tables.py, and for "ten" (10 rare rows of 100) those of KEEL as well; with
"thirty" and "rare" there are 30 and 100 rare rows, and 1,000 common ones. With --weights the network of labels with
other weights is one more member, called after the file's folder. Members are fitted in five folds, each for itself, and
what they say of rows that they have not seen is kept in build/committee_members/: a committee of any of them is then a
matter of milliseconds. Printed, beside the committee "auto" or that of --beside, are each member alone, that committee
with one more, and with one less: AUROC and log-loss at the training rows' shares, with standard errors over the tables.
"""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.ensemble import ExtraTreesClassifier, HistGradientBoostingClassifier
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold

from choosing import rows_of
from further_tables import DEVELOPMENT, ELSEWHERE
from makeweight.committee.combination import fit_combination
from makeweight.committee.committee import PRIOR_ROWS
from makeweight.committee.members import NAMED, Member, auto_members, prior_weights
from makeweight.committee.networks import LabelNetwork
from makeweight.measure.learners import FrameClassifier, fit_estimator, make_learner
from makeweight.measure.probabilities import probabilities
from makeweight.table import Schema
from makeweight.table.files import replace_file
from quality import ROOT
from soft_rows import FLOOR, loss_at, split
from transformer_calibrated import split as thinned

KEPT = ROOT / "build" / "committee_members"
CLASSES = np.array([0, 1])


def boosted(**changes: Any) -> Callable[[Schema], Any]:
    """Boosted trees on a column per category, with other settings than those of "hgb-shallow"."""
    return lambda schema: FrameClassifier(make_learner("hgb-shallow", 0, 0).set_params(**changes), schema)


#: Members by name: those that a committee knows, and variations.
MEMBERS: dict[str, Callable[[Schema], Any]] = {
    **{name: member.make for name, member in NAMED.items()},
    "hgb-shallow, defaults": lambda schema: FrameClassifier(
        HistGradientBoostingClassifier(max_depth=3, early_stopping=False), schema
    ),
    "hgb-shallow, depth 2": boosted(max_depth=2, max_iter=250),
    "hgb-shallow, depth 4": boosted(max_depth=4),
    "hgb-shallow, rate .03": boosted(learning_rate=0.03, max_iter=300),
    "hgb-shallow, leaves of 10": boosted(min_samples_leaf=10),
    "hgb-shallow, leaves of 20": boosted(min_samples_leaf=20),
    "hgb-shallow, half of the columns": boosted(max_features=0.5),
    "hgb-shallow, 250 trees": boosted(max_iter=250),
    "extra trees": lambda schema: FrameClassifier(
        ExtraTreesClassifier(100, min_samples_leaf=5, max_features=0.5, n_jobs=1), schema
    ),
}
Said = dict[str, np.ndarray]


def ten_rare(table: str, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """90 common and 10 rare rows to learn from, and up to 300 of either label to judge by."""
    train, judged = rows_of(table, 10, seed)
    return train, judged.groupby("label").head(300)


def kind(member: str) -> Member:
    """What a committee takes a member or a variation of one for."""
    return NAMED.get(member.partition(",")[0], NAMED["rf"])


def parts_of(mode: str, table: str, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Rows to learn from, and rows to judge by."""
    if mode == "ten":
        return ten_rare(table, seed)
    return thinned(f"further/{table}", 30, seed) if mode == "thirty" else split(mode, f"further/{table}", seed)


def said(mode: str, table: str, member: str, seed: int) -> Said:
    """Log-probabilities of the rows to learn from, out of fold, and of the rows to judge by; and both labels."""
    path = KEPT / f"{mode}-{table}-{member.replace(' ', '_')}-{seed}.npz"
    if path.exists():
        return dict(np.load(path))
    train, judged = parts_of(mode, table, seed)
    X, y = train.drop(columns="label"), train["label"].to_numpy()
    asked, truth = judged.drop(columns="label"), judged["label"].to_numpy()
    kinds = {column.name: column.stated for column in Schema.infer(X).columns}
    folds = list(StratifiedKFold(5, shuffle=True, random_state=seed).split(X, y))
    own, new = np.zeros((len(y), 2)), np.zeros((len(truth), 2))
    for number, (rest, fold) in enumerate(folds):
        rows = X.iloc[rest]
        unfitted = MEMBERS[member](Schema.infer(rows, kinds=kinds))
        model = fit_estimator(unfitted, rows, y[rest], np.ones(len(rest)), seed + number)
        own[fold] = np.log(probabilities(model, X.iloc[fold], CLASSES))
        new += np.log(probabilities(model, asked, CLASSES)) / len(folds)
    if kind(member).reads_context:
        model = fit_estimator(MEMBERS[member](Schema.infer(X, kinds=kinds)), X, y, np.ones(len(y)), seed)
        new = np.log(probabilities(model, asked, CLASSES))
    found = {"own": own, "new": new, "y": y, "truth": truth}
    KEPT.mkdir(parents=True, exist_ok=True)
    replace_file(path, lambda stream: np.savez_compressed(stream, **found))
    return found


def judged(members: Iterable[str], table: dict[str, Said]) -> np.ndarray:
    """AUROC and log-loss of a committee on a table."""
    parts = [table[member] for member in members]
    y, truth = parts[0]["y"], parts[0]["truth"]
    prior = np.array(prior_weights([kind(member) for member in members]))
    own, new = (np.stack([part[name] for part in parts]) for name in ("own", "new"))
    p = fit_combination(own, y, np.ones(len(y)), prior, PRIOR_ROWS).apply(new)[:, 1]
    return np.array([roc_auc_score(truth, p), loss_at(truth, np.clip(p, FLOOR, 1 - FLOOR), y.mean())])


def main(argv: list[str]) -> None:
    """Ask what was not asked yet, and print it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("mode", choices=("ten", "thirty", "rare", "whole"))
    parser.add_argument("--tables", nargs="+", choices=[*DEVELOPMENT, *ELSEWHERE])
    quick = [name for name in MEMBERS if name != "in-context"]  # 6 ms a row and fold
    parser.add_argument("--members", nargs="+", default=quick, choices=MEMBERS)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--beside", nargs="+", default=list(auto_members(0)), choices=MEMBERS)
    parser.add_argument("--weights", nargs="+", type=Path, default=[], help="of the network of labels")
    options = parser.parse_args(argv)
    others = {f"network, {path.parent.name}": path for path in options.weights}
    MEMBERS.update({name: partial(LabelNetwork, weights=path) for name, path in others.items()})
    options.members.extend(others)
    auto = tuple(options.beside)
    warnings.simplefilter("ignore")
    members = [*auto, *(name for name in options.members if name not in auto)]
    tables: dict[str, dict[str, Said]] = {}
    for table in options.tables or (*DEVELOPMENT, *(ELSEWHERE if options.mode == "ten" else ())):
        tables[table] = {member: said(options.mode, table, member, options.seed) for member in members}
        print(table, file=sys.stderr, flush=True)
    beside = {table: judged(auto, known) for table, known in tables.items()}
    print(f"{len(tables)} tables, all of {', '.join(auto)}: AUROC {np.mean([row[0] for row in beside.values()]):.4f}")
    committees = {
        **{f"{member} alone": (member,) for member in members},
        **{f"and {member}": (*auto, member) for member in members if member not in auto},
        **{
            f"{member}, instead": (*(name for name in auto if not kind(name).reads_context), member)
            for member in members
            if kind(member).reads_context and member not in auto
        },
        **{f"without {member}": tuple(name for name in auto if name != member) for member in auto},
    }
    for name, committee in committees.items():
        gains = np.array([judged(committee, known) - beside[table] for table, known in tables.items()])
        errors = gains.std(axis=0, ddof=1) / len(gains) ** 0.5
        worst = gains[:, 0].min()
        print(
            f"{name:40} {gains[:, 0].mean():+.4f} ± {errors[0]:.4f} (at worst {worst:+.4f})  "
            f"log-loss {gains[:, 1].mean():+.4f} ± {errors[1]:.4f}"
        )


if __name__ == "__main__":
    main(sys.argv[1:])
