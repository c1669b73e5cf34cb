"""The answer in at most twelve words: what to do, which arm shows it, and the one thing to run."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from makeweight.evaluation.arms import REFERENCE, STEPS, WRITERS, Arm, Step, Variant
from makeweight.evaluation.scores import Pair, Scores
from makeweight.evaluation.statistics import Difference
from makeweight.evaluation.verdict import LOSS, RANKING, SMALLEST, beats, better, improves, loss_of
from makeweight.measure.learners import make_learner
from makeweight.page.comparison import ESTIMATORS

__all__ = ["Answer"]

#: Of an answer.
MOST_WORDS = 12
#: Splits that show anything: of the spread of two numbers too little is known.
FEWEST = 3
#: A name of the cases with more characters than this, or with a space, is left out.
LONGEST = 24
#: The simplest first.
LADDER = tuple(dict.fromkeys(STEPS.values()))
#: What did it, where rows did not, by training set; several have a verb of their own.
DOERS: dict[Variant, str] = {
    "rf5": "a regularised forest",
    "hgb-shallow": "shallow boosting",
    "weights": "class weights",
    "undersample": "undersampling",
    "soft-real": "soft labels",
    "committee": "a committee",
}
SEVERAL = ("weights", "soft-real")
#: Lines of Python, by step; model, X, y and X_new are the user's.
LINES: dict[Step, str] = {
    "calibration": "SyntheticClassifier(model, n_synthetic=0, augment=0).fit(X, y)",
    "weights": "model.fit(X, y, sample_weight=compute_sample_weight('balanced', y))",
    "labels": "model.fit(*teach(X, y, X[:0], random_state=0).training_set())",
    "committee": "Committee(random_state=0).fit(X, y)",
    "rows": "X, y = SyntheticOverSampler({generator!r}{augment}).fit_resample(X, y)",
    "soft-rows": "over = SyntheticOverSampler({generator!r}, soft_labels=True)\n"
    "model.fit(*over.fit_resample(X, y), sample_weight=over.sample_weight_)",
    "blend": "over = SyntheticOverSampler({generator!r}, soft_labels=True)\n"
    "model.fit(*over.fit_resample(X, y), sample_weight=over.sample_weight_)\n"
    "blend(model.predict_proba(X_new), over.teacher_.predict_proba(X_new))",
    "auto": "SyntheticClassifier(model, {generator!r}).fit(X, y)",
}


@dataclass(frozen=True)
class Answer:
    """What to do."""

    text: str  # at most twelve words
    step: str  # what the best arm does beyond calibrating; "failed" where nothing could be measured
    #: the classifier and the arm that show it
    estimator: str
    arm: str
    alarms: float  # share of the rows for which doing nothing raises an alarm today
    more: float  # cases of 100 that the arm finds more than doing nothing, for as many alarms; shown or not
    cases: str  # what the cases are called
    #: the one thing to do, for the command line and for Python
    command: str
    python: str
    shown: bool = True  # false where only what is known of other tables speaks for it


@dataclass(frozen=True)
class Advice:
    """What an answer names beside the scores."""

    #: words of the command line
    table: Sequence[str]
    generator: Sequence[str]
    teaching: Sequence[str]  # of rows that a committee labels
    n_added: Mapping[str, int]  # rows that are added to the whole table
    augment: int  # further rows per group of the augmented arm
    #: the target, and its rarest class
    target: str
    case: str
    #: rows per group as `makeweight balance --strategy` reads them, where fewer rows with soft labels were measured
    #: than are written by default; else empty
    soft_strategy: str = ""


def give_answer(scores: Scores, advice: Advice) -> Answer:
    """Return the answer.

    Candidates are calibration with each estimator, and every arm that is shown to be better than that with the same
    estimator. The best has the least balanced log-loss of those that none is shown to beat. Named is the simplest that
    the best is not shown to beat, in the order of `STEPS`: an arm of the same estimator, or calibration with the
    estimator that is best without anything else. Where that is calibration, `SyntheticClassifier` is likely better if
    it has done better: it did on nearly all tables that it was measured on (docs/soft-rows.md, "One estimator"), and
    few splits can show nothing.
    """
    cases = _cases(advice)
    candidates = {
        (estimator, arm.name): arm
        for estimator in scores.estimators
        for arm in scores.arms
        if arm.calibrated and not arm.external and is_candidate(scores, estimator, arm)
    }
    if not candidates:
        return Answer("Nothing was measured: every arm failed.", "failed", "", "", 0.0, 0.0, cases, *_failed(advice))
    best = _best(scores, list(candidates))
    plain = min(((estimator, REFERENCE) for estimator in scores.estimators), key=lambda pair: loss_of(scores, *pair))
    rivals = [pair for pair in candidates if pair[0] == best[0] or pair == plain]
    level = [pair for pair in rivals if pair == best or not beats(scores, best, pair)]
    chosen = min(level, key=lambda pair: (LADDER.index(candidates[pair].step), loss_of(scores, *pair)))
    likely = _likely(scores, plain) if candidates[chosen].step == "calibration" else None
    (estimator, _), arm = likely or (chosen, candidates[chosen])
    alarms = scores.alarms(estimator)
    gain = scores.found_difference(estimator, arm.name, alarms)
    more = 0.0 if gain is None else 100 * gain.mean
    if likely:
        text = _likely_text(scores, likely[0], plain)
    else:
        text = _text(scores, chosen, arm, gain, cases, advice)
    command, python = _command(arm, advice), _python(arm, advice)
    return Answer(text, arm.step, estimator, arm.name, alarms, more, cases, command, python, shown=not likely)


def _best(scores: Scores, pairs: list[Pair]) -> Pair:
    """Return the pair with the least log-loss of those that none is shown to beat."""
    unbeaten = [pair for pair in pairs if not any(beats(scores, other, pair) for other in pairs if other != pair)]
    return min(unbeaten or pairs, key=lambda pair: loss_of(scores, *pair))


def _likely(scores: Scores, plain: Pair) -> tuple[Pair, Arm] | None:
    """Return `SyntheticClassifier` where it has less log-loss than the best calibration, and ranks no worse."""
    measured = {
        (estimator, arm.name): arm
        for estimator in scores.estimators
        for arm in scores.arms
        if arm.calibrated and arm.step == "auto" and scores.value(estimator, arm.name, LOSS) is not None
    }
    if not measured:
        return None
    best = min(measured, key=lambda pair: loss_of(scores, *pair))
    ranks, plainly = (scores.value(*pair, RANKING) for pair in (best, plain))
    if ranks is None or plainly is None or ranks.mean < plainly.mean:
        return None
    return (best, measured[best]) if loss_of(scores, *plain) - loss_of(scores, *best) >= SMALLEST else None


def _likely_text(scores: Scores, pair: Pair, plain: Pair) -> str:
    percent = f"{100 * (1 - loss_of(scores, *pair) / loss_of(scores, *plain)):.1f} %"
    gain = f"log-loss {percent} lower, not shown."
    named = f"Likely best: SyntheticClassifier with {ESTIMATORS.get(pair[0], pair[0])}, {gain}"
    several = len(scores.estimators) > 1
    return named if several and len(named.split()) <= MOST_WORDS else f"Likely best: SyntheticClassifier, {gain}"


def is_candidate(scores: Scores, estimator: str, arm: Arm) -> bool:
    if scores.value(estimator, arm.name, LOSS) is None:
        return False
    if arm.name == REFERENCE:
        return True
    return len(scores.splits) >= FEWEST and improves(partial(scores.difference, estimator, arm.name))


def _cases(advice: Advice) -> str:
    """Return what the cases are called: the rarest class, or "rare cases" where its name is long.

    >>> _cases(Advice([], [], [], {}, 0, "churn", "yes")), _cases(Advice([], [], [], {}, 0, "type", "one of many"))
    ('churn=yes', 'rare cases')
    """
    name = f"{advice.target}={advice.case}"
    return name if len(name) <= LONGEST and len(name.split()) == 1 else "rare cases"


def _text(scores: Scores, pair: Pair, arm: Arm, gain: Difference | None, cases: str, advice: Advice) -> str:
    """Return the answer in at most twelve words, with the gain that is shown and that people understand best."""
    estimator = ESTIMATORS.get(pair[0], pair[0])
    if arm.step == "calibration":
        named = f"Do not add rows: calibrate {estimator}."
        several = len(scores.estimators) > 1
        return named if several and len(named.split()) <= MOST_WORDS else "Do not add rows: calibrate."
    loss, ranks = (scores.difference(*pair, metric) for metric in (LOSS, RANKING))
    assert loss is not None and ranks is not None  # noqa: PT018 - an arm that is better than another was measured
    of_nothing = loss_of(scores, pair[0], REFERENCE)
    if gain is not None and gain.low > 0 and round(100 * gain.mean) >= 1:
        noun, verb = f"{100 * gain.mean:.0f} more of 100 {cases} found", f"find {100 * gain.mean:.0f} more of 100"
    elif better(loss, lower=True):
        percent = f"{-100 * loss.mean / of_nothing:.1f} %"
        noun, verb = f"log-loss {percent} lower", f"lower log-loss by {percent}"
    else:
        noun, verb = f"AUROC {ranks.mean:.3f} higher", f"raise AUROC by {ranks.mean:.3f}"
    if arm.step in ("soft-rows", "blend"):
        return f"Add {advice.n_added['soft']:,} soft rows{', blend' if arm.step == 'blend' else ''}: {noun}."
    if arm.step == "rows":
        by = "" if arm.focus else f" by {_by(arm, advice)[1]}"
        return f"Add {advice.n_added[arm.variant]:,} rows{by}: {noun}."
    if arm.variant not in SEVERAL:
        first, rest = verb.split(" ", 1)
        verb = f"{first}s {rest}"
    if arm.step == "auto":
        return f"Let SyntheticClassifier choose rows: it {verb}."
    return f"Add no rows: {DOERS[arm.variant]} {verb}."


def _failed(advice: Advice) -> tuple[str, str]:
    plan = shlex.join(["makeweight", "balance", *advice.table, *advice.generator, "--dry-run"])
    return plan, f"balance(data, target={advice.target!r}, generator={advice.generator[1]!r})"


def _command(arm: Arm, advice: Advice) -> str:
    extra = ["--augment", str(advice.augment)] if arm.variant == "augmented" else []
    if arm.step == "soft-rows":
        extra = ["--soft-labels", *(["--strategy", advice.soft_strategy] if advice.soft_strategy else [])]
    if arm.step in ("rows", "soft-rows"):
        return shlex.join(["makeweight", "balance", *advice.table, *_by(arm, advice), *extra, "-o", "balanced.csv"])
    return f"in Python: {_python(arm, advice)}"


def _python(arm: Arm, advice: Advice) -> str:
    if arm.step == "learner":
        return LINES["calibration"].replace("model", str(make_learner(arm.variant, 0, 1)))
    augment = f", augment={advice.augment}" if arm.variant == "augmented" else ""
    return LINES[arm.step].format(generator=_by(arm, advice)[1], augment=augment)


def _by(arm: Arm, advice: Advice) -> Sequence[str]:
    """Return the words of the command line that name the generator of an arm's rows."""
    if arm.step != "rows":
        return advice.teaching
    return advice.generator if arm.focus else ["--generator", WRITERS[arm.source]]
