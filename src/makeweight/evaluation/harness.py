"""Did it help? Arms with and without synthetic rows, compared on real rows that none of them has seen."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any, Literal

import joblib
import numpy as np

from makeweight.errors import OptionError
from makeweight.evaluation.amounts import INNER_FOLDS, Amounts, amounts_of, fewer_soft_rows, soft_strategy
from makeweight.evaluation.answer import Advice, give_answer
from makeweight.evaluation.arms import Arm, ArmSource, catalogue, choose, teaches
from makeweight.evaluation.budget import Clock, missing_splits
from makeweight.evaluation.comparison import Comparison
from makeweight.evaluation.design import (
    ComparisonSettings,
    Design,
    Execution,
    ExternalRows,
    Reproduction,
    evaluate_command,
    generator_words,
    repeated,
    versions,
    whole_number,
)
from makeweight.evaluation.problem import EvaluationProblem, match_columns, seed_of
from makeweight.evaluation.scores import Scores
from makeweight.evaluation.store import Log
from makeweight.evaluation.training import AUTO, Settings
from makeweight.evaluation.transfer import BESIDE, GeneratorTransfer, transfer_costs
from makeweight.evaluation.verdict import judge
from makeweight.evaluation.work import Work, forecast
from makeweight.generators import DEFAULT_GENERATOR, QUICK_GENERATOR
from makeweight.generators.base import Generator
from makeweight.generators.registry import resolve, stated_options
from makeweight.measure.learners import Learner, make_learner, named_learners
from makeweight.measure.ranking import ranking_answer
from makeweight.progress import Progress
from makeweight.table.containers import to_frame
from makeweight.table.schema import GroupBy

__all__ = ["compare"]

#: Of the cost of transfer.
TRANSFER_FOLDS = 5
DESIGN, EXECUTION = Design(), Execution()
ESTIMATORS = ("lr", "rf", "hgb")
#: What a comparison may take where neither a time nor a number of splits is asked for.
SECONDS = 300.0


def compare(
    data: Any,
    *,
    target: Hashable,
    group_by: GroupBy = (),
    kinds: Mapping[Any, Any] | None = None,
    generator: str | Generator = DEFAULT_GENERATOR,
    options: Mapping[str, Any] | None = None,
    arms: Sequence[str] | None = None,
    estimators: Learner | Sequence[Learner] | Mapping[str, Learner] = ESTIMATORS,
    design: Design = DESIGN,
    execution: Execution = EXECUTION,
    max_seconds: float | Literal["auto"] | None = "auto",
    random_state: int = 0,
    n_jobs: int = 1,
    progress: Callable[[Progress], object] | None = None,
) -> Comparison:
    """Return a comparison of arms with and without synthetic rows, by repeated cross-validation on real rows.

    In every split encoder, generator, size and calibrator learn from the training rows only; calibrators and
    thresholds from inner folds, with a generator of their own inside each. Equal rows are never on both
    sides. Neither the order of the rows nor that of the columns changes a number.

    Parameters
    ----------
    data : pandas or polars DataFrame, pyarrow Table or ndarray
        Real rows; never changed.
    target : hashable
        Column with the labels.
    group_by : column name or sequence of them, optional
        Grouping attributes; groups are then the cells of label x attributes.
    kinds : mapping of column to kind, optional
    generator : str or Generator
        The one that the verdict is about.
    options : mapping of str to object, optional
        Its constructor arguments.
    arms : sequence of str, optional
        By name; all by default. The reference, calibration without synthetic rows, is always run.
    estimators : classifier, sequence of names and classifiers, or mapping of name to classifier
        Names as in `makeweight.measure.learners.make_learner`; or any scikit-learn classifiers with
        ``predict_proba``, such as ``{"lgbm": LGBMClassifier()}``. They get a numeric matrix; a pipeline with a
        `ColumnTransformer`, which chooses its columns by name, gets the rows as they come.
    design : Design
        Repeats, folds, splits, sizes, weight, copies, and rows from elsewhere.
    execution : Execution
        Engine, log, and the name of the data.
    max_seconds : float, "auto" or None
        After the first split, repeats that do not fit are cut, then folds; never arms. None cuts nothing. "auto" is
        300 s, or no limit where the design states a number of splits: what is asked for is run.
    random_state : int
        Fixes everything but the number of splits that fit into `max_seconds`.
    n_jobs : int
        Processes, as in `makeweight.engine.run`; the numbers do not depend on them.
    progress : callable, optional
        Called with a `makeweight.progress.Progress` at the start, with the time that it will take at most; before rows
        are written, its detail being whether they can improve the ranking; and after every piece of work: the arms of
        one generator on one split.

    Returns
    -------
    Comparison

    Raises
    ------
    SchemaError, PlanError, OptionError
        When a column, an arm, an estimator or an option does not fit, a group has too few rows, or a number of
        splits and a time are both asked for.
    FileProblem
        When the log belongs to another comparison.

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
    >>> comparison = compare(frame, target="y", arms=["smoothed-bootstrap"], estimators=["lr"],
    ...                      design=Design(repeats=1))
    >>> comparison.verdict.code in ("no-difference", "helps-calibration-only")
    True
    """
    problem = EvaluationProblem.read(to_frame(data), target, group_by, kinds)
    seconds = _seconds(max_seconds, design)
    _check(problem, design, random_state)
    learners = named_learners(estimators)
    described = {name: str(make_learner(one, random_state, len(problem))) for name, one in learners.items()}
    outside = {name: match_columns(to_frame(rows), problem, name) for name, rows in design.external.items()}
    sources = choose(catalogue(generator, options, outside, design.synthetic_weight), arms)
    focus = _focus([arm for source in sources for arm in source.arms])
    clock = Clock(seconds)
    amounts = amounts_of(
        problem, sources, resolve(generator, options), design, seconds if arms is None else None, n_jobs
    )
    shared = _shared(problem, design, amounts, learners, random_state)
    if progress is not None:
        expected = seconds or forecast(problem, sources, shared, len(design.wanted), n_jobs)
        detail = f"split 1 of at most {len(design.wanted)}"
        progress(Progress("comparing", 0, len(sources) * len(design.wanted), clock.seconds, expected, detail))
    ranking = _ranking(problem, random_state)
    if progress is not None:
        progress(Progress("asking of the ranking", 1, 1, clock.seconds, 0.0, ranking))
    with Log(execution.log, _identity(problem, shared, sources)) as log:
        by_name = arms is not None
        work = Work(problem, shared, sources, design.wanted, clock, log, execution.engine, n_jobs, progress, by_name)
        ran = design.wanted[: work.run()]
        scores = Scores(log.records, work.arms, tuple(learners), ran, design.folds)
    named = generator_words(generator, options, design.synthetic_weight)
    focus = [arm for arm in focus if arm in work.arms]
    cut = missing_splits(len(ran), design.wanted, design.folds, clock)
    cut += _slow(named[1], scores, work.sources) if cut else ()
    cut += (*work.left_out, *fewer_soft_rows(amounts, design, clock))
    external = {name: ExternalRows(len(rows), problem.equal_rows(rows)) for name, rows in outside.items()}
    settings = _settings(
        execution, design, amounts, named[1], options, described, external, len(ran), random_state, seconds, n_jobs
    )
    table = _table_words(execution, target, problem.group_by, kinds)
    named_arms = [arm.name for arm in work.arms] if arms is None and work.left_out else arms
    command = evaluate_command([*table, *named], design, settings, named_arms, ran)
    added, augment = amounts.n_added, amounts.augment
    advice = _advice(problem, amounts, table, named, teaches(generator, options), str(target))
    verdict = judge(
        scores, focus, problem.group_names, table=table, generator=named, n_added=added, augment=augment, cut=cut
    )
    return Comparison(
        give_answer(scores, advice),
        verdict,
        scores,
        tuple(focus),
        problem,
        ran,
        cut,
        amounts.n_added,
        settings,
        Reproduction(command, random_state, versions()),
        clock.seconds,
        ranking,
        _transfer(problem, work.sources, focus, next(iter(learners.values())), design.folds, random_state, clock),
        execution.is_command,
        shared,
        tuple(work.sources),
    )


def _shared(
    problem: EvaluationProblem, design: Design, amounts: Amounts, learners: dict[str, Learner], random_state: int
) -> Settings:
    return Settings(
        design.folds,
        INNER_FOLDS,
        amounts.augment / int(problem.counts.max()),
        design.copies,
        learners,
        random_state,
        design.synthetic_weight,
        amounts.soft / amounts.all_soft,
        amounts.calibration_folds,
    )


def _settings(
    execution: Execution,
    design: Design,
    amounts: Amounts,
    generator: str,
    options: Mapping[str, Any] | None,
    described: dict[str, str],
    external: dict[str, ExternalRows],
    n_splits: int,
    random_state: int,
    seconds: float | None,
    n_jobs: int,
) -> ComparisonSettings:
    return ComparisonSettings(
        execution.name,
        generator,
        stated_options(options),
        design.repeats,
        n_splits,
        design.folds,
        INNER_FOLDS,
        amounts.augment,
        amounts.soft,
        amounts.calibration_folds,
        design.copies,
        random_state,
        design.synthetic_weight,
        seconds,
        AUTO,
        described,
        execution.engine,
        n_jobs,
        external,
    )


def _ranking(problem: EvaluationProblem, random_state: int) -> str:
    """Return whether rows can improve the ranking, in a sentence."""
    rng = np.random.default_rng(seed_of(random_state, "ranking"))
    return ranking_answer(problem.table(np.arange(len(problem))), problem.labels, rng)[1]


def _advice(
    problem: EvaluationProblem, amounts: Amounts, table: Sequence[str], named: Sequence[str], taught: bool, target: str
) -> Advice:
    """Return what the answer names. `taught`: whether the named generator writes the rows that a committee labels."""
    teaching = named if taught else ["--generator", QUICK_GENERATOR]
    rarest = problem.class_names[int(np.bincount(problem.labels).argmin())]
    strategy = soft_strategy(problem, amounts)
    return Advice(table, named, teaching, amounts.n_added, amounts.augment, target, rarest, strategy)


def _transfer(
    problem: EvaluationProblem,
    sources: Sequence[ArmSource],
    focus: Sequence[Arm],
    learner: Learner,
    folds: int,
    random_state: int,
    clock: Clock,
) -> tuple[GeneratorTransfer, ...]:
    """Return the cost of transfer of those in focus, of SMOTE and of the bootstrap, where there is time."""
    chosen = {s.name: s.generator for s in sources if s.kind == "generator" and any(arm in focus for arm in s.arms)}
    known = {name: generator for name, generator in chosen.items() if generator is not None}
    # As many fits as splits, on half of the rare rows: a share of what a split took.
    if not known or clock.affordable() == 0:
        return ()
    rivals = {name: generator for name, generator in BESIDE.items() if generator not in known}
    return transfer_costs(
        problem, {**known, **rivals}, learner, folds=min(folds, TRANSFER_FOLDS), random_state=random_state
    )


def _table_words(
    execution: Execution, target: Hashable, group_by: Sequence[Hashable], kinds: Mapping[Any, Any] | None
) -> list[str]:
    return [
        execution.name,
        "--target",
        str(target),
        *repeated("--group-by", group_by),
        *execution.read_options,
        *repeated("--kind", [f"{column}={kind}" for column, kind in (kinds or {}).items()]),
    ]


def _seconds(max_seconds: float | str | None, design: Design) -> float | None:
    """Return the seconds that there are; None for no limit."""
    if max_seconds == "auto":
        return None if design.splits is not None else SECONDS
    if max_seconds is None:
        return None
    if isinstance(max_seconds, str) or not max_seconds > 0:
        raise OptionError(
            "max_seconds is a time", got=repr(max_seconds), expected="seconds above 0, or None for no limit"
        )
    if design.splits is not None:
        raise OptionError(
            "a number of splits and a time are both asked for, and one would have to give way",
            got=f"{design.splits} splits and {max_seconds:g} seconds",
            hint="leave out --splits, and as many are run as the time allows; or leave out --max-seconds",
        )
    return float(max_seconds)


def _check(problem: EvaluationProblem, design: Design, random_state: int) -> None:
    whole_number("random_state", random_state, 0)
    problem.strata.check(design.folds)


def _identity(problem: EvaluationProblem, settings: Settings, sources: Sequence[ArmSource]) -> dict[str, object]:
    """Return what results depend on besides split, arm and estimator."""
    named = {name for name, learner in settings.estimators.items() if isinstance(learner, str)}
    return {
        "data": problem.fingerprint,
        "target": str(problem.target),
        "group_by": list(map(str, problem.group_by)),
        "kinds": {str(column): kind for column, kind in problem.kinds.items()},
        **{name: value for name, value in vars(settings).items() if name != "estimators"},
        "generators": {source.name: _digest(source) for source in sources},
        "classifiers": {name: joblib.hash(one) for name, one in settings.estimators.items() if name not in named},
        "auto": AUTO,
        "versions": versions(),
    }


def _digest(source: ArmSource) -> object:
    """Return a hash of what a source writes rows with."""
    try:
        digest: str | None = joblib.hash((source.generator, source.rows))
    except pickle.PicklingError:  # a class that is defined in a function has no name to be found by
        kind = type(source.generator)
        state = source.generator.__getstate__() if source.generator is not None else None
        digest = joblib.hash((kind.__module__, kind.__qualname__, state, source.rows))
    return digest


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


def _slow(generator: str, scores: Scores, sources: Sequence[ArmSource]) -> tuple[str, ...]:
    """Return the name of a quicker generator in a sentence, where this one took most of the time."""
    seconds = {source.name: 0.0 for source in sources}
    for pair in scores.pairs:
        for record in scores.records(*pair):
            seconds[record.source] += record.task_seconds
    own = sum(seconds[s.name] for s in sources if s.kind == "generator" and any(arm.focus for arm in s.arms))
    share = own / sum(seconds.values())
    if share <= 0.5 or generator == QUICK_GENERATOR or seconds.get(QUICK_GENERATOR, own) > own / 2:
        return ()
    return (f"{share:.0%} of the time went to rows by {generator}: --generator {QUICK_GENERATOR} is quicker",)
