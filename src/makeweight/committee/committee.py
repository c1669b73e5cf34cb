"""Several classifiers that answer as one, each judged by rows that it has not seen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass, replace
from numbers import Integral
from typing import Any, Self

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import check_is_fitted

from makeweight._compat import Interval, StrOptions
from makeweight.committee.combination import fit_combination
from makeweight.committee.forecast import CommitteeForecast, forecast_fits, tell
from makeweight.committee.members import Member, choose_members, prior_weights
from makeweight.committee.reading import CommitteeRows
from makeweight.engine import run
from makeweight.errors import OptionError
from makeweight.generators.writing import RandomState, seed_sequence
from makeweight.labelled import read_features, take_rows
from makeweight.measure.learners import fit_estimator
from makeweight.measure.probabilities import probabilities
from makeweight.table.containers import to_frame

__all__ = ["Committee"]

#: Rows that the members' prior weights, and a slope of one, are worth (docs/soft-rows.md).
PRIOR_ROWS = 3.0
#: Repeats of the cross-fitting bring the rarest class to so many held-out rows, as far as MOST_REPEATS allows.
HELD_ROWS, MOST_REPEATS = 50, 5
#: What predicting needs, beside the fits.
KEPT = ("classes_", "members_", "weights_", "combination_", "n_features_in_", "feature_names_in_", "_attributes")


class Committee(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Class probabilities by several classifiers, weighed by how well each predicts rows that it has not seen.

    Every member is fitted once per fold. Out-of-fold log-probabilities give the weights, a slope and offsets, so that
    the answer is calibrated without a further step; new rows get the mean over the folds' fits, and of a network that
    reads labelled rows one answer by all of them.

    Parameters
    ----------
    members : "auto" or sequence, default="auto"
        Names, classifiers with ``predict_proba``, or pairs of a name and a classifier. Names: "closed-form"
        (`ClosedForm`), "lr", "rf" and "rf5" (forests with 1 and 5 rows a leaf), "hgb" and "hgb-shallow" (boosted trees
        at their library's defaults, and 150 of depth 3, each split from a third of the columns), "xgb", "lightgbm",
        "catboost" where installed; "in-context" (the default generator's network by Bayes' rule; a generator with
        ``label`` is a member by object, too) and "network" (the network of labels, where the package has its weights).
        "auto" takes "closed-form", "lr", "rf", "hgb" and "hgb-shallow", and where the table has at most 2,000 rows,
        "network".
    kinds : mapping of column to kind, optional
        Columns whose kind is stated rather than inferred.
    cv : int, default=5
        Folds; fewer where the rarest class has fewer different rows. Equal rows are in one fold.
    repeats : "auto" or int, default="auto"
        Of the cross-fitting. "auto" repeats it, up to five times, until every class has held out 50 rows.
    random_state : int, numpy.random.Generator, RandomState or None
    n_jobs : int, optional
        Processes; the answer does not depend on it.

    Attributes
    ----------
    classes_ : ndarray of shape (k,)
    members_ : tuple of str
    weights_ : ndarray of shape (m,)
        Of the members, in their order.
    combination_ : Combination
    labels_ : ndarray of int, shape (n,)
        Positions in `classes_` of the labels of `fit`.
    oof_ : ndarray of shape (n, k)
        Probabilities of the rows of `fit`, by fits that have not seen them.
    loss_ : float
        Log-loss of `oof_`, in nats per row.
    member_losses_ : ndarray of shape (m,)
        The same of every member alone.
    n_features_in_ : int
    feature_names_in_ : ndarray of str
        Where X has column names.

    Raises
    ------
    OptionError, PlanError, SchemaError
        In `fit`, when members, folds or the table do not fit.

    References
    ----------
    Stacking: Wolpert, "Stacked generalization" (1992); Breiman, "Stacked regressions" (1996).

    Examples
    --------
    >>> from sklearn.datasets import make_classification
    >>> X, y = make_classification(n_samples=200, weights=[0.9], flip_y=0, random_state=0)
    >>> committee = Committee(["closed-form", "lr"], random_state=0).fit(X, y)
    >>> committee.predict_proba(X[:3]).shape, bool(committee.loss_ < 0.35)
    ((3, 2), True)
    """

    __metadata_request__fit = {"groups": True}  # noqa: RUF012

    _parameter_constraints: dict[str, Any] = {  # noqa: RUF012 - the name and form that scikit-learn reads
        "members": "no_validation",
        "kinds": [Mapping, None],
        "cv": [Interval(Integral, 2, None, closed="left")],
        "repeats": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
        "random_state": ["random_state", np.random.Generator],
        "n_jobs": [Integral, None],
    }

    def __init__(
        self,
        members: str | Sequence[Any] = "auto",
        *,
        kinds: Mapping[Any, str] | None = None,
        cv: int = 5,
        repeats: str | int = "auto",
        random_state: RandomState = None,
        n_jobs: int | None = None,
    ) -> None:
        self.members = members
        self.kinds = kinds
        self.cv = cv
        self.repeats = repeats
        self.random_state = random_state
        self.n_jobs = n_jobs

    def fit(self, X: Any, y: Any, *, groups: Any = None, sample_weight: Any = None) -> Self:
        """Cross-fit the members, and weigh them.

        Parameters
        ----------
        X : {array-like, pandas or polars DataFrame, pyarrow Table} of shape (n, d)
        y : array-like of shape (n,)
        groups : array-like of shape (n,), optional
            Every group is spread evenly over the folds; by default every class is. Attributes by name that are columns
            of X get offsets of their own, so that the answer is calibrated for each of their values: a misleading
            attribute pulls members with few rows against it to its side.
        sample_weight : array-like of shape (n,), optional
            Probabilities are those of the weighted rows.

        Returns
        -------
        self
        """
        self._validate_params()
        rows = CommitteeRows.read(self, X, y, groups, sample_weight, self.kinds)
        members = self.checked_members(len(rows), weighed=not bool(np.all(rows.weights == 1)))
        self.classes_, self.members_ = rows.classes, tuple(member.name for member in members)
        rows.strata.check_teachable()
        folds, repeats = self._rounds(int(rows.strata.distinct().min()), int(np.bincount(rows.labels).min()))
        tell(forecast_fits(members, len(rows), rows.frame.shape[1], folds, repeats), self.n_jobs or 1)
        seeds = seed_sequence(self.random_state).spawn(repeats)
        tasks = [
            _Round(rows, members, assigned == fold, int(seed.generate_state(1)[0]) % 2**31 + fold)
            for seed in seeds
            for assigned in [rows.strata.assign(folds, np.random.default_rng(seed))]
            for fold in range(folds)
        ]
        if any(member.reads_context for member in members):
            tasks.append(replace(tasks[0], held=np.zeros(len(rows), dtype=bool)))
        logs = np.zeros((len(members), len(rows), len(self.classes_)))
        fitted: dict[int, _Fits] = {}
        for place, (fits, held_logs) in run(_fit_round, tasks, n_jobs=self.n_jobs or 1):
            fitted[place] = fits
            logs[:, tasks[place].held] += held_logs / repeats
        self._fits = [fitted[place] for place in sorted(fitted) if fitted[place].models]
        prior = np.array(prior_weights(members))
        self._attributes = rows.attributes
        codes = rows.attributes.codes(rows.frame) if rows.attributes else None
        self.combination_ = fit_combination(logs, rows.labels, rows.weights, prior, PRIOR_ROWS, codes)
        self.weights_ = self.combination_.weights
        self.labels_, self.oof_ = rows.labels, self.combination_.apply(logs, codes)
        share, each = rows.weights / rows.weights.sum(), np.arange(len(rows))
        self.loss_ = float(-share @ np.log(self.oof_[each, rows.labels]))
        self.member_losses_ = -logs[:, each, rows.labels] @ share
        return self

    def predict_proba(self, X: Any) -> np.ndarray:
        """Return probabilities of shape (n, k)."""
        check_is_fitted(self)
        features = read_features(self, X)
        frame = to_frame(features)
        logs = np.zeros((len(self.members_), len(frame), len(self.classes_)))
        asked = np.zeros((len(self.members_), 1, 1))
        for fits in self._fits:
            logs[fits.places] += fits.logs(features, frame)
            asked[fits.places] += 1
        return self.combination_.apply(logs / asked, self._attributes.codes(frame) if self._attributes else None)

    def predict(self, X: Any) -> np.ndarray:
        """Return the likeliest classes, shape (n,)."""
        likeliest = self.predict_proba(X).argmax(axis=1)
        return np.asarray(self.classes_[likeliest])

    def checked_members(self, n_rows: int, *, weighed: bool) -> tuple[Member, ...]:
        """Return the members for a table of so many rows; refuse what cannot be fitted to it, before anything is.

        `weighed`: whether rows have weights other than one.
        """
        members = choose_members(self.members, n_rows)
        without = next((member for member in members if weighed and not member.takes_weights), None)
        if without is not None:
            raise OptionError(
                "rows have weights, and a member of the committee takes none",
                where=f"member {without.name!r}",
                got="a classifier whose fit has no sample_weight",
                hint="take another, or leave out what weighs the rows: grouping attributes (group_by, groups) and "
                "sample_weight",
            )
        return members

    def forecast(self, n_rows: int, n_columns: int, n_rarest: int | None = None) -> CommitteeForecast:
        """Return what ``fit`` is expected to take on one core; members brought by object are taken for boosted trees.

        Parameters
        ----------
        n_rows, n_columns : int
            Of the table to fit to.
        n_rarest : int, optional
            Rows of its rarest class; by default it has enough that nothing is repeated.

        Examples
        --------
        >>> Committee(["lr", "rf"]).forecast(7_200, 14).fits, Committee(["lr", "rf"]).forecast(100, 9, n_rarest=10).fits
        (10, 50)
        """
        rarest = n_rows if n_rarest is None else n_rarest
        folds, repeats = self._rounds(rarest, rarest)
        return forecast_fits(choose_members(self.members, n_rows), n_rows, n_columns, folds, repeats)

    def _rounds(self, different: int, rarest: int) -> tuple[int, int]:
        """Return folds, at most one per different row of the rarest group, and repeats, by rows of the rarest class."""
        folds = max(2, min(self.cv, different))
        if self.repeats != "auto":
            return folds, int(self.repeats)
        return folds, min(MOST_REPEATS, -(-HELD_ROWS // rarest))

    def lean(self) -> Committee:
        """Return a committee that answers the same, without the labels of ``fit`` and what was said of its rows."""
        fresh = Committee(self.members)
        fresh.__dict__.update({name: value for name, value in vars(self).items() if name in KEPT})
        fresh._fits = [
            replace(fits, models=tuple((reads, _lean(model)) for reads, model in fits.models)) for fits in self._fits
        ]
        return fresh

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.string = tags.input_tags.categorical = tags.input_tags.allow_nan = True
        return tags


@dataclass(frozen=True, eq=False)
class _Round:
    """One fold: the rows to predict by fits to the others; with none of them, fits to all rows."""

    rows: CommitteeRows
    members: tuple[Member, ...]
    held: np.ndarray
    seed: int


@dataclass(frozen=True, eq=False)
class _Fits:
    """Members, fitted to one fold's training rows, and whether each reads a frame whose kinds are known."""

    models: tuple[tuple[bool, Any], ...]
    places: np.ndarray  # of these members among all
    classes: np.ndarray  # as members call them

    def logs(self, features: Any, frame: pd.DataFrame) -> np.ndarray:
        """Return log-probabilities of shape (m, n, k)."""
        tables = [
            probabilities(model, frame if reads_table else features, self.classes) for reads_table, model in self.models
        ]
        return np.asarray(np.log(np.stack(tables)))


def _lean(model: Any) -> Any:
    """Return a member without the schema that it was fitted by, which nobody reads any more."""
    if not hasattr(model, "schema"):
        return model
    fresh = copy(model)
    fresh.schema = None
    return fresh


def _fit_round(task: _Round) -> tuple[_Fits, np.ndarray]:
    """Return what new rows are asked of, and log-probabilities of the held rows by every member."""
    rows, train, held = task.rows, np.flatnonzero(~task.held), np.flatnonzero(task.held)
    features, frame = take_rows(rows.features, train), rows.frame.iloc[train]
    schema = rows.schema_of(frame)
    kept = np.flatnonzero([member.reads_context != bool(len(held)) for member in task.members])
    every = np.arange(len(task.members)) if len(held) else kept
    models = {
        place: (
            member.reads_table,
            fit_estimator(
                member.make(schema),
                frame if member.reads_table else features,
                rows.told[rows.labels[train]],
                rows.weights[train],
                task.seed,
            ),
        )
        for place in every
        for member in [task.members[place]]
    }
    logs = np.zeros((len(task.members), 0, len(rows.classes)))
    if len(held):
        asked = _Fits(tuple(models.values()), every, rows.told)
        logs = asked.logs(take_rows(rows.features, held), rows.frame.iloc[held])
    return _Fits(tuple(models[place] for place in kept), kept, rows.told), logs
