"""Balance and augment as an imbalanced-learn sampler."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Integral, Real
from typing import Any

import numpy as np
import pandas as pd
from imblearn.over_sampling.base import BaseOverSampler

from makeweight._compat import HasMethods, Interval, StrOptions
from makeweight.balancing import balance
from makeweight.committee.softened import check_soft, soft_amount, soften
from makeweight.generators import DEFAULT_GENERATOR
from makeweight.generators.base import Generator
from makeweight.generators.fill import Limits
from makeweight.generators.forewarning import forecast, warn_of_few_rows
from makeweight.generators.frame.options import SearchableOptions
from makeweight.generators.writing import RandomState, seed_sequence, write_rows
from makeweight.labelled import LabelledRows
from makeweight.plan import STRATEGIES, Amount, Groups, Strategy, Target
from makeweight.rules import Constraints, check_rows, read_constraints
from makeweight.table import Table
from makeweight.weights import Weights, refuse_pipeline, repeated, row_weights

__all__ = ["SyntheticOverSampler", "balance"]

#: Key of the stream that decides which rows stand more often.
ROWS_STREAM = 3


class SyntheticOverSampler(SearchableOptions, BaseOverSampler):  # type: ignore[misc]
    """Over-sampler that writes new rows for rare classes and rare (label x attribute) groups.

    A drop-in step for `imblearn.pipeline.Pipeline`. Real rows come first and unchanged, then the synthetic
    ones; the container that goes in comes out.

    Parameters
    ----------
    generator : str or Generator, default="transformer"
        A name that ``makeweight generators`` lists, or an object with ``fit``, ``propose`` and ``cost``.
    options : dict of str to object, optional
        Constructor arguments of a generator that is given by its name.
    sampling_strategy : str, float, dict or callable, default="auto"
        As in imbalanced-learn, over groups when there are grouping attributes: "minority", "not minority",
        "not majority" (= "auto"), "all"; the ratio of the rarer to the other of two groups; *final* counts by
        label (or by tuple of label and attributes); or a function from the labels to those.
    group_by : column name or list of them, optional
        Grouping attributes among the columns of X. Attributes outside X are given to ``fit_resample`` as
        ``groups``.
    augment : int, default=0
        Further rows for *every* group.
    alpha : float in [0, 1], optional
        Makes ``sample_weight_`` realise (1 - alpha) R_balanced + alpha R_augment (arXiv 2406.03628).
        By default all rows weigh the same.
    synthetic_weight : float, optional
        Instead of alpha: the weight that ``sample_weight_`` gives a synthetic row, where a real one weighs 1.
        At 0.1 the rows are a prior that real rows correct, rather than more of the same evidence (catalytic
        priors: Huang, Stein, Rubin and Kou, PNAS 2020). Most of the imbalance stays: calibrate.
    kinds : dict of column to kind, optional
        Columns whose kind ("continuous", "integer", "categorical", "boolean", "datetime", "text",
        "identifier") is stated rather than inferred.
    constraints : mapping of name to expression, or expressions, optional
        What every row obeys, such as ``{"dates": "start <= end"}``; see `balance`.
    limits : Limits, optional
        Time (seconds) and money (US dollars) to spend at most, what to do with exact copies of real rows (they
        are rejected where the table has few duplicates), and with a shortfall (an error).
    random_state : int, numpy.random.Generator, RandomState or None
    n_jobs : int, optional
        Threads that work on different groups; the rows do not depend on it.
    soft_labels : bool, Committee, classifier or generator with ``label``, default=False
        Let every row carry p(label | row): real and synthetic rows stand once per label, with the label's probability
        as ``sample_weight_``. True asks a `makeweight.Committee`; one can be given, and any other classifier with
        ``predict_proba``, or a generator that can say what a row is, is cross-fitted in its place. 8,000 rows are
        written, or twice the real ones where that is more, in the proportion of the real ones, and with `group_by` as
        many for every group, unless `sampling_strategy` or `augment` say otherwise. Every group needs two different
        rows. The learner needs sample weights; see `weights`.
    weights : {"attribute", "rows"}, default="attribute"
        How rows that weigh differently (`soft_labels`, `alpha`, `synthetic_weight`) reach the learner: by
        ``sample_weight_``, which a pipeline of imbalanced-learn does not pass on (`ResampledClassifier` does); or as
        rows that stand as often as they weigh, on average: of the real rows some then stand twice and some not at all.

    Attributes
    ----------
    plan_ : Plan
        Rows that every group has and gets.
    sampling_strategy_ : dict
        Rows to bring each group up to its target, by label (or by tuple of label and attributes).
    generation_ : Generation
        The synthetic rows with ledger and provenance.
    generator_ : Generator or None
        The fitted generator, with its ``save``, ``log_prob`` or ``impute`` where it has them; there, too, where it then
        wrote fewer rows than asked for. None where no row was wanted. Neither it nor `table_` is pickled.
    table_ : makeweight.table.Table
        The real rows with their schema, which ``load`` of a generator takes.
    is_synthetic_ : ndarray of bool, shape (n_rows,)
        With `soft_labels` a real row stands once per label, so that real rows are among those below the first n_real.
    sample_weight_ : ndarray of float64, shape (n_rows,)
        Weights for the returned rows.
    probabilities_ : ndarray of shape (n_real + n_synthetic, k)
        With `soft_labels`: of the real rows, by fits that have not seen them, then of the synthetic ones, each once;
        ``generation_.probabilities`` has them for every returned row.
    teacher_ : Committee
        With `soft_labels`.
    n_features_in_ : int
    feature_names_in_ : ndarray of str
        Where X has column names.

    See Also
    --------
    balance : The same on a frame that holds the target.

    References
    ----------
    Nakada, Xu, Li, Zhang: Synthetic Oversampling: Theory and A Practical Approach Using LLMs to Address Data
    Imbalance, arXiv 2406.03628.

    Examples
    --------
    >>> from collections import Counter
    >>> from sklearn.datasets import make_classification
    >>> X, y = make_classification(n_samples=200, weights=[0.9], flip_y=0, random_state=0)
    >>> sampler = SyntheticOverSampler(random_state=0)
    >>> X_res, y_res = sampler.fit_resample(X, y)
    >>> sorted(Counter(y.tolist()).items()), sorted(Counter(y_res.tolist()).items())
    ([(0, 181), (1, 19)], [(0, 181), (1, 181)])
    >>> int(sampler.is_synthetic_.sum())
    162
    """

    # Grouping attributes are asked for by default, as scikit-learn's group splitters do.
    __metadata_request__fit = {"groups": True}  # noqa: RUF012
    __metadata_request__fit_resample = {"groups": True}  # noqa: RUF012

    _parameter_constraints: dict[str, Any] = {  # noqa: RUF012 - the name and form that scikit-learn reads
        "generator": [str, HasMethods(["fit", "propose", "cost"]), HasMethods(["fit", "sample"])],
        "options": [Mapping, None],
        "sampling_strategy": [Interval(Real, 0, 1, closed="right"), StrOptions(set(STRATEGIES)), Mapping, callable],
        "group_by": "no_validation",
        "augment": [Interval(Integral, 0, None, closed="left")],
        "alpha": [Interval(Real, 0, 1, closed="both"), None],
        "synthetic_weight": [Interval(Real, 0, None, closed="left"), None],
        "kinds": [Mapping, None],
        "constraints": [Mapping, list, tuple, str, None],
        "limits": [Limits, None],
        "random_state": ["random_state", np.random.Generator],
        "n_jobs": [Integral, None],
        "soft_labels": [bool, HasMethods(["fit", "predict_proba"]), HasMethods(["fit", "label"])],
        "weights": [StrOptions({"attribute", "rows"})],
    }

    def __init__(
        self,
        generator: str | Generator = DEFAULT_GENERATOR,
        *,
        options: Mapping[str, Any] | None = None,
        sampling_strategy: Strategy = "auto",
        group_by: Any = None,
        augment: int = 0,
        alpha: float | None = None,
        synthetic_weight: float | None = None,
        kinds: Mapping[Any, str] | None = None,
        constraints: Constraints | None = None,
        limits: Limits | None = None,
        random_state: RandomState = None,
        n_jobs: int | None = None,
        soft_labels: Any = False,
        weights: Weights = "attribute",
    ) -> None:
        super().__init__(sampling_strategy=sampling_strategy)
        self.generator = generator
        self.options = options
        self.group_by = group_by
        self.augment = augment
        self.alpha = alpha
        self.synthetic_weight = synthetic_weight
        self.kinds = kinds
        self.constraints = constraints
        self.limits = limits
        self.random_state = random_state
        self.n_jobs = n_jobs
        self.soft_labels = soft_labels
        self.weights = weights

    @property
    def gives_weights(self) -> bool:
        """Whether ``sample_weight_`` will have weights other than one."""
        return self.weights == "attribute" and self._why_weighed() is not None

    def _why_weighed(self) -> str | None:
        """Return the parameter that makes rows weigh differently, if there is one."""
        for name, plain in (("alpha", None), ("synthetic_weight", None), ("soft_labels", False)):
            value = getattr(self, name)
            if value is not plain and not (name == "synthetic_weight" and value == 1):
                return f"{name}={value!r}"
        return None

    def fit(self, X: Any, y: Any, *, groups: Any = None) -> SyntheticOverSampler:
        """Check the input and work out the plan; write nothing.

        Parameters
        ----------
        X : {array-like, pandas or polars DataFrame, pyarrow Table} of shape (n_rows, n_features)
        y : array-like of shape (n_rows,)
        groups : array-like of shape (n_rows,) or (n_rows, n_attributes), optional
            Grouping attributes that are not columns of X.

        Returns
        -------
        self
        """
        self._validate_params()
        table, _ = self._plan(LabelledRows(self, X, y, groups, self.group_by))
        check_rows(table, read_constraints(self.constraints, table.schema))
        return self

    def fit_resample(self, X: Any, y: Any, *, groups: Any = None) -> tuple[Any, Any]:
        """Write the rows that are missing.

        Parameters
        ----------
        X : {array-like, pandas or polars DataFrame, pyarrow Table} of shape (n_rows, n_features)
            Numbers, strings, booleans, categories, dates; missing values are fine.
        y : array-like of shape (n_rows,)
            Labels; one-hot rows are fine.
        groups : array-like of shape (n_rows,) or (n_rows, n_attributes), optional
            Grouping attributes that are not columns of X.

        Returns
        -------
        X_resampled, y_resampled
            In the containers that were given; real rows first.

        Raises
        ------
        ValueError
            When input or parameters do not fit (`SchemaError`, `PlanError`, `OptionError`), and in a pipeline that
            would drop the weights of the rows.
        GenerationShortfall
            When fewer rows than asked for could be accepted.
        """
        self._validate_params()
        why = self._why_weighed()
        if why is not None and self.weights == "attribute":
            refuse_pipeline(why)
        given = LabelledRows(self, X, y, groups, self.group_by)
        table, cells = self._plan(given)
        if self.soft_labels is False:
            warn_of_few_rows(self.plan_)
        forecast(self.plan_, self.generator, self.options, self.limits.max_seconds if self.limits else None)
        seed = seed_sequence(self.random_state)
        self.generator_: Generator | None = None
        generation = self.generation_ = write_rows(
            table,
            self.plan_,
            self.generator,
            seed=seed,
            groups=cells,
            options=self.options,
            limits=self.limits,
            n_jobs=self.n_jobs,
            on_fit=self._keep,
            constraints=self.constraints,
        )
        if self.soft_labels is not False:
            rows, strata = self._soften(given, table, cells, seed)
        else:
            self.is_synthetic_ = np.repeat([False, True], [len(table), len(generation)])
            self.sample_weight_ = row_weights(cells, generation)
            purposes = generation.provenance["purpose"].cat.codes.to_numpy()
            rows, strata = generation.frame, np.concatenate([3 * cells.codes, 3 * generation.positions + 1 + purposes])
        X, y = given.extend(rows)
        if why is None or self.weights == "attribute":
            return X, y
        rng = np.random.default_rng(np.random.SeedSequence(seed.entropy, spawn_key=(ROWS_STREAM,)))
        X, y, taken = repeated(X, y, self.sample_weight_, strata, rng)
        self.is_synthetic_, self.sample_weight_ = self.is_synthetic_[taken], np.ones(len(taken))
        return X, y

    def _keep(self, fitted: Generator) -> None:
        """Keep the fitted generator: what it learned is not lost where it then fails to write."""
        self.generator_ = fitted

    def __getstate__(self) -> dict[str, Any]:
        """Return what is pickled: no real row, and nothing that belongs to this process."""
        state: dict[str, Any] = super().__getstate__()
        return {name: value for name, value in state.items() if name not in ("generator_", "table_")}

    def _soften(
        self, given: LabelledRows, table: Table, cells: Groups, seed: np.random.SeedSequence
    ) -> tuple[pd.DataFrame, np.ndarray]:
        """Ask the teacher what every row is; return the rows to put below the real ones, and strata of all rows."""
        soft = self.generation_ = soften(
            table, self.generation_, cells, seed, teacher=self.soft_labels, features=given.names, n_jobs=self.n_jobs
        )
        self.teacher_, self.probabilities_ = soft.lesson.teacher, soft.lesson.probabilities
        self.sample_weight_ = soft.sample_weight
        self.is_synthetic_ = soft.is_synthetic
        below = np.arange(len(self.sample_weight_)) >= soft.n_real
        return soft.further, 2 * soft.labels.labels + below

    def _plan(self, given: LabelledRows) -> tuple[Table, Groups]:
        schema = Target(given.target, tuple(given.attributes), given.stated(self.kinds)).schema(given.frame)
        given.check_labels()
        self.table_ = table = Table(given.frame, schema)
        groups = Groups(table)
        labels = None if given.attributes else given.labels.to_numpy()
        amount = Amount(self.sampling_strategy, self.augment, self.alpha, self.synthetic_weight)
        if self.soft_labels is not False:
            amount = soft_amount(amount, groups, read_constraints(self.constraints, schema))
            check_soft(table, groups, amount.synthetic_weight, teacher=self.soft_labels)
        self.plan_ = amount.plan(groups, labels)
        self.sampling_strategy_ = {
            entry.group if given.attributes else entry.group[0]: entry.n_balance
            for entry in self.plan_
            if entry.n_balance
        }
        return table, groups

    def _fit_resample(self, X: Any, y: Any, **params: Any) -> tuple[Any, Any]:
        return self.fit_resample(X, y, **params)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = False
        tags.input_tags.string = True
        tags.input_tags.categorical = True
        tags.input_tags.allow_nan = True
        return tags
