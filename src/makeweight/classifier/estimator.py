"""`SyntheticClassifier`: a scikit-learn meta-estimator that chooses what a classifier is fitted to."""

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
from makeweight.classifier.borrowing import correctable, density_ratio, uncorrected
from makeweight.classifier.convexity import check_minimum
from makeweight.classifier.decision import ClassifierDecision, chosen_size, contributions_of, results_of, way_of
from makeweight.classifier.explain import explained
from makeweight.classifier.inputs import check_estimator, read_rows, sampler_of, target_shares
from makeweight.classifier.sizes import CORRECTIONS, GIVES_ALL, NOTHING_TO_HOLD_OUT, honours, size_candidates
from makeweight.classifier.symmetry import slopes_verdict
from makeweight.classifier.taught import BLENDS, FittedTwice, material, parts_of, taught_candidates
from makeweight.classifier.training import RealRows
from makeweight.classifier.validation import calibration_of, folds_of, presumed_of, rounds_of, validated
from makeweight.committee import Committee, blend
from makeweight.committee.softened import refuse_rules_of_labels
from makeweight.committee.teaching import teacher_of
from makeweight.generators.base import Generator
from makeweight.generators.writing import RandomState, seed_sequence
from makeweight.labelled import read_features, remember_columns
from makeweight.measure.calibration import fit_calibrator
from makeweight.measure.learners import fit_estimator, name_of, weight_keyword
from makeweight.measure.probabilities import probabilities
from makeweight.rules import read_constraints
from makeweight.sampler import SyntheticOverSampler
from makeweight.theory import NOTHING, Candidate

__all__ = ["SyntheticClassifier"]

NOT_ASKED = "the teacher was not asked, since n_synthetic or augment was given: leave both at 'auto'"


class SyntheticClassifier(ClassifierMixin, MetaEstimatorMixin, BaseEstimator):  # type: ignore[misc]
    """Fit a classifier to what helps it: synthetic rows, rows with probabilities, a blend, or the real rows alone.

    1. In every fold of a repeated stratified cross-validation a generator learns from the training rows only
       and writes one pool, and a teacher (`makeweight.Committee`) that is fitted to these rows only says what every row
       is. Candidates are: nothing; synthetic rows with the label they were written for, in several sizes; real rows
       that carry the teacher's probabilities by half; the same with synthetic rows that carry them; and blends of
       the teacher and the estimator, fitted to the real rows, to those soft rows, or once to either.
       Each is judged, after calibration, by the log-loss on the held-out real rows.
    2. The blend of both is presumed, since it nearly always helps. Another candidate, or doing nothing, is taken where
       validation shows it to be better, by what the guardrail asks for.
    3. What was chosen is fitted to all rows, and the probabilities are calibrated on the out-of-fold ones to the
       stated prior of the classes.

    `decision_` says what was chosen, from which candidates, and why; `explain` says it in plain words.

    Parameters
    ----------
    estimator : classifier
        With ``predict_proba``; a pipeline gets rows as they come, mixed types and missing values included.
    generator : str, Generator, SyntheticOverSampler or None
        Who writes rows: a name that ``makeweight generators`` lists, or an object; by default "smoothed-bootstrap",
        which is quick. Of a configured sampler the
        generator, ``options``, ``group_by``, ``kinds``, ``constraints`` and ``limits`` are used; sizes are set here.
    n_synthetic : {"auto", "balance"}, int or dict, default="auto"
        Rows that bring groups up: chosen; up to the largest group; that many for every smaller group; or
        numbers of rows *to add* by label, or by tuple of label and attributes.
    augment : "auto" or int, default="auto"
        Further rows for *every* group.
    teacher : "auto", Committee, classifier or None, default="auto"
        Who says what a row is, where `n_synthetic` and `augment` are both "auto": a `makeweight.Committee` of which the
        estimator is a further member, one that is given, any classifier, or nobody.
    alpha : "auto" or float in [0, 1), default="auto"
        Weight of the augmentation term in (1 - alpha) R_balanced + alpha R_augment.
    calibrate : {"auto", "logit-shift", "platt", "isotonic"} or None, default="auto"
        "auto" is Platt scaling where every class has 20 rows, else the logit shift.
    objective : {"balanced", "worst-group"}, default="balanced"
        Mean or maximum of the group risks.
    target_prior : {"observed", "balanced"} or dict of label to float, default="observed"
        What the probabilities are calibrated to: the shares of the real rows, every group the same, or the stated
        shares. Not used with ``calibrate=None``.
    bias_correction : {"density-ratio", "signed"} or None, default=None
        "density-ratio" weighs synthetic rows by how real a cross-fitted classifier finds them. "signed" takes
        0, half or all of the bias out that the generator shows on moved rows of the largest group, as
        validation chooses; for logistic regression, or a pipeline that ends in it.
    rule : float, default=0
        How many standard errors above the smallest validation risk still count as equal, towards fewer rows. 0
        takes the smallest risk, which has the least regret; 1 leaves what is presumed only where a gain is shown.
    presumed : {"blend", "nothing"}, default="blend"
        What is taken unless another candidate is shown to be better: where the teacher is "auto", or a Committee of the
        members "auto", the blend of both; or nothing.
    guardrail : float in [0, 1], default=0.5
        Probability with which something may be chosen at most that is no better than what is presumed, whatever rows
        and teacher are. With 1, and nothing presumed, the smallest risk is taken.
    cv : "auto" or int, default="auto"
        Folds; fewer where the smallest group has fewer rows. "auto" is 3 where a teacher is asked, which is fitted in
        every fold, and 5 elsewhere.
    repeats : "auto" or int, default="auto"
        Of the cross-validation. "auto" is 1 where a teacher is asked, and 2 elsewhere.
    random_state : int, numpy.random.Generator, RandomState or None
        Decides folds, rows, and the random states that `estimator` leaves open.
    n_jobs : int, optional
        Processes that fit candidates; the result does not depend on it.

    Attributes
    ----------
    decision_ : ClassifierDecision
    estimator_ : classifier
        Fitted to the chosen rows. For the blend of both it answers with the mean log-odds of two: its ``plain`` is
        fitted to the real rows, its ``soft`` to the soft ones.
    teacher_ : Committee or None
        Where the choice needs one.
    calibrator_ : object
        Its ``apply`` maps probabilities of `estimator_`, or those of its blend with `teacher_`, to calibrated ones.
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
    What it costs, and why guardrail and soft rows have their defaults: docs/soft-rows.md, "One estimator", and
    docs/theory.md, "Choosing". ``teacher=None`` leaves the candidates with a teacher out. Sizes that are given are
    kept; without choice and with ``calibrate="logit-shift"`` or None nothing is validated and one fit is made. More
    than six groups are brought up together, never one by one. The committee alone is measured and never chosen.

    A synthetic row weighs what a real row of its group weighs on average, times the weight that alpha and a
    density ratio give it; one that carries probabilities what a real row weighs on average, shared by its labels.
    With grouping attributes the teacher is fitted to rows that give every group the same weight. Generators take no
    weights. Rows of weight zero are left out; a row of weight two is not the same as two rows, which can be held out
    one without the other.

    Signed weights: in every training set the generator also learns, five times, from moved rows of the
    largest group that play a smaller one; what it then writes weighs -c, what it did not see +c. That is for
    groups of at most half the largest group's rows. Every size is tried with c = 0, .5 and 1. Negative
    weights are refused by, or break, other learners; here the Hessian is checked to be positive definite
    where the fit stops.

    Probabilities of `estimator` are mixed with 0.2 % of the uniform distribution before they are calibrated or
    judged, so that one row with probability zero decides nothing. Equal rows are never on both sides of a split,
    unless there are more than ten that are more than 2 % of their group.

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
    >>> model = SyntheticClassifier(LogisticRegression(), teacher=None, repeats=1, random_state=0).fit(X, y)
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
        "teacher": [StrOptions({"auto"}), HasMethods(["fit", "predict_proba"]), None],
        "target_prior": [StrOptions({"balanced", "observed"}), Mapping],
        "bias_correction": [StrOptions({"density-ratio", "signed"}), None],
        "rule": [Interval(Real, 0, None, closed="left")],
        "presumed": [StrOptions({"blend", "nothing"})],
        "guardrail": [Interval(Real, 0, 1, closed="both")],
        "cv": [StrOptions({"auto"}), Interval(Integral, 2, None, closed="left")],
        "repeats": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
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
        teacher: Any = "auto",
        objective: str = "balanced",
        target_prior: Any = "observed",
        bias_correction: str | None = None,
        rule: float = 0.0,
        presumed: str = "blend",
        guardrail: float = 0.5,
        cv: str | int = "auto",
        repeats: str | int = "auto",
        random_state: RandomState = None,
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
        self.teacher = teacher
        self.rule = rule
        self.presumed = presumed
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
        check_estimator(self.estimator, signed=self.bias_correction == "signed")
        if self._own_teacher:
            teacher_of(self.teacher, where="teacher")
        real = self._real_rows(X, y, groups, sample_weight)
        seed = seed_sequence(self.random_state)
        to_choose, to_test, to_write, to_fit = (np.random.default_rng(s) for s in seed.spawn(4))
        candidates, is_open, given, notes = self._candidates(real)
        prior, weights = target_shares(self.target_prior, real)
        method = calibration_of(self.calibrate, real)
        reference = presumed_of(self.presumed, candidates, self.teacher)
        cv, repeats = rounds_of(self.cv, self.repeats, candidates)
        judgement, validation, more = validated(
            real,
            self.estimator,
            candidates,
            teacher=self.teacher,
            method=method,
            cv=cv,
            repeats=repeats,
            objective=self.objective,
            rule=float(self.rule),
            guardrail=float(self.guardrail),
            reference=reference,
            n_jobs=self.n_jobs,
            rng=to_choose,
        )
        position, reason = chosen_size(candidates, judgement.choice if judgement else None, is_open, given)
        chosen = candidates[0] if judgement is None else judgement.choice.candidates[position]
        shares = self._refit(real, chosen, to_write, to_fit)
        rows, held_out = validation.out_of_fold(position) if validation else (np.empty(0, int), np.empty((0, 2)))
        self.calibrator_ = fit_calibrator(method, held_out, real.label_codes[rows], weights[rows], shares, prior)
        test, note = slopes_verdict(real.frame[real.names], real.label_codes, real.weights, to_test)
        notes += [*more, *(uncorrected(real.groups) if real.signed else ()), *((note,) if note else ())]
        counts: dict[Any, int] = dict(enumerate(real.groups.counts.tolist()))
        folds, repeats = (folds_of(real, cv), repeats) if judgement else (0, 0)
        risks = judgement.measured.risks if judgement else np.zeros(1)
        self.decision_ = ClassifierDecision(
            way=way_of(chosen),
            gain=float(risks[0] - risks[position]),
            p_value=judgement.choice.p_value if judgement else 1.0,
            presumed=way_of(reference) if is_open and judgement and len(candidates) > 1 else "",
            guardrail=float(self.guardrail),
            contributions=contributions_of(judgement.measured, position, folds, repeats) if judgement else (),
            groups=real.strata.names,
            counts=tuple(counts.values()),
            takes=tuple(chosen.takes(counts).values()),
            alpha=chosen.alpha,
            correction=chosen.correction,
            candidates=results_of(judgement.measured, counts) if judgement else (),
            chosen=position,
            reason=reason,
            objective=self.objective,
            calibration=method,
            target_prior=dict(zip(self.classes_.tolist(), prior.tolist(), strict=True)),
            folds=folds,
            repeats=repeats,
            fits=len(parts_of(chosen)) + (validation.fits if validation else 0),
            slope_symmetry=test,
            notes=tuple(notes),
        )
        return self

    def explain(self) -> str:
        """Return one plain page: what was added, what it weighs, what was measured on which rows, and what was not."""
        check_is_fitted(self)
        other = self._own_teacher and not isinstance(self.teacher, Committee)
        teacher = f"the teacher ({name_of(self.teacher)})" if other else "a committee of classifiers"
        return explained(self.decision_, name_of(self.estimator), teacher)

    def predict_proba(self, X: Any) -> np.ndarray:
        """Return calibrated probabilities of the rows of X, shape (n, k), classes in the order of `classes_`."""
        check_is_fitted(self)
        rows = read_features(self, X)
        raw = probabilities(self.estimator_, rows, self.classes_)
        if self.decision_.way in BLENDS and self.teacher_ is not None:
            raw = blend(raw, self.teacher_.predict_proba(rows))
        return np.asarray(self.calibrator_.apply(raw))

    def predict(self, X: Any) -> np.ndarray:
        """Return the likeliest class at the target prior, shape (n,)."""
        likeliest = self.predict_proba(X).argmax(axis=1)
        return np.asarray(self.classes_[likeliest])

    @property
    def _own_teacher(self) -> bool:
        return self.teacher is not None and not isinstance(self.teacher, str)

    def _real_rows(self, X: Any, y: Any, groups: Any, sample_weight: Any) -> RealRows:
        """Return the input as real rows, and remember its columns and classes."""
        sampler = sampler_of(self.generator)
        correct = density_ratio if self.bias_correction == "density-ratio" else None
        signed = self.bias_correction == "signed"
        real = read_rows(X, y, groups, sample_weight, sampler=sampler, correct=correct, signed=signed)
        self.classes_ = real.classes
        remember_columns(self, sampler)
        return real

    def _candidates(self, real: RealRows) -> tuple[tuple[Candidate, ...], bool, str, list[str]]:
        """Return the candidates, whether nothing is among what is left open, why there is no choice, and notes."""
        sizes = size_candidates(
            self.n_synthetic,
            self.augment,
            self.alpha,
            real.groups,
            takes_weights=weight_keyword(self.estimator) is not None,
            corrections=CORRECTIONS if real.signed and len(correctable(real.groups.counts)) else (0.0,),
        )
        is_open = honours(self.n_synthetic, self.augment)
        if is_open and len(sizes) > 1 and real.strata.distinct().min() < 2:
            return (NOTHING,), is_open, NOTHING_TO_HOLD_OUT, []
        if self.teacher is None or not (self.n_synthetic == self.augment == "auto"):
            return sizes, is_open, GIVES_ALL, [NOT_ASKED] if self._own_teacher else []
        refuse_rules_of_labels(read_constraints(real.sampler.constraints, real.schema), real.schema.target)
        taught, note = taught_candidates(real, self.estimator)
        return (*sizes, *taught), is_open, GIVES_ALL, [note] if note else []

    def _refit(
        self, real: RealRows, chosen: Candidate, to_write: np.random.Generator, to_fit: np.random.Generator
    ) -> np.ndarray:
        """Fit what was chosen to all rows, and return the class shares that it is fitted to."""
        seed = int(to_fit.integers(2**31))
        everything = material(
            real,
            np.arange(len(real.codes)),
            (chosen,),
            teacher=self.teacher,
            estimator=self.estimator,
            to_write=to_write,
            to_teach=to_fit,
            n_jobs=self.n_jobs,
            in_folds=False,
        )
        self.generation_ = everything.pool.generation
        self.teacher_ = everything.lesson.teacher if everything.lesson else None
        fits = []
        for part in parts_of(chosen):
            X, y, weights = everything.training_set(part)
            fits.append(fit_estimator(self.estimator, X, y, weights, seed))
            if weights.min() < 0:
                check_minimum(fits[-1], X, y, weights)
        self.estimator_ = fits[0] if len(fits) == 1 else FittedTwice(*fits)
        return everything.shares(chosen)

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
