"""``makeweight scaling``."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.text import Text

from makeweight.cli import _options, _outputs, _show
from makeweight.errors import OptionError
from makeweight.generators import DEFAULT_GENERATOR

if TYPE_CHECKING:
    from makeweight.evaluation import ScalingCurve


def _sizes(ctx: click.Context, param: click.Parameter, text: str | None) -> list[int] | None:
    if text is None:
        return None
    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        raise OptionError("--sizes takes whole numbers", got=repr(text), hint="for example --sizes 0,200,800") from None


@click.command()
@_options.data_options
@_options.target_option
@click.option(
    "--generator",
    metavar="NAME",
    default=DEFAULT_GENERATOR,
    show_default=True,
    shell_complete=_options.complete_generator,
)
@click.option(
    "--estimator",
    metavar="NAME",
    default="lr",
    show_default=True,
    help="Logistic regression, random forest (rf), histogram gradient boosting (hgb) or xgb; rf-default, "
    "hgb-default and xgb-default are at the settings of their libraries. A classifier of yours is "
    "my_module:model or my_module.py:model.",
)
@click.option(
    "--sizes",
    metavar="N,N,...",
    callback=_sizes,
    help="Augmentation rows per group to try; by default 0 to 4 times the largest group.",
)
@click.option("--repeats", metavar="R", type=click.IntRange(min=1), default=5, show_default=True)
@click.option("--folds", metavar="F", type=click.IntRange(min=2), default=5, show_default=True)
@click.option("--no-calibration", is_flag=True, help="Judge the probabilities as they are.")
@click.option(
    "--max-seconds",
    metavar="S",
    type=_options.Number(min=0, min_open=True),
    default=300.0,
    show_default=True,
    help="Measure on as many rows, and as often, as this time allows.",
)
@_options.seed_option
@_options.jobs_option(-1, "Processes; -1 uses every core.")
@click.option("-o", "--output", metavar="FILE", help="Write all figures as JSON.")
@click.option("--html", metavar="FILE", help="Write a report as one HTML page.")
@click.option("--figure", metavar="FILE", help="Draw the curve: .svg, .png or .pdf.")
@click.option("--force", is_flag=True, help="Replace output files that exist.")
@_options.json_option
def command(
    data: str,
    target: str,
    group_by: tuple[str, ...],
    kinds: dict[str, str],
    missing: tuple[str, ...],
    no_header: bool,
    generator: str,
    estimator: str,
    sizes: list[int] | None,
    repeats: int,
    folds: int,
    no_calibration: bool,
    max_seconds: float,
    seed: int,
    jobs: int,
    output: str | None,
    html: str | None,
    figure: str | None,
    force: bool,
    as_json: bool,
) -> None:
    """Measure how much adding rows lowers the balanced log-loss, and say how many are worth it.

    Repeated cross-validation on DATA: in every fold the generator learns from the training rows only, and
    the classifier is judged on real rows that neither has seen.
    """
    _outputs.check("-o", output, _outputs.JSON, force=force)
    _outputs.check("--html", html, _outputs.PAGE, force=force)
    _outputs.check("--figure", figure, _outputs.FIGURE, force=force)
    file = _options.load(data, kinds, missing, no_header)
    schema = _options.infer(file, target, group_by, kinds)
    from makeweight.cli._evaluation import Steps
    from makeweight.evaluation import scaling_curve
    from makeweight.evaluation.design import repeated

    err = _show.console(err=True)
    with Steps(err, "measuring", max_seconds) as steps:
        curve = scaling_curve(
            file.frame,
            target=target,
            group_by=tuple(map(str, schema.group_by)),
            kinds=dict(kinds),
            generator=generator,
            estimator=_options.learners([estimator])[estimator],
            sizes=sizes,
            repeats=repeats,
            folds=folds,
            calibrate=not no_calibration,
            max_seconds=max_seconds,
            random_state=seed,
            n_jobs=jobs,
            progress=steps,
        )
    words = [data, "--target", target, *repeated("--group-by", schema.group_by), *repeated("--missing", missing)]
    words += ["--no-header"] * no_header + repeated("--kind", [f"{column}={kind}" for column, kind in kinds.items()])
    try:
        if output is not None:
            _outputs.write_json(output, curve.to_dict(words))
        if html is not None:
            _outputs.write(html, curve.to_html(words))
        if figure is not None:
            _draw(curve, figure)
    finally:  # a full disk costs the file, not the answer
        if as_json:
            _show.print_json(curve.to_dict(words))
        else:
            _print(curve, words)
    err.print(f"seed {seed}")
    for path in filter(None, (output, html, figure)):
        err.print(f"wrote {path}")


def _draw(curve: ScalingCurve, figure: str) -> None:
    from makeweight.evaluation.figures import draw_scaling

    with tempfile.TemporaryDirectory() as folder:
        drawn = Path(folder) / Path(figure).name
        draw_scaling(curve, drawn)
        _outputs.write(figure, drawn.read_bytes())


def _print(curve: ScalingCurve, table: list[str]) -> None:
    out = _show.console()
    law, settings = curve.law, curve.settings
    out.print(Text(curve.answer, style="bold"))
    out.print(f"next: {curve.next(table)}")
    out.print(curve.why)
    calibrated = "calibrated, " if settings.calibrated else ""
    rows = [["no synthetic row", f"{curve.nothing.mean():.4f}", "", ""]]
    rows += [
        ["balanced" if not size else f"balanced + {size:,} per group", f"{risk:.4f}", f"{gain:+.4f}", f"{reach:.4f}"]
        for size, risk, gain, reach in zip(
            curve.sizes,
            curve.risks.mean(axis=0),
            curve.nothing.mean() - curve.risks.mean(axis=0),
            curve.reach,
            strict=True,
        )
    ]
    right: dict[str, Any] = {"justify": "right"}
    measured = f"{settings.n_measured:,} of {settings.n_rows:,} real rows"
    title = f"balanced log-loss on held-out rows ({calibrated}{settings.repeats} x {settings.folds} folds, {measured})"
    head = {"rows": {}, "risk": right, "gain": right, "± decides": right}
    _show.section(out, title, _show.table(head, rows))
    facts = [["a constant probability scores", f"{curve.to_dict()['constant_risk']:.4f}"]]
    if law.identifiable_:
        facts += [
            [name, f"{value.estimate:.4g}  ({value.low:.4g} to {value.high:.4g})"]
            for name, value in (("floor", law.floor_), ("exponent", law.exponent_))
        ]
    else:
        facts.append(["no scaling law", law.reason_])
    if curve.worth is not None:
        worth = curve.worth
        facts.append(["worth in real rows", f"{worth.estimate:,.0f}  ({worth.low:,.0f} to {worth.high:,.0f})"])
    else:
        facts.append(["worth in real rows", f"cannot be said: {curve.worth_refused}"])
    _show.section(out, "scaling law", _show.table({"what": {}, "value": {}}, facts, headings=False))
    out.print()
    out.print(curve.verdict)
    for line in (curve.ranking, *curve.cut):
        out.print(f"- {line}")
