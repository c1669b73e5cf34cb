"""The class itself."""

from __future__ import annotations

import os
from collections.abc import Callable, Hashable, Mapping
from typing import Any, Self

import numpy as np

from makeweight.errors import GenerationShortfall, OptionError
from makeweight.generators import DEFAULT_GENERATOR
from makeweight.generators.base import Generator, traits_of
from makeweight.generators.conditioned import Conditioned, spoken_for
from makeweight.generators.fill import Generation, Limits, fill
from makeweight.generators.forewarning import forecast, warn_of_few_rows
from makeweight.generators.writing import RandomState, fit_generator, seed_sequence
from makeweight.plan import GroupPlan, Plan
from makeweight.progress import Progress
from makeweight.rules import Constraints
from makeweight.synthesizer.learned import LearnedTable
from makeweight.synthesizer.persistence import load_parts, save_parts
from makeweight.synthesizer.sampling import plan_of, shuffled
from makeweight.table.containers import as_container, empty_like
from makeweight.table.memory import refuse_rows
from makeweight.table.schema import GroupBy

__all__ = ["Synthesizer"]

#: Keys of the streams of single samples, and of missing values that are drawn.
SAMPLE_STREAM, IMPUTE_STREAM = 4, 5


class Synthesizer(LearnedTable):
    """A generator and the table it learned from: rows on demand, likelihoods, labels and missing values.

    Parameters
    ----------
    generator : str or Generator, default="transformer"
        A name that ``makeweight generators`` lists, or an object with ``fit``, ``propose`` and ``cost``.
    options : dict of str to object, optional
        Constructor arguments of a generator that is given by its name.
    kinds : dict of column to kind, optional
        Columns whose kind is stated rather than inferred.
    constraints : mapping of name to expression, or expressions, optional
        What every row obeys; see docs/constraints.md.
    limits : Limits, optional
        What holds while rows are written: time, money, copies, and what to do with a shortfall (an error).
    random_state : int, numpy.random.Generator, RandomState or None
        Fixes the fit, the first sample, the second, and so on.
    n_jobs : int, optional
        Threads that work on different groups; the rows do not depend on it.

    Attributes
    ----------
    generator_ : Generator
        Fitted.
    schema_ : Schema
    groups_ : Groups
        Cells of label x attributes; without a target one group of all rows.
    classes_ : ndarray
        The labels, in the order of the columns of `predict_proba`.
    generation_ : Generation
        The last sample with its ledger, also where it was short.

    See Also
    --------
    makeweight.balance, makeweight.SyntheticOverSampler : The rows that a table is missing.

    Examples
    --------
    >>> import pandas as pd
    >>> frame = pd.DataFrame({"age": [18, 25, 31, 42, 57, 63] * 5, "churn": ["yes", "no", "no"] * 10})
    >>> synth = Synthesizer("smoothed-bootstrap", random_state=0).fit(frame, target="churn")
    >>> rows = synth.sample(4, where={"churn": "yes", "age": (18, 50)})
    >>> rows["churn"].tolist(), bool(rows["age"].between(18, 50).all())
    (['yes', 'yes', 'yes', 'yes'], True)
    >>> synth
    Synthesizer('smoothed-bootstrap', fitted to 30 rows x 2 columns, 2 groups by churn)
    """

    def __init__(
        self,
        generator: str | Generator = DEFAULT_GENERATOR,
        *,
        options: Mapping[str, Any] | None = None,
        kinds: Mapping[Any, str] | None = None,
        constraints: Constraints | None = None,
        limits: Limits | None = None,
        random_state: RandomState = None,
        n_jobs: int | None = None,
    ) -> None:
        self.generator = generator
        self.options = options
        self.kinds = kinds
        self.constraints = constraints
        self.limits = limits
        self.random_state = random_state
        self.n_jobs = n_jobs

    def fit(self, data: Any, target: Hashable | None = None, group_by: GroupBy = ()) -> Self:
        """Learn from a table.

        Parameters
        ----------
        data : pandas or polars DataFrame, pyarrow Table or ndarray
            Never changed. Columns of an array are called ``x0``, ``x1``, ...
        target : hashable, optional
            Column with the labels. Without one all rows are one group, of which some generators cannot learn.
        group_by : column name or sequence of them
            Grouping attributes.

        Returns
        -------
        self

        Raises
        ------
        SchemaError, OptionError, PlanError
            When the table or an option does not fit, or a real row breaks a constraint.
        GeneratorError
            When the generator cannot learn from the table.
        """
        self._read(data, target, group_by)
        seed = seed_sequence(self.random_state)
        self._seed(seed.entropy)
        counts = zip(self.groups_.keys, self.groups_.counts.tolist(), strict=True)
        plan = Plan(tuple(GroupPlan(*entry) for entry in counts), self.groups_.columns)
        forecast(plan, self.generator, self.options)
        self.generator_ = fit_generator(self._table, self.generator, seed=seed, options=self.options)
        return self

    def sample(
        self,
        n: int,
        where: Mapping[Any, Any] | None = None,
        *,
        random_state: RandomState = None,
        progress: Callable[[Progress], object] | None = None,
    ) -> Any:
        """Return exactly `n` valid rows, in the container of the table.

        Labels and attributes come with their shares among the real rows that obey `where`, and conditions on them say
        which groups are written. The transformer writes rows *given* conditions on other columns; any other generator's
        rows that do not obey are rejected, and counted as ``where: column``.

        Parameters
        ----------
        n : int
        where : mapping of column to a value, a list of values, or a range (low, high), optional
            Ends are included; an end that is None is open. None stands for a missing value.
        random_state : int, numpy.random.Generator, RandomState or None
            By default every call goes on from the last one.
        progress : callable, optional
            Called with a `makeweight.progress.Progress` after every round of rows.

        Raises
        ------
        OptionError, SchemaError
            When a condition is about an unknown column, or allows no value that the column has.
        GenerationShortfall
            When fewer rows were accepted in bounded time; it carries them with the ledger, as `generation_` does.
        GeneratorError
            When no group that was asked for can be written.

        Examples
        --------
        >>> import pandas as pd
        >>> frame = pd.DataFrame({"x": [1.5, 2.5, 3.5, 4.5] * 9, "y": ["a", "b", "a", "a"] * 9})
        >>> synth = Synthesizer("smoothed-bootstrap", random_state=0).fit(frame, target="y")
        >>> len(synth.sample(10)), synth.generation_.ledger.accepted
        (10, 10)
        """
        self._check_fitted()
        if isinstance(n, bool) or not isinstance(n, int | np.integer) or n < 0:
            raise OptionError("n is a number of rows", got=repr(n), expected="0 or more")
        conditions = self._conditions(where)
        refuse_rows(int(n), len(self.schema_.columns))
        if random_state is None:
            spawned = np.random.SeedSequence(self._entropy, spawn_key=(SAMPLE_STREAM, self._n_samples))
            random_state, self._n_samples = int(spawned.generate_state(1, np.uint64)[0]), self._n_samples + 1
        seed = seed_sequence(random_state)
        rng = np.random.default_rng(np.random.SeedSequence(seed.entropy, spawn_key=(SAMPLE_STREAM,)))
        extrapolates = traits_of(self.generator_).extrapolates
        plan = plan_of(self._table, self.groups_, int(n), conditions, rng, extrapolates=extrapolates)
        warn_of_few_rows(plan)
        asked = {name: each for name, each in conditions.items() if name not in self.schema_.group_columns}
        try:
            generation = fill(
                Conditioned(self.generator_, asked) if asked else self.generator_,
                self._table,
                plan,
                seed=seed,
                groups=self.groups_,
                name=self._name,
                limits=self.limits,
                n_jobs=self.n_jobs,
                progress=progress,
                rules=(*self._rules, *asked.values()),
            )
        except GenerationShortfall as error:
            self.generation_: Generation = error.generation
            error.hint = (
                "allow more values in where, ask for fewer rows, or take what there is: Limits(on_shortfall='warn')"
            )
            error.args = (error._text(),)
            raise
        self.generation_ = shuffled(generation, rng)
        return as_container(self._empty, self._shown(self.generation_.frame))

    def log_prob(self, data: Any) -> np.ndarray:
        """Return log-probabilities of rows given their label and attributes, shape (n,), as the generator has them.

        Parameters
        ----------
        data : container of n rows
            With the columns of the table.

        Raises
        ------
        OptionError
            When the generator has none; it names those that have.

        Examples
        --------
        >>> import pandas as pd
        >>> frame = pd.DataFrame({"age": [18, 25, 31, 42, 57, 63] * 5, "churn": ["yes", "no", "no"] * 10})
        >>> synth = Synthesizer("smoothed-bootstrap", random_state=0).fit(frame, target="churn")
        >>> synth.log_prob(frame[:3]).shape
        (3,)
        """
        return np.asarray(self._able("log_prob")(self._frame(data, self.schema_.group_columns)))

    def predict_proba(self, data: Any, *, balanced: bool = False) -> np.ndarray:
        """Return probabilities of the labels by Bayes' rule, shape (n, k), in the order of `classes_`.

        Parameters
        ----------
        data : container of n rows
            The target may be absent.
        balanced : bool
            Every label equally likely beforehand; otherwise as in the real rows.

        Raises
        ------
        OptionError
            When the generator has none, or the table has no target.

        Examples
        --------
        >>> import pandas as pd
        >>> frame = pd.DataFrame({"age": [18, 25, 31, 42, 57, 63] * 5, "churn": ["yes", "no", "no"] * 10})
        >>> synth = Synthesizer("transformer", options={"orders": 1}, random_state=0).fit(frame, target="churn")
        >>> probabilities = synth.predict_proba(frame[["age"]][:3])
        >>> synth.classes_[probabilities.argmax(axis=1)].tolist()
        ['yes', 'no', 'no']
        """
        if self._no_target:
            raise OptionError("without a target there are no labels to predict", hint="fit(data, target=...)")
        frame = self._frame(data, self.schema_.group_by)
        return np.asarray(self._able("predict_proba")(frame, balanced=balanced))

    def impute(self, data: Any, *, random_state: RandomState = None) -> Any:
        """Return rows whose missing values are drawn given the rest of their row, in their container.

        Parameters
        ----------
        data : container of n rows
            Label and attributes are known.
        random_state : int, numpy.random.Generator, RandomState or None

        Raises
        ------
        OptionError
            When the generator cannot; it names those that can.

        Examples
        --------
        >>> import pandas as pd
        >>> frame = pd.DataFrame({"age": [18, 25, 31, 42, 57, 63] * 5, "churn": ["yes", "no", "no"] * 10})
        >>> synth = Synthesizer("transformer", options={"orders": 1}, random_state=0).fit(frame, target="churn")
        >>> rows = synth.impute(pd.DataFrame({"age": [18.0, None], "churn": ["yes", "no"]}))
        >>> rows["age"].isin(frame["age"]).tolist()
        [True, True]
        """
        frame = self._frame(data, self.schema_.group_columns)
        seed = np.random.SeedSequence(self._entropy, spawn_key=(IMPUTE_STREAM,))
        rng = np.random.default_rng(seed if random_state is None else seed_sequence(random_state))
        filled = self._able("impute")(frame, rng=rng)
        return as_container(empty_like(data), self._shown(filled))

    def save(self, folder: str | os.PathLike[str]) -> None:
        """Save what was learned into a new or empty folder, as a manifest and safetensors.

        Parameters
        ----------
        folder : path

        Raises
        ------
        OptionError
            When the generator cannot be saved; it names those that can.
        FileProblem
            When there is something in the folder.

        Examples
        --------
        >>> import tempfile
        >>> import pandas as pd
        >>> frame = pd.DataFrame({"age": [18, 25, 31, 42, 57, 63] * 5, "churn": ["yes", "no", "no"] * 10})
        >>> synth = Synthesizer("smoothed-bootstrap", random_state=0).fit(frame, target="churn")
        >>> folder = tempfile.mkdtemp()
        >>> synth.save(folder)
        >>> again = Synthesizer.load(folder, frame, random_state=0)
        >>> again.sample(5).equals(synth.sample(5))
        True
        """
        self._able("save")
        save_parts(folder, spoken_for(self.generator_), self)

    @classmethod
    def load(
        cls,
        folder: str | os.PathLike[str],
        data: Any,
        *,
        generator: type[Any] | None = None,
        limits: Limits | None = None,
        random_state: RandomState = None,
        n_jobs: int | None = None,
        **options: Any,
    ) -> Self:
        """Load what was saved, with the table it was fitted to or one with the same columns, values and groups.

        Parameters
        ----------
        folder : path
        data : pandas or polars DataFrame, pyarrow Table or ndarray
        generator : class, optional
            Of a generator that the registry does not know.
        limits, random_state, n_jobs
            As for the constructor.
        **options
            Options of the generator that are not saved, such as a device.

        Raises
        ------
        FileProblem
            When the folder is not such a one, or not whole.
        SchemaError
            When the table is another.

        Examples
        --------
        >>> import tempfile
        >>> import pandas as pd
        >>> frame = pd.DataFrame({"age": [18, 25, 31, 42, 57, 63] * 5, "churn": ["yes", "no", "no"] * 10})
        >>> folder = tempfile.mkdtemp()
        >>> Synthesizer("smoothed-bootstrap", random_state=0).fit(frame, target="churn").save(folder)
        >>> Synthesizer.load(folder, frame)
        Synthesizer('SmoothedBootstrap', fitted to 30 rows x 2 columns, 2 groups by churn)
        """
        parts = load_parts(folder, generator)
        loaded = cls(
            kinds=parts.kinds, constraints=parts.constraints, limits=limits, random_state=random_state, n_jobs=n_jobs
        )
        loaded._read(data, parts.target, parts.group_by)
        loaded._seed(seed_sequence(random_state).entropy)
        loaded.generator_ = loaded.generator = parts.load_generator(loaded._table, options)
        return loaded
