"""The curve of a pretraining, drawn."""

from __future__ import annotations

import csv
from pathlib import Path

from makeweight.errors import FileProblem
from makeweight.generators.transformer.manifest import read_manifest

__all__ = ["draw_curve"]

KINDS = ("numeric", "categorical", "missing")


def draw_curve(run: str | Path, path: str | Path) -> None:
    """Draw the validation likelihood by kind of cell against steps, beside the closed forms.

    Parameters
    ----------
    run : path
        Folder of a pretraining: ``validation.csv`` and ``best/manifest.json`` (or ``manifest.json``).
    path : path
        The picture; its ending says which kind.

    Raises
    ------
    FileProblem
        If the run has no validation yet.
    """
    from matplotlib.figure import Figure

    run = Path(run)
    try:
        with (run / "validation.csv").open(newline="") as file:
            curve = list(csv.DictReader(file))
    except OSError as error:
        raise FileProblem(
            "there is no validation to draw", where=str(run / "validation.csv"), got=type(error).__name__,
            hint="a run validates every few minutes, and at its end",
        ) from None  # fmt: skip
    steps = [float(row["step"]) for row in curve]
    references = read_manifest(run / "best" if (run / "best").exists() else run).validation
    figure = Figure(figsize=(10, 3))
    for axis, kind in zip(figure.subplots(1, len(KINDS)), KINDS, strict=True):
        axis.plot(
            steps, [float(row[kind]) for row in curve], marker="o", ms=3, color="C0", label="transformer"
        )
        axis.axhline(references["chain"][kind], color="C1", label="pooled Gaussian chain")
        axis.axhline(references["marginal"][kind], color="0.6", ls="--", label="each column alone")
        axis.set_title(f"{kind}: nats per cell")
        axis.set_xlabel("steps")
        if kind == KINDS[0]:
            axis.legend(fontsize=8)
    figure.tight_layout()
    figure.savefig(path, dpi=80)
