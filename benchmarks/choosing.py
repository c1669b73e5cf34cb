"""What candidates of `SyntheticClassifier` promise in validation and keep on other rows, and what rules would choose.

    python benchmarks/choosing.py --run [--rare 30 100] [--seeds 1]   # the development tables of further_tables.py
    python benchmarks/choosing.py                                     # rules beside each other, from what is there

Learners: logistic regression, forest, XGBoost. Three folds, once, as in chosen.py. Of the sizes of hard rows the best
validated stands for all. Judged on up to 3,000 other rows: fall of the balanced log-loss, calibrated as the estimator
does, beyond the same learner calibrated and nothing else. "as it is": what `SyntheticClassifier` takes. "from nothing":
what promises most of those that show so many of their standard errors, and all but blends two more; "from the blend of
both": that, unless doing nothing, or another candidate, shows more than it. The run is resumable.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.metrics import roc_auc_score

from chosen import LIGHT
from further_tables import DEVELOPMENT
from makeweight import SyntheticClassifier
from makeweight.classifier.decision import way_of
from makeweight.classifier.inputs import target_shares
from makeweight.classifier.taught import BLEND, BLENDS, COMMITTEE, FittedTwice, material, mean_of, parts_of
from makeweight.classifier.validation import BESIDE_BLENDS, BESIDE_PRESUMED, calibration_of, presumed_of, validated
from makeweight.generators.writing import seed_sequence
from makeweight.measure.calibration import fit_calibrator
from makeweight.measure.learners import fit_estimator
from makeweight.measure.probabilities import probabilities
from records import Records
from soft_rows import FLOOR, learner, loss_at, shifted
from transformer_calibrated import split

RESULTS = Path(__file__).parent / "results" / "choosing.parquet"
LEARNERS = ("LR", "RF", "XGB")
KEY = ["rare", "table", "seed", "learner"]
JUDGED = 1_500  # rows of either label
#: Standard errors of the difference to nothing, for training sets that overlap.
INFLATION = float(np.sqrt(1 / LIGHT["repeats"] + LIGHT["cv"] / (LIGHT["cv"] - 1)))


def rows_of(table: str, rare: int, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Rows to learn from, nine common ones for each of ten rare ones and 1,000 beside more; and rows to judge by."""
    train, test = split(f"further/{table}", rare, seed)
    if rare == 10:
        train = pd.concat([train[train["label"] == label].head(n) for label, n in ((0, 90), (1, 10))])
    test = pd.concat([test[test["label"] == label].head(JUDGED) for label in (1, 0)])
    return train.reset_index(drop=True), test


def measure(table: str, rare: int, seed: int, name: str) -> list[dict[str, Any]]:
    """One record per candidate: what it promised, and what it kept."""
    train, test = rows_of(table, rare, seed)
    X, y = train.drop(columns="label"), train["label"].to_numpy()
    asked, truth = test.drop(columns="label"), test["label"].to_numpy()
    model = SyntheticClassifier(learner(name, X, seed), random_state=seed, cv=LIGHT["cv"], repeats=LIGHT["repeats"])
    real = model._real_rows(X, y, None, None)
    candidates, *_ = model._candidates(real)
    to_choose, _, to_write, to_fit = (np.random.default_rng(part) for part in seed_sequence(seed).spawn(4))
    method, (prior, weights) = calibration_of("auto", real), target_shares("observed", real)
    judgement, validation, _ = validated(
        real,
        model.estimator,
        candidates,
        teacher="auto",
        method=method,
        objective="balanced",
        rule=0.0,
        guardrail=0.5,
        reference=presumed_of("blend", candidates, "auto"),
        n_jobs=None,
        rng=to_choose,
        **LIGHT,
    )
    assert judgement is not None
    assert validation is not None
    found, ways = judgement.measured, [way_of(candidate) for candidate in judgement.measured.candidates]
    hard = min((k for k, way in enumerate(ways) if way == "hard rows"), key=lambda k: found.risks[k])
    presumed = ways.index(BLEND)
    shown = [k for k, way in enumerate(ways) if way != "hard rows" or k == hard]
    chosen = tuple(found.candidates[k] for k in shown)
    stuff = material(
        real,
        np.arange(len(y)),
        chosen,
        teacher="auto",
        estimator=model.estimator,
        to_write=to_write,
        to_teach=to_fit,
        n_jobs=None,
        in_folds=False,
    )
    assert stuff.lesson is not None
    taught = stuff.lesson.teacher.predict_proba(asked)
    to_fit_with = int(to_fit.integers(2**31))
    records: list[dict[str, Any]] = []
    fitted: dict[str, Any] = {}
    for k, candidate in zip(shown, chosen, strict=True):
        for part in parts_of(candidate):
            if str(part) not in fitted:
                fitted[str(part)] = fit_estimator(model.estimator, *stuff.training_set(part), to_fit_with)
        fits = [fitted[str(part)] for part in parts_of(candidate)]
        own = [probabilities(FittedTwice(*fits) if len(fits) > 1 else fits[0], asked, real.classes)] if fits else []
        answer = mean_of(own, taught if ways[k] in (*BLENDS, COMMITTEE) else None)
        held, out_of_fold = validation.out_of_fold(k)
        shares = stuff.shares(candidate)
        calibrator = fit_calibrator(method, out_of_fold, real.label_codes[held], weights[held], shares, prior)
        p = np.clip(np.asarray(calibrator.apply(answer))[:, 1], FLOOR, 1 - FLOOR)
        records.append(
            {
                "way": ways[k],
                "promised": float(found.risks[0] - found.risks[k]),
                "error": found.standard_error(k, 0) if k else 0.0,
                "beside presumed": 0.0 if k == presumed else found.standard_error(k, presumed),
                "chosen": found.candidates[k] == judgement.choice.candidate,
                "auroc": float(roc_auc_score(truth, p)),
                "balanced": loss_at(truth, shifted(p, y.mean()), 0.5),
            }
        )
    return records


Rule = Callable[[pd.DataFrame], str]


def always(way: str) -> Rule:
    """Take one way, whatever validation says."""
    return lambda _: way


def guarded(level: float, presumed: str) -> Rule:
    """Take what promises most of those that show `level` of their standard errors, and their handicap more."""

    def rule(case: pd.DataFrame) -> str:
        at = case.set_index("way")
        handicap = pd.Series(BESIDE_BLENDS, at.index)
        handicap[list(BLENDS)] = 0.0 if presumed == "nothing" else BESIDE_PRESUMED
        if presumed != "nothing":
            handicap["nothing"] = BESIDE_PRESUMED
        errors = at["error" if presumed == "nothing" else "beside presumed"]
        shows = at["promised"] - at["promised"][presumed] > (level + handicap) * INFLATION * errors
        passing = at["promised"][shows].drop(COMMITTEE, errors="ignore")
        return presumed if passing.empty else str(passing.idxmax())

    return rule


def as_it_is(case: pd.DataFrame) -> str:
    """Take what was chosen; a size of hard rows other than the best validated stands for that."""
    return str(case.loc[case["chosen"], "way"].iloc[0]) if case["chosen"].any() else "hard rows"


def show(frame: pd.DataFrame) -> None:
    """Print what rules would have gained."""
    rules = {"as it is": as_it_is}
    rules |= {f"always {way}": always(way) for way in frame["way"].unique() if way != "nothing"}
    for presumed, level in product(("nothing", BLEND), (0.0, 0.25, 0.5, 1.0)):
        rules[f"from {presumed}, {level:g} standard errors"] = guarded(level, presumed)
    for rare, part in frame.groupby("rare"):
        lines = {}
        for name, rule in rules.items():
            gains = []
            for _, case in part.groupby(KEY):
                values = case.set_index("way")[["balanced", "auroc"]]
                taken, nothing = values.loc[rule(case)], values.loc["nothing"]
                gains.append((nothing["balanced"] - taken["balanced"], taken["auroc"] - nothing["auroc"]))
            loss, area = np.array(gains).T
            worse = loss[loss < 0]
            lines[name] = {
                "fall of loss": loss.mean(),
                "AUROC": area.mean(),
                "better %": 100 * (loss > 0).mean(),
                "worse %": 100 * (loss < 0).mean(),
                "when worse": worse.mean() if len(worse) else 0.0,
                "worst": loss.min(),
            }
        print(f"\n{rare} rare rows, {part.groupby(KEY).ngroups} cases\n{pd.DataFrame(lines).T.round(4).to_string()}")


def main() -> None:
    """Measure what is missing, and show what is there."""
    warnings.filterwarnings("ignore")
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", action="store_true", help="measure what is not measured yet")
    parser.add_argument("--rare", type=int, nargs="+", default=[30, 100])
    parser.add_argument("--seeds", type=int, nargs="+", default=[1])
    asked = parser.parse_args()
    records = Records(RESULTS)
    cases = product(asked.rare, asked.seeds, DEVELOPMENT, LEARNERS) if asked.run else ()
    for rare, seed, table, name in cases:
        key = {"rare": rare, "table": table, "seed": seed, "learner": name}
        if not records.has(key):
            records.add(key, measure(table, rare, seed, name))
            print(*key.values(), flush=True)
    if not records.frame.empty:
        show(records.frame)


if __name__ == "__main__":
    main()
