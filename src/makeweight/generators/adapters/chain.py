"""Rows from a classifier and a regressor that read a table as context: one column after the other, group first."""

from __future__ import annotations

import abc
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd

from makeweight.errors import GeneratorError, OptionError
from makeweight.generators.adapters.adapter import naming, seeded
from makeweight.generators.base import Cost, Traits
from makeweight.generators.check import code_of
from makeweight.generators.frame.known import KnownTable
from makeweight.generators.frame.options import WithOptions, option
from makeweight.generators.gate import Weights, may_fetch
from makeweight.plan import Group, Groups, Plan
from makeweight.table import Column, Table

#: Levels of the quantiles between which a number is drawn.
LEVELS = np.linspace(0.0025, 0.9975, 200)
#: Rows asked of a network at once: bounds memory.
ROWS_AT_ONCE = 2_000
ROLES = ("classifier", "regressor")


@dataclass(eq=False, repr=False)
class ChainGenerator(WithOptions, abc.ABC):
    """p(row | group) as a product: every column given the group and the columns before it.

    A class of it explains the options, and says where its weights are (`_source`), how they are loaded (`_load`), and
    what the network answers (`_probabilities`, `_quantiles`).
    """

    traits = Traits()
    #: that the classifier tells apart; a column of more is written in two steps or more
    most_classes: ClassVar[int | None] = None

    weights: str | os.PathLike[str] | None = option(None, (str, os.PathLike), words=(None,), takes="a folder")
    fetch: bool = option(False, bool)
    max_rows: int = option(1_000, int, 20)
    estimators: int = option(1, int, 1)
    device: str = option("cpu", str)

    def fit(self, table: Table, *, rng: np.random.Generator) -> Self:
        """Load the weights, and keep up to `max_rows` rows, evenly over groups, as context."""
        self._check_options()
        groups = Groups(table)
        self._known = KnownTable.of(table, groups)
        rows = _evenly(groups, self.max_rows, rng)
        self._context = {column.name: table.encode(column.name, rows) for column in self._columns()}
        coded = any(column.kind.is_coded or column.n_missing for column in self._known.learned)
        numbers = any(column.kind.is_numeric for column in self._known.learned)
        roles = [role for role, needed in zip(ROLES, (coded, numbers), strict=True) if needed]
        self._paths = {role: self._path(role) for role in roles}
        self.pretrained = tuple(dict.fromkeys(self._source(role, path.name)[2] for role, path in self._paths.items()))
        with seeded(rng) as self._seed, naming(type(self).__name__, "load its weights"):
            self._load(self._paths)
        return self

    def propose(self, group: Group, n: int, *, rng: np.random.Generator) -> pd.DataFrame:
        """Write `n` rows of a group, column by column in the order of the table.

        Returns shape (n, n_learned).
        """
        self._known.position(group)
        codes = [float(code_of(column, value)) for column, value in zip(self._known.given, group, strict=True)]
        parts = [self._write(codes, min(ROWS_AT_ONCE, n - first), rng) for first in range(0, n, ROWS_AT_ONCE)]
        if not self._known.learned:
            return pd.DataFrame(index=range(n))
        names = [column.name for column in self._known.learned]
        empty: dict[Any, list[np.ndarray]] = {name: [self._context[name][:0]] for name in names}
        return self._known.decode({name: np.concatenate([*empty[name], *(p[name] for p in parts)]) for name in names})

    def cost(self, plan: Plan) -> Cost:
        """Return the seconds expected on a processor: a network reads the context once per column and call."""
        return Cost(seconds=30.0 + 0.02 * plan.n_synthetic)

    def _columns(self) -> tuple[Column, ...]:
        return (*self._known.given, *self._known.learned)

    def _write(self, codes: list[float], n: int, rng: np.random.Generator) -> dict[Any, np.ndarray]:
        read = np.column_stack([self._context[column.name].astype(float) for column in self._known.given])
        asked = np.tile(np.array(codes), (n, 1))
        self._coded = list(range(len(codes)))
        rows: dict[Any, np.ndarray] = {}
        for column in self._known.learned:
            values = self._context[column.name]
            with seeded(rng), naming(type(self).__name__, f"write {column.label}"):
                drawn = self._column(column, read, values, asked, rng)
            rows[column.name] = drawn
            if column.kind.is_coded:
                self._coded.append(read.shape[1])
            read, asked = np.column_stack([read, _feature(values)]), np.column_stack([asked, _feature(drawn)])
        return rows

    def _column(
        self, column: Column, read: np.ndarray, values: np.ndarray, asked: np.ndarray, rng: np.random.Generator
    ) -> np.ndarray:
        if column.kind.is_coded:
            return self._classes(read, values, asked, rng).astype(np.int32)
        missing = np.isnan(values)
        gaps = self._classes(read, missing.astype(np.int32), asked, rng).astype(bool)
        drawn = np.full(len(asked), np.nan)
        if not gaps.all():
            drawn[~gaps] = self._numbers(read[~missing], values[~missing], asked[~gaps], rng)
        return column.snap(drawn)

    def _classes(self, read: np.ndarray, codes: np.ndarray, asked: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Draw a code for every row that is asked for; of very many, the block it is in first."""
        classes, positions = np.unique(codes, return_inverse=True)
        if len(classes) == 1:
            return np.full(len(asked), classes[0])
        most = self.most_classes or len(classes)
        if len(classes) <= most:
            cumulative = np.cumsum(self._probabilities(read, positions, asked), axis=1)
            draws = rng.random((len(asked), 1)) * cumulative[:, -1:]
            return np.asarray(classes[(draws >= cumulative[:, :-1]).sum(axis=1)])
        blocks = positions // most
        chosen = self._classes(read, blocks, asked, rng)
        drawn = np.empty(len(asked), dtype=classes.dtype)
        for block in np.unique(chosen):
            inside, wanted = blocks == block, chosen == block
            drawn[wanted] = self._classes(read[inside], codes[inside], asked[wanted], rng)
        return drawn

    def _numbers(self, read: np.ndarray, values: np.ndarray, asked: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Draw a number for every row that is asked for, between the quantiles that the network gives it."""
        if len(np.unique(values)) == 1:
            return np.full(len(asked), values[0])
        quantiles = np.sort(self._quantiles(read, values, asked), axis=1)
        places = np.interp(rng.random(len(asked)), LEVELS, np.arange(len(LEVELS)))
        lower = np.minimum(places.astype(int), len(LEVELS) - 2)
        rows = np.arange(len(asked))
        share = places - lower
        return np.asarray((1 - share) * quantiles[rows, lower] + share * quantiles[rows, lower + 1])

    def _path(self, role: str) -> Path:
        """Return the file of the weights: in the folder that was named, in the cache, or fetched when allowed."""
        if self.weights is not None:
            files = sorted(Path(self.weights).glob(f"*{role}*.ckpt"))
            if len(files) != 1:
                raise OptionError(
                    f"weights of the {role}",
                    where=f"folder {os.fspath(self.weights)!r}",
                    got=f"{len(files)} files *{role}*.ckpt",
                    expected="one",
                    hint="name a folder with one such file",
                )
            return files[0]
        repository, file, weights = self._source(role, None)
        return _fetched(repository, file, weights, self.fetch)

    @abc.abstractmethod
    def _source(self, role: str, file: str | None) -> tuple[str, str, Weights]:
        """Return repository, file and facts of the weights; of a file of that name where there is one."""

    @abc.abstractmethod
    def _load(self, paths: dict[str, Path]) -> None:
        """Load the networks."""

    @abc.abstractmethod
    def _probabilities(self, read: np.ndarray, classes: np.ndarray, asked: np.ndarray) -> np.ndarray:
        """Return p(class | row), shape (n_asked, n_classes); classes are 0, 1, ..."""

    @abc.abstractmethod
    def _quantiles(self, read: np.ndarray, values: np.ndarray, asked: np.ndarray) -> np.ndarray:
        """Return the quantiles of every row at `LEVELS`, shape (n_asked, n_levels)."""


def _feature(values: np.ndarray) -> np.ndarray:
    """Return values as a network reads them: float64 with NaN for missing."""
    if values.dtype == np.float64:
        return values
    return np.where(values < 0, np.nan, values.astype(np.float64))


def _evenly(groups: Groups, most: int, rng: np.random.Generator) -> np.ndarray:
    """Return up to `most` rows, as many of every group as there are, up to an even share."""
    if len(groups.codes) <= most:
        return np.arange(len(groups.codes))
    order = rng.permutation(len(groups.codes))
    ranks = np.empty(len(order), dtype=np.int64)
    for position in range(len(groups)):
        own = order[groups.codes[order] == position]
        ranks[own] = np.arange(len(own))
    return np.sort(order[np.argsort(ranks[order], kind="stable")][:most])


def _fetched(repository: str, file: str, weights: Weights, yes: bool) -> Path:
    """Return a file of a Hugging Face repository from the cache; else ask, and fetch it."""
    import huggingface_hub as hub
    from huggingface_hub.errors import LocalEntryNotFoundError

    try:
        return Path(hub.hf_hub_download(repository, file, local_files_only=True))
    except LocalEntryNotFoundError:
        pass  # not there yet: ask
    size = _reached(weights, lambda: hub.get_hf_file_metadata(hub.hf_hub_url(repository, file)).size)
    may_fetch(weights, size or 0, yes)
    return Path(_reached(weights, lambda: hub.hf_hub_download(repository, file)))


def _reached(weights: Weights, call: Callable[[], Any]) -> Any:
    try:
        return call()
    except (OSError, ValueError) as error:
        raise GeneratorError(
            "the origin of the weights cannot be reached",
            got=f"{type(error).__name__}, {weights}",
            hint="weights=FOLDER takes files that are there",
        ) from error
