"""Theory as code: what the product calls. Risks, weights, how much to add, scaling law, bias correction.

Numpy and scipy only. What only the published paper needs, worlds with known answers included, is in
`makeweight.theory.published`. The text that goes with both, derivations included, is docs/theory.md.
"""

from makeweight.theory.borrowing import BorrowedRows, borrow
from makeweight.theory.calibration import Calibration, fit_calibration, logit_shift
from makeweight.theory.candidates import NOTHING, Candidate, Take
from makeweight.theory.decision import SizeDecision, choose_from_losses, covariance_of_means, least_correction
from makeweight.theory.information import fisher_information, prior_weight, rows_worth
from makeweight.theory.logistic import LogisticFit, balanced_weights, fit_logistic, row_scores
from makeweight.theory.multiple import guarded_p_value, holm
from makeweight.theory.ranking import RankingTest, ranking_test
from makeweight.theory.ratio import cross_fitted_ratio, density_ratio_weights
from makeweight.theory.risk import GroupRisks, Interval, group_risks, row_losses
from makeweight.theory.scaling import Recommendation, ScalingLaw
from makeweight.theory.size import choose_size, out_of_fold_losses
from makeweight.theory.soft import SoftExcess, SoftLaw, SoftShare, best_soft_share, soft_excess_risk, teacher_excess
from makeweight.theory.symmetry import SlopeSymmetry, slope_symmetry_test
from makeweight.theory.transfer import TransferCost, cost_of_transfer, transfer_cost
from makeweight.theory.transport import TransportMap, fit_transport, matrix_power, shrunk_covariance
from makeweight.theory.weights import (
    alpha_of_weight,
    augmentation_weight,
    effective_sample_size,
    objective_weights,
    repetitions,
)

__all__ = [
    "NOTHING",
    "BorrowedRows",
    "Calibration",
    "Candidate",
    "GroupRisks",
    "Interval",
    "LogisticFit",
    "RankingTest",
    "Recommendation",
    "ScalingLaw",
    "SizeDecision",
    "SlopeSymmetry",
    "SoftExcess",
    "SoftLaw",
    "SoftShare",
    "Take",
    "TransferCost",
    "TransportMap",
    "alpha_of_weight",
    "augmentation_weight",
    "balanced_weights",
    "best_soft_share",
    "borrow",
    "choose_from_losses",
    "choose_size",
    "cost_of_transfer",
    "covariance_of_means",
    "cross_fitted_ratio",
    "density_ratio_weights",
    "effective_sample_size",
    "fisher_information",
    "fit_calibration",
    "fit_logistic",
    "fit_transport",
    "group_risks",
    "guarded_p_value",
    "holm",
    "least_correction",
    "logit_shift",
    "matrix_power",
    "objective_weights",
    "out_of_fold_losses",
    "prior_weight",
    "ranking_test",
    "repetitions",
    "row_losses",
    "row_scores",
    "rows_worth",
    "shrunk_covariance",
    "slope_symmetry_test",
    "soft_excess_risk",
    "teacher_excess",
    "transfer_cost",
]
