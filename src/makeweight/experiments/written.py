"""Rows by generators of the registry, and what identifies a generator in a key."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from makeweight.generators.fill import Generation
from makeweight.generators.registry import resolve
from makeweight.generators.writing import write_rows
from makeweight.plan import Groups, Plan
from makeweight.table import Schema, Table

__all__ = ["about_generator", "balanced_rows"]


def balanced_rows(
    generator: str, frame: pd.DataFrame, label: str, group_by: Sequence[str], seed: int, *, augment: int = 0
) -> Generation:
    """Fit a generator to a table and have it balance the groups, and write further rows of each.

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

    Returns
    -------
    Generation
    """
    fit_seed, fill_seed = np.random.SeedSequence(seed).spawn(2)
    table = Table(frame, Schema.infer(frame, target=label, group_by=group_by))
    groups = Groups(table)
    plan = Plan.make(groups, augment=augment)
    return write_rows(table, plan, generator, seed=fill_seed, fit_seed=fit_seed, groups=groups)


def about_generator(name: str) -> dict[str, Any]:
    """Return what identifies a generator beyond its name: the weights that it comes with.

    Raises
    ------
    OptionError
        When there is none of that name.
    """
    generator = resolve(name)
    if name != "transformer":
        return {}
    from makeweight.generators.transformer import weights

    return {
        "weights": weights.read_manifest(weights.embedded()).sha256,
        "arm_class": type(generator).__name__,
    }
