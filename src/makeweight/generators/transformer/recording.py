"""How a table is written down: what people and instruments do to numbers before anyone learns from them.

Columns made of others, categories, warps and rounding, missing cells and what is put in their place, columns
that repeat each other, rows that repeat each other. Shapes: B tables, R rows, D columns. All randomness comes
from the generator that is passed in.
"""

from __future__ import annotations

import torch
from torch import Tensor

from makeweight.generators.transformer.mechanisms import Random, cut, standardise, thresholds

__all__ = ["continuous", "impute", "missing"]

CATEGORIES = 64  # most categories of a column: pointing does not depend on their number


def discretise(random: Random, x: Tensor) -> tuple[Tensor, Tensor]:
    """Categories of latent columns (B R D): codes (B R D) and whether their order is kept (B D)."""
    batch, _, columns = x.shape
    kind = random.uniform(batch, columns)
    levels = torch.where(
        kind < 0.85, random.whole(3, 10, batch, columns), random.log_whole(10, CATEGORIES, batch, columns)
    )
    levels = torch.where(kind < 0.45, 2, levels)
    code = cut(x, thresholds(random, batch, columns, levels, CATEGORIES))
    # a category of two causes: the product of coarse cuts of this column and of its neighbour
    pair = cut(x.roll(1, -1), thresholds(random, batch, columns, random.whole(2, 4, batch, columns), 4))
    small = code.clamp_max(7) * 4 + pair
    code = torch.where((random.chance(0.15, batch, columns) & (kind > 0.45))[:, None], small, code)
    ordered = random.chance(0.5, batch, columns)
    shuffled = random.uniform(batch, columns, CATEGORIES).argsort(-1)
    mixed = shuffled.gather(-1, code.transpose(1, 2).clamp_max(CATEGORIES - 1)).transpose(1, 2)
    return torch.where(ordered[:, None], code, mixed), ordered


def continuous(random: Random, x: Tensor) -> Tensor:
    """Warp, round, count and zero latent columns (B R D)."""
    batch, _, columns = x.shape
    shape = (batch, 1, columns)
    warp, rough = random.uniform(*shape), random.uniform(*shape)
    rate = random.uniform(*shape, low=0.3, high=1.2)
    y = torch.where(warp < 0.3, (x.clamp(-6, 6) * rate).exp(), x)
    y = torch.where((warp > 0.3) & (warp < 0.4), (x * 2 * rate).clamp(-12, 12).sinh(), y)
    y = torch.where((warp > 0.4) & (warp < 0.5), torch.special.ndtr(x * rate), y)
    grid = 10.0 ** random.uniform(*shape, low=-1.6, high=0.3) * y.std(1, keepdim=True).clamp_min(1e-3)
    y = torch.where(rough < 0.28, (y / grid).round() * grid, y)
    count = (x.clamp(-4, 4) * rate + random.uniform(*shape, low=-1.0, high=2.5)).exp().floor()
    y = torch.where((rough > 0.28) & (rough < 0.36), count, y)
    start = random.uniform(*shape, low=-1.2, high=1.2)
    zeroed = torch.where(random.chance(0.6, *shape), (x - start).relu(), y * (x.roll(1, -1) > start))
    return torch.where((rough > 0.36) & (rough < 0.47), zeroed, y)


def relations(random: Random, x: Tensor) -> Tensor:
    """Columns made of others, as people make them, and columns that have nothing to do with the rest."""
    batch, rows, columns = x.shape
    shape = (batch, 1, columns)
    one, two = (x.gather(-1, random.whole(0, columns - 1, *shape).expand_as(x)) for _ in range(2))
    kind = random.uniform(*shape)
    mixed = one + random.normal(*shape) * two
    mixed = torch.where(kind < 0.15, one, mixed)
    mixed = torch.where((kind > 0.45) & (kind < 0.75), one * two, mixed)
    mixed = torch.where((kind > 0.75) & (kind < 0.9), one / (two.abs() + 0.3), mixed)
    mixed = torch.where(kind > 0.9, torch.maximum(one, two), mixed)
    rough = random.chance(0.4, *shape) * random.uniform(*shape, low=0.02, high=0.3)
    mixed = standardise(standardise(mixed) + rough * random.normal(batch, rows, columns))
    many = random.chance(0.25, batch, 1, 1) * random.uniform(batch, 1, 1, high=0.6)
    x = torch.where(random.chance(many.clamp_min(0.04), *shape), mixed, x)
    lonely = random.chance(random.uniform(batch, 1, 1) ** 4 * 0.6, *shape)
    other = x.gather(1, random.uniform(batch, rows, columns).argsort(1))
    return torch.where(lonely, other, x)


def missing(random: Random, x: Tensor, label: Tensor) -> Tensor:
    """Which cells are missing (B R D): at random, by another column, by itself, or by the label."""
    batch, rows, columns = x.shape
    shape = (batch, 1, columns)
    some = random.chance(0.35, batch, 1, 1) & random.chance(random.uniform(batch, 1, 1), *shape)
    kind, strength = random.uniform(*shape), random.normal(*shape) * 2
    taste = random.normal(batch, int(label.max().item()) + 1, 1).expand(-1, -1, columns)
    by_label = taste.gather(1, label[..., None].expand(-1, -1, columns))
    drive = torch.where(kind < 0.35, 0.0, strength * x.roll(1, -1))
    drive = torch.where(kind > 0.65, strength * x, drive)
    drive = torch.where(kind > 0.85, by_label, drive)
    level = random.uniform(*shape, low=-4.0, high=0.5)
    gone = some & (random.uniform(batch, rows, columns) < torch.sigmoid(level + drive))
    return torch.where(random.chance(0.15, *shape), gone.roll(1, -1), gone)  # together with a neighbour


def flags(random: Random, table: Tensor, gone: Tensor) -> tuple[Tensor, Tensor]:
    """Columns that say whether another one was measured: the table (B R D), and which they are (B D)."""
    batch, _, columns = table.shape
    some = random.chance(0.3, batch, 1) & random.chance(0.3, batch, columns)
    chosen = some & gone.roll(1, -1).any(1)
    return torch.where(chosen[:, None], gone.roll(1, -1).float(), table), chosen


def recode(random: Random, table: Tensor, categorical: Tensor) -> tuple[Tensor, Tensor]:
    """Columns that say again, in other words, what their neighbour says: codes renamed or merged, bands."""
    batch, rows, columns = table.shape
    many = random.chance(0.15, batch, 1) * random.uniform(batch, 1, high=0.4)
    chosen = random.chance(many.clamp_min(0.02), batch, columns) & (columns > 1)
    source, coded = table.roll(1, -1), categorical.roll(1, -1)
    names = random.uniform(batch, columns, CATEGORIES).argsort(-1)
    code = source.nan_to_num().long().clamp(0, CATEGORIES - 1).transpose(1, 2)
    code = torch.where(coded[..., None], code, 0)
    renamed = names.gather(-1, code).transpose(1, 2) // random.whole(1, 3, batch, 1, columns)
    renamed = torch.where(source.isnan(), torch.nan, renamed.float())
    rank = (source.argsort(1).argsort(1) + 0.5) / rows
    levels = random.whole(2, 6, batch, columns)
    bands = cut(torch.special.ndtri(rank), thresholds(random, batch, columns, levels, 6)).float()
    other = torch.where(coded[:, None], renamed, bands)
    as_codes = random.chance(0.6, batch, columns)  # or as numbers that stand for them
    return torch.where(chosen[:, None], other, table), torch.where(chosen, as_codes, categorical)


def impute(random: Random, table: Tensor, categorical: Tensor) -> Tensor:
    """Tables in which somebody has put the mean where a number was missing."""
    some = random.chance(0.25, table.shape[0], 1, 1) & ~categorical[:, None]
    return torch.where(some & table.isnan(), table.nanmean(1, keepdim=True), table)


def not_applicable(random: Random, table: Tensor, categorical: Tensor, x: Tensor) -> Tensor:
    """Columns that mean nothing where the last one has a certain value: a category, zero or missing there."""
    batch, _, columns = table.shape
    shape = (batch, 1, columns)
    some = random.chance(0.12, batch, 1, 1) & random.chance(random.uniform(batch, 1, 1, high=0.7), *shape)
    some[..., -1] = False
    same = table[..., -1:] == table[:, :1, -1:]  # as in the first row
    beyond = x[..., -1:] > random.uniform(batch, 1, 1, low=-1.0, high=1.0)
    gate = torch.where(categorical[:, None, -1:], same, beyond)
    instead = torch.where(random.chance(0.5, *shape), 0.0, torch.nan)
    instead = torch.where(categorical[:, None], float(CATEGORIES - 1), instead)
    return torch.where(some & gate, instead, table)


def repeat(random: Random, table: Tensor, cells: Tensor) -> Tensor:
    """Rows that occur several times, as where few things were recorded: copies within a group (B R)."""
    batch, rows, columns = table.shape
    often = random.chance(0.12, batch, 1)
    if not bool(often.any()):
        return table
    known = random.chance(random.uniform(batch, 1, low=0.05, high=0.6), batch, rows)
    same = (cells[:, :, None] == cells[:, None]) & known[:, None]
    draw = (random.uniform(batch, rows, rows) * same).argmax(-1)
    copied = often & same.any(-1)
    source = torch.where(copied, draw, torch.arange(rows, device=random.device))
    copies = table.gather(1, source[..., None].expand(-1, -1, columns))
    rough = random.chance(0.6, batch, 1, 1) * random.uniform(batch, 1, 1, high=0.3)
    return torch.where(random.chance(rough, batch, rows, columns), table, copies)
