"""The embedded generator: rows of any group, written in context by a pretrained transformer."""

from __future__ import annotations

import dataclasses
import math
import os
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Self

import numpy as np
import pandas as pd

from makeweight.generators.base import Cost, Traits
from makeweight.generators.frame.known import Allows, KnownTable
from makeweight.generators.frame.options import option
from makeweight.generators.frame.saving import SavedGenerator, SavedState, flat, part
from makeweight.generators.rows.foreign import positions_of
from makeweight.generators.rows.shape import rows_to_write
from makeweight.generators.transformer import weights
from makeweight.generators.transformer.arrays import require_torch
from makeweight.generators.transformer.conditional import conditional_rows
from makeweight.generators.transformer.config import CONFIGS
from makeweight.generators.transformer.contexts import Request, even_context
from makeweight.generators.transformer.cost import Size
from makeweight.generators.transformer.decode import MEBIBYTE, RowModel
from makeweight.generators.transformer.device import choose_device
from makeweight.generators.transformer.encoding import column_specs, decoded, frame_numbers, table_numbers, whole_rows
from makeweight.generators.transformer.manifest import Adaptation
from makeweight.generators.transformer.network import Network
from makeweight.generators.transformer.shaping import Shaping
from makeweight.plan import Group, Groups, Plan
from makeweight.rules import Condition
from makeweight.table import Table

__all__ = ["InContextTransformer"]

#: Of fine-tuning.
SECONDS_PER_STEP = 1.0
#: For the cost before `fit`, and rows in a context where the weights do not say how many they know.
USUAL_COLUMNS, USUAL_CONTEXT = 15, 256
#: Fewest and most column orders of "auto".
DRAWS = (8, 16)
#: Rows of a group of which half of the rows of "auto" begin as real ones.
DONORS = 500
#: Beside the manifest of a saved generator.
WEIGHTS = "weights"


@dataclass(eq=False, repr=False)
class InContextTransformer(SavedGenerator):
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
    own_shape : bool
        Whether columns of numbers get the group's own distribution where it differs by more than chance.
    derive : bool
        Whether columns that others determine in every real row (sums, products, ratios, codes and their meaning) are
        computed from them instead of written.
    adapt : int
        Steps of fine-tuning on the table in `fit`, at most: a second or two each on one core. Held-out rows
        decide which of the networks on the way is kept, the pretrained one among them. It needs torch. 0 leaves
        the network as it is.
    max_memory : int
        Mebibytes for contexts and for rows being written.
    device : {"auto", "cpu", "cuda"}
        Where the network runs: on numpy, or on a GPU by torch; "auto" takes a GPU where both are there.

    Raises
    ------
    OptionError
        In `fit`, when a parameter is out of its range.
    FileProblem
        In `fit`, when the weights are missing or damaged.
    GeneratorError
        In `propose`, when the group has no real row; in `fit`, when a table is too small for `adapt`.
    MissingDependency
        In `fit`, when `adapt` or a GPU is asked for and torch is not installed.

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
    >>> from makeweight.generators.transformer.network import untrained
    >>> folder, facts = tempfile.mkdtemp(), {"steps": 0, "tasks": 0, "seconds": 0.0, "validation": {}}
    >>> network = untrained(ModelConfig(width=16, layers=1, heads=2), np.random.default_rng(0))
    >>> _ = weights.save(network, folder, config="toy", device="cpu", **facts)
    >>> rng = np.random.default_rng(0)
    >>> frame = pd.DataFrame({"x": rng.normal(size=60).round(1), "y": ["rare"] * 5 + ["common"] * 55})
    >>> table = Table(frame, Schema.infer(frame, target="y"))
    >>> generator = InContextTransformer(weights=folder).fit(table, rng=rng)
    >>> generator.propose(("rare",), 100, rng=rng).shape
    (100, 1)
    """

    traits = Traits()
    saved_as = "transformer"
    saved_facts = ("seed", "adaptation")
    saved_arrays = ("values", "codes")
    saved_folders = (WEIGHTS,)

    weights: str | Path | None = option(None, (str, Path), words=(None,), takes="a folder", saved=False)
    orders: int | str = option("auto", int, 1, words=("auto",))
    max_context: int | str = option("auto", int, 2, words=("auto",))
    temperature: float = option(1.0, float, 0, math.inf, above=True, test=math.isfinite)
    donors: float | str = option("auto", float, 0, 1, words=("auto",))
    own_shape: bool = option(True, bool)
    derive: bool = option(True, bool)
    adapt: int = option(0, int, 0)
    max_memory: int = option(768, int, 1)
    device: str = option("auto", words=("auto", "cpu", "cuda"), saved=False)

    def fit(self, table: Table, *, rng: np.random.Generator) -> Self:
        """Check the options, load the weights, and encode real rows as context."""
        self._check_options()
        groups = Groups(table)
        self._know(KnownTable.of(table, groups, derive=self.derive))
        device = choose_device(self.device)
        network, self._manifest = weights.load(self.weights or weights.embedded())
        values = table_numbers(self._known, table)
        first = np.unique(groups.codes, return_index=True)[1]
        codes = values[first, : len(self._given)]
        self.adaptation_: Adaptation | None = None
        if self.adapt:
            require_torch("adapt")
            from makeweight.generators.transformer.adapt import adapt

            network, self.adaptation_ = adapt(
                network,
                values,
                np.array([spec.categorical for spec in column_specs(self._known)]),
                len(self._given),
                steps=self.adapt,
                max_context=self._known_context(),
                rng=rng,
                device=device,
            )
        self._read_rows(network, device, values, codes, int(rng.integers(2**62)))
        return self

    def _know(self, known: KnownTable) -> None:
        self._known, self._given, self._learned = known, known.given, known.learned

    def _known_context(self) -> int:
        """Rows in the largest context that the network has seen in its pretraining."""
        known = CONFIGS.get(self._manifest.config)
        return USUAL_CONTEXT if known is None else known.prior.max_context

    def _context(self, counts: Sequence[int], known: int) -> int:
        """Most rows in a context, of groups of so many real rows; ``known``: what the network has seen."""
        return even_context(counts, known) if self.max_context == "auto" else int(self.max_context)

    def _draws(self, rows: int, most: int) -> int:
        """Column orders wanted for so many real rows in contexts of at most so many."""
        return int(np.clip(-(-rows // most), *DRAWS)) if self.orders == "auto" else int(self.orders)

    def _read_rows(self, network: Network, device: str, values: np.ndarray, codes: np.ndarray, seed: int) -> None:
        """Encode contexts of the real rows."""
        self._network, self._device = network, device
        self._seed = seed
        self._codes = codes
        self.__dict__.pop("_whole", None)
        self._rows = self._row_model(self._known, values)
        self._rows.contexts()
        self._shaping = Shaping(self._rows, codes, self._written, seed, wanted=self.own_shape)

    def _row_model(self, known: KnownTable, values: np.ndarray) -> RowModel:
        counts = np.unique(values[:, : len(known.given)], axis=0, return_counts=True)[1]
        most = self._context(counts.tolist(), self._known_context())
        return RowModel(
            self._network if self._device == "cpu" else self._network.on_torch(self._device),
            values,
            column_specs(known),
            given=len(known.given),
            orders=self._draws(len(values), most),
            max_context=most,
            max_memory=self.max_memory * MEBIBYTE,
            rng=np.random.default_rng(self._seed),
        )

    @property
    def notes(self) -> tuple[str, ...]:
        """What a user should know about the rows."""
        adaptation = getattr(self, "adaptation_", None)
        return (*self._known.notes, *(() if adaptation is None else (str(adaptation),)))

    @property
    def details(self) -> dict[str, object]:
        """Which weights wrote the rows."""
        return {"weights": {name: getattr(self._manifest, name) for name in ("sha256", "config", "steps")}}

    def _state(self) -> SavedState:
        adaptation = None if self.adaptation_ is None else dataclasses.asdict(self.adaptation_)
        facts = {"seed": self._seed, "adaptation": adaptation}
        return SavedState(facts, {"values": self._rows.values, "codes": self._codes})

    def _restore(self, table: Table, state: SavedState, folder: Path) -> None:
        self._know(self._known)
        self.weights = folder / WEIGHTS
        network, self._manifest = weights.load(self.weights)
        adaptation = state.facts["adaptation"]
        self.adaptation_ = None if adaptation is None else Adaptation(**adaptation)
        arrays = part(flat(state=state.arrays), "state", _State)
        self._read_rows(network, choose_device(self.device), arrays.values, arrays.codes, int(state.facts["seed"]))

    def save(self, folder: str | os.PathLike[str]) -> None:
        """Save the fitted generator: its weights, and the real rows it reads, as safetensors.

        Parameters
        ----------
        folder : path
            New, or empty.

        Raises
        ------
        FileProblem
            When there is something in the folder.
        """
        super().save(folder)
        names = ("config", "steps", "tasks", "seconds", "device", "validation")
        facts = {name: getattr(self._manifest, name) for name in names}
        weights.save(self._network, Path(folder) / WEIGHTS, **facts)

    def propose(self, group: Group, n: int, *, rng: np.random.Generator) -> pd.DataFrame:
        """Write `n` rows of a group.

        Returns
        -------
        DataFrame of shape (n, n_learned)
            The first rows of a longer request are those of a shorter one.
        """
        position = self._known.position(group)
        if not self._learned:
            return pd.DataFrame(index=pd.RangeIndex(n))
        [to_break_ties] = rng.spawn(1)
        rows = self._shaping.written(position, n, rng)
        return decoded(self._known, self._shaping.reshaped(position, rows, to_break_ties))

    def _written(self, position: int, requests: Sequence[Request]) -> list[np.ndarray]:
        """Return rows of numbers, per request, before they get the group's own shape."""
        donors = self.donors
        if isinstance(donors, str):
            real = len(self._shaping.real(position))
            donors = real**2 / (real**2 + DONORS**2)
        options = {"temperature": self.temperature, "donors": float(donors)}
        return self._rows.samples(tuple(self._codes[position].tolist()), requests, **options)

    def propose_where(
        self, group: Group, n: int, conditions: Mapping[Hashable, Condition], *, rng: np.random.Generator
    ) -> pd.DataFrame:
        """Write up to `n` rows of a group that obey conditions on learned columns, drawn given them.

        Parameters
        ----------
        group : Group
        n : int
        conditions : mapping of column to Condition
        rng : numpy.random.Generator

        Returns
        -------
        DataFrame of shape (at most n, n_learned)
            No row begins as a real one here, whatever `donors` says.
        """
        codes = self._codes[self._known.position(group)]
        exact: dict[int, float] = {}
        limited: dict[int, Allows] = {}
        allowed = {name: condition.allows for name, condition in conditions.items()}
        for name, allows in self._known.carried(allowed).items():
            position = len(codes) + [column.name for column in self._learned].index(name)
            value = conditions[name].exact if name in conditions else None
            if value is not None:
                exact[position] = value
            else:
                limited[position] = allows
        if not exact and not limited:
            return self.propose(group, n, rng=rng)
        rows = conditional_rows(
            self._rows, tuple(codes.tolist()), n, rng, exact=exact, limited=limited, temperature=self.temperature
        )
        return decoded(self._known, rows)

    def cost(self, plan: Plan) -> Cost:
        """Return the seconds expected, from the cells to read and to write and the columns that each looks at.

        Written are also the rows that groups' own shapes are read off.
        """
        columns = len(self._learned) if hasattr(self, "_learned") else plan.n_learned or USUAL_COLUMNS
        real = [entry.n_real for entry in plan if entry.n_real] or [1]
        most = self._context(real, USUAL_CONTEXT)
        written = [e.n_synthetic + self.own_shape * rows_to_write(e.n_real) for e in plan if e.n_synthetic]
        size = Size(columns, sum(real), most, self._draws(sum(real), most), self.max_memory)
        return Cost(seconds=size.seconds(written) + self.adapt * SECONDS_PER_STEP)

    def log_prob(self, frame: pd.DataFrame) -> np.ndarray:
        """Log-probability of rows given their group; numbers are measured on the scale of normal scores.

        It is that of rows written from the first column on; rows that begin as a real one follow it from
        where the real one ends. The group's own shape is accounted for by the mass of what a value is made from.

        Parameters
        ----------
        frame : DataFrame of shape (m, n_columns)
            With the target, the grouping attributes and the learned columns.

        Returns
        -------
        ndarray of float64, shape (m,)
            −inf for a category, a group or a missing value that the context lacks.
        """
        rows = frame_numbers(self._known, frame)
        positions = positions_of(frame, self._known.given, self._known.groups)
        change = np.zeros(len(rows))
        for position in np.unique(positions[positions >= 0]):
            own = positions == position
            rows[own], change[own] = self._shaping.unshaped(int(position), rows[own])
        change += self._known.log_prob_derived(frame)
        return self._rows.log_prob(rows) + change

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
        numbers = frame_numbers(self._known, frame, with_target=target in frame.columns)
        return self._rows.predict_proba(numbers, prior=prior)

    def label(self, frame: pd.DataFrame) -> np.ndarray:
        """Return what `predict_proba` says at the labels' shares among the real rows, shape (m, n_labels)."""
        return self.predict_proba(frame, balanced=False)

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
        known, model = self._whole if self._known.binds(frame) else (self._known, self._rows)
        rows = model.impute(frame_numbers(known, frame), rng, temperature=self.temperature)
        drawn = decoded(known, rows, every_row=True).set_axis(frame.index)
        filled = frame.copy()
        for name in drawn.columns:
            filled[name] = frame[name].where(frame[name].notna(), drawn[name])
        for column, values in self._known.settled(frame, filled).items():
            filled[column] = values
        for column, values in self._known.computed(filled).items():
            filled[column] = frame[column].where(frame[column].notna(), values.set_axis(frame.index))
        return filled

    @cached_property
    def _whole(self) -> tuple[KnownTable, RowModel]:
        """Columns that others determine are among those that are read here: in a row to fill in they tell of others."""
        known = dataclasses.replace(self._known, derived=())
        return known, self._row_model(known, whole_rows(self._known, self._rows.values))


@dataclass(frozen=True, eq=False)
class _State:
    """What is saved: real rows as numbers, and the codes of every group."""

    values: np.ndarray
    codes: np.ndarray
