"""``makeweight pretrain``."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from makeweight.cli import _options, _outputs, _show
from makeweight.cli._codes import INTERRUPTED
from makeweight.errors import FileProblem, OptionError

if TYPE_CHECKING:
    from makeweight.progress import Progress


#: Options that only the network that writes rows has.
ROWS_ONLY = {
    "config": "--config",
    "device": "--device",
    "horizon": "--horizon",
    "compiled": "--compile",
    "figure": "--figure",
}


@click.command()
@click.option(
    "--network",
    type=click.Choice(["rows", "labels"]),
    default="rows",
    show_default=True,
    help="The network that writes rows, or the one that gives labels their probabilities.",
)
@click.option(
    "--config",
    type=click.Choice(["tiny", "base"]),
    default="tiny",
    show_default=True,
    help="Size of the network and of the tables; base wants an accelerator.",
)
@click.option(
    "--hours",
    metavar="H",
    type=_options.Number(min=0, min_open=True),
    required=True,
    help="Budget of this call: wall-clock time; with --network labels, time of the processor.",
)
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
    type=_options.Number(min=0, min_open=True),
    help="Hours of a training that is split over several calls: the learning rate follows all of them.",
)
@click.option(
    "--decay",
    is_flag=True,
    help="With --network labels: let the learning rate fall to zero, a branch beside the training.",
)
@click.option(
    "--tables",
    metavar="FOLDER",
    help="Tables that people made, any column of which may be the label: half of the training is on these, where they "
    "are large enough. To be named again with --resume.",
)
@click.option("--compile", "compiled", is_flag=True, help="Compile the layers; pays on an accelerator.")
@click.option("--figure", metavar="FILE", help="Draw the validation curve there at the end (.png, .svg, .pdf).")
@click.option("-o", "--output", metavar="FOLDER", required=True, help="Checkpoint, logs and best weights.")
@_options.json_option
@click.pass_context
def command(
    context: click.Context,
    network: str,
    config: str,
    hours: float,
    device: str,
    resume: str | None,
    horizon: float | None,
    decay: bool,
    tables: str | None,
    compiled: bool,
    figure: str | None,
    output: str,
    as_json: bool,
) -> None:
    """Pretrain an in-context network on tables drawn from its prior.

    A run ends with its budget. FOLDER then holds best/ (weights and manifest of the best validation, for
    --option weights=FOLDER/best), checkpoint.pt to go on from, log.csv and validation.csv. The training of
    --network labels is open-ended: the learning rate stays, and --decay takes a branch whose weights are those
    to use. FOLDER then holds labels.safetensors.
    """
    from makeweight.generators.transformer.arrays import require_torch

    require_torch("pretraining")
    folder = Path(output)
    _outputs.check("--figure", figure, _outputs.FIGURE, force=True)
    if resume is None and (folder / "checkpoint.pt").exists():
        raise FileProblem(
            "a run is there already", where=str(folder), hint=f"--resume {folder / 'checkpoint.pt'} goes on"
        )
    if network == "labels":
        for name, flag in ROWS_ONLY.items():
            if context.get_parameter_source(name) is not click.core.ParameterSource.DEFAULT:
                raise OptionError(f"{flag} belongs to --network rows", where=flag)
    elif decay:
        raise OptionError("--decay belongs to --network labels", where="--decay")
    try:
        if network == "labels":
            _labels(folder, hours, resume, decay, tables, as_json)
        else:
            _rows(folder, config, hours, device, resume, tables, compiled, horizon, figure, as_json)
    except KeyboardInterrupt:
        checkpoint = folder / "checkpoint.pt"
        kept = f"what was trained until the last checkpoint is in {checkpoint}"
        _show.console(err=True).print(f"interrupted: {kept if checkpoint.exists() else 'nothing was written'}")
        context.exit(INTERRUPTED)


def _labels(folder: Path, hours: float, resume: str | None, decay: bool, tables: str | None, as_json: bool) -> None:
    from makeweight.generators.transformer.labels.config import LabelConfig
    from makeweight.generators.transformer.labels.training import LabelFigures, pretrain_labels

    err = _show.console(err=True)

    def progress(figures: LabelFigures) -> None:
        err.print(
            f"step {figures.step}  {figures.core_hours:.2f} core-hours  log-loss {figures.loss:.4f} "
            f"(closed form {figures.closed_loss:.4f})  AUROC {figures.auroc:.4f} ({figures.closed_auroc:.4f})"
        )

    figures = pretrain_labels(
        LabelConfig(), folder, hours=hours, resume=resume, decay=decay, progress=progress, tables=tables
    )
    path = folder / "labels.safetensors"
    if as_json:
        _show.print_json({"validation": asdict(figures), "weights": str(path)})
    else:
        _show.console().print(f"the weights are in {path}")


def _rows(
    folder: Path,
    config: str,
    hours: float,
    device: str,
    resume: str | None,
    tables: str | None,
    compiled: bool,
    horizon: float | None,
    figure: str | None,
    as_json: bool,
) -> None:
    from makeweight.generators.transformer.config import named
    from makeweight.generators.transformer.pretrain import pretrain

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
        tables=tables,
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
