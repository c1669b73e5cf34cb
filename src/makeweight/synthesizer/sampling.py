"""How many rows of which group a sample has, and the order in which they come."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import replace

import numpy as np

from makeweight.errors import GeneratorError
from makeweight.generators.check import code_of
from makeweight.generators.fill import Generation
from makeweight.plan import Group, GroupPlan, Groups, Plan
from makeweight.rules import Condition, values_of
from makeweight.table import Kind, Table


def plan_of(
    table: Table,
    groups: Groups,
    n: int,
    conditions: Mapping[Hashable, Condition],
    rng: np.random.Generator,
    *,
    extrapolates: bool,
) -> Plan:
    """Return how many rows every group gets: drawn with the shares of the real rows that obey the conditions.

    Where no real row obeys all of them, groups have the shares of all real rows of the groups that are allowed.
    """
    on_groups = {name: condition for name, condition in conditions.items() if name in groups.columns}
    keys = [key for key in groups.keys if _allowed(table, groups, key, on_groups)]
    counts = np.array([groups.counts[groups.position(key)] for key in keys], dtype=np.float64)
    if keys and len(on_groups) < len(conditions):
        obeying = np.bincount(groups.codes[_obeying(table, conditions)], minlength=len(groups)).astype(np.float64)
        if obeying.any():
            counts = np.array([obeying[groups.position(key)] for key in keys])
    if not keys and extrapolates:
        keys = [key for key in groups.empty_cells() if _allowed(table, groups, key, on_groups)]
        counts = np.ones(len(keys))
    if not keys:
        asked = ", ".join(str(name) for name in on_groups)
        raise GeneratorError(
            "no real row is of a group that was asked for",
            where=f"where: {asked}",
            got="0 rows",
            expected="1 or more",
            hint="makeweight inspect lists the groups; allow more values, or choose a generator that needs no row",
        )
    drawn = rng.multinomial(n, counts / counts.sum())
    entries = [
        GroupPlan(key, int(groups.counts[groups.position(key)]) if key in groups else 0, int(count))
        for key, count in zip(keys, drawn, strict=True)
        if count
    ]
    return Plan(tuple(entries), groups.columns, n_learned=groups.n_learned or None)


def shuffled(generation: Generation, rng: np.random.Generator) -> Generation:
    """Return a generation whose rows come in random order; identifiers go on counting."""
    order = rng.permutation(len(generation))
    frame = generation.frame.iloc[order].reset_index(drop=True)
    for column in generation.schema.columns:
        if column.kind is Kind.IDENTIFIER:
            frame[column.name] = generation.frame[column.name]
    return replace(
        generation,
        frame=frame,
        provenance=generation.provenance.iloc[order].reset_index(drop=True),
        positions=generation.positions[order],
    )


def _allowed(table: Table, groups: Groups, key: Group, conditions: Mapping[Hashable, Condition]) -> bool:
    for name, condition in conditions.items():
        column = table.schema[name]
        code = np.array([code_of(column, key[groups.columns.index(name)])], dtype=np.int32)
        if not condition.holds({name: values_of(column, code)})[0]:
            return False
    return True


def _obeying(table: Table, conditions: Mapping[Hashable, Condition]) -> np.ndarray:
    masks = [
        condition.holds({name: values_of(table.schema[name], table.encode(name))})
        for name, condition in conditions.items()
    ]
    return np.asarray(np.all(masks, axis=0))
