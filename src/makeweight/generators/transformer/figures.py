"""The curve of a pretraining, drawn."""

from __future__ import annotations

import csv
from pathlib import Path

from makeweight.errors import FileProblem
from makeweight.generators.transformer.manifest import read_manifest
from makeweight.table.files import replace_file

__all__ = ["draw_curve"]

TITLES = {
    "numeric": "numbers: nats per cell",
    "categorical": "categories: nats per cell",
    "missing": "missing: nats per cell",
    "contrast": "own label or rival: balanced log-loss",
}


def draw_curve(run: str | Path, path: str | Path) -> None:
    """Draw the validation figures against steps, beside the closed forms."""
    from matplotlib.figure import Figure

    run = Path(run)
    try:
        with (run / "validation.csv").open(newline="") as file:
            curve = list(csv.DictReader(file))
    except OSError as error:
        raise FileProblem(
            "there is no validation to draw",
            where=str(run / "validation.csv"),
            got=type(error).__name__,
            hint="a run validates every few minutes, and at its end",
        ) from None
    steps = [float(row["step"]) for row in curve]
    references = read_manifest(run / "best" if (run / "best").exists() else run).validation
    kinds = [kind for kind in TITLES if kind in references["chain"]]
    figure = Figure(figsize=(3.3 * len(kinds), 3))
    for axis, kind in zip(figure.subplots(1, len(kinds)), kinds, strict=True):
        values = [float(row.get(kind) or "nan") for row in curve]  # not every run had every figure
        axis.plot(steps, values, marker="o", ms=3, color="C0", label="transformer")
        axis.axhline(references["closed form"][kind], color="C2", label="closed form")
        axis.axhline(references["chain"][kind], color="C1", label="Gaussian chain alone")
        axis.axhline(references["marginal"][kind], color="0.6", ls="--", label="each column alone")
        axis.set_title(TITLES[kind], fontsize=10)
        axis.set_xlabel("steps")
        if kind == kinds[0]:
            axis.legend(fontsize=8)
    figure.tight_layout()
    kind = Path(path).suffix.lstrip(".").lower()
    replace_file(Path(path), lambda stream: figure.savefig(stream, format=kind, dpi=80))
