"""``makeweight evaluate``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from makeweight.cli import _options, _outputs, _show
from makeweight.cli._codes import GATE_FAILED, INTERRUPTED
from makeweight.errors import OptionError
from makeweight.generators import DEFAULT_GENERATOR

if TYPE_CHECKING:
    from rich.console import Console

    from makeweight.evaluation import Comparison


def _names(ctx: click.Context, param: click.Parameter, text: str | None) -> tuple[str, ...] | None:
    if text is None:
        return None
    found = tuple(part.strip() for part in text.split(",") if part.strip())
    if not found:
        raise OptionError(f"{param.opts[0]} takes names with commas between them", got=repr(text))
    return found


def _external(ctx: click.Context, param: click.Parameter, values: tuple[str, ...]) -> dict[str, str]:
    named = [value.partition("=") if "=" in value else (Path(value).stem, "=", value) for value in values]
    return {name: path for name, _, path in named}


@click.command()
@_options.data_options
@click.option("--target", metavar="COL", required=True, help="Column with the labels.")
@click.option(
    "--generator",
    metavar="NAME",
    default=DEFAULT_GENERATOR,
    show_default=True,
    help="The one that the verdict is about; see `makeweight generators`.",
)
@click.option(
    "--option",
    "options",
    metavar="KEY=VALUE",
    multiple=True,
    callback=_options.pairs("KEY=VALUE"),
    help="Option of the generator; may be repeated.",
)
@click.option(
    "--arms",
    metavar="A,B,...",
    callback=_names,
    help="Arms to run, by name; all by default. The reference, nothing+platt, is always among them.",
)
@click.option(
    "--estimators",
    metavar="A,B,...",
    callback=_names,
    default="lr,rf,hgb",
    show_default=True,
    help="Logistic regression, random forest, histogram gradient boosting; also xgb, and rf-default, "
    "hgb-default, xgb-default at the settings of their libraries.",
)
@click.option("--repeats", metavar="R", type=click.IntRange(min=1), default=5, show_default=True)
@click.option("--folds", metavar="F", type=click.IntRange(min=2), default=5, show_default=True)
@click.option("--splits", metavar="N", type=click.IntRange(min=1), help="Run the first N of the R x F splits.")
@click.option(
    "--augment",
    metavar="N",
    type=click.IntRange(min=0),
    help="Rows per group of the augmented arm; as many as the largest group by default.",
)
@click.option(
    "--synthetic-weight",
    metavar="W",
    type=_options.Number(min=0, min_open=True),
    help="Weight of a row of the chosen generator, where a real one weighs 1.",
)
@click.option(
    "--external",
    metavar="[NAME=]FILE",
    multiple=True,
    callback=_external,
    help="Synthetic rows written elsewhere, as a further arm, stamped: they may have seen held-out rows.",
)
@click.option(
    "--copies",
    type=click.Choice(["auto", "reject", "accept"]),
    default="auto",
    show_default=True,
    help="What to do with exact copies of real rows.",
)
@click.option(
    "--max-seconds",
    metavar="S",
    type=_options.Number(min=0),
    default=300,
    show_default=True,
    help="Repeats that do not fit are cut, then folds, never arms; 0 cuts nothing.",
)
@click.option("--seed", metavar="S", type=click.IntRange(min=0), default=0, show_default=True)
@click.option(
    "--jobs", metavar="N", type=_options.Jobs(), default=-1, show_default=True, help="Processes; -1 uses every core."
)
@click.option(
    "--engine",
    metavar="ENGINE",
    default="local",
    show_default=True,
    help="local, or dask://HOST:PORT for the workers of a running cluster.",
)
@click.option(
    "-o",
    "--output",
    metavar="FILE",
    help="Write all numbers as JSON. Results are kept in FILE with the ending .jsonl as they come; the same "
    "command goes on from there.",
)
@click.option("--html", metavar="FILE", help="Write a report as one HTML page.")
@click.option("--force", is_flag=True, help="Replace output files, and start over.")
@click.option("--require-gain", is_flag=True, help="Exit with 3 unless synthetic rows are shown to help.")
@_options.json_option
@click.pass_context
def command(context: click.Context, /, **given: Any) -> None:
    """Say whether synthetic rows help, for which estimator and groups, and what is cheaper.

    Repeated cross-validation on DATA. In every split encoder, generator and calibrator learn from the
    training rows only; every arm sees the same rows and is judged on real ones that it has not seen. Each
    arm is compared with doing nothing and calibrating.

    \b
    makeweight evaluate customers.csv --target churn -o churn.json --html churn.html
    makeweight evaluate adult.csv --target income --group-by sex --generator transport --require-gain
    """  # noqa: D301 - click keeps the lines of a paragraph that starts with a backspace
    output, html = given["output"], given["html"]
    _outputs.check("-o", output, _outputs.JSON, force=given["force"])
    _outputs.check("--html", html, _outputs.PAGE, force=given["force"])
    log = Path(output).with_suffix(".jsonl") if output else None
    if log is not None:
        _outputs.check("-o", str(log), (log.suffix,), force=True)
    err = _show.console(err=True)
    try:
        found = _compare(given, log, err)
    except KeyboardInterrupt:
        kept = "nothing was written" + ("" if log else "; -o keeps results as they come")
        if log is not None and log.exists():
            kept = f"the results so far are in {log}: the same command goes on from there"
        err.print(f"interrupted: {kept}")
        context.exit(INTERRUPTED)
    result = _show.plain(found.to_dict())
    try:
        _write(result, output, html)
    finally:  # a full disk costs the file, not the answer
        if given["as_json"]:
            _show.print_json(result)
        else:
            from makeweight.cli._evaluation import show

            show(_show.console(), found)
    for path in filter(None, (output, html)):
        err.print(f"wrote {path}")
    if given["require_gain"] and not found.helps:
        context.exit(GATE_FAILED)


def _write(result: dict[str, Any], output: str | None, html: str | None) -> None:
    if output:
        _outputs.write_json(output, result)
    if html:
        from makeweight.page import render

        _outputs.write(html, render(result))


def _compare(given: dict[str, Any], log: Path | None, err: Console) -> Comparison:
    file = _options.load(given["data"], given["kinds"], given["missing"], given["no_header"])
    _options.infer(file, given["target"], given["group_by"], given["kinds"])
    outside = {
        name: _options.load(path, given["kinds"], given["missing"], given["no_header"]).frame
        for name, path in given["external"].items()
    }
    if log is not None and given["force"]:
        log.unlink(missing_ok=True)
    from makeweight.cli._evaluation import Steps
    from makeweight.evaluation import Design, Execution, compare

    read = [part for text in given["missing"] for part in ("--missing", text)]
    with Steps(err) as steps:
        return compare(
            file.frame,
            target=given["target"],
            group_by=given["group_by"],
            kinds=given["kinds"],
            generator=given["generator"],
            options=given["options"],
            arms=given["arms"],
            estimators=given["estimators"],
            design=Design(
                repeats=given["repeats"],
                folds=given["folds"],
                splits=given["splits"],
                augment=given["augment"],
                synthetic_weight=given["synthetic_weight"],
                copies=given["copies"],
                external=outside,
            ),
            execution=Execution(
                engine=given["engine"],
                log=log,
                name=given["data"],
                read_options=[*read, *(["--no-header"] if given["no_header"] else [])],
            ),
            max_seconds=given["max_seconds"] or None,
            random_state=given["seed"],
            n_jobs=given["jobs"],
            progress=steps,
        )
