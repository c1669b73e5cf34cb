"""A classifier's decision in plain words, for a reader who did not make it."""

from __future__ import annotations

from makeweight.classifier.decision import ClassifierDecision
from makeweight.classifier.taught import BLEND, REAL_BLEND, SOFT, SOFT_BLEND, SOFT_REAL, TaughtCandidate

HALF_SOFT = "Half of every real row's weight follows its label, half what {teacher} says of it, without having seen it."
WHOLLY_SOFT = "Every real row's weight follows what {teacher} says of it, without having seen it."
TOGETHER = " The answer is the mean, on the scale of log-odds, of {estimator} and of {teacher}."
WAYS = {
    "nothing": "Nothing. {estimator} was fitted to the {n:,} real rows as they are.",
    "hard rows": "{m:,} synthetic rows, each with the label that it was written for, beside the {n:,} real rows.",
    SOFT_REAL: "No row. {softness}",
    SOFT: (
        "{m:,} synthetic rows beside the {n:,} real rows. No synthetic row has a label: it carries the probability of "
        "every label, as {teacher} says, fitted to the real rows. {softness}"
    ),
    REAL_BLEND: "No row. {estimator} was fitted to the {n:,} real rows as they are." + TOGETHER,
}
WAYS[SOFT_BLEND] = WAYS[SOFT] + TOGETHER
WAYS[BLEND] = (
    WAYS[SOFT]
    + " {estimator} was fitted twice: to these rows, and to the real rows as they are. The answer is the mean, on "
    "the scale of log-odds, of {teacher} and of the mean of the two."
)


def explained(decision: ClassifierDecision, estimator: str, teacher: str) -> str:
    """Return one page of text."""
    softness = WHOLLY_SOFT if len(decision.groups) > len(decision.target_prior) else HALF_SOFT
    names = {"estimator": estimator, "teacher": teacher}
    amounts = {"n": sum(decision.counts), "m": decision.n_synthetic}
    parts = {
        "What was added": [
            WAYS[decision.way].format(softness=softness.format(**names), **names, **amounts),
            *_groups(decision),
        ],
        "What it weighs": _weights(decision),
        "What was measured, and on which rows": _measured(decision),
        "What was not shown": _not_shown(decision),
    }
    if decision.notes:
        parts["Notes"] = list(decision.notes)
    title = f"How {estimator} was trained"
    lines = [title, "=" * len(title)]
    for heading, paragraphs in parts.items():
        lines += ["", heading, "-" * len(heading), *paragraphs]
    return "\n".join(lines) + "\n"


def _groups(decision: ClassifierDecision) -> list[str]:
    return [
        f"* {name}: {count:,} real {'row' if count == 1 else 'rows'}, {take.n_total:,} synthetic"
        for name, count, take in zip(decision.groups, decision.counts, decision.takes, strict=True)
    ]


def _weights(decision: ClassifierDecision) -> list[str]:
    n, m = sum(decision.counts), decision.n_synthetic
    if not m:
        return ["Every real row weighs what it was given: 1, unless weights were passed to fit."]
    mass = sum(take.mass for take in decision.takes)
    of_one = " of the one fit of two that has them" if decision.way == BLEND else ""
    return [
        f"A synthetic row weighs {mass / m:.3g} on average, where a real row weighs 1 on average. Together the "
        f"synthetic rows are {mass / (n + mass):.0%} of the training weight{of_one}."
    ]


def _measured(decision: ClassifierDecision) -> list[str]:
    if not decision.candidates:
        return [f"Nothing was measured: {decision.reason}."]
    after = "" if decision.calibration == "none" else f" after calibration ({decision.calibration})"
    risk = {"balanced": "mean over groups", "worst-group": "largest of the groups"}[decision.objective]
    chosen, nothing = decision.candidates[decision.chosen], decision.candidates[0]
    taught = any(isinstance(result.candidate, TaughtCandidate) for result in decision.candidates)
    learners = "generator, teacher and classifier" if taught else "generator and classifier"
    often = "once" if decision.repeats == 1 else f"{decision.repeats} times"
    lines = [
        f"Log-loss of real rows only, {risk}, in nats per row{after}. The {sum(decision.counts):,} real rows were held "
        f"out in {decision.folds} folds, {often}; {learners} had not seen the rows that they were judged on.",
        f"Doing nothing: {nothing.risk:.4f}. Chosen ({chosen.title}): {chosen.risk:.4f}, which gains "
        f"{decision.gain:+.4f}. {len(decision.candidates)} candidates were compared.",
        f"Why this was chosen: {decision.reason}.",
        *_presumption(decision),
    ]
    return lines + [f"* {part}" for part in decision.contributions]


def _presumption(decision: ClassifierDecision) -> list[str]:
    often = "less than 1%" if decision.p_value < 0.005 else f"{decision.p_value:.0%}"
    chance = (
        f"the best of them gains as much by chance in {often} of tables. Another is chosen there in at "
        f"most {decision.guardrail:.0%} (the guardrail)."
    )
    if not decision.presumed:
        return []
    if decision.presumed == "nothing":
        return [f"Where no candidate helps, {chance}"]
    presumed = next(result for result in decision.candidates if result.title == decision.presumed)
    return [
        f"Unless another was shown to be better, the {decision.presumed} was to be taken ({presumed.risk:.4f}), since "
        "on other tables it nearly always helped. That is presumed: these rows may be too few to show it. Where no "
        f"candidate is better, {chance}"
    ]


def _not_shown(decision: ClassifierDecision) -> list[str]:
    lines = [
        "* That rows from elsewhere, or from later, behave like these: nothing outside this table was looked at.",
        "* That the probabilities suit other shares of the classes than "
        + ", ".join(f"{label}: {share:.3g}" for label, share in decision.target_prior.items())
        + ".",
        "* That the synthetic rows are like the real ones, or keep a person's data private: they were judged only by "
        "what they do to this classifier.",
    ]
    unsure = [part for part in decision.contributions if part.low <= 0 <= part.high]
    if unsure:
        names = ", ".join(part.part for part in unsure)
        lines.append(f"* That these parts help or harm, since their intervals hold zero: {names}.")
    if not decision.candidates and decision.way != "nothing":
        lines.insert(0, "* That this is better than doing nothing.")
    return lines
