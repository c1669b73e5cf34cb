"""Rows that carry probabilities: what they do to the excess risk, their best weight, when they hurt, how they scale."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from makeweight.errors import OptionError
from makeweight.theory._checks import as_matrix, as_vector, count
from makeweight.theory.logistic import fit_logistic

__all__ = ["SoftExcess", "SoftLaw", "SoftShare", "best_soft_share", "soft_excess_risk", "teacher_excess"]


@dataclass(frozen=True)
class SoftExcess:
    """The excess risk of a fit to real rows and rows that carry probabilities, to second order.

    Attributes
    ----------
    share : float
        Share of the soft rows in all weight.
    bias : float
        What the teacher's error costs.
    variance : float
        What the noise of the rows costs.
    noise : float
        That of one real row: a fit to n of them has an excess risk of noise / n.
    left : float
        Share of that noise that is left in a soft row.
    teacher : float
        Excess risk of a fit to soft rows alone, however many; never more than the teacher's own.

    Examples
    --------
    >>> round(SoftExcess(share=0.5, bias=0.001, variance=0.004, noise=1.5, left=0.1, teacher=0.004).excess, 3)
    0.005
    """

    share: float
    bias: float
    variance: float
    noise: float
    left: float
    teacher: float

    @property
    def excess(self) -> float:
        """Bias and variance together, in nats per row."""
        return self.bias + self.variance


def soft_excess_risk(
    design: npt.ArrayLike,
    truth: npt.ArrayLike,
    taught: npt.ArrayLike,
    *,
    n_real: int,
    n_soft: int,
    weight: float = 1.0,
    drawn: bool = False,
) -> SoftExcess:
    """Return the excess log-loss of a logistic regression that is fitted to real and soft rows.

    Parameters
    ----------
    design : array-like of shape (r, d)
        Rows of the law of features, with a column of ones where there is an intercept; expectations are means over it.
    truth : array-like of shape (r,)
        p(label 1 | row).
    taught : array-like of shape (r,)
        What the teacher says of it. It is taken as given: not fitted to the very rows that the student learns from.
    n_real, n_soft : int
    weight : float, default=1.0
        Of a soft row, where a real one weighs 1.
    drawn : bool, default=False
        Labels of synthetic rows are drawn from `taught` instead of carried.

    Returns
    -------
    SoftExcess

    Raises
    ------
    OptionError, SchemaError
        When a probability is outside (0, 1), or shapes do not fit.

    Notes
    -----
    **[derived]** With s = sigma(theta* x) the best of the class, the score of a real row has the covariance
    S = E[(p (1 - p) + (s - p)^2) x x'], that of a soft row S_c = Cov[(s - q) x], and that of a drawn one
    S_c + E[q (1 - q) x x']: the label's variance leaves the soft row. The teacher's bias is b = E[(q - p) x]. With the
    soft rows' share a of the weight, the excess is a^2 b' H^-1 b / 2 + tr H^-1 [(1 - a)^2 S / n + a^2 S_c / m] / 2. By
    Cauchy and Schwarz, b' H^-1 b <= E[(q - p)^2 / (s (1 - s))], which is twice the teacher's own excess risk to second
    order where the class is right: the student cannot inherit more than the teacher lost.

    Examples
    --------
    >>> x = np.column_stack([np.linspace(-2, 2, 401), np.ones(401)])
    >>> p = 1 / (1 + np.exp(-x @ [1.0, -1.0]))
    >>> carried, drawn = (soft_excess_risk(x, p, p, n_real=100, n_soft=900, drawn=drawn) for drawn in (False, True))
    >>> round(carried.excess * 100, 3), round(drawn.excess * 100, 3)
    (0.01, 0.1)
    """
    x = as_matrix(design, "design")
    p, q = (as_vector(values, name, length=len(x)) for values, name in ((truth, "truth"), (taught, "taught")))
    if min(p.min(), q.min()) <= 0 or max(p.max(), q.max()) >= 1:
        raise OptionError("probabilities of labels lie between 0 and 1", expected="numbers in (0, 1)")
    n, m = count(n_real, "n_real", least=1), count(n_soft, "n_soft")
    if not (math.isfinite(weight) and weight >= 0):
        raise OptionError("a row weighs 0 or more", where="weight", got=weight)
    both = np.concatenate([x, x])
    labels, weights = np.repeat([1.0, 0.0], len(x)), np.concatenate([p, 1 - p])
    best = fit_logistic(both, labels, sample_weight=weights, intercept=False)
    s = 1 / (1 + np.exp(-x @ best.coefficients))
    inverse = np.linalg.inv((x.T * (s * (1 - s))) @ x / len(x))

    def trace(per_row: npt.NDArray[np.float64]) -> float:
        return 0.5 * float(np.mean(per_row * ((x @ inverse) * x).sum(axis=1)))

    b = x.T @ (q - s) / len(x)
    bias = 0.5 * float(b @ inverse @ b)
    noise = trace(p * (1 - p) + (s - p) ** 2)
    soft = max(0.0, trace((s - q) ** 2) - bias) + (trace(q * (1 - q)) if drawn else 0.0)
    share = weight * m / (n + weight * m)
    variance = (1 - share) ** 2 * noise / n + (share**2 * soft / m if m else 0.0)
    return SoftExcess(share, share**2 * bias, variance, noise, soft / noise, bias)


def teacher_excess(teacher_loss: float, learner_loss: float, own: float) -> float:
    """Return the teacher's excess risk over the best of the learner's class, from two out-of-fold losses.

    Parameters
    ----------
    teacher_loss, learner_loss : float
        Log-losses on the same rows, in nats, by fits that have not seen them.
    own : float
        Excess risk of the learner's fit to the real rows: about d / (2 n) for d parameters of a class that is right.

    Returns
    -------
    float
        Zero where the teacher is better than the best of the class: a student can only reach that.

    Raises
    ------
    OptionError
        When `own` is negative.

    Notes
    -----
    **[derived]** Both losses hold the same noise of the labels, which their difference does not.

    Examples
    --------
    >>> round(teacher_excess(0.310, 0.320, own=0.015), 3)
    0.005
    """
    if not own >= 0:
        raise OptionError("an excess risk is 0 or more", where="own", got=own)
    return max(0.0, own + float(teacher_loss) - float(learner_loss))


@dataclass(frozen=True)
class SoftShare:
    """How much of all weight the soft rows should have.

    Attributes
    ----------
    share : float
        The best one.
    risk : float
        Excess risk there.
    hurts_from : float
        From this share on they hurt: 0 where any weight does, infinite where none can.

    Examples
    --------
    >>> SoftShare(share=0.5, risk=0.01, hurts_from=1.0).weight(100, 400)
    0.25
    """

    share: float
    risk: float
    hurts_from: float

    def weight(self, n_real: int, n_soft: int) -> float:
        """Return the weight of a soft row that gives them the share, where a real row weighs 1.

        Examples
        --------
        >>> round(best_soft_share(0.02, 0.005).weight(100, 8_000), 3)
        0.05
        """
        if self.share >= 1:
            return math.inf
        return self.share * n_real / ((1 - self.share) * n_soft)


def best_soft_share(own: float, teacher: float, overlap: float = 0.0) -> SoftShare:
    """Return the share of all weight that many soft rows should have, and from which one on they hurt.

    Parameters
    ----------
    own : float
        Excess risk of the learner's fit to the real rows alone, in nats.
    teacher : float
        Excess risk of its fit to soft rows alone; see `teacher_excess`.
    overlap : float, default=0.0
        What both errors have in common, on the same scale: 0 for a teacher that has not seen the rows, `own` for the
        very fit itself.

    Returns
    -------
    SoftShare

    Raises
    ------
    OptionError
        When a risk is negative, or the overlap larger than two errors can have.

    Notes
    -----
    **[derived]** At the share a the risk is (1 - a)^2 own + a^2 teacher + 2 a (1 - a) overlap. It is least at
    (own - overlap) / (own + teacher - 2 overlap), and that of nothing again at twice this share. Soft rows must hurt,
    however little they weigh, where the overlap is more than `own`: a teacher that repeats the learner's error and adds
    its own. At a fixed weight of one and many rows the share is one, and they hurt where `teacher` exceeds `own`.

    Examples
    --------
    >>> best = best_soft_share(0.02, 0.005)
    >>> round(best.share, 2), round(best.risk, 4), best.hurts_from
    (0.8, 0.004, inf)
    >>> best_soft_share(0.02, 0.03, overlap=0.02).share
    0.0
    """
    if not (own >= 0 and teacher >= 0):
        raise OptionError("an excess risk is 0 or more", got=f"own={own}, teacher={teacher}")
    if abs(overlap) > math.sqrt(own * teacher) * (1 + 1e-9):
        raise OptionError(
            "two errors have no more in common than the root of their product",
            where="overlap",
            got=overlap,
            expected=f"at most {math.sqrt(own * teacher):.6g}",
        )
    spread = own + teacher - 2 * overlap
    if own - overlap <= 0 or spread <= 0:
        return SoftShare(0.0, own, 0.0 if own - overlap < 0 or spread > 0 else math.inf)
    share = min(1.0, (own - overlap) / spread)
    risk = (1 - share) ** 2 * own + share**2 * teacher + 2 * share * (1 - share) * overlap
    twice = 2 * (own - overlap) / spread
    return SoftShare(share, risk, twice if twice <= 1 else math.inf)


@dataclass(frozen=True)
class SoftLaw:
    """The scaling law of rows with a teacher's labels, at their best weight.

    Parameters
    ----------
    noise : float
        A fit to n real rows has an excess risk of noise / n.
    teacher : float
        Excess risk of a fit to soft rows alone, however many: the teacher has not seen the real rows.
    left : float
        Share of a real row's noise that is left in a synthetic one: little where labels are carried, about one where
        they are drawn (`SoftExcess.left`).

    Notes
    -----
    **[derived]** m rows are worth k(m) = 1 / (teacher / noise + left / m) further real rows, and the excess risk is
    noise / (n + k(m)). Carried and drawn labels have one floor, noise / (n + noise / teacher). Half of what the teacher
    is worth is reached with left * noise / teacher rows: a few that carry probabilities say what many drawn ones do.
    The best weight of a row is k(m) / m.

    Examples
    --------
    >>> carried, drawn = SoftLaw(1.5, 0.005, left=0.02), SoftLaw(1.5, 0.005, left=1.0)
    >>> round(carried.worth(300), 1), round(drawn.worth(300), 1), round(drawn.worth(math.inf), 1)
    (294.1, 150.0, 300.0)
    """

    noise: float
    teacher: float
    left: float

    def __post_init__(self) -> None:
        if not (self.noise > 0 and self.teacher >= 0 and self.left >= 0):
            raise OptionError(
                "out of range", got=f"noise={self.noise}, teacher={self.teacher}, left={self.left}", expected=">= 0"
            )

    def worth(self, n_soft: float) -> float:
        """Return how many further real rows so many synthetic ones are worth.

        Examples
        --------
        >>> SoftLaw(1.0, 0.01, left=1.0).worth(100)
        50.0
        """
        if n_soft == 0:
            return 0.0
        parts = self.teacher / self.noise + (0.0 if math.isinf(n_soft) else self.left / n_soft)
        return math.inf if parts == 0 else 1 / parts

    def risk(self, n_real: float, n_soft: float) -> float:
        """Return the excess risk beside so many real rows.

        Examples
        --------
        >>> SoftLaw(1.0, 0.01, left=1.0).risk(50, 100)
        0.01
        """
        return self.noise / (n_real + self.worth(n_soft))

    def floor(self, n_real: float) -> float:
        """Return the excess risk that no number of synthetic rows goes below.

        Examples
        --------
        >>> SoftLaw(1.0, 0.01, left=0.02).floor(100)
        0.005
        """
        return self.risk(n_real, math.inf)

    def weight(self, n_soft: int) -> float:
        """Return the best weight of a synthetic row, where a real one weighs 1.

        Examples
        --------
        >>> SoftLaw(1.0, 0.01, left=1.0).weight(900)
        0.1
        """
        return self.worth(n_soft) / count(n_soft, "n_soft", least=1)
