"""Rows by generators of the registry, in the streams of the experiments."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from makeweight.generators.fill import fill
from makeweight.generators.registry import resolve
from makeweight.plan import Groups, Plan
from makeweight.table import Schema, Table

__all__ = ["write_balanced"]


def write_balanced(
    generator: str, frame: pd.DataFrame, label: str, group_by: Sequence[str], seed: int, *, augment: int = 0
) -> pd.DataFrame:
    """Return the rows that bring every group up to the largest, by a generator that saw the table.

    Parameters
    ----------
    generator : str
        A name of the registry.
    frame : DataFrame
        All rows that it may see.
    label : str
    group_by : sequence of str
    seed : int
    augment : int
        Further rows for every group.
    """
    fit_seed, seed_of_rows = np.random.SeedSequence(seed).spawn(2)
    table = Table(frame, Schema.infer(frame, target=label, group_by=group_by))
    groups = Groups(table)
    plan = Plan.make(groups, augment=augment)
    fitted = resolve(generator).fit(table, rng=np.random.default_rng(fit_seed))
    return fill(fitted, table, plan, seed=seed_of_rows, groups=groups, name=generator).frame
