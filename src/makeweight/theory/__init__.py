"""Theory as code: risks, weights, how much to add, scaling law, bias correction, and worlds to check them in.

Numpy and scipy only. The text that goes with it, derivations included, is docs/theory.md.
"""

from makeweight.theory.components import Component, GaussianComponent, SphereComponent
from makeweight.theory.expansion import Expansion, excess_risk_expansion
from makeweight.theory.logistic import LogisticFit, balanced_weights, fit_logistic, row_scores
from makeweight.theory.risk import GroupRisks, Interval, excess_risk, group_risks, risk_intervals, row_losses
from makeweight.theory.symmetry import SlopeSymmetry, slope_symmetry_test
from makeweight.theory.vtss import (
    ScoreGap,
    TgVtss,
    directional_size,
    generator_quality_score,
    score_gap,
    tg_vtss,
)
from makeweight.theory.weights import (
    alpha_of_weight,
    augmentation_weight,
    effective_sample_size,
    objective_weights,
)
from makeweight.theory.worlds import BinaryWorld, CraftWorld, LogisticWorld, biased_world, mirror_world

__all__ = [
    "BinaryWorld",
    "Component",
    "CraftWorld",
    "Expansion",
    "GaussianComponent",
    "GroupRisks",
    "Interval",
    "LogisticFit",
    "LogisticWorld",
    "ScoreGap",
    "SlopeSymmetry",
    "SphereComponent",
    "TgVtss",
    "alpha_of_weight",
    "augmentation_weight",
    "balanced_weights",
    "biased_world",
    "directional_size",
    "effective_sample_size",
    "excess_risk",
    "excess_risk_expansion",
    "fit_logistic",
    "generator_quality_score",
    "group_risks",
    "mirror_world",
    "objective_weights",
    "risk_intervals",
    "row_losses",
    "row_scores",
    "score_gap",
    "slope_symmetry_test",
    "tg_vtss",
]
