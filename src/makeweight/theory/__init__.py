"""Theory as code: risks, weights, how much to add, scaling law, bias correction, and worlds to check them in.

Numpy and scipy only. The text that goes with it, derivations included, is docs/theory.md.
"""

from makeweight.theory.audit import GeneratorAudit, generator_audit
from makeweight.theory.bias import (
    BorrowedRows,
    CorrectedSample,
    borrow_rows,
    corrected_sample,
    cross_fitted_ratio,
    density_ratio_weights,
    fit_corrected,
    signed_weights,
)
from makeweight.theory.calibration import Calibration, fit_calibration, logit_shift
from makeweight.theory.candidates import NOTHING, Candidate, Take, size_grid
from makeweight.theory.capacity import (
    CapacityPoint,
    CapacityRate,
    Divergence,
    capacity_curve,
    divergence_from_density,
    divergence_from_rows,
    fit_capacity_rate,
)
from makeweight.theory.components import Component, GaussianComponent, SphereComponent
from makeweight.theory.copies import CopyCheck, copy_check
from makeweight.theory.decision import (
    SizeDecision,
    choose_from_losses,
    choose_from_risks,
    least_correction,
)
from makeweight.theory.densities import (
    BayesianNetwork,
    Density,
    GaussianDensity,
    LatentEmbedding,
    fit_bayesian_network,
    fit_gaussian,
)
from makeweight.theory.expansion import Expansion, excess_risk_expansion
from makeweight.theory.folds import MinorityGenerator
from makeweight.theory.logistic import LogisticFit, balanced_weights, fit_logistic, row_scores
from makeweight.theory.mixture import MixtureLaw, fit_mixture_law
from makeweight.theory.powerlaw import StraightLine, inverse_line, log_line
from makeweight.theory.risk import GroupRisks, Interval, excess_risk, group_risks, risk_intervals, row_losses
from makeweight.theory.scaling import Recommendation, ScalingLaw
from makeweight.theory.size import choose_size
from makeweight.theory.symmetry import SlopeSymmetry, slope_symmetry_test
from makeweight.theory.tables import choose_correction, table_callables
from makeweight.theory.transport import TransportMap, fit_transport
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
    "BayesianNetwork",
    "BinaryWorld",
    "BorrowedRows",
    "Calibration",
    "Candidate",
    "CapacityPoint",
    "CapacityRate",
    "Component",
    "CopyCheck",
    "CorrectedSample",
    "CraftWorld",
    "Density",
    "Divergence",
    "Expansion",
    "GaussianComponent",
    "GaussianDensity",
    "GeneratorAudit",
    "GroupRisks",
    "Interval",
    "LatentEmbedding",
    "LogisticFit",
    "LogisticWorld",
    "MinorityGenerator",
    "MixtureLaw",
    "Recommendation",
    "ScalingLaw",
    "ScoreGap",
    "SizeDecision",
    "SlopeSymmetry",
    "SphereComponent",
    "StraightLine",
    "Take",
    "TgVtss",
    "TransportMap",
    "alpha_of_weight",
    "augmentation_weight",
    "balanced_weights",
    "biased_world",
    "borrow_rows",
    "capacity_curve",
    "choose_correction",
    "choose_from_losses",
    "choose_from_risks",
    "choose_size",
    "copy_check",
    "corrected_sample",
    "cross_fitted_ratio",
    "density_ratio_weights",
    "directional_size",
    "divergence_from_density",
    "divergence_from_rows",
    "effective_sample_size",
    "excess_risk",
    "excess_risk_expansion",
    "fit_bayesian_network",
    "fit_calibration",
    "fit_capacity_rate",
    "fit_corrected",
    "fit_gaussian",
    "fit_logistic",
    "fit_mixture_law",
    "fit_transport",
    "generator_audit",
    "generator_quality_score",
    "group_risks",
    "inverse_line",
    "least_correction",
    "log_line",
    "logit_shift",
    "mirror_world",
    "objective_weights",
    "risk_intervals",
    "row_losses",
    "row_scores",
    "score_gap",
    "signed_weights",
    "size_grid",
    "slope_symmetry_test",
    "table_callables",
    "tg_vtss",
]
