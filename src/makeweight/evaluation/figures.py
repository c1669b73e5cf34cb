"""Figures of measurements; matplotlib is imported when one is drawn."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from makeweight.errors import MissingDependency, OptionError, nearest
from makeweight.evaluation.arms import REFERENCE
from makeweight.evaluation.statistics import LEVEL
from makeweight.evaluation.verdict import LOSS

if TYPE_CHECKING:
    from makeweight.evaluation.comparison import Comparison
    from makeweight.evaluation.curve import ScalingCurve

__all__ = ["draw_scaling", "panels"]

INK, MEASURED, LAW, NOTHING = "#333333", "#1b6ca8", "#c8553d", "#7a7a7a"


def panels(width: float, height: float, lines: int = 1, columns: int = 1, style: Any = None) -> tuple[Any, list[Any]]:
    """Return an empty figure, its size in inches, and the axes of its panels, line by line."""
    try:
        from matplotlib import rc_context
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingDependency(
            "figures need matplotlib", got=str(error), hint='pip install "makeweight[figures]"'
        ) from error
    with rc_context(style):
        figure = Figure(figsize=(width, height), layout="constrained")
        FigureCanvasAgg(figure)
        axes = list(figure.subplots(lines, columns, squeeze=False).flat)
    for ax in axes:
        ax.spines[["top", "right"]].set_visible(False)
    return figure, axes


def draw_scaling(curve: ScalingCurve, path: Path) -> None:
    """Draw the change of the risk against the number of rows, the fitted law where there is one, and what is noise."""
    figure, (axes,) = panels(7, 4.4)
    law, sizes, nothing = curve.law, curve.sizes, float(curve.nothing.mean())
    reach = curve.reach
    change = curve.risks.mean(axis=0) - nothing
    axes.errorbar(sizes, change, yerr=reach, fmt="o", color=MEASURED, capsize=3, label="with the interval that decides")
    if law.identifiable_:
        grid = np.linspace(0, sizes[-1], 200)
        text = f"law: floor {law.floor_.estimate:.3f}, exponent {law.exponent_.estimate:.2f}"
        axes.plot(grid, law.predict(grid) - nothing, color=LAW, label=text)
    noise = float(np.median(reach))
    axes.axhspan(-noise, noise, color=NOTHING, alpha=0.15, lw=0, label="no more than noise")
    axes.axhline(0.0, color=NOTHING, linestyle="--", label=f"no synthetic row: {nothing:.3f}")
    # Three times the noise at least, so that noise looks like noise.
    furthest = max(float(np.abs(np.concatenate([change - reach, change + reach])).max()) * 1.05, 3 * noise, 1e-6)
    axes.set_ylim(-furthest, furthest)
    if curve.recommended is not None:
        axes.axvline(curve.recommended, color=INK, linestyle=":", label=f"recommended: {curve.recommended:,}")
    axes.set_xscale("symlog", linthresh=max(1, int(sizes[sizes > 0].min())))
    axes.set_xticks(sizes, [f"{size:,}" for size in sizes])
    axes.minorticks_off()
    axes.set_xlabel("augmentation rows per group, after balancing")
    axes.set_ylabel("change of the balanced log-loss (down is better)")
    settings = curve.settings
    axes.set_title(f"{settings.generator}, {settings.estimator}", loc="left", color=INK)
    axes.legend(frameon=False, fontsize=9)
    figure.savefig(path, format=path.suffix.lstrip(".").lower(), dpi=150)


def draw_gains(comparison: Comparison, estimator: str | None = None) -> Any:
    """Return a figure of what all calibrated arms gain beyond doing nothing, with the intervals that decide."""
    scores = comparison.scores
    name = estimator or comparison.answer.estimator or scores.estimators[0]
    if name not in scores.estimators:
        raise OptionError("unknown estimator", got=repr(name), hint=nearest(name, scores.estimators))
    arms = [arm for arm in scores.arms if arm.calibrated and arm.name != REFERENCE]
    figure, axes = panels(10, 1.4 + 0.32 * len(arms), columns=2)
    for ax, metric, label, sign in zip(
        axes, ("auroc", LOSS), ("gain in AUROC", "log-loss saved"), (1.0, -1.0), strict=True
    ):
        for place, arm in enumerate(arms):
            change = scores.difference(name, arm.name, metric)
            if change is None:
                continue
            color = LAW if arm.synthetic else MEASURED
            shown = change.p_holm is not None and change.p_holm < LEVEL
            ax.plot([sign * change.low, sign * change.high], [place, place], color=color, lw=2)
            ax.plot(sign * change.mean, place, "o", color=color, mfc=color if shown else "white")
        ax.axvline(0.0, color=NOTHING, linestyle="--")
        ax.set_yticks(range(len(arms)), [arm.label.removesuffix(" + calibration") for arm in arms])
        ax.set_ylim(len(arms) - 0.5, -0.5)
        ax.set_xlabel(f"{label} beyond doing nothing (right is better)")
    axes[1].set_yticklabels([])
    figure.suptitle(comparison.answer.text, x=0.01, ha="left", color=INK)
    return figure
