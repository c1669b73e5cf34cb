"""``makeweight pretrain``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from makeweight.cli import _outputs, _show
from makeweight.cli._options import json_option
from makeweight.errors import FileProblem

if TYPE_CHECKING:
    from makeweight.progress import Progress


@click.command()
@click.option(
    "--config",
    type=click.Choice(["tiny", "base"]),
    default="tiny",
    show_default=True,
    help="Size of the network and of the tables; base wants an accelerator.",
)
@click.option("--hours", metavar="H", type=float, required=True, help="Wall-clock budget of this call.")
@click.option(
    "--device",
    type=click.Choice(["auto", "cpu", "cuda"]),
    default="auto",
    show_default=True,
    help="auto takes an accelerator where there is one.",
)
@click.option("--resume", metavar="CKPT", help="Go on from a checkpoint.")
@click.option(
    "--horizon",
    metavar="H",
    type=float,
    help="Hours of a training that is split over several calls: the learning rate follows all of them.",
)
@click.option("--compile", "compiled", is_flag=True, help="Compile the layers; pays on an accelerator.")
@click.option("--figure", metavar="FILE", help="Draw the validation curve there at the end (.png, .svg, .pdf).")
@click.option("-o", "--output", metavar="FOLDER", required=True, help="Checkpoint, logs and best weights.")
@json_option
def command(
    config: str,
    hours: float,
    device: str,
    resume: str | None,
    horizon: float | None,
    compiled: bool,
    figure: str | None,
    output: str,
    as_json: bool,
) -> None:
    """Pretrain the in-context transformer on tables drawn from its prior.

    A run ends with its budget. FOLDER then holds best/ (weights and manifest of the best validation, for
    --option weights=FOLDER/best), checkpoint.pt to go on from, log.csv and validation.csv.
    """
    from makeweight.generators.registry import resolve

    resolve("transformer")  # says what to install where torch is missing
    from makeweight.generators.transformer.config import named
    from makeweight.generators.transformer.pretrain import pretrain

    folder = Path(output)
    _outputs.check("--figure", figure, _outputs.FIGURE, force=True)
    if resume is None and (folder / "checkpoint.pt").exists():
        raise FileProblem(
            "a run is there already", where=str(folder), hint=f"--resume {folder / 'checkpoint.pt'} goes on"
        )
    err = _show.console(err=True)

    def show(progress: Progress) -> None:
        if progress.step == "validation":
            err.print(progress.detail)
        elif err.is_terminal:
            err.print(f"{progress.detail}, {progress.done / max(1, progress.total):.0%}", end="\r", highlight=False)

    figures = pretrain(
        named(config),
        folder,
        hours=hours,
        device=device,
        resume=resume,
        compile=compiled,
        horizon=horizon,
        progress=show,
    )
    if figure is not None:
        from makeweight.generators.transformer.figures import draw_curve

        draw_curve(folder, figure)
    if as_json:
        _show.print_json({"validation": figures, "weights": str(folder / "best")})
        return
    out = _show.console()
    rows = [(kind, f"{value:.4f}") for kind, value in figures.items()]
    columns: dict[str, dict[str, Any]] = {"cells": {}, "nats per cell": {"justify": "right"}}
    _show.section(out, "validation", _show.table(columns, rows))
    out.print()
    out.print(f"the best weights are in {folder / 'best'}")
