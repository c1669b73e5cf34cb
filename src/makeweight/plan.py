"""The plan: how many rows each group of a table has and how many it gets."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import numpy as np
import pandas as pd

from makeweight.errors import PlanError, nearest
from makeweight.groups import Group, Groups, describe_group
from makeweight.table import Schema

__all__ = [
    "STRATEGIES",
    "Amount",
    "Group",
    "GroupPlan",
    "Groups",
    "Plan",
    "Purpose",
    "Strategy",
    "Target",
    "describe_group",
]

Purpose = Literal["balance", "augment"]
#: As in imbalanced-learn: a name, a ratio of two classes, final counts, or a function of the labels.
Strategy = str | float | Mapping[Any, int] | Callable[[Any], Mapping[Any, int]]

STRATEGIES = ("auto", "minority", "not minority", "not majority", "all")


@dataclass(frozen=True)
class Target:
    """What the groups of a table are formed by, and the kinds of its columns that are stated.

    Parameters
    ----------
    name : hashable
        Column with the labels.
    group_by : tuple of hashable
        Grouping attributes.
    kinds : mapping of column to kind

    Examples
    --------
    >>> frame = pd.DataFrame({"code": [1, 2, 2], "y": ["a", "b", "a"]})
    >>> Target("y", kinds={"code": "categorical"}).schema(frame)["code"].kind.value
    'categorical'
    """

    name: Hashable
    group_by: tuple[Hashable, ...] = ()
    kinds: Mapping[Any, str] = field(default_factory=dict)

    def schema(self, frame: pd.DataFrame) -> Schema:
        """Return the schema of a table; SchemaError when it does not have these columns."""
        return Schema.infer(frame, target=self.name, group_by=self.group_by, kinds=self.kinds)


@dataclass(frozen=True)
class Amount:
    """How many rows are wanted, and what they weigh.

    Parameters
    ----------
    sampling_strategy : str, float, mapping or callable
        As in imbalanced-learn, over groups: which groups are brought up to the largest; the ratio of the rarer
        of two groups to the other; final counts by group; or a function from the labels to those.
    augment : int
        Further rows for *every* group.
    alpha : float in [0, 1], optional
        Weight of the augmentation term in (1 - alpha) R_balanced + alpha R_augment
        (arXiv 2406.03628; see `makeweight.theory.objective_weights`).
    synthetic_weight : float, optional
        Weight of a synthetic row, where a real one weighs 1; instead of alpha.

    Raises
    ------
    PlanError
        When a number is out of its range, or two of them exclude each other.
    """

    sampling_strategy: Strategy = "auto"
    augment: int = 0
    alpha: float | None = None
    synthetic_weight: float | None = None

    def __post_init__(self) -> None:
        augment, alpha, synthetic_weight = self.augment, self.alpha, self.synthetic_weight
        if isinstance(augment, bool) or not isinstance(augment, int | np.integer) or augment < 0:
            raise PlanError("augment is a number of rows", got=repr(augment), expected="0 or more")
        if alpha is not None and not 0 <= alpha <= 1:
            raise PlanError("alpha is a weight", got=alpha, expected="a number in [0, 1]")
        if alpha and not augment:
            raise PlanError(
                "alpha weights augmentation rows, and none are asked for",
                got=f"alpha={alpha}, augment=0",
                hint="set augment to the number of further rows per group",
            )
        if synthetic_weight is not None and not (np.isfinite(synthetic_weight) and synthetic_weight >= 0):
            raise PlanError(
                "synthetic_weight is what a synthetic row weighs beside a real one",
                got=synthetic_weight,
                expected="a number, 0 or more",
            )
        if synthetic_weight is not None and alpha is not None:
            raise PlanError(
                "alpha and synthetic_weight both say what synthetic rows weigh",
                got=f"alpha={alpha}, synthetic_weight={synthetic_weight}",
                hint="leave one of them out",
            )

    def plan(self, groups: Groups, labels: Any = None) -> Plan:
        """Return the rows per group.

        Parameters
        ----------
        groups : Groups
        labels : array-like, optional
            What a callable strategy is called with; the group of every row by default.

        Raises
        ------
        PlanError
            When there are fewer than two groups, or the strategy does not fit them.
        """
        if len(groups) < 2:
            raise PlanError(
                "the target has one class" if len(groups.columns) == 1 else "there is one group",
                got=groups.describe(groups.keys[0]) if len(groups) else None,
                expected="at least two",
                hint="balancing needs something to balance against: check the target column",
            )
        wanted = _wanted(groups, self.sampling_strategy, labels)
        counts = dict(zip(groups.keys, groups.counts.tolist(), strict=True))
        entries = []
        for key in [*groups.keys, *(key for key in wanted if key not in groups)]:
            n_balance = wanted.get(key, 0)
            n_augment = int(self.augment) if key in groups or n_balance else 0
            entries.append(GroupPlan(key, counts.get(key, 0), n_balance, n_augment))
        return Plan(tuple(entries), groups.columns, self.alpha, self.synthetic_weight, groups.n_learned or None)


@dataclass(frozen=True)
class GroupPlan:
    """What one group has and gets.

    Parameters
    ----------
    group : Group
    n_real, n_balance, n_augment : int
        Rows present, rows that bring the group to its target, further rows on top.
    """

    group: Group
    n_real: int
    n_balance: int = 0
    n_augment: int = 0

    @property
    def n_synthetic(self) -> int:
        """Rows to write for this group."""
        return self.n_balance + self.n_augment


@dataclass(frozen=True)
class Plan:
    """How many rows every group has and gets.

    Parameters
    ----------
    groups : tuple of GroupPlan
    columns : tuple of hashable
        What a group's values are the values of: target, then grouping attributes.
    alpha : float or None
        Weight of the augmentation term; None leaves all rows equal.
    synthetic_weight : float or None
        Weight of a synthetic row, where a real one weighs 1.
    n_learned : int or None
        Columns that a generator learns, where they are known: what a forecast counts with before the fit.

    Examples
    --------
    >>> from makeweight.table import Table
    >>> frame = pd.DataFrame({"x": [1.5, 2.5, 3.5], "y": ["a", "b", "a"]})
    >>> plan = Plan.make(Groups(Table(frame, Schema.infer(frame, target="y"))), augment=2)
    >>> [(entry.group, entry.n_balance, entry.n_augment) for entry in plan]
    [(('a',), 0, 2), (('b',), 1, 2)]
    """

    groups: tuple[GroupPlan, ...]
    columns: tuple[Hashable, ...]
    alpha: float | None = None
    synthetic_weight: float | None = None
    n_learned: int | None = None

    def __iter__(self) -> Iterator[GroupPlan]:
        return iter(self.groups)

    @property
    def n_real(self) -> int:
        """Real rows in all."""
        return sum(entry.n_real for entry in self.groups)

    @property
    def n_synthetic(self) -> int:
        """Rows to write in all."""
        return sum(entry.n_synthetic for entry in self.groups)

    def counts(self) -> list[dict[str, str | int]]:
        """Return the counts of every group as plain values for JSON, in the order of the groups.

        Examples
        --------
        >>> Plan((GroupPlan(("a",), 5, 0, 2),), ("y",)).counts()
        [{'group': 'y=a', 'n_real': 5, 'n_balance': 0, 'n_augment': 2}]
        """
        return [{**asdict(entry), "group": describe_group(self.columns, entry.group)} for entry in self.groups]

    @classmethod
    def make(
        cls,
        groups: Groups,
        strategy: Strategy = "auto",
        *,
        augment: int = 0,
        alpha: float | None = None,
        synthetic_weight: float | None = None,
        labels: Any = None,
    ) -> Plan:
        """Return the plan of an `Amount`; parameters and errors are those of `Amount` and of `Amount.plan`."""
        return Amount(strategy, augment, alpha, synthetic_weight).plan(groups, labels)


def _wanted(groups: Groups, strategy: Strategy, labels: Any) -> dict[Group, int]:
    """Return the rows to add per group."""
    counts, keys = groups.counts, groups.keys
    if callable(strategy):
        if labels is None:
            labels = [key[0] if len(key) == 1 else key for key in (keys[code] for code in groups.codes)]
        strategy = strategy(labels)
    if isinstance(strategy, Mapping):
        return _final_counts(groups, strategy)
    if isinstance(strategy, bool) or not isinstance(strategy, str | float | int | np.number):
        raise PlanError(
            "unknown sampling strategy", got=repr(strategy), expected="a name, a ratio, final counts or a function"
        )
    if not isinstance(strategy, str):
        return _ratio(groups, float(strategy))
    if strategy not in STRATEGIES:
        raise PlanError("unknown sampling strategy", got=repr(strategy), hint=nearest(strategy, STRATEGIES))
    rarest = int(counts.argmin())
    left_out = {"minority": {*range(len(keys))} - {rarest}, "not minority": {rarest}}.get(strategy, set())
    return {key: int(counts.max() - counts[i]) for i, key in enumerate(keys) if i not in left_out}


def _ratio(groups: Groups, ratio: float) -> dict[Group, int]:
    counts, keys = groups.counts, groups.keys
    if not 0 < ratio <= 1:
        raise PlanError("a ratio of rare to common rows", got=ratio, expected="a number in (0, 1]")
    if len(groups) != 2:
        raise PlanError(
            '"sampling_strategy" can be a float only when the type of target is binary',
            got=f"{len(groups)} groups",
            hint="give final counts by group, for example {group: rows, ...}",
        )
    rare = int(counts.argmin())
    n_new = int(ratio * counts.max()) - int(counts[rare])
    if n_new <= 0:  # imbalanced-learn, too, refuses a ratio that needs no row
        raise PlanError(
            "The specified ratio required to remove samples from the minority class",
            got=ratio,
            expected=f"more than {counts[rare] / counts.max():.4g}, the ratio that the table has",
        )
    return {keys[rare]: n_new}


def _final_counts(groups: Groups, strategy: Mapping[Any, int]) -> dict[Group, int]:
    wanted: dict[Group, int] = {}
    for name, count in strategy.items():
        key = groups.resolve(name)
        has = int(groups.counts[groups.position(key)]) if key in groups else 0
        if isinstance(count, bool) or not isinstance(count, int | np.integer) or count < has:
            raise PlanError(
                "a group's final count cannot be below the rows it has",
                where=groups.describe(key),
                got=count,
                expected=f"a whole number, {has} or more",
            )
        if key in wanted:
            raise PlanError(
                "a group has two final counts",
                where=groups.describe(key),
                got=f"{wanted[key] + has} and {count}",
                expected="one number of rows for each group",
            )
        wanted[key] = int(count) - has
    return wanted
