"""The arms of a comparison by name: which training rows, and what is done to the probabilities."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import pandas as pd

from makeweight.errors import OptionError, nearest
from makeweight.generators import DEFAULT_GENERATOR, QUICK_GENERATOR
from makeweight.generators.base import Generator
from makeweight.generators.registry import resolve

__all__ = ["Arm", "ArmSource"]

#: What every arm is compared with: no synthetic row, balanced Platt scaling out of fold.
REFERENCE = "nothing+platt"
NOTHING = "nothing"

#: What is done to the probabilities; those of "own" come calibrated, for the table's own shares of the classes.
Readout = Literal["raw", "shift", "platt", "threshold", "own"]
Variant = Literal[
    "nothing",
    "weights",
    "undersample",
    "rf5",
    "hgb-shallow",
    "soft-real",
    "soft",
    "committee",
    "blend",
    "balanced",
    "augmented",
    "all",
]
#: What an arm does beyond calibrating, the simplest first: of two that are level the simpler one is named.
Step = Literal["calibration", "learner", "weights", "labels", "committee", "rows", "soft-rows", "blend", "auto"]
STEPS: dict[Variant, Step] = {
    "nothing": "calibration",
    "rf5": "learner",
    "hgb-shallow": "learner",
    "weights": "weights",
    "undersample": "weights",
    "soft-real": "labels",
    "committee": "committee",
    "balanced": "rows",
    "augmented": "rows",
    "soft": "soft-rows",
    "blend": "blend",
    "all": "auto",
}
#: What shows that rows did it, and not the labels of the real ones or the committee that may be blended in: by arm.
CONTROLS = {"soft": "soft-real", "auto": "committee", "auto+platt": "committee"}


@dataclass(frozen=True)
class Arm:
    """One row of the result: a training set (`variant`) of a source, and what is done to the probabilities.

    An external arm saw more than the training rows. The verdict is about those in focus.
    """

    name: str
    label: str
    source: str
    variant: Variant
    readout: Readout = "raw"
    synthetic: bool = False
    external: bool = False
    focus: bool = False

    @property
    def calibrated(self) -> bool:
        """Whether its probabilities are calibrated by rows that it has not seen."""
        return self.readout in ("platt", "own")

    @property
    def step(self) -> Step:
        """What it does beyond calibrating."""
        return STEPS[self.variant]

    @property
    def control(self) -> str | None:
        """The arm that does the same without synthetic rows, where that is not the reference."""
        return CONTROLS.get(self.name)


@dataclass(frozen=True, eq=False)
class ArmSource:
    """Where training rows come from: an unfitted generator or external rows, with all arms that share the pool."""

    name: str
    kind: Literal["constant", "real", "learners", "taught", "generator", "auto", "external"]
    generator: Generator | None = None
    rows: pd.DataFrame | None = field(default=None, repr=False)
    arms: tuple[Arm, ...] = ()

    @property
    def variants(self) -> list[Variant]:
        """The training sets that its arms need, once each."""
        return list(dict.fromkeys(arm.variant for arm in self.arms))


#: Generators that stand beside the chosen one: arm, generator, label.
LISTED = (
    ("random", "random", "random oversampling"),
    ("smote", "smotenc", "SMOTE/SMOTENC"),
    ("smoothed-bootstrap", "smoothed-bootstrap", "smoothed bootstrap"),
    ("transport", "transport", "transport"),
)
#: Generators of these arms.
WRITERS = {arm: listed for arm, listed, _ in LISTED}


def catalogue(
    generator: str | Generator,
    options: Mapping[str, Any] | None = None,
    external: Mapping[str, pd.DataFrame] | None = None,
    synthetic_weight: float | None = None,
) -> list[ArmSource]:
    """Return all sources with all their arms, in the order in which they are shown.

    `generator`: the chosen one; where it is among the listed ones it takes their place. Where it is the default, rows
    that a committee labels are by the smoothed bootstrap, as `SyntheticClassifier` has them. `external`: synthetic rows
    written elsewhere, by name. `synthetic_weight`: of the chosen generator's rows, for the labels.

    >>> [source.name for source in catalogue("smote")]
    ['constant', 'real', 'learners', 'random', 'smoothed-bootstrap', 'transport', 'smote', 'committee', 'auto']
    >>> [arm.name for arm in catalogue("smote")[-3].arms]
    ['smote', 'smote+platt', 'smote+augment', 'smote+augment+platt']
    """
    chosen = resolve(generator, options)
    name = generator if isinstance(generator, str) else type(generator).__name__
    sources = [
        ArmSource("constant", "constant", arms=(Arm("constant", "constant prior", "constant", "nothing"),)),
        ArmSource("real", "real", arms=_real_arms()),
        ArmSource("learners", "learners", arms=_learner_arms()),
    ]
    own = {name, "smote"} if name == "smotenc" else {name}
    for arm, listed, label in LISTED:
        if arm not in own:
            both = _both(arm, label, arm, "balanced")
            sources.append(ArmSource(arm, "generator", resolve(listed), arms=both))
    labels = {arm: label for arm, _, label in LISTED} | {"smote": "SMOTE"}
    label = labels.get(name, name)
    weight = "" if synthetic_weight is None else f", weight {synthetic_weight:g}"
    arms = (
        *_both(name, f"{label}, balanced{weight}", name, "balanced", focus=True),
        *_both(f"{name}+augment", f"{label}, balanced + augmented{weight}", name, "augmented", focus=True),
    )
    taught, by = chosen, label
    if not teaches(generator, options):
        taught, by = resolve(QUICK_GENERATOR), labels[QUICK_GENERATOR]
    sources.append(ArmSource(name, "generator", chosen, arms=arms))
    sources.append(ArmSource("committee", "taught", taught, arms=_taught_arms(by)))
    auto = _both("auto", f"SyntheticClassifier(auto), {by}", "auto", "all", focus=True)
    sources.append(ArmSource("auto", "auto", taught, arms=auto))
    for file, rows in (external or {}).items():
        named = f"external:{file}"
        outside = _both(named, f"{file} (external information)", named, "all", external=True)
        sources.append(ArmSource(named, "external", rows=rows, arms=outside))
    return sources


def teaches(generator: str | Generator, options: Mapping[str, Any] | None) -> bool:
    """Return whether rows that a committee labels are the chosen generator's, too: where it is not the default."""
    return generator != DEFAULT_GENERATOR or bool(options)


def _real_arms() -> tuple[Arm, ...]:
    return (
        Arm(NOTHING, "do nothing", "real", "nothing"),
        Arm("nothing+shift", "do nothing + logit shift", "real", "nothing", "shift"),
        Arm(REFERENCE, "do nothing + calibration", "real", "nothing", "platt"),
        Arm("threshold", "do nothing + tuned threshold", "real", "nothing", "threshold"),
        *_both("weights", "class weights", "real", "weights", synthetic=False),
        *_both("undersample", "undersampling", "real", "undersample", synthetic=False),
    )


def _learner_arms() -> tuple[Arm, ...]:
    """Return the regularised learners that stand beside every estimator."""
    return (
        *_both("rf5", "random forest, 5 rows a leaf", "learners", "rf5", synthetic=False),
        *_both("hgb-shallow", "shallow boosted trees", "learners", "hgb-shallow", synthetic=False),
    )


def _taught_arms(label: str) -> tuple[Arm, ...]:
    """Return the arms of which a committee has a say."""
    return (
        Arm("soft-real", "soft labels, no rows", "committee", "soft-real", "own"),
        Arm("soft", f"soft labels, rows by {label}", "committee", "soft", "own", synthetic=True, focus=True),
        Arm("committee", "committee alone", "committee", "committee", "own"),
        Arm("blend", "soft labels, rows, and committee", "committee", "blend", "own", synthetic=True),
    )


def _both(
    name: str,
    label: str,
    source: str,
    variant: Variant,
    *,
    synthetic: bool = True,
    external: bool = False,
    focus: bool = False,
) -> tuple[Arm, Arm]:
    """Return an arm without and with calibration."""
    bare = Arm(name, label, source, variant, synthetic=synthetic, external=external, focus=focus)
    return bare, replace(bare, name=f"{name}+platt", label=f"{label} + calibration", readout="platt")


def choose(sources: Sequence[ArmSource], names: Sequence[str] | None) -> list[ArmSource]:
    """Return the sources with the arms that are asked for, and doing nothing with and without calibration.

    `names`: of arms; one without a calibrated twin in its name brings the twin along. None keeps all.

    >>> kept = choose(catalogue("smote"), ["constant", "transport"])
    >>> [arm.name for source in kept for arm in source.arms]
    ['constant', 'nothing', 'nothing+platt', 'transport', 'transport+platt']
    """
    if names is None:
        return list(sources)
    known = [arm.name for source in sources for arm in source.arms]
    for name in names:
        if name not in known:
            raise OptionError("unknown arm", got=repr(name), hint=nearest(name, known))
    wanted = {NOTHING, REFERENCE, *names, *(f"{name}+platt" for name in names)}
    wanted |= {control for name, control in CONTROLS.items() if name in names}
    kept = []
    for source in sources:
        arms = tuple(arm for arm in source.arms if arm.name in wanted)
        if arms:
            kept.append(replace(source, arms=arms))
    return kept
