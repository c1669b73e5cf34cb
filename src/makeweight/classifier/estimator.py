"""`SyntheticClassifier`: a scikit-learn meta-estimator on real and synthetic rows."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from numbers import Integral, Real
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, MetaEstimatorMixin
from sklearn.utils import get_tags
from sklearn.utils.validation import check_is_fitted

from makeweight._compat import HasMethods, Interval, StrOptions
from makeweight.classifier.borrowing import correctable, uncorrected
from makeweight.classifier.convexity import check_minimum, check_takes_signed
from makeweight.classifier.correction import density_ratio
from makeweight.classifier.decision import ClassifierDecision, chosen_size, results_of
from makeweight.classifier.inputs import read_rows, sampler_of
from makeweight.classifier.priors import target_shares, training_shares
from makeweight.classifier.sizes import CORRECTIONS, GIVES_ALL, NOTHING_TO_HOLD_OUT, honours, size_candidates
from makeweight.classifier.symmetry import slopes_verdict
from makeweight.classifier.training import RealRows
from makeweight.classifier.validation import Validation
from makeweight.errors import OptionError, PlanError
from makeweight.generators.base import Generator
from makeweight.generators.writing import seed_sequence
from makeweight.labelled import read_features
from makeweight.measure.calibration import fit_calibrator
from makeweight.measure.learners import fit_estimator, weight_keyword
from makeweight.measure.probabilities import probabilities
from makeweight.plan import Groups
from makeweight.sampler import SyntheticOverSampler
from makeweight.theory import NOTHING, Candidate, SizeDecision

__all__ = ["SyntheticClassifier"]

#: With fewer rows than this in a class, "auto" calibrates by the logit shift, which has nothing to fit.
LEAST_TO_CALIBRATE = 20
HOW_WITHOUT = 'use calibrate="logit-shift", with n_synthetic and augment both "auto" or both given'
#: How `makeweight.theory.choose_size` calls the calibrations while sizes are compared.
WHILE_CHOOSING = {"platt": "platt", "isotonic": "platt", "logit-shift": "shift", "none": None}


class SyntheticClassifier(ClassifierMixin, MetaEstimatorMixin, BaseEstimator):  # type: ignore[misc]
    """Fit a classifier to real and synthetic rows, as many as validation shows to help, which may be none.

    1. In every fold of a repeated stratified cross-validation a generator learns from the training rows only
       and writes one pool; every candidate size trains on prefixes of it and is judged, after calibration,
       by the log-loss on the held-out real rows.
    2. The size of the smallest risk is taken, where its gain over no rows passes the guardrail. Zero rows is
       always a candidate.
    3. Generator and estimator are fitted to all rows, and the probabilities are calibrated on the
       out-of-fold ones to the stated prior of the classes.

    `decision_` says what was chosen, from which candidates, and why.

    Parameters
    ----------
    estimator : classifier
        With ``predict_proba``; a pipeline gets rows as they come, mixed types and missing values included.
    generator : str, Generator, SyntheticOverSampler or None
        Who writes rows: a name that ``makeweight generators`` lists, or an object. Of a configured sampler the
        generator, ``options``, ``group_by``, ``kinds`` and ``limits`` are used; sizes are set here.
    n_synthetic : {"auto", "balance"}, int or dict, default="auto"
        Rows that bring groups up: chosen; up to the largest group; that many for every smaller group; or
        numbers of rows *to add* by label, or by tuple of label and attributes.
    augment : "auto" or int, default="auto"
        Further rows for *every* group.
    alpha : "auto" or float in [0, 1), default="auto"
        Weight of the augmentation term in (1 - alpha) R_balanced + alpha R_augment.
    calibrate : {"auto", "logit-shift", "platt", "isotonic"} or None, default="auto"
        "auto" is Platt scaling where every class has 20 rows, else the logit shift.
    objective : {"balanced", "worst-group"}, default="balanced"
        Mean or maximum of the group risks.
    target_prior : {"balanced", "observed"} or dict of label to float, default="balanced"
        What the probabilities are calibrated to: every group weighs the same, the shares of the real rows, or
        the stated shares. Not used with ``calibrate=None``.
    bias_correction : {"density-ratio", "signed"} or None, default=None
        "density-ratio" weighs synthetic rows by how real a cross-fitted classifier finds them. "signed" takes
        0, half or all of the bias out that the generator shows on moved rows of the largest group, as
        validation chooses; for logistic regression, or a pipeline that ends in it.
    rule : float, default=0
        How many standard errors above the smallest validation risk still count as equal, towards fewer rows. 0
        takes the smallest risk, which has the least regret; 1 adds rows only where a gain is shown.
    guardrail : float in [0, 1], default=0.5
        Probability with which rows may be added at most where none help, whatever the rows are.
    cv : int, default=5
        Folds; fewer where the smallest group has fewer rows.
    repeats : int, default=2
        Of the cross-validation.
    random_state : int, numpy.random.Generator, RandomState or None
        Decides folds, rows, and the random states that `estimator` leaves open.
    n_jobs : int, optional
        Processes that fit candidates; the result does not depend on it.

    Attributes
    ----------
    decision_ : ClassifierDecision
    estimator_ : classifier
        Fitted to all real rows and the chosen synthetic ones.
    calibrator_ : object
        Its ``apply`` maps probabilities of `estimator_` to calibrated ones.
    generation_ : Generation or None
        The synthetic rows with ledger and provenance; None where there are none.
    classes_ : ndarray of shape (k,)
    n_features_in_ : int
    feature_names_in_ : ndarray of str
        Where X has column names.

    Raises
    ------
    OptionError, PlanError, SchemaError
        In `fit`, when options, sizes or the table do not fit, weights are needed that `estimator` does not
        take, or the loss with signed weights has no minimum.
    GeneratorError, GenerationShortfall
        In `fit`, when rows cannot be written.

    Notes
    -----
    By default 9 candidates in 2 x 5 folds are fitted: some 91 fits of `estimator` on up to four times the
    rows, and 11 of the generator. With logistic regression on 1,000 x 10 that is half a minute of one core,
    and with ``generator="smoothed-bootstrap"`` two seconds. Without choice and with ``calibrate="logit-shift"``
    or None nothing is validated and one fit is made. More than six groups are brought up together, never one
    by one.

    `rule` and `guardrail` have their defaults by the regret over worlds whose best size is known, in docs/theory.md,
    "Choosing": ``rule=1`` keeps half of what good rows could gain, and gains below a standard error, with 100 rare rows
    some .02 nats, are not taken. ``python benchmarks/classifier.py`` compares the choice with calibration alone and
    with full balancing on published splits.

    A synthetic row weighs what a real row of its group weighs on average, times the weight that alpha and a
    density ratio give it. Generators take no weights. Rows of weight zero are left out; a row of weight two
    is not the same as two rows, which can be held out one without the other.

    Signed weights: in every training set the generator also learns, five times, from moved rows of the
    largest group that play a smaller one; what it then writes weighs -c, what it did not see +c. That is for
    groups of at most half the largest group's rows. Every size is tried with c = 0, .5 and 1. Negative
    weights are refused by, or break, other learners; here the Hessian is checked to be positive definite
    where the fit stops.

    Probabilities of `estimator` are mixed with 0.2 % of the uniform distribution before they are calibrated or
    judged, so that one row with probability zero decides nothing. Equal rows are never on both sides of a split.

    Accuracy (`score`) is that of the calibrated classes: with a balanced prior rare classes are predicted
    more often than they occur.

    References
    ----------
    Sizes by balanced validation loss: arXiv 2601.16120; objective and alpha: arXiv 2406.03628. The joint
    choice after calibration is derived in docs/theory.md, "Choosing". Signed weights: a reconstruction of
    arXiv 2510.26046, docs/theory.md, "Borrowing from the majority".

    Examples
    --------
    >>> from sklearn.datasets import make_classification
    >>> from sklearn.linear_model import LogisticRegression
    >>> X, y = make_classification(n_samples=300, weights=[0.8], random_state=0)
    >>> model = SyntheticClassifier(LogisticRegression(), repeats=1, random_state=0).fit(X, y)
    >>> model.decision_.calibration, len(model.decision_.candidates)
    ('platt', 9)
    >>> model.predict_proba(X[:2]).shape
    (2, 2)
    """

    # Grouping attributes are asked for by default, as scikit-learn's group splitters do.
    __metadata_request__fit = {"groups": True}  # noqa: RUF012

    _parameter_constraints: dict[str, Any] = {  # noqa: RUF012 - the name and form that scikit-learn reads
        "estimator": [HasMethods(["fit", "predict"])],
        "generator": [
            SyntheticOverSampler,
            str,
            HasMethods(["fit", "propose", "cost"]),
            HasMethods(["fit", "sample"]),
            None,
        ],
        "n_synthetic": [StrOptions({"auto", "balance"}), Interval(Integral, 0, None, closed="left"), Mapping],
        "augment": [StrOptions({"auto"}), Interval(Integral, 0, None, closed="left")],
        "alpha": [StrOptions({"auto"}), Interval(Real, 0, 1, closed="left")],
        "calibrate": [StrOptions({"auto", "logit-shift", "platt", "isotonic"}), None],
        "objective": [StrOptions({"balanced", "worst-group"})],
        "target_prior": [StrOptions({"balanced", "observed"}), Mapping],
        "bias_correction": [StrOptions({"density-ratio", "signed"}), None],
        "rule": [Interval(Real, 0, None, closed="left")],
        "guardrail": [Interval(Real, 0, 1, closed="both")],
        "cv": [Interval(Integral, 2, None, closed="left")],
        "repeats": [Interval(Integral, 1, None, closed="left")],
        "random_state": ["random_state", np.random.Generator],
        "n_jobs": [Integral, None],
    }

    def __init__(
        self,
        estimator: Any,
        generator: SyntheticOverSampler | str | Generator | None = None,
        *,
        n_synthetic: Any = "auto",
        augment: Any = "auto",
        alpha: Any = "auto",
        calibrate: str | None = "auto",
        objective: str = "balanced",
        target_prior: Any = "balanced",
        bias_correction: str | None = None,
        rule: float = 0.0,
        guardrail: float = 0.5,
        cv: int = 5,
        repeats: int = 2,
        random_state: Any = None,
        n_jobs: int | None = None,
    ) -> None:
        self.estimator = estimator
        self.generator = generator
        self.n_synthetic = n_synthetic
        self.augment = augment
        self.alpha = alpha
        self.calibrate = calibrate
        self.objective = objective
        self.target_prior = target_prior
        self.bias_correction = bias_correction
        self.rule = rule
        self.guardrail = guardrail
        self.cv = cv
        self.repeats = repeats
        self.random_state = random_state
        self.n_jobs = n_jobs

    def fit(self, X: Any, y: Any, sample_weight: Any = None, *, groups: Any = None) -> Self:
        """Choose the amount of synthetic rows, fit, and calibrate.

        Parameters
        ----------
        X : {array-like, pandas or polars DataFrame, pyarrow Table} of shape (n, d)
        y : array-like of shape (n,)
        sample_weight : array-like of shape (n,), optional
            Of the real rows, in fits, validation and calibration; 0 or more.
        groups : array-like of shape (n,) or (n, n_attributes), optional
            Grouping attributes that are not columns of X; groups are then label x attributes.

        Returns
        -------
        self
        """
        self._validate_params()
        if not hasattr(self.estimator, "predict_proba"):
            raise OptionError(
                "the estimator has no predict_proba",
                got=type(self.estimator).__name__,
                hint="wrap it in sklearn.calibration.CalibratedClassifierCV, or set probability=True",
            )
        if self.bias_correction == "signed":
            check_takes_signed(self.estimator)
        real = self._real_rows(X, y, groups, sample_weight)
        seed = seed_sequence(self.random_state)
        to_choose, to_test, to_write, to_fit = (np.random.default_rng(s) for s in seed.spawn(4))
        candidates = size_candidates(
            self.n_synthetic,
            self.augment,
            self.alpha,
            real.groups,
            takes_weights=weight_keyword(self.estimator) is not None,
            corrections=CORRECTIONS if real.signed and len(correctable(real.groups.counts)) else (0.0,),
        )
        is_open, given = honours(self.n_synthetic, self.augment), GIVES_ALL
        if is_open and len(candidates) > 1 and real.strata.distinct().min() < 2:
            candidates, given = (NOTHING,), NOTHING_TO_HOLD_OUT
        prior, weights = target_shares(self.target_prior, real)
        method = self._calibration(real)
        sizes, validation, notes = self._validated(real, candidates, method, to_choose)
        position, reason = chosen_size(candidates, sizes, is_open, given)
        chosen = candidates[0] if sizes is None else sizes.candidates[position]
        self._refit(real, chosen, to_write, int(to_fit.integers(2**31)))
        takes = chosen.takes(_counts(real.groups))
        rows, held_out = validation.out_of_fold(position) if validation else (np.empty(0, int), np.empty((0, 2)))
        self.calibrator_ = fit_calibrator(
            method, held_out, real.label_codes[rows], weights[rows], training_shares(real, takes), prior
        )
        test, note = slopes_verdict(real.frame[real.names], real.label_codes, real.weights, to_test)
        counts = _counts(real.groups)
        self.decision_ = ClassifierDecision(
            groups=real.strata.names,
            counts=tuple(counts.values()),
            takes=tuple(takes.values()),
            alpha=chosen.alpha,
            correction=chosen.correction,
            candidates=() if sizes is None else results_of(sizes, counts),
            chosen=position,
            reason=reason,
            objective=self.objective,
            calibration=method,
            target_prior=dict(zip(self.classes_.tolist(), prior.tolist(), strict=True)),
            folds=self._folds(real) if sizes else 0,
            repeats=self.repeats if sizes else 0,
            fits=1 + (validation.fits if validation else 0),
            slope_symmetry=test,
            notes=(*notes, *(uncorrected(real.groups) if real.signed else ()), *((note,) if note else ())),
        )
        return self

    def predict_proba(self, X: Any) -> np.ndarray:
        """Return calibrated probabilities of the rows of X, shape (n, k), classes in the order of `classes_`."""
        check_is_fitted(self)
        raw = probabilities(self.estimator_, read_features(self, X), self.classes_)
        return np.asarray(self.calibrator_.apply(raw))

    def predict(self, X: Any) -> np.ndarray:
        """Return the likeliest class at the target prior, shape (n,)."""
        likeliest = self.predict_proba(X).argmax(axis=1)
        return np.asarray(self.classes_[likeliest])

    def _real_rows(self, X: Any, y: Any, groups: Any, sample_weight: Any) -> RealRows:
        """Return the input as real rows, and remember its columns and classes."""
        sampler = sampler_of(self.generator)
        correct = density_ratio if self.bias_correction == "density-ratio" else None
        signed = self.bias_correction == "signed"
        real = read_rows(X, y, groups, sample_weight, sampler=sampler, correct=correct, signed=signed)
        self.classes_ = real.classes
        self.n_features_in_ = sampler.n_features_in_
        if hasattr(sampler, "feature_names_in_"):
            self.feature_names_in_ = sampler.feature_names_in_
        elif hasattr(self, "feature_names_in_"):
            del self.feature_names_in_
        return real

    def _calibration(self, real: RealRows) -> str:
        if self.calibrate is None:
            return "none"
        few = int(np.bincount(real.label_codes).min())
        if self.calibrate == "auto":
            usable = few >= LEAST_TO_CALIBRATE and real.strata.distinct().min() >= 2
            return "platt" if usable else "logit-shift"
        return self.calibrate

    def _folds(self, real: RealRows) -> int:
        return min(self.cv, int(real.strata.distinct().min()))

    def _validated(
        self, real: RealRows, candidates: tuple[Candidate, ...], method: str, rng: np.random.Generator
    ) -> tuple[SizeDecision | None, Validation | None, list[str]]:
        """Return the choice with its validation and notes, where a choice or a calibration needs it."""
        needs_rows = method in ("platt", "isotonic")
        if len(candidates) == 1 and not needs_rows:
            return None, None, []
        folds = self._folds(real)
        if folds < 2:
            lonely = int(real.strata.distinct().argmin())
            n_rows = int(real.groups.counts[lonely])
            raise PlanError(
                "a group of one row cannot be held out",
                where=real.strata.names[lonely],
                got="1 row" if n_rows == 1 else f"{n_rows} equal rows",
                expected="2 or more different rows of every group",
                hint=HOW_WITHOUT,
            )
        notes = ["sizes were compared after Platt scaling"] if method == "isotonic" else []
        if folds < self.cv:
            notes.append(f"{folds} folds, not {self.cv}: the smallest group has {folds} different rows")
        listed = [NOTHING, *(candidate for candidate in candidates if candidate != NOTHING)]
        validation = Validation(real, self.estimator, listed, self.n_jobs)
        sizes = validation.choose(
            folds=folds,
            repeats=self.repeats,
            calibrate=WHILE_CHOOSING[method],
            rng=rng,
            objective="worst" if self.objective == "worst-group" else "balanced",
            rule=float(self.rule),
            guardrail=float(self.guardrail),
        )
        return sizes, validation, notes

    def _refit(self, real: RealRows, chosen: Candidate, rng: np.random.Generator, seed: int) -> None:
        takes = chosen.takes(_counts(real.groups))
        everything = np.arange(len(real.codes))
        pool = real.write(everything, {code: take.n_total for code, take in takes.items()}, rng)
        self.generation_ = pool.generation
        X, y, weights = real.training_set(everything, pool, takes)
        self.estimator_ = fit_estimator(self.estimator, X, y, weights, seed)
        if weights.min() < 0:
            check_minimum(self.estimator_, X, y, weights)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        inner = get_tags(self.estimator)
        tags.input_tags = deepcopy(inner.input_tags)
        tags.input_tags.sparse = False
        tags.input_tags.string = True  # rows are passed on as they come
        if inner.classifier_tags is not None:
            tags.classifier_tags.multi_class = inner.classifier_tags.multi_class
            tags.classifier_tags.poor_score = inner.classifier_tags.poor_score
        tags.non_deterministic = inner.non_deterministic
        return tags


def _counts(groups: Groups) -> dict[Any, int]:
    return dict(enumerate(groups.counts.tolist()))
