"""The embedded generator: rows of any group, written in context by a pretrained transformer."""

from __future__ import annotations

import dataclasses
import inspect
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd
import torch

from makeweight.errors import GeneratorError, OptionError
from makeweight.generators.base import Cost, Traits
from makeweight.generators.frame.saving import fingerprint, flat, load_state, options_of, part, save_state
from makeweight.generators.rows.foreign import UNKNOWN, encode_foreign
from makeweight.generators.transformer import weights
from makeweight.generators.transformer.adapt import Adaptation, adapt
from makeweight.generators.transformer.config import CONFIGS
from makeweight.generators.transformer.decode import MEBIBYTE, ColumnSpec, RowModel
from makeweight.generators.transformer.model import InContextModel
from makeweight.plan import Group, Groups, Plan
from makeweight.table import Column, Table

__all__ = ["InContextTransformer"]

#: Cells that one core writes in a second, roughly, with the smaller of the configurations.
CELLS_PER_SECOND = 4_000
SECONDS_PER_STEP = 1.0
#: For the cost before `fit`, and rows in a context where the weights do not say how many they know.
USUAL_COLUMNS, USUAL_CONTEXT = 15, 256
#: Fewest rows in a context of "auto": in all, and per group.
LEAST_CONTEXT, LEAST_PER_GROUP = 100, 10
#: Fewest and most column orders of "auto".
DRAWS = (8, 16)
#: Rows of a group of which half of the rows of "auto" begin as real ones.
DONORS = 500
#: What a saved generator does not take along: its weights lie in a folder of it, and devices differ.
NAME, WEIGHTS, NOT_SAVED = "transformer", "weights", ("weights", "device")


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
    orders : int or "auto"
        Column orders, each with a context of its own where the table is larger than one; fewer where
        `max_memory` does not hold them. "auto" takes 8, and up to 16 where the contexts together then show
        more of a large table.
    max_context : int or "auto"
        Most real rows in a context. Small groups are taken whole, the others in equal numbers. "auto" takes
        as many of every group as the rarest has, at least 100 rows (or ten per group) in all, and no more
        than the network has seen in its pretraining: with larger and less even contexts its rows were
        worse, not better (``docs/generators/transformer.md``).
    temperature : float
        Below 1, likelier values; above 1, more varied ones.
    donors : float or "auto"
        Share of rows that begin as a real row of their group: a random half of its cells, more or less, is
        kept, the rest is written. "auto" is n² / (n² + 500²) for a group of n rows: thousands of real rows
        say more than a network that has read some of them, a hundred do not. 0 keeps no cell.
    adapt : int
        Steps of fine-tuning on the table in `fit`, at most: a second or two each on one core. Held-out rows
        decide which of the networks on the way is kept, the pretrained one among them. 0 leaves it as it is.
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
        In `propose`, when the group has no real row; in `fit`, when a table is too small for `adapt`.

    Attributes
    ----------
    adaptation_ : Adaptation or None
        What came of `adapt`.

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
        orders: int | str = "auto",
        max_context: int | str = "auto",
        temperature: float = 1.0,
        donors: float | str = "auto",
        adapt: int = 0,
        max_memory: int = 768,
        device: str = "auto",
    ) -> None:
        self.weights = weights
        self.orders = orders
        self.max_context = max_context
        self.temperature = temperature
        self.donors = donors
        self.adapt = adapt
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
        groups = self._look(table)
        model, self._manifest = weights.load(self.weights or weights.embedded(), self._device())
        values = self._values(table)
        first = np.unique(groups.codes, return_index=True)[1]
        codes = values[first, : len(self._given)]
        self.adaptation_: Adaptation | None = None
        if self.adapt:
            model, self.adaptation_ = adapt(
                model,
                values,
                np.array([spec.categorical for spec in self._specs()]),
                len(self._given),
                steps=self.adapt,
                max_context=self._known_context(),
                rng=rng,
            )
        self._read_rows(model, values, codes, int(rng.integers(2**62)))
        return self

    def _look(self, table: Table) -> Groups:
        """Remember what the table is, and none of its rows."""
        groups = Groups(table)
        self._describe, self._keys = groups.describe, groups.keys
        self._writer = Table(table.frame.iloc[:0].copy(), table.schema)
        self._fingerprint = fingerprint(table)
        self._given = [table.schema[name] for name in groups.columns]
        self._learned = list(table.schema.learned)
        return groups

    def _specs(self) -> list[ColumnSpec]:
        specs = [ColumnSpec(True) for _ in self._given]
        return specs + [
            ColumnSpec(column.kind.is_coded, None if column.kind.is_coded else column.decimals)
            for column in self._learned
        ]

    def _known_context(self) -> int:
        """Rows in the largest context that the network has seen in its pretraining."""
        known = CONFIGS.get(self._manifest.config)
        return USUAL_CONTEXT if known is None else known.prior.max_context

    def _context(self, values: np.ndarray) -> int:
        """Most rows in a context."""
        if self.max_context != "auto":
            return int(self.max_context)
        counts = np.unique(values[:, : len(self._given)], axis=0, return_counts=True)[1]
        fewest = max(LEAST_CONTEXT, LEAST_PER_GROUP * len(counts))
        return min(max(fewest, len(counts) * int(counts.min())), self._known_context())

    def _read_rows(self, model: InContextModel, values: np.ndarray, codes: np.ndarray, seed: int) -> None:
        """Encode contexts of the real rows."""
        self._seed = seed
        self._codes = {key: codes[i] for i, key in enumerate(self._keys)}
        most = self._context(values)
        draws = int(np.clip(-(-len(values) // most), *DRAWS)) if self.orders == "auto" else int(self.orders)
        self._rows = RowModel(
            model,
            values,
            self._specs(),
            given=len(self._given),
            orders=draws,
            max_context=most,
            max_memory=self.max_memory * MEBIBYTE,
            rng=np.random.default_rng(seed),
        )
        self._rows.prompt()

    @property
    def notes(self) -> tuple[str, ...]:
        """What a user should know about the rows."""
        told = getattr(self, "adaptation_", None)
        if told is None:
            return ()
        kept = f"the network of step {told.best_step}" if told.best_step else "the pretrained network"
        return (
            f"adapted to the table: {kept} was kept after {told.steps} steps; held-out rows "
            f"{told.before:.3f} nats per cell before, {told.after:.3f} with what was kept",
        )

    @property
    def details(self) -> dict[str, Any]:
        """Which weights wrote the rows."""
        return {"weights": {name: getattr(self._manifest, name) for name in ("sha256", "config", "steps")}}

    def save(self, folder: str | os.PathLike[str]) -> None:
        """Save the fitted generator: its weights, and the real rows it reads, as safetensors.

        Parameters
        ----------
        folder : path
            New, or empty. The manifest is written last and makes it whole.

        Raises
        ------
        FileProblem
            When there is something in the folder.
        """
        told = None if self.adaptation_ is None else dataclasses.asdict(self.adaptation_)
        facts = {"seed": self._seed, "adaptation": told}
        arrays = {"values": self._rows.values, "codes": np.stack([self._codes[key] for key in self._keys])}
        options = options_of(self, without=NOT_SAVED)
        save_state(folder, NAME, self._fingerprint, options, facts, arrays)
        names = ("config", "steps", "tasks", "seconds", "device", "validation")
        known = {name: getattr(self._manifest, name) for name in names}
        weights.save(self._rows.model, Path(folder) / WEIGHTS, **known)

    @classmethod
    def load(cls, folder: str | os.PathLike[str], table: Table, *, device: str = "auto") -> Self:
        """Load a generator that was saved.

        Parameters
        ----------
        folder : path
        table : Table
            The table it was fitted to, or one with the same columns, values and groups.
        device : str

        Returns
        -------
        InContextTransformer

        Raises
        ------
        FileProblem
            When the folder has something that is not known, or lacks something.
        SchemaError
            When the table is not of the kind that the generator was fitted to.
        """
        options = [name for name in inspect.signature(cls).parameters if name not in NOT_SAVED]
        found, facts, arrays = load_state(
            folder,
            NAME,
            table,
            options=options,
            facts=("seed", "adaptation"),
            arrays=("values", "codes"),
            folders=(WEIGHTS,),
        )
        generator = cls(**found, weights=Path(folder) / WEIGHTS, device=device)
        generator._validate()
        generator._look(table)
        model, generator._manifest = weights.load(generator.weights or "", generator._device())
        told = facts["adaptation"]
        generator.adaptation_ = None if told is None else Adaptation(**told)
        state = part(flat(state=arrays), "state", _State)
        generator._read_rows(model, state.values, state.codes, int(facts["seed"]))
        return generator

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
                "the group has no real row to learn from",
                where=self._describe(group),
                hint="ask for groups that have rows, or use a generator that can extrapolate",
            )
        if not self._learned:
            return pd.DataFrame(index=pd.RangeIndex(n))
        codes = self._codes[group]
        donors = self.donors
        if isinstance(donors, str):
            real = int((self._rows.values[:, : len(codes)] == codes).all(1).sum())
            donors = real**2 / (real**2 + DONORS**2)
        options = {"temperature": self.temperature, "donors": float(donors)}
        return self._decode(self._rows.sample(tuple(codes.tolist()), n, rng, **options))

    def _decode(self, rows: np.ndarray) -> pd.DataFrame:
        """Write rows of numbers (m, D) with the real dtypes."""
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
        orders = DRAWS[0] if isinstance(self.orders, str) else self.orders
        most = USUAL_CONTEXT if isinstance(self.max_context, str) else self.max_context
        cells = columns * (min(plan.n_real, most) * orders + plan.n_synthetic)
        return Cost(seconds=0.5 + cells / CELLS_PER_SECOND + self.adapt * SECONDS_PER_STEP)

    def log_prob(self, frame: pd.DataFrame) -> np.ndarray:
        """Log-probability of rows given their group; numbers are measured on the scale of normal scores.

        It is that of rows written from the first column on; rows that begin as a real one follow it from
        where the real one ends.

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
        drawn = self._decode(rows).set_axis(frame.index)
        filled = frame.copy()
        for name in drawn.columns:
            filled[name] = frame[name].where(frame[name].notna(), drawn[name])
        return filled

    def _validate(self) -> None:
        counts = {"orders": 1, "max_context": 2, "max_memory": 1, "adapt": 0}
        for name, least in counts.items():
            value = getattr(self, name)
            if name in ("orders", "max_context") and isinstance(value, str) and value == "auto":
                continue
            if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
                expected = f"a whole number, {least} or more"
                raise OptionError("option out of range", where=name, got=repr(value), expected=expected)
        share = isinstance(self.donors, int | float) and not isinstance(self.donors, bool)
        if self.donors != "auto" and not (share and 0 <= self.donors <= 1):  # type: ignore[operator]
            raise OptionError(
                "option out of range", where="donors", got=repr(self.donors), expected="'auto', or 0 to 1"
            )
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
            encoded = encode_foreign(column, frame)
            is_group = position < len(self._given)
            numbers = _own_category(column, encoded) if is_group else _as_numbers(column, encoded)
            if column.kind.is_coded:
                numbers[encoded == UNKNOWN] = column.n_distinct + 1
            parts.append(numbers)
        return np.stack(parts, axis=1)


@dataclass(frozen=True, eq=False)
class _State:
    """What is saved: real rows as numbers, and the codes of every group."""

    values: np.ndarray
    codes: np.ndarray


def _as_numbers(column: Column, encoded: np.ndarray) -> np.ndarray:
    """float64 with NaN for missing."""
    numbers = encoded.astype(np.float64)
    if column.kind.is_coded:
        numbers[encoded < 0] = np.nan
    return numbers


def _own_category(column: Column, codes: np.ndarray) -> np.ndarray:
    """float64 codes in which missing is the last category."""
    return np.where(codes < 0, column.n_distinct, codes).astype(np.float64)
