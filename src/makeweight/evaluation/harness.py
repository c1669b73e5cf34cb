"""Did it help? Arms with and without synthetic rows, compared on real rows that none of them has seen."""

from __future__ import annotations

import pickle
import platform
import shlex
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import joblib

from makeweight.engine import check_engine, run
from makeweight.errors import OptionError
from makeweight.evaluation.arms import Arm, Source, catalogue, choose
from makeweight.evaluation.budget import LEAST_SPLITS, Clock, Progress, next_wave
from makeweight.evaluation.comparison import Comparison
from makeweight.evaluation.problem import Problem, match_columns
from makeweight.evaluation.scores import Scores
from makeweight.evaluation.store import Log
from makeweight.evaluation.training import AUTO, Settings, Task, run_task
from makeweight.evaluation.verdict import judge
from makeweight.generators import DEFAULT_GENERATOR
from makeweight.generators.base import Generator
from makeweight.generators.check import CopyPolicy
from makeweight.generators.registry import stated_options
from makeweight.measure.learners import Learner, make_learner, named_learners
from makeweight.table import Kind
from makeweight.table.containers import to_frame

__all__ = ["compare"]

INNER_FOLDS = 3
ESTIMATORS = ("lr", "rf", "hgb")
#: What to name where another generator takes most of the time.
QUICK = "smoothed-bootstrap"


def compare(
    data: Any,
    *,
    target: Hashable,
    group_by: Sequence[Hashable] = (),
    kinds: Mapping[Any, Any] | None = None,
    generator: str | Generator = DEFAULT_GENERATOR,
    options: Mapping[str, Any] | None = None,
    arms: Sequence[str] | None = None,
    estimators: Sequence[str] | Mapping[str, Learner] = ESTIMATORS,
    repeats: int = 5,
    folds: int = 5,
    splits: int | None = None,
    augment: int | None = None,
    synthetic_weight: float | None = None,
    copies: CopyPolicy = "auto",
    external: Mapping[str, Any] | None = None,
    budget_seconds: float | None = 300.0,
    random_state: int = 0,
    engine: str = "local",
    n_jobs: int = 1,
    log: Path | None = None,
    name: str = "DATA",
    read_options: Sequence[str] = (),
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
    estimators : sequence of str, or mapping of str to classifier
        Names as in `makeweight.measure.learners.make_learner`; or any scikit-learn classifiers with
        ``predict_proba``, by a name for each. They get a numeric matrix.
    repeats, folds : int
    splits : int, optional
        Run the first so many of repeats x folds splits.
    augment : int, optional
        Rows per group of the augmented arm, on the whole table; as many as the largest group by default.
    synthetic_weight : float, optional
        Of the chosen generator's rows, where real ones weigh 1. By default every row weighs the same.
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
        What the data are called in the commands that are told.
    read_options : sequence of str
        What else those commands need to read the data, such as ``("--no-header",)``.
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
    problem = Problem.read(to_frame(data), target, group_by, kinds)
    _check(problem, repeats, folds, splits, augment, synthetic_weight, budget_seconds, random_state)
    check_engine(engine)
    learners = named_learners(estimators)
    described = {name: str(make_learner(learner, random_state, len(problem))) for name, learner in learners.items()}
    outside = {file: match_columns(to_frame(rows), problem, file) for file, rows in (external or {}).items()}
    sources = choose(catalogue(generator, options, outside, synthetic_weight), arms)
    focus = _focus([arm for source in sources for arm in source.arms])
    largest = int(problem.counts.max())
    n_augment = largest if augment is None else augment
    settings = Settings(folds, INNER_FOLDS, n_augment / largest, copies, learners, random_state, synthetic_weight)
    wanted = tuple((r, f) for r in range(repeats) for f in range(folds))[:splits]
    clock = Clock(budget_seconds)
    with Log(log, _identity(problem, settings, sources)) as kept:
        work = _Work(problem, settings, sources, wanted, clock, kept, engine, n_jobs, progress)
        ran = wanted[: work.run()]
        scores = Scores(kept.records, work.arms, tuple(learners), ran, folds)
    cut = _cut(len(ran), wanted, folds, clock)
    balance = int((largest - problem.counts).sum())
    n_added = {"balanced": balance, "augmented": balance + n_augment * len(problem.group_names)}
    named = _named(generator, options, synthetic_weight)
    if cut:
        cut += _slow(named[1], scores, sources)
    stated = {column: Kind.parse(kind).value for column, kind in (kinds or {}).items()}
    table = [
        name,
        "--target",
        str(target),
        *_repeated("--group-by", group_by),
        *read_options,
        *_repeated("--kind", [f"{column}={kind}" for column, kind in stated.items()]),
    ]
    verdict = judge(
        scores,
        focus,
        groups=problem.group_names,
        table=table,
        generator=named,
        n_added=n_added,
        augment=n_augment,
        cut=bool(cut),
    )
    told = {
        "name": name,
        "generator": named[1],
        "options": stated_options(options),
        "repeats": repeats,
        "splits": len(ran),
        "folds": folds,
        "inner_folds": INNER_FOLDS,
        "copies": copies,
        "random_state": random_state,
        "synthetic_weight": synthetic_weight,
        "augment": n_augment,
        "budget_seconds": budget_seconds,
        "auto": AUTO,
        "estimators": described,
        "engine": engine,
        "n_jobs": n_jobs,
        "external": {
            file: {"rows": len(rows), "equal_to_real_rows": problem.equal_rows(rows)} for file, rows in outside.items()
        },
    }
    reproduce = {
        "command": _command([*table, *named], settings, arms, n_augment, ran, outside),
        "seed": random_state,
        "versions": _versions(),
    }
    return Comparison(verdict, scores, tuple(focus), problem, ran, cut, n_added, told, reproduce, clock.seconds)


def _command(
    given: Sequence[str],
    settings: Settings,
    arms: Sequence[str] | None,
    augment: int,
    splits: Sequence[tuple[int, int]],
    external: Iterable[str],
) -> str:
    """Return the command that runs the same splits again."""
    words = [
        "makeweight",
        "evaluate",
        *given,
        "--estimators",
        ",".join(settings.estimators),
        *([] if arms is None else ["--arms", ",".join(arms)]),
        "--repeats",
        str(splits[-1][0] + 1),
        "--folds",
        str(settings.folds),
        "--splits",
        str(len(splits)),
        "--augment",
        str(augment),
        "--copies",
        settings.copies,
        *_repeated("--external", [f"{name}=FILE" for name in external]),
        "--seed",
        str(settings.random_state),
        "--budget-seconds",
        "0",
    ]
    return shlex.join(words)


def _named(generator: str | Generator, options: Mapping[str, Any] | None, weight: float | None = None) -> list[str]:
    """Return a generator, its options and the weight of its rows as options of the command line."""
    name = generator if isinstance(generator, str) else type(generator).__name__
    return [
        "--generator",
        name,
        *_repeated("--option", [f"{k}={v}" for k, v in stated_options(options).items()]),
        *([] if weight is None else ["--synthetic-weight", str(weight)]),
    ]


def _repeated(option: str, values: Iterable[object]) -> list[str]:
    return [part for value in values for part in (option, str(value))]


def _check(
    problem: Problem,
    repeats: int,
    folds: int,
    splits: Any,
    augment: Any,
    weight: Any,
    budget: Any,
    random_state: Any,
) -> None:
    for name, value, least in (
        ("repeats", repeats, 1),
        ("folds", folds, 2),
        ("splits", splits, LEAST_SPLITS),
        ("augment", augment, 0),
        ("random_state", random_state, 0),
    ):
        optional = name in ("splits", "augment") and value is None
        if not optional and (isinstance(value, bool) or not isinstance(value, int) or value < least):
            raise OptionError(f"{name} is a whole number", got=repr(value), expected=f"{least} or more")
    if weight is not None and not 0 < weight < float("inf"):
        raise OptionError(
            "synthetic_weight is what a synthetic row weighs beside a real one",
            got=repr(weight),
            expected="a number above 0",
        )
    if budget is not None and not budget > 0:
        raise OptionError(
            "budget_seconds is a time", got=repr(budget), expected="seconds above 0, or None for no limit"
        )
    problem.strata.check(folds)


def _identity(problem: Problem, settings: Settings, sources: Sequence[Source]) -> dict[str, Any]:
    """Return what results depend on besides split, arm and estimator."""
    chosen = {source.name: _digest(source) for source in sources}
    return {
        "data": problem.fingerprint,
        "target": str(problem.target),
        "group_by": list(map(str, problem.group_by)),
        "kinds": {str(column): kind.value for column, kind in problem.kinds.items()},
        "folds": settings.folds,
        "inner_folds": settings.inner_folds,
        "augment": settings.augment,
        "copies": settings.copies,
        "synthetic_weight": settings.synthetic_weight,
        "random_state": settings.random_state,
        "generators": chosen,
        "classifiers": {
            name: joblib.hash(learner) for name, learner in settings.estimators.items() if not isinstance(learner, str)
        },
        "auto": AUTO,
        "versions": _versions(),
    }


def _digest(source: Source) -> Any:
    """Return a hash of what a source writes rows with."""
    try:
        return joblib.hash((source.generator, source.rows))
    except pickle.PicklingError:  # a class that is defined in a function has no name to be found by
        kind = type(source.generator)
        state = source.generator.__getstate__() if source.generator is not None else None
        return joblib.hash((kind.__module__, kind.__qualname__, state, source.rows))


def _versions() -> dict[str, str]:
    packages = ("makeweight", "numpy", "pandas", "scikit-learn", "imbalanced-learn")
    return {"python": platform.python_version(), **{name: version(name) for name in packages}}


def _focus(arms: Sequence[Arm]) -> list[Arm]:
    """Return the arms that the verdict is about: the chosen generator's, or the synthetic ones there are."""
    synthetic = [arm for arm in arms if arm.synthetic]
    if not synthetic:
        raise OptionError(
            "no arm with synthetic rows is asked for",
            got=[arm.name for arm in arms],
            hint="name one, for example smoothed-bootstrap",
        )
    return [arm for arm in synthetic if arm.focus] or [arm for arm in synthetic if not arm.external] or synthetic


@dataclass(frozen=True, eq=False)
class _Work:
    """Splits to run, and what has been found."""

    problem: Problem
    settings: Settings
    sources: Sequence[Source]
    splits: tuple[tuple[int, int], ...]
    clock: Clock
    log: Log
    engine: str
    n_jobs: int
    progress: Callable[[Progress], object] | None

    @property
    def arms(self) -> list[Arm]:
        return [arm for source in self.sources for arm in source.arms]

    def run(self) -> int:
        """Run splits until they are all done or the time is up; return how many."""
        there = set(map(_key, self.log.records))
        done = pieces = 0
        while done < len(self.splits):
            wave = next_wave(
                done,
                len(self.splits),
                self.settings.folds,
                self.clock.affordable(),
                timed=self.clock.budget is not None,
            )
            if not wave:
                break
            tasks = self._missing(self.splits[done : done + wave], there)
            began = self.clock.seconds
            found = run(run_task, tasks, engine=self.engine, n_jobs=self.n_jobs)
            for place, (_, records) in enumerate(found, start=1):
                new = [record for record in records if _key(record) not in there]
                self.log.add(new)
                there.update(map(_key, new))
                pieces += 1
                if self.progress is not None:
                    here = len(tasks) - place + len(self.sources) * max(0, LEAST_SPLITS - done - wave)
                    later = len(self.sources) * (len(self.splits) - max(LEAST_SPLITS, done + wave))
                    self.progress(self.clock.progress(pieces, here, later, done, len(self.splits)))
            done += wave
            if tasks:
                self.clock.measured = (self.clock.seconds - began) / len(tasks) * len(self.sources)
        return done

    def _missing(self, splits: Sequence[tuple[int, int]], there: set[Any]) -> list[Task]:
        """Return the tasks whose results are not there; in every split what takes longest first."""
        ordered = sorted(self.sources, key=lambda s: -len(s.variants) - 2 * (s.kind == "auto"))
        return [
            Task(self.problem, self.settings, source, *split)
            for split in splits
            for source in ordered
            if any((*split, arm.name, name) not in there for arm in source.arms for name in self.settings.estimators)
        ]


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


def _slow(generator: str, scores: Scores, sources: Sequence[Source]) -> tuple[str, ...]:
    """Say that another generator is quicker, where it was and this one took most of the time."""
    seconds = {
        source.name: sum(
            record["task_seconds"]
            for arm in source.arms
            for estimator in scores.estimators
            for record in scores.records(estimator, arm.name)
        )
        for source in sources
    }
    own = sum(seconds[source.name] for source in sources if any(arm.focus for arm in source.arms))
    share = own / sum(seconds.values())
    if share <= 0.5 or generator == QUICK or seconds.get(QUICK, own) > own / 2:
        return ()
    return (f"{share:.0%} of the time went to rows by {generator}: --generator {QUICK} is quicker",)
