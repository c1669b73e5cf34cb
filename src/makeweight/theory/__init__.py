"""Theory as code: risks, weights, how much to add, scaling law, bias correction, and worlds to check them in.

Numpy and scipy only. The text that goes with it, derivations included, is docs/theory.md.
"""

from makeweight.theory.audit import GeneratorAudit, generator_audit
from makeweight.theory.calibration import Calibration, fit_calibration, logit_shift
from makeweight.theory.candidates import NOTHING, Candidate, Take, size_grid
from makeweight.theory.components import Component, GaussianComponent, SphereComponent
from makeweight.theory.copies import CopyCheck, copy_check
from makeweight.theory.decision import SizeDecision, choose_from_risks
from makeweight.theory.expansion import Expansion, excess_risk_expansion
from makeweight.theory.folds import MinorityGenerator
from makeweight.theory.logistic import LogisticFit, balanced_weights, fit_logistic, row_scores
from makeweight.theory.risk import GroupRisks, Interval, excess_risk, group_risks, risk_intervals, row_losses
from makeweight.theory.size import choose_size, table_callables
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
    "NOTHING",
    "BinaryWorld",
    "Calibration",
    "Candidate",
    "Component",
    "CopyCheck",
    "CraftWorld",
    "Expansion",
    "GaussianComponent",
    "GeneratorAudit",
    "GroupRisks",
    "Interval",
    "LogisticFit",
    "LogisticWorld",
    "MinorityGenerator",
    "ScoreGap",
    "SizeDecision",
    "SlopeSymmetry",
    "SphereComponent",
    "Take",
    "TgVtss",
    "alpha_of_weight",
    "augmentation_weight",
    "balanced_weights",
    "biased_world",
    "choose_from_risks",
    "choose_size",
    "copy_check",
    "directional_size",
    "effective_sample_size",
    "excess_risk",
    "excess_risk_expansion",
    "fit_calibration",
    "fit_logistic",
    "generator_audit",
    "generator_quality_score",
    "group_risks",
    "logit_shift",
    "mirror_world",
    "objective_weights",
    "risk_intervals",
    "row_losses",
    "row_scores",
    "score_gap",
    "size_grid",
    "slope_symmetry_test",
    "table_callables",
    "tg_vtss",
]
