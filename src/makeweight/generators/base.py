"""The generator protocol: propose rows for a group, and never decide.

A generator is any object with the three methods of `Generator`. Checking, counting, retrying and stopping
happen once, in `makeweight.generators.fill`, for every generator alike.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Protocol, Self, runtime_checkable

import numpy as np
import pandas as pd

from makeweight.plan import Group, Plan
from makeweight.table import Table

__all__ = ["Cost", "Generator", "Traits", "remark", "traits_of"]

_REMARKS = "makeweight"


@dataclass(frozen=True)
class Cost:
    """What a plan is expected to take, or what has been spent.

    Parameters
    ----------
    seconds : float
    tokens : int
    money : float or None
        In US dollars; None when the price is not known.
    requests : int
        To a service, for generators that ask one.
    downloads : tuple of str
        What is fetched from elsewhere, unless it is there already.
    """

    seconds: float = 0.0
    tokens: int = 0
    money: float | None = 0.0
    requests: int = 0
    downloads: tuple[str, ...] = ()


@dataclass(frozen=True)
class Traits:
    """What `fill` and the contract checks need to know of a generator.

    A generator states them as its attribute ``traits``; without one it has the defaults.

    Parameters
    ----------
    copies : bool
        It writes exact copies of real rows on purpose.
    writes_text : bool
        It writes columns of free text.
    extrapolates : bool
        It can write a group that has no real row.
    min_rows : int
        Real rows that a group needs.
    """

    copies: bool = False
    writes_text: bool = False
    extrapolates: bool = False
    min_rows: int = 1


@dataclass(frozen=True)
class Remarks:
    """What a proposal says besides its rows."""

    #: rows that were written but cannot be shown as a frame, by reason; they count as proposed and rejected
    rejected: Counter[str] = field(default_factory=Counter)
    stop: str | None = None  # why the generator cannot go on with this group; what was accepted is kept


def remark(frame: pd.DataFrame, *, rejected: Counter[str] | None = None, stop: str | None = None) -> pd.DataFrame:
    """Attach remarks to a proposal, and return it.

    Examples
    --------
    >>> proposal = remark(pd.DataFrame({"x": [1]}), rejected=Counter({"not-a-row": 2}))
    >>> remarks_of(proposal).rejected["not-a-row"]
    2
    """
    frame.attrs[_REMARKS] = Remarks(Counter(rejected or {}), stop)
    return frame


def remarks_of(frame: pd.DataFrame) -> Remarks:
    """Return the remarks of a proposal; empty where it has none."""
    remarks: Remarks = frame.attrs.get(_REMARKS, Remarks())
    return remarks


@runtime_checkable
class Generator(Protocol):
    """What writes rows.

    Implementations are plain classes; keyword arguments of the constructor are the options that a user can
    set (``--option KEY=VALUE`` on the command line), and are stored unchanged under their own names.

    A generator may also have these attributes: ``traits`` (`Traits`), ``spent`` (`Cost` so far), ``notes``
    (tuple of str: what a user should know about the rows), ``details`` (dict of plain values for
    `Generation.details`) and ``pretrained`` (tuple of `makeweight.generators.gate.Weights` that it writes with and
    that others gave a licence; the ledger names them). One that can say what a row is has ``label``, from a frame of
    features to the probabilities of the target's categories at their shares among the real rows, shape (n, k): it can
    be a member of a `makeweight.Committee`.
    """

    def fit(self, table: Table, *, rng: np.random.Generator) -> Self:
        """Learn from real rows only, and never change them.

        Parameters
        ----------
        table : Table
            Real rows; ``table.schema.learned`` are the columns to write.
        rng : numpy.random.Generator

        Raises
        ------
        GeneratorError
            When the generator cannot learn from this table.
        """
        ...

    def propose(self, group: Group, n: int, *, rng: np.random.Generator) -> pd.DataFrame:
        """Write up to `n` rows of a group; they may be wrong, and there may be fewer.

        Parameters
        ----------
        group : Group
            Values of target and grouping attributes.
        n : int
        rng : numpy.random.Generator
            A stream of this group, purpose and round alone.

        Returns
        -------
        DataFrame of shape (at most n, n_columns)
            At least the learned columns. Free text where the generator has it (else a real row's text is
            kept); target and grouping attributes where the generator wrote them, which are then checked.
            Constant columns and identifiers are not asked for. `remark` tells of rows that could not be
            read, and that the generator cannot go on.

        Raises
        ------
        GeneratorError
            When the generator cannot write this group at all.
        """
        ...

    def cost(self, plan: Plan) -> Cost:
        """Return what a plan is expected to take, before anything is spent."""
        ...


def traits_of(generator: object) -> Traits:
    """Return a generator's traits."""
    return getattr(generator, "traits", Traits())
