"""Did it help? Arms with and without synthetic rows, compared on real rows that none of them has seen."""

from __future__ import annotations

import platform
import shlex
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import joblib

from makeweight.engine import check_engine, run
from makeweight.errors import OptionError
from makeweight.evaluation.arms import NOTHING, REFERENCE, Arm, Source, catalogue, choose
from makeweight.evaluation.budget import LEAST_SPLITS, Clock, Progress, next_wave
from makeweight.evaluation.learners import make_learner
from makeweight.evaluation.metrics import METRICS
from makeweight.evaluation.problem import Problem, match_columns
from makeweight.evaluation.scores import Scores
from makeweight.evaluation.store import Log
from makeweight.evaluation.training import AUTO, Settings, Task, run_task
from makeweight.evaluation.verdict import Verdict, judge
from makeweight.generators.base import Generator
from makeweight.generators.check import CopyPolicy
from makeweight.sampler import DEFAULT_GENERATOR
from makeweight.table.containers import to_frame

__all__ = ["Comparison", "compare"]

INNER_FOLDS = 3
ESTIMATORS = ("lr", "rf", "hgb")
REPORT = ("pre", "rec", "spe", "f1", "geo", "iba")


@dataclass(frozen=True, eq=False)
class Comparison:
    """What a comparison found.

    Attributes
    ----------
    verdict : Verdict
    scores : Scores
        Means, intervals and paired differences of every arm.
    problem : Problem
        The real rows.
    splits : tuple of (repeat, fold)
        Those that were run.
    cut : tuple of str
        What the budget left out.
    n_added : dict of variant to int
        Rows that an arm adds to the whole table.
    settings, reproduce : dict
    seconds : float
    """

    verdict: Verdict
    scores: Scores
    problem: Problem
    splits: tuple[tuple[int, int], ...]
    cut: tuple[str, ...]
    n_added: dict[str, int]
    settings: dict[str, Any]
    reproduce: dict[str, Any]
    seconds: float

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain values: what is written as JSON and shown on the page."""
        problem, scores = self.problem, self.scores
        largest = int(problem.counts.max())
        return {
            "format": "makeweight.comparison",
            "version": 1,
            "verdict": self.verdict.to_dict(),
            "data": {
                "name": self.settings["name"], "n_rows": len(problem), "n_columns": problem.frame.shape[1],
                "target": str(problem.target), "group_by": [str(name) for name in problem.group_by],
            },
            "groups": [
                {"group": name, "n_real": int(n), "n_after": largest}
                for name, n in zip(problem.group_names, problem.counts, strict=True)
            ],
            "estimators": list(scores.estimators),
            "arms": [self._arm(arm) for arm in scores.arms],
            "reference": REFERENCE,
            "metrics": [self._metric(metric) for metric in METRICS],
            "results": self._results(),
            "group_risks": self._group_risks(),
            "class_report": self._class_report(),
            "failures": scores.failures(),
            "cut": list(self.cut),
            "ledger": self._ledger(),
            "settings": self.settings,
            "seconds": round(self.seconds, 1),
            "reproduce": self.reproduce,
        }  # fmt: skip

    def _arm(self, arm: Arm) -> dict[str, Any]:
        added = [self.scores.mean(name, arm.name, "n_added") for name in self.scores.estimators]
        known = [n for n in added if n is not None]
        return {
            "name": arm.name, "label": arm.label, "calibrated": arm.calibrated, "synthetic": arm.synthetic,
            "external": arm.external, "focus": arm.focus,
            "n_added": sum(known) / len(known) if known else None,
        }  # fmt: skip

    def _metric(self, metric: Any) -> dict[str, Any]:
        # A constant at the balanced prior is what the arm "constant" predicts, for any number of classes.
        reference = metric.reference
        if metric.name == "balanced_log_loss":
            from scipy.stats import entropy

            reference = float(entropy(self.problem.prior))
        return {
            "name": metric.name,
            "label": metric.label,
            "lower_is_better": metric.lower_is_better,
            "reference": reference,
        }

    def _results(self) -> list[dict[str, Any]]:
        scores, found = self.scores, []
        for estimator in scores.estimators:
            for arm in scores.arms:
                for metric in METRICS:
                    value = scores.value(estimator, arm.name, metric.name)
                    difference = scores.difference(estimator, arm.name, metric.name)
                    to_nothing = None
                    if metric.name == "balanced_log_loss":
                        to_nothing = scores.difference(estimator, arm.name, metric.name, NOTHING)
                    found.append(
                        {
                            "estimator": estimator, "arm": arm.name, "metric": metric.name,
                            **_interval(value), "n": len(self.splits) if value else 0,
                            "difference": difference.to_dict() if difference else None,
                            "difference_to_nothing": to_nothing.to_dict() if to_nothing else None,
                        }
                    )  # fmt: skip
        return found

    def _group_risks(self) -> list[dict[str, Any]]:
        scores, found = self.scores, []
        for estimator in scores.estimators:
            for arm in scores.arms:
                for position, group in enumerate(self.problem.group_names):
                    difference = scores.group_difference(estimator, arm.name, position)
                    found.append(
                        {
                            "estimator": estimator, "arm": arm.name, "group": group,
                            "log_loss": _interval(scores.group(estimator, arm.name, "log_loss", position)),
                            "error": _interval(scores.group(estimator, arm.name, "group_error", position)),
                            "difference": difference.to_dict()
                            if difference and arm.name != REFERENCE
                            else None,
                        }
                    )  # fmt: skip
        return found

    def _class_report(self) -> list[dict[str, Any]]:
        """Return imbalanced-learn's numbers per class, averaged over the splits that have them all."""
        found = []
        for estimator in self.scores.estimators:
            for arm in self.scores.arms:
                records = self.scores.records(estimator, arm.name)
                if any("error" in record for record in records):
                    continue
                for name in self.problem.class_names:
                    rows = [row for record in records for row in record["classes"] if row["class"] == name]
                    if len(rows) < len(records):
                        continue
                    means = {key: sum(row[key] for row in rows) / len(rows) for key in REPORT}
                    found.append({"estimator": estimator, "arm": arm.name, "class": name, **means})
        return found

    def _ledger(self) -> dict[str, Any] | None:
        """Return the account of the chosen generator on the first split."""
        for arm in self.scores.arms:
            if arm.focus:
                for estimator in self.scores.estimators:
                    ledger = self.scores.records(estimator, arm.name)[0].get("ledger")
                    if ledger is not None:
                        return dict(ledger)
        return None


def _interval(value: Any) -> dict[str, float | None]:
    if value is None:
        return {"mean": None, "low": None, "high": None}
    return {"mean": value.mean, "low": value.low, "high": value.high}


def compare(
    data: Any,
    *,
    target: Hashable,
    group_by: Sequence[Hashable] = (),
    kinds: Mapping[Any, Any] | None = None,
    generator: str | Generator = DEFAULT_GENERATOR,
    options: Mapping[str, Any] | None = None,
    arms: Sequence[str] | None = None,
    estimators: Sequence[str] = ESTIMATORS,
    repeats: int = 5,
    folds: int = 5,
    splits: int | None = None,
    augment: int | None = None,
    copies: CopyPolicy = "auto",
    external: Mapping[str, Any] | None = None,
    budget_seconds: float | None = 300.0,
    random_state: int = 0,
    engine: str = "local",
    n_jobs: int = 1,
    log: Path | None = None,
    name: str = "DATA",
    progress: Callable[[Progress], object] | None = None,
) -> Comparison:
    """Compare arms with and without synthetic rows by repeated cross-validation on real rows.

    In every split encoder, generator, size and calibrator learn from the training rows only; calibrators and
    thresholds from inner folds, with a generator of their own inside each. Equal rows are never on both
    sides. Neither the order of the rows nor that of the columns changes a number.

    Parameters
    ----------
    data : pandas or polars DataFrame, pyarrow Table or ndarray
        Real rows; never changed.
    target : hashable
        Column with the labels.
    group_by : sequence of hashable
        Grouping attributes; groups are then the cells of label x attributes.
    kinds : mapping of column to kind, optional
    generator : str or Generator
        The one that the verdict is about.
    options : mapping of str to object, optional
        Its constructor arguments.
    arms : sequence of str, optional
        By name; all by default. The reference, calibration without synthetic rows, is always run.
    estimators : sequence of str
        Names as in `makeweight.evaluation.learners.make_learner`.
    repeats, folds : int
    splits : int, optional
        Run the first so many of repeats x folds splits.
    augment : int, optional
        Rows per group of the augmented arm, on the whole table; as many as the largest group by default.
    copies : {"auto", "reject", "accept"}
        What to do with exact copies of real rows.
    external : mapping of name to table, optional
        Synthetic rows written elsewhere, added to every training fold. They may have seen the rows that are
        held out; their arms are stamped, and do not count for the verdict.
    budget_seconds : float or None
        After the first split, repeats that do not fit are cut, then folds; never arms. None cuts nothing.
    random_state : int
        Fixes everything but the number of splits that fit into the budget.
    engine, n_jobs
        As in `makeweight.engine.run`; the numbers do not depend on them.
    log : Path, optional
        File to which results are appended as they come. With the file of an interrupted run of the same data
        and settings, that run goes on.
    name : str
        What the data are called in the verdict.
    progress : callable, optional
        Called with a `Progress` after every piece of work.

    Returns
    -------
    Comparison

    Raises
    ------
    SchemaError, PlanError, OptionError
        When a column, an arm, an estimator or an option does not fit, or a group has too few rows.
    FileProblem
        When `log` belongs to another comparison.

    Notes
    -----
    Source: corrected intervals, Nadeau and Bengio (2003); Holm (1979). The rules of the verdict are in
    docs/evaluate.md.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> rng = np.random.default_rng(0)
    >>> y = np.repeat(["common", "rare"], [160, 40])
    >>> frame = pd.DataFrame({"a": rng.normal(size=200) + (y == "rare"), "b": rng.normal(size=200), "y": y})
    >>> found = compare(frame, target="y", arms=["smoothed-bootstrap"], estimators=["lr"], repeats=1)
    >>> found.verdict.code in ("no-difference", "helps-calibration-only")
    True
    """
    frame = to_frame(data)
    problem = Problem.read(frame, target, group_by, kinds)
    _check(problem, repeats, folds, splits, augment, budget_seconds, random_state)
    check_engine(engine)
    for estimator in estimators:
        make_learner(estimator, 0, len(problem))
    if not estimators:
        raise OptionError("no estimator is asked for", hint="leave estimators at its default")
    outside = {file: match_columns(to_frame(rows), problem, file) for file, rows in (external or {}).items()}
    sources = choose(catalogue(generator, options, outside), arms)
    largest = int(problem.counts.max())
    n_augment = largest if augment is None else augment
    settings = Settings(folds, INNER_FOLDS, n_augment / largest, copies, tuple(estimators), random_state)
    everything = [(r, f) for r in range(repeats) for f in range(folds)][:splits]
    clock = Clock(budget_seconds)
    identity = _identity(problem, settings, sources)
    with Log(log, identity) as kept:
        done = _run(problem, settings, sources, everything, clock, kept, engine, n_jobs, progress)
        records = list(kept.records)
    found = [arm for source in sources for arm in source.arms]
    scores = Scores(records, found, estimators, everything[:done], folds)
    cut = _cut(done, everything, folds, clock)
    balance = int((largest - problem.counts).sum())
    n_added = {
        "balanced": balance, "augmented": balance + n_augment * len(problem.group_names),
    }  # fmt: skip
    generator_name = generator if isinstance(generator, str) else type(generator).__name__
    grouping = [part for column in group_by for part in ("--group-by", str(column))]
    command = [name, "--target", str(target), *grouping]
    verdict = judge(
        scores, _focus(found), groups=problem.group_names, command=command, n_added=n_added,
        augment=n_augment, generator=generator_name, cut=bool(cut),
    )  # fmt: skip
    told = {
        "name": name, "generator": generator_name, "options": dict(options or {}), "repeats": repeats,
        "folds": folds, "splits": done, "inner_folds": INNER_FOLDS, "augment": n_augment, "copies": copies,
        "budget_seconds": budget_seconds, "auto": AUTO, "random_state": random_state,
        "estimators": {e: str(make_learner(e, random_state, len(problem))) for e in estimators},
        "engine": engine, "n_jobs": n_jobs,
    }  # fmt: skip
    ran = [
        "makeweight", "evaluate", *command, "--generator", generator_name,
        "--estimators", ",".join(estimators), "--repeats", str(repeats), "--folds", str(folds), "--splits", str(done), "--budget-seconds", "0",
        "--seed", str(random_state), *(["--arms", ",".join(arms)] if arms else []),
        *(["--augment", str(augment)] if augment is not None else []),
    ]  # fmt: skip
    reproduce = {"command": shlex.join(ran), "seed": random_state, "versions": _versions()}
    return Comparison(
        verdict, scores, problem, tuple(everything[:done]), cut, n_added, told, reproduce, clock.seconds
    )


def _check(
    problem: Problem, repeats: int, folds: int, splits: Any, augment: Any, budget: Any, random_state: Any
) -> None:
    for name, value, least in (
        ("repeats", repeats, 1), ("folds", folds, 2), ("splits", splits, LEAST_SPLITS),
        ("augment", augment, 0), ("random_state", random_state, 0),
    ):  # fmt: skip
        optional = name in ("splits", "augment") and value is None
        if not optional and (isinstance(value, bool) or not isinstance(value, int) or value < least):
            raise OptionError(f"{name} is a whole number", got=repr(value), expected=f"{least} or more")
    if budget is not None and not budget > 0:
        raise OptionError(
            "budget_seconds is a time", got=repr(budget), expected="seconds above 0, or None for no limit"
        )
    problem.check_folds(folds)


def _identity(problem: Problem, settings: Settings, sources: Sequence[Source]) -> dict[str, Any]:
    """Return what results depend on besides split, arm and estimator."""
    chosen = {source.name: joblib.hash((source.generator, source.rows)) for source in sources}
    return {
        "data": problem.fingerprint, "target": str(problem.target),
        "group_by": list(map(str, problem.group_by)),
        "kinds": {str(column): kind.value for column, kind in problem.kinds.items()}, "folds": settings.folds,
        "inner_folds": settings.inner_folds, "augment": settings.augment, "copies": settings.copies,
        "random_state": settings.random_state, "generators": chosen, "auto": AUTO, "versions": _versions(),
    }  # fmt: skip


def _versions() -> dict[str, str]:
    packages = ("makeweight", "numpy", "pandas", "scikit-learn", "imbalanced-learn")
    return {"python": platform.python_version(), **{name: version(name) for name in packages}}


def _focus(arms: Sequence[Arm]) -> list[Arm]:
    """Return the arms that the verdict is about: the chosen generator's, or the synthetic ones there are."""
    synthetic = [arm for arm in arms if arm.synthetic]
    if not synthetic:
        raise OptionError(
            "no arm with synthetic rows is asked for", got=[arm.name for arm in arms],
            hint="name one, for example smoothed-bootstrap",
        )  # fmt: skip
    return (
        [arm for arm in synthetic if arm.focus] or [arm for arm in synthetic if not arm.external] or synthetic
    )


def _run(
    problem: Problem,
    settings: Settings,
    sources: Sequence[Source],
    splits: Sequence[tuple[int, int]],
    clock: Clock,
    kept: Log,
    engine: str,
    n_jobs: int,
    progress: Callable[[Progress], object] | None,
) -> int:
    """Run splits until they are all done or the time is up; return how many."""
    there = {_key(record) for record in kept.records}
    # What takes longest starts first.
    ordered = sorted(sources, key=lambda source: -len(source.variants) - 2 * (source.kind == "auto"))

    def missing(split: tuple[int, int]) -> list[Task]:
        return [
            Task(problem, settings, source, *split)
            for source in ordered
            if any(
                (*split, arm.name, name) not in there for arm in source.arms for name in settings.estimators
            )
        ]

    done = pieces = 0
    while done < len(splits):
        wave = next_wave(
            done, len(splits), settings.folds, clock.affordable(), timed=clock.budget is not None
        )
        if not wave:
            break
        tasks = [task for split in splits[done : done + wave] for task in missing(split)]
        began = clock.seconds
        for place, (_, records) in enumerate(run(run_task, tasks, engine=engine, n_jobs=n_jobs), start=1):
            kept.add([record for record in records if _key(record) not in there])
            there |= {_key(record) for record in records}
            pieces += 1
            if progress is not None:
                left = len(tasks) - place + len(sources) * (len(splits) - done - wave)
                progress(clock.progress(pieces, left, done, len(splits)))
        done += wave
        if tasks:
            clock.measured = (clock.seconds - began) / len({(task.repeat, task.fold) for task in tasks})
    return done


def _key(record: Mapping[str, Any]) -> tuple[Any, ...]:
    return record["repeat"], record["fold"], record["arm"], record["estimator"]


def _cut(done: int, splits: Sequence[tuple[int, int]], folds: int, clock: Clock) -> tuple[str, ...]:
    """Say what did not fit into the budget."""
    if done == len(splits):
        return ()
    took = f"one split takes {clock.measured:.0f} s of the budget of {clock.budget:.0f} s"
    told = []
    if done < folds:
        told.append(f"{done} of {folds} folds were run: {took}")
        if clock.budget is not None and clock.seconds > clock.budget:
            told.append(f"the budget is exceeded: {done} splits are the least that have an interval")
    repeats, ran = -(-len(splits) // folds), max(1, done // folds)
    if repeats > ran:
        told.append(f"{ran} of {repeats} repeats {'was' if ran == 1 else 'were'} run: {took}")
    return tuple(told)
