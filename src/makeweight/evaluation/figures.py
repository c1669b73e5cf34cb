"""Figures of measurements; matplotlib is imported when one is drawn."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from makeweight.errors import MissingDependency

if TYPE_CHECKING:
    from makeweight.evaluation.scaling import ScalingCurve

__all__ = ["draw_scaling"]

INK, MEASURED, LAW, NOTHING = "#333333", "#1b6ca8", "#c8553d", "#7a7a7a"


def draw_scaling(curve: ScalingCurve, path: Path) -> None:
    """Draw the measured curve, the fitted law where there is one, and the risk without synthetic rows.

    Parameters
    ----------
    curve : ScalingCurve
    path : Path
        ``.svg``, ``.png`` or ``.pdf``.

    Raises
    ------
    MissingDependency
        When matplotlib is not installed.
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingDependency(
            "figures need matplotlib", got=str(error), hint='pip install "makeweight[figures]"'
        ) from error
    figure = Figure(figsize=(7, 4.4), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    law, sizes = curve.law, curve.sizes
    axes.errorbar(
        sizes,
        curve.risks.mean(axis=0),
        yerr=1.96 * law.standard_errors_,
        fmt="o",
        color=MEASURED,
        capsize=3,
        label="measured, with 95 % interval of differences",
    )
    if law.identifiable_:
        grid = np.linspace(0, sizes[-1], 200)
        text = f"law: floor {law.floor_.estimate:.3f}, exponent {law.exponent_.estimate:.2f}"
        axes.plot(grid, law.predict(grid), color=LAW, label=text)
    axes.axhline(
        float(curve.nothing.mean()),
        color=NOTHING,
        linestyle="--",
        label="no synthetic row, calibrated" if curve.settings.calibrated else "no synthetic row",
    )
    if curve.recommended is not None:
        axes.axvline(curve.recommended, color=INK, linestyle=":", label=f"recommended: {curve.recommended:,}")
    axes.set_xscale("symlog", linthresh=max(1, int(sizes[sizes > 0].min())))
    axes.set_xticks(sizes, [f"{size:,}" for size in sizes])
    axes.minorticks_off()
    axes.set_xlabel("augmentation rows per group, after balancing")
    axes.set_ylabel("balanced log-loss on held-out real rows")
    settings = curve.settings
    axes.set_title(f"{settings.generator}, {settings.estimator}", loc="left", color=INK)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=9)
    figure.savefig(path, format=path.suffix.lstrip(".").lower(), dpi=150)
