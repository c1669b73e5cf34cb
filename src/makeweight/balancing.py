"""Balance and augment as a function on a frame."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from typing import TYPE_CHECKING, Any

from makeweight.errors import OptionError
from makeweight.generators import DEFAULT_GENERATOR
from makeweight.generators.base import Generator
from makeweight.generators.fill import Generation, Limits
from makeweight.generators.forewarning import forecast, warn_of_few_rows
from makeweight.generators.writing import RandomState, seed_sequence, write_rows
from makeweight.plan import Amount, Groups, Strategy, Target
from makeweight.progress import Progress
from makeweight.rules import Constraints, read_constraints
from makeweight.table import Table
from makeweight.table.containers import to_frame
from makeweight.table.schema import GroupBy, column_names

if TYPE_CHECKING:
    from makeweight.committee.softened import SoftGeneration

__all__ = ["balance"]


def balance(
    frame: Any,
    *,
    target: Hashable,
    group_by: GroupBy = (),
    generator: str | Generator = DEFAULT_GENERATOR,
    options: Mapping[str, Any] | None = None,
    sampling_strategy: Strategy = "auto",
    augment: int = 0,
    alpha: float | None = None,
    synthetic_weight: float | None = None,
    kinds: Mapping[Any, str] | None = None,
    constraints: Constraints | None = None,
    limits: Limits | None = None,
    random_state: RandomState = None,
    n_jobs: int | None = None,
    soft_labels: Any = False,
    draw_labels: bool = False,
    progress: Callable[[Progress], object] | None = None,
) -> Generation | SoftGeneration:
    """Write the rows that a table is missing.

    Parameters
    ----------
    frame : pandas or polars DataFrame, pyarrow Table or ndarray
        Real rows; never changed.
    target : hashable
        Name of the column with the labels.
    group_by : column name or sequence of them, optional
        Grouping attributes; groups are then the cells of label x attributes.
    generator : str or Generator
    options : mapping of str to object, optional
        Constructor arguments of a generator that is given by its name.
    sampling_strategy : str, float, mapping or callable
        As in imbalanced-learn, over groups; see `makeweight.plan.Amount`.
    augment : int
        Further rows for every group.
    alpha : float in [0, 1], optional
        Weight of the augmentation rows; see `makeweight.theory.objective_weights`.
    synthetic_weight : float, optional
        Instead of alpha: weight of a synthetic row, where a real one weighs 1.
    kinds : mapping of column to kind, optional
        Columns whose kind is stated rather than inferred.
    constraints : mapping of name to expression, or expressions, optional
        What every row obeys, such as ``{"dates": "start <= end"}``; see docs/constraints.md. A real row that breaks
        one is an error; a synthetic one is rejected by that name in the ledger.
    limits : Limits, optional
        Time (seconds) and money (US dollars) to spend at most, what to do with exact copies of real rows, and
        with a shortfall.
    random_state : int, numpy.random.Generator, RandomState or None
    n_jobs : int, optional
        Threads that work on different groups; processes that fit a teacher.
    soft_labels : bool, Committee, classifier or generator with ``label``, default=False
        Let every row carry p(label | row), as for `SyntheticOverSampler`.
    draw_labels : bool, default=False
        With `soft_labels`, for learners that take no weights: every row stands twice and weighs one, a real row with
        its own label and with one drawn from p, a synthetic row with two drawn ones.
    progress : callable, optional
        Called with a `makeweight.progress.Progress` after every round of rows.

    Returns
    -------
    Generation
        The synthetic rows, with plan, ledger and provenance. With `soft_labels` it is a
        `makeweight.committee.SoftGeneration`: ``further`` are the rows to put below the real ones, ``sample_weight``
        weighs both.

    Raises
    ------
    SchemaError, PlanError, OptionError
        When table, groups or parameters do not fit.
    GeneratorError
        When the generator cannot learn from the table or write a group.
    GenerationShortfall
        When fewer rows than asked for could be accepted.

    Examples
    --------
    >>> import pandas as pd
    >>> frame = pd.DataFrame({"x": [1.0, 2.2, 3.1, 4.7, 0.5], "y": ["a", "a", "a", "a", "b"]})
    >>> generation = balance(frame, target="y", random_state=0)
    >>> generation.frame["y"].tolist(), generation.ledger.accepted
    (['b', 'b', 'b'], 3)
    """
    real = to_frame(frame)
    table = Table(real, Target(target, column_names(group_by, real.columns), kinds or {}).schema(real))
    groups = Groups(table)
    amount = Amount(sampling_strategy, augment, alpha, synthetic_weight)
    soft = soft_labels is not False
    if draw_labels and not soft:
        raise OptionError("labels are drawn from the probabilities of soft labels", hint="add soft_labels=True")
    if soft:
        from makeweight.committee.softened import check_soft, soft_amount, soften  # they bring scikit-learn

        amount = soft_amount(amount, groups, read_constraints(constraints, table.schema))
        check_soft(table, groups, amount.synthetic_weight, teacher=soft_labels, draw_labels=draw_labels)
    plan = amount.plan(groups)
    if not soft:
        warn_of_few_rows(plan)
    forecast(plan, generator, options, limits.max_seconds if limits else None)
    seed = seed_sequence(random_state)
    generation = write_rows(
        table,
        plan,
        generator,
        seed=seed,
        options=options,
        groups=groups,
        limits=limits,
        n_jobs=n_jobs,
        progress=progress,
        constraints=constraints,
    )
    if not soft:
        return generation
    return soften(table, generation, groups, seed, teacher=soft_labels, draw_labels=draw_labels, n_jobs=n_jobs)
