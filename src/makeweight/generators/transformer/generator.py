"""The embedded generator: rows of any group, written in context by a pretrained transformer."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd
import torch

from makeweight.errors import GeneratorError, OptionError
from makeweight.generators.base import Cost, Traits
from makeweight.generators.transformer import weights
from makeweight.generators.transformer.decode import MEBIBYTE, ColumnSpec, RowModel
from makeweight.plan import Group, Groups, Plan
from makeweight.table import Column, Table
from makeweight.table.kinds import codec

__all__ = ["InContextTransformer"]

#: Cells that one core writes in a second, roughly, with the smaller of the configurations.
CELLS_PER_SECOND = 4_000
#: For the cost before `fit`.
USUAL_COLUMNS = 15


class InContextTransformer:
    """New rows by the chain rule over columns, from a transformer that was pretrained to do that.

    Nothing is trained: `fit` encodes real rows of *all* groups as context, in several random column orders,
    and `propose` writes the columns of a new row one after the other, label and grouping attributes first.
    What does not depend on the group is so learned from everybody. Numbers stay inside the observed range
    and keep the column's decimals, ties and zeros; categories are pointed at in the context, so none is
    made up; missing values are written where the real column has them.

    Parameters
    ----------
    weights : path, optional
        Folder with ``weights.safetensors`` and ``manifest.json``; by default those of the package.
    orders : int
        Column orders, each with a context of its own where the table is larger than one; fewer where
        `max_memory` does not hold them.
    max_context : int
        Most real rows in a context. Small groups are taken whole, the others in equal numbers.
    temperature : float
        Below 1, likelier values; above 1, more varied ones.
    max_memory : int
        Mebibytes for contexts and for rows being written.
    device : {"auto", "cpu", "cuda"}

    Raises
    ------
    OptionError
        In `fit`, when a parameter is out of its range.
    FileProblem
        In `fit`, when the weights are missing or damaged.
    GeneratorError
        In `propose`, when the group has no real row.

    References
    ----------
    Nakada, Xu, Li and Zhang, arXiv 2406.03628 (in-context generation); the model, its prior and its training
    are described in ``docs/pretraining.md``.

    Examples
    --------
    >>> import tempfile
    >>> from makeweight import Schema
    >>> from makeweight.generators.transformer.config import ModelConfig
    >>> from makeweight.generators.transformer.model import InContextModel
    >>> folder, facts = tempfile.mkdtemp(), {"steps": 0, "tasks": 0, "seconds": 0.0, "validation": {}}
    >>> untrained = InContextModel(ModelConfig(width=16, layers=1, heads=2))
    >>> _ = weights.save(untrained, folder, config="toy", device="cpu", **facts)
    >>> rng = np.random.default_rng(0)
    >>> frame = pd.DataFrame({"x": rng.normal(size=60).round(1), "y": ["rare"] * 5 + ["common"] * 55})
    >>> table = Table(frame, Schema.infer(frame, target="y"))
    >>> generator = InContextTransformer(weights=folder).fit(table, rng=rng)
    >>> generator.propose(("rare",), 100, rng=rng).shape
    (100, 1)
    """

    traits = Traits()

    def __init__(
        self,
        weights: str | Path | None = None,
        orders: int = 4,
        max_context: int = 1_000,
        temperature: float = 1.0,
        max_memory: int = 768,
        device: str = "auto",
    ) -> None:
        self.weights = weights
        self.orders = orders
        self.max_context = max_context
        self.temperature = temperature
        self.max_memory = max_memory
        self.device = device

    def fit(self, table: Table, *, rng: np.random.Generator) -> Self:
        """Check the options, load the weights, and encode real rows as context.

        Parameters
        ----------
        table : Table
        rng : numpy.random.Generator

        Returns
        -------
        InContextTransformer
        """
        self._validate()
        groups = Groups(table)
        self._describe = groups.describe
        self._writer = Table(table.frame.iloc[:0].copy(), table.schema)
        self._given = [table.schema[name] for name in groups.columns]
        self._learned = list(table.schema.learned)
        model, self._manifest = weights.load(self.weights or weights.embedded(), self._device())
        values = self._values(table)
        first = np.unique(groups.codes, return_index=True)[1]
        self._codes = {key: values[first[i], : len(self._given)] for i, key in enumerate(groups.keys)}
        specs = [ColumnSpec(True) for _ in self._given]
        specs += [ColumnSpec(c.kind.is_coded, None if c.kind.is_coded else c.decimals) for c in self._learned]
        self._rows = RowModel(
            model,
            values,
            specs,
            given=len(self._given),
            orders=self.orders,
            max_context=self.max_context,
            max_memory=self.max_memory * MEBIBYTE,
            rng=rng,
        )
        self._rows.prompt()
        return self

    def propose(self, group: Group, n: int, *, rng: np.random.Generator) -> pd.DataFrame:
        """Write `n` rows of a group.

        Parameters
        ----------
        group : Group
        n : int
        rng : numpy.random.Generator

        Returns
        -------
        DataFrame of shape (n, n_learned)
            The first rows of a longer request are those of a shorter one.
        """
        if group not in self._codes:
            raise GeneratorError(
                "the group has no real row to learn from", where=self._describe(group),
                hint="ask for groups that have rows, or use a generator that can extrapolate",
            )  # fmt: skip
        if not self._learned:
            return pd.DataFrame(index=pd.RangeIndex(n))
        rows = self._rows.sample(tuple(self._codes[group].tolist()), n, rng, temperature=self.temperature)
        columns: dict[Any, np.ndarray] = {}
        for column, values in zip(self._learned, rows.T[len(self._given) :], strict=True):
            if column.kind.is_coded:
                columns[column.name] = np.where(np.isnan(values), -1, values).astype(np.int32)
            else:
                columns[column.name] = column.snap(values)
        return self._writer.decode(columns)

    def cost(self, plan: Plan) -> Cost:
        """Return the seconds expected, from the number of cells to read and to write."""
        columns = len(self._learned) if hasattr(self, "_learned") else USUAL_COLUMNS
        context = min(plan.n_real, self.max_context) * self.orders
        return Cost(seconds=0.5 + columns * (context + plan.n_synthetic) / CELLS_PER_SECOND)

    def log_prob(self, frame: pd.DataFrame) -> np.ndarray:
        """Log-probability of rows given their group; numbers are measured on the scale of normal scores.

        Parameters
        ----------
        frame : DataFrame of shape (m, n_columns)
            With the target, the grouping attributes and the learned columns.

        Returns
        -------
        ndarray of float64, shape (m,)
            −inf for a category, a group or a missing value that the context lacks.
        """
        return self._rows.log_prob(self._read(frame))

    def predict_proba(self, frame: pd.DataFrame, *, balanced: bool = True) -> np.ndarray:
        """Probabilities of the labels by Bayes' rule.

        Parameters
        ----------
        frame : DataFrame of shape (m, n_columns)
            With the grouping attributes and the learned columns; the target may be absent.
        balanced : bool
            Every label equally likely beforehand; otherwise as in the real rows.

        Returns
        -------
        ndarray of float64, shape (m, n_labels)
            In the order of the target's categories.
        """
        labels = np.unique(self._rows.values[:, 0])
        prior = np.full(len(labels), 1 / len(labels)) if balanced else None
        target = self._given[0].name
        asked = frame if target in frame.columns else frame.assign(**{str(target): None})
        return self._rows.predict_proba(self._read(asked, with_target=target in frame.columns), prior=prior)

    def impute(self, frame: pd.DataFrame, *, rng: np.random.Generator) -> pd.DataFrame:
        """Draw the missing values of learned columns, given the rest of their row.

        Parameters
        ----------
        frame : DataFrame of shape (m, n_columns)
            Target and grouping attributes known.
        rng : numpy.random.Generator

        Returns
        -------
        DataFrame of shape (m, n_columns)
            Other columns and known values are as they were.
        """
        rows = self._rows.impute(self._read(frame), rng, temperature=self.temperature)
        columns: dict[Any, np.ndarray] = {}
        for column, values in zip(self._learned, rows.T[len(self._given) :], strict=True):
            coded = column.kind.is_coded
            columns[column.name] = (
                np.where(np.isnan(values), -1, values).astype(np.int32) if coded else values
            )
        drawn = self._writer.decode(columns).set_axis(frame.index)
        filled = frame.copy()
        for name in drawn.columns:
            filled[name] = frame[name].where(frame[name].notna(), drawn[name])
        return filled

    def _validate(self) -> None:
        counts = {"orders": 1, "max_context": 2, "max_memory": 1}
        for name, least in counts.items():
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
                expected = f"a whole number, {least} or more"
                raise OptionError("option out of range", where=name, got=repr(value), expected=expected)
        number = isinstance(self.temperature, int | float) and not isinstance(self.temperature, bool)
        if not number or not 0 < self.temperature < np.inf:
            raise OptionError(
                "option out of range",
                where="temperature",
                got=repr(self.temperature),
                expected="a number above 0",
            )

    def _device(self) -> torch.device:
        if self.device not in ("auto", "cpu", "cuda"):
            raise OptionError("unknown device", got=repr(self.device), expected="'auto', 'cpu' or 'cuda'")
        if self.device == "cuda" and not torch.cuda.is_available():
            raise OptionError("no CUDA device is available", where="device", hint='device="auto"')
        has_cuda = torch.cuda.is_available() and self.device != "cpu"
        return torch.device("cuda" if has_cuda else "cpu")

    def _values(self, table: Table) -> np.ndarray:
        """Group columns, then learned columns, as numbers; a missing attribute is a category of its own."""
        parts = [_own_category(column, table.encode(column.name)) for column in self._given]
        parts += [_as_numbers(column, table.encode(column.name)) for column in self._learned]
        return np.stack(parts, axis=1)

    def _read(self, frame: pd.DataFrame, with_target: bool = True) -> np.ndarray:
        """Encode rows that need not be of the table; unknown categories get a code that no context has."""
        parts = []
        for position, column in enumerate([*self._given, *self._learned]):
            if position == 0 and not with_target:
                parts.append(np.zeros(len(frame)))
                continue
            values, rejects = codec(column.kind).check(column, frame[column.name])
            numbers = (
                _as_numbers(column, values) if position >= len(self._given) else _own_category(column, values)
            )
            for reason, mask in rejects.items():
                if reason == "unknown-category":
                    numbers[mask] = column.n_distinct + 1
            parts.append(numbers)
        return np.stack(parts, axis=1)


def _as_numbers(column: Column, encoded: np.ndarray) -> np.ndarray:
    """float64 with NaN for missing."""
    numbers = encoded.astype(np.float64)
    if column.kind.is_coded:
        numbers[encoded < 0] = np.nan
    return numbers


def _own_category(column: Column, codes: np.ndarray) -> np.ndarray:
    """float64 codes in which missing is the last category."""
    return np.where(codes < 0, column.n_distinct, codes).astype(np.float64)
