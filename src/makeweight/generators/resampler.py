"""Any over-sampler of imbalanced-learn as a generator, with mixed types and missing values handled."""

from __future__ import annotations

import inspect
import re
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pandas as pd
from imblearn import over_sampling
from imblearn.over_sampling.base import BaseOverSampler
from sklearn.base import clone

from makeweight.errors import GeneratorError, OptionError, nearest
from makeweight.generators.base import Cost, Traits
from makeweight.generators.frame.known import too_few_rows
from makeweight.generators.frame.options import WithOptions, option
from makeweight.generators.rows.donors import kept_rows
from makeweight.generators.rows.dummies import Dummies
from makeweight.plan import Group, Groups, Plan
from makeweight.table import Kind, Table

__all__ = ["Resampler"]

ALIASES = {
    "random": "RandomOverSampler",
    "smote": "SMOTE",
    "smotenc": "SMOTENC",
    "borderline-smote": "BorderlineSMOTE",
    "adasyn": "ADASYN",
}
#: Numbers of neighbours within the group, and in the whole table.
WITHIN, ANYWHERE = ("k_neighbors", "n_neighbors"), ("m_neighbors",)
#: Cells of the matrix that is kept, and of what one call of a sampler may hold at once.
MAX_CELLS = 20_000_000
#: ADASYN rounds its share of every real row: asked for too few rows, it writes none.
ADASYN_PER_ROW = 4
#: For the cost: seconds per cell of the table, per category that SMOTENC votes on, per pair of rows of one group that
#: SMOTEN compares in a column, and per pair of all rows that the machine of SVM-SMOTE compares in a column.
SECONDS_PER_CELL, SECONDS_PER_VOTE, SECONDS_PER_PAIR, SECONDS_PER_KERNEL = 2.5e-7, 4.5e-5, 1.2e-7, 4e-10
#: Columns, for the cost before the table is known.
USUAL_COLUMNS = 15


@dataclass(eq=False, repr=False)
class Resampler(WithOptions):
    """Over-sample with imbalanced-learn: copies (random), SMOTE and its kin.

    For all but ``random``, numbers are standardised and a missing one becomes the median plus an indicator;
    a category is one-hot, with two categories as far apart as one standard deviation, and is decoded to the
    largest. Where *every* column is a category, that would only copy rows, so each is then drawn with the
    weight that it has. SMOTENC gets the categories as such; in a table of only numbers or only categories it
    is SMOTE. Values are moved into the observed range and onto the decimals of the real column.

    Parameters
    ----------
    method : str or imblearn over-sampler
        ``random``, ``smote``, ``smotenc``, ``borderline-smote``, ``adasyn``, the name of any class of
        `imblearn.over_sampling`, or an instance, whose parameters other than the sampling strategy and the
        random state are kept.
    k_neighbors : int, optional
        Neighbours within the group; the sampler's own number (5) by default, and never more than the group
        has besides the row itself.
    max_dummies : int
        Most columns that categories and missing indicators may become.
    max_donors : int
        Rows kept of each group, drawn at random, except for ``random``, which draws from all of them.

    Raises
    ------
    OptionError
        In `fit`, when a parameter has an unknown name or a value out of its range.
    GeneratorError
        In `fit`, when categories would become more than `max_dummies` columns. In `propose`, when the group
        has no real row, or one where the method needs two; when ADASYN or borderline SMOTE find no row of
        another group nearby.

    Notes
    -----
    Every call has a seed of its own, spawned from its stream: imbalanced-learn re-seeds for every class, so
    that within one of its calls all classes get the same draws. ADASYN may write another number of rows than
    asked for; borderline SMOTE and ADASYN look for neighbours among the rows kept of each group.

    ``random`` writes a real row's text along; the others leave text out.

    References
    ----------
    Chawla et al. 2002 (SMOTE, SMOTENC); Han et al. 2005 (borderline SMOTE); He et al. 2008 (ADASYN), as
    implemented in imbalanced-learn.

    Examples
    --------
    >>> from makeweight import Schema
    >>> frame = pd.DataFrame({"x": [0.1, 0.4, 2.0, 2.5, 2.6], "y": ["a", "a", "b", "b", "b"]})
    >>> table = Table(frame, Schema.infer(frame, target="y"))
    >>> smote = Resampler("smote").fit(table, rng=np.random.default_rng(0))
    >>> bool(smote.propose(("a",), 3, rng=np.random.default_rng(1))["x"].between(0.1, 0.4).all())
    True
    """

    method: str | BaseOverSampler = option("random", object, takes="a name, or an over-sampler of imbalanced-learn")
    k_neighbors: int | None = option(None, int, 1, words=(None,))
    max_dummies: int = option(10_000, int, 1)
    max_donors: int = option(20_000, int, 1)

    @property
    def traits(self) -> Traits:
        """Copies on purpose with ``random``; needs two rows per group otherwise."""
        copies = _copies(_sampler(self.method))
        return Traits(copies=copies, min_rows=1 if copies else 2)

    def fit(self, table: Table, *, rng: np.random.Generator) -> Self:
        """Encode the rows, or a random subset of large groups."""
        self._check_options()
        self._table = table
        self._groups = Groups(table)
        self._sampler = _sampler(self.method)
        if _copies(self._sampler):
            return self
        if len(self._groups) < 2:
            raise GeneratorError(
                f"{type(self._sampler).__name__} needs rows of two labels",
                got="one label, or no target",
                hint="name a target, or use --generator smoothed-bootstrap",
            )
        mixed = isinstance(self._sampler, over_sampling.SMOTENC)
        native = mixed or isinstance(self._sampler, over_sampling.SMOTEN)
        self._dummies = Dummies(table.schema, one_hot=not native)
        if mixed and not (self._dummies.has_numeric and self._dummies.has_coded):
            parameters = {name: getattr(self._sampler, name) for name in WITHIN if hasattr(self._sampler, name)}
            self._sampler = over_sampling.SMOTE(**parameters)
            self._dummies = Dummies(table.schema, one_hot=True)
        if not self._dummies.width:
            raise GeneratorError(
                f"{type(self._sampler).__name__} needs a column to interpolate",
                got="a table in which every feature is constant, text or an identifier",
                hint="use --generator random",
            )
        self._dummies.check_size(self.max_dummies)
        groups, n_dummies = self._groups, self._dummies.n_dummies
        rows = np.sort(kept_rows(groups, self.max_donors, n_dummies, rng, max_cells=MAX_CELLS)[0])
        self._codes = self._groups.codes[rows].astype(np.int64)
        self._matrix = self._dummies.fit_encode(table, rows)
        return self

    def propose(self, group: Group, n: int, *, rng: np.random.Generator) -> pd.DataFrame:
        """Resample one group.

        Returns
        -------
        DataFrame of shape (n, n_learned)
            Fewer rows where the method writes fewer; with text columns for ``random``.
        """
        if group not in self._groups:
            raise too_few_rows(self._groups.columns, group)
        if _copies(self._sampler):
            return self._copy(group, n, rng)
        code = self._groups.position(group)
        size = int((self._codes == code).sum())
        if size < 2:
            raise too_few_rows(self._groups.columns, group, size, 2)
        # Samplers may hold k neighbours of every new row at once: long requests are written in parts.
        part = max(256, MAX_CELLS // (6 * max(1, self._dummies.n_dummies)))
        sizes = [min(part, n - first) for first in range(0, n, part)] or [0]
        parts = []
        for wanted, stream in zip(sizes, rng.spawn(len(sizes)), strict=True):
            matrix = self._resample(code, size, wanted, stream) if wanted else self._matrix[:0]
            uniforms = None
            if not self._dummies.has_numeric:
                uniforms = stream.random((len(matrix), len(self._table.schema.learned)))
            parts.append(self._dummies.decode(matrix, uniforms))
        return self._table.decode({name: np.concatenate([part[name] for part in parts]) for name in parts[0]})

    def cost(self, plan: Plan) -> Cost:
        """Return the seconds expected, from the cells to write and the rows that the method compares."""
        columns = len(self._table.schema.learned) if hasattr(self, "_table") else plan.n_learned or USUAL_COLUMNS
        sampler = _sampler(self.method)
        seconds = SECONDS_PER_CELL * (plan.n_real + 5 * plan.n_synthetic)
        if isinstance(sampler, over_sampling.SMOTENC):
            seconds += SECONDS_PER_VOTE * plan.n_synthetic
        elif isinstance(sampler, over_sampling.SMOTEN):
            seconds += SECONDS_PER_PAIR * sum(min(entry.n_real, self.max_donors) ** 2 for entry in plan)
        elif isinstance(sampler, over_sampling.SVMSMOTE):
            seconds += SECONDS_PER_KERNEL * plan.n_real**2
        return Cost(seconds=0.01 * len(plan.groups) + columns * seconds)

    def _copy(self, group: Group, n: int, rng: np.random.Generator) -> pd.DataFrame:
        rows = self._groups.rows(group)
        picks = np.empty(0, dtype=np.int64)
        if n:
            labels = np.array([1] * len(rows) + [0])  # a sampler wants a second class
            sampler = self._prepared(1, len(rows), len(labels), n, rng)
            sampler.fit_resample(np.arange(len(labels), dtype=np.int64)[:, None], labels)
            picks = sampler.sample_indices_[len(labels) :]
        taken = rows[picks]
        schema, frame = self._table.schema, self._table.frame
        columns: dict[Any, Any] = {column.name: self._table.encode(column.name, taken) for column in schema.learned}
        for column in schema.features:
            if column.kind is Kind.TEXT:
                columns[column.name] = frame[column.name].iloc[taken]
        return self._table.decode(columns)

    def _resample(self, code: int, size: int, n: int, rng: np.random.Generator) -> np.ndarray:
        adasyn = isinstance(self._sampler, over_sampling.ADASYN)
        wanted = max(n, ADASYN_PER_ROW * size) if adasyn else n
        sampler = self._prepared(code, size, len(self._codes), wanted, rng)
        name = type(sampler).__name__
        where = self._groups.describe(self._groups.keys[code])
        hint = "use --generator smote, or smoothed-bootstrap"
        try:
            matrix, codes = sampler.fit_resample(self._matrix, self._codes)
        except (ValueError, RuntimeError) as error:
            raise GeneratorError(
                f"{name} cannot write this group", where=where, got=str(error).splitlines()[0], hint=hint
            ) from error
        new = matrix[len(self._matrix) :][codes[len(self._codes) :] == code]
        if not len(new):
            raise GeneratorError(
                f"{name} wrote no row",
                where=where,
                expected="a row with at least half, but not all, of its nearest rows in other groups",
                hint=hint,
            )
        if len(new) > n:
            new = new[np.sort(rng.choice(len(new), n, replace=False))]
        return np.asarray(new)

    def _prepared(self, code: int, size: int, total: int, n: int, rng: np.random.Generator) -> BaseOverSampler:
        """Return a copy of the sampler that adds `n` rows to one group, with neighbours that exist."""
        sampler = clone(self._sampler)
        parameters = sampler.get_params(deep=False)
        changes: dict[str, Any] = {"sampling_strategy": {code: size + n}}
        if "random_state" in parameters:
            changes["random_state"] = int(rng.integers(2**31))
        if "categorical_features" in parameters:
            changes["categorical_features"] = self._dummies.categorical
        for name in (*WITHIN, *ANYWHERE):
            wanted = parameters.get(name)
            if name in WITHIN and name in parameters and self.k_neighbors is not None:
                wanted = self.k_neighbors
            if isinstance(wanted, int | np.integer):
                changes[name] = min(int(wanted), (size if name in WITHIN else total) - 1)
        return sampler.set_params(**changes)


def _sampler(method: Any) -> BaseOverSampler:
    """Return the sampler that a name or an instance means."""
    if isinstance(method, BaseOverSampler):
        return method
    known = {_plain(name): cls for name, cls in vars(over_sampling).items() if inspect.isclass(cls)}
    known |= {_plain(alias): known[_plain(name)] for alias, name in ALIASES.items()}
    if not isinstance(method, str) or _plain(method) not in known:
        raise OptionError(
            "unknown over-sampler",
            where="method",
            got=repr(method),
            expected="a name, or an over-sampler of imbalanced-learn",
            hint=nearest(str(method), [*ALIASES, *over_sampling.__all__]),
        )
    cls = known[_plain(method)]
    return cls(categorical_features=[]) if cls is over_sampling.SMOTENC else cls()


def _plain(name: str) -> str:
    return re.sub(r"[\W_]", "", name).casefold()


def _copies(sampler: BaseOverSampler) -> bool:
    return isinstance(sampler, over_sampling.RandomOverSampler) and sampler.shrinkage is None
