"""``makeweight evaluate``."""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from makeweight.cli import _options, _outputs, _show
from makeweight.cli._codes import GATE_FAILED, INTERRUPTED

if TYPE_CHECKING:
    from rich.console import Console

    from makeweight.evaluation import Comparison
    from makeweight.evaluation.final import SavedModel
    from makeweight.generators.check import CopyPolicy


@dataclass(frozen=True)
class EvaluateRequest:
    """What was asked for on the command line; see ``makeweight evaluate --help``."""

    data: str
    target: str
    group_by: tuple[str, ...]
    kinds: dict[str, str]
    missing: tuple[str, ...]
    no_header: bool
    generator: str
    options: dict[str, str]
    arms: tuple[str, ...] | None
    estimators: tuple[str, ...]
    repeats: int
    folds: int
    splits: int | None
    augment: int | None
    synthetic_weight: float | None
    soft_rows: int | None
    calibration_folds: int | None
    external: dict[str, str]
    copies: CopyPolicy
    max_seconds: float | None
    seed: int | None
    jobs: int
    engine: str
    output: str | None
    html: str | None
    model: str | None
    force: bool
    require_gain: bool
    as_json: bool

    @property
    def log(self) -> Path | None:
        """Where results are kept as they come."""
        return Path(self.output).with_suffix(".jsonl") if self.output else None

    @property
    def read_options(self) -> list[str]:
        """How DATA is read, as options of the command line."""
        missing = [part for text in self.missing for part in ("--missing", text)]
        return [*missing, *(["--no-header"] if self.no_header else [])]


def _external(ctx: click.Context, param: click.Parameter, values: tuple[str, ...]) -> dict[str, str]:
    named = [value.partition("=") if "=" in value else (Path(value).stem, "=", value) for value in values]
    return {name: path for name, _, path in named}


@click.command()
@_options.data_options
@_options.target_option
@_options.generator_options("The one that the verdict is about; see `makeweight generators`.")
@click.option(
    "--arm",
    "arms",
    metavar="NAME",
    multiple=True,
    callback=_options.names,
    help="Arm to run, repeated or with commas; all by default. The reference, nothing+platt, is always among them.",
)
@click.option(
    "--estimator",
    "estimators",
    metavar="NAME",
    multiple=True,
    callback=_options.names,
    default=["lr", "rf", "hgb"],
    show_default=True,
    help="Repeated or with commas. Logistic regression, random forest, histogram gradient boosting; also xgb, "
    "and rf-default, hgb-default, xgb-default at the settings of their libraries. A classifier of yours is "
    "my_module:model, my_module.py:model, or a class such as lightgbm:LGBMClassifier.",
)
@click.option(
    "--repeats", metavar="R", type=click.IntRange(min=1), default=5, show_default=True, help="At most, as time allows."
)
@click.option("--folds", metavar="F", type=click.IntRange(min=2), default=5, show_default=True)
@click.option(
    "--splits",
    metavar="N",
    type=click.IntRange(min=2),
    help="Run the first N of the R x F splits, however long it takes.",
)
@click.option(
    "--augment",
    metavar="N",
    type=click.IntRange(min=0),
    help="Rows per group of the augmented arm; as many as the largest group by default.",
)
@click.option(
    "--soft-rows",
    metavar="N",
    type=click.IntRange(min=1),
    help="Synthetic rows with soft labels; two for every real one by default, 8,000 at least, or as time allows.",
)
@click.option(
    "--calibration-folds",
    metavar="N",
    type=click.IntRange(1, 3),
    help="Inner folds, of three, on which calibrators of the generator's rows are fitted; 3, or 1 as time allows.",
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
@_options.copies_option
@click.option(
    "--max-seconds",
    metavar="S",
    type=_options.Number(min=0),
    help="Repeats that do not fit are cut, then folds; 0 cuts nothing. 300 by default, and 0 with --splits.",
)
@click.option("--seed", metavar="S", type=click.IntRange(min=0), help=_options.SEED)
@_options.jobs_option(-1, "Processes; -1 uses every core.")
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
    "command continues from there.",
)
@click.option("--html", metavar="FILE", help="Write a report as one HTML page.")
@click.option(
    "--model",
    metavar="FILE",
    help="Refit the chosen arm to all rows, calibrate it, and write it as a .skops file, without pickle; the lines "
    "that load it are printed.",
)
@click.option("--force", is_flag=True, help="Replace output files, and start over.")
@click.option("--require-gain", is_flag=True, help="Exit with 3 unless synthetic rows are shown to help.")
@_options.json_option
@click.pass_context
def command(context: click.Context, /, **parameters: Any) -> None:
    """Say whether synthetic rows help, for which estimator and groups, and what is cheaper.

    Repeated cross-validation on DATA. In every split encoder, generator and calibrator learn from the
    training rows only; every arm sees the same rows and is judged on real ones that it has not seen. Each
    arm is compared with doing nothing and calibrating.

    \b
    makeweight evaluate customers.csv --target churn -o churn.json --html churn.html
    makeweight evaluate adult.csv --target income --group-by sex --generator transport --require-gain
    makeweight evaluate customers.csv --target churn --estimator my_module:model --model churn.skops
    """  # noqa: D301 - click keeps the lines of a paragraph that starts with a backspace
    request = EvaluateRequest(**parameters)
    _outputs.check("-o", request.output, _outputs.JSON, force=request.force)
    _outputs.check("--html", request.html, _outputs.PAGE, force=request.force)
    if request.model is not None:
        _outputs.check("--model", request.model, (".skops",), force=request.force)
        from makeweight.evaluation.final import check_skops

        check_skops()
    log = request.log
    if log is not None:
        _outputs.check("-o", str(log), (log.suffix,), force=True)
    err = _show.console(err=True)
    try:
        comparison = _compare(request, err)
    except KeyboardInterrupt:
        kept = "nothing was written" + ("" if log else "; -o keeps results as they come")
        if log is not None and log.exists():
            kept = f"the results so far are in {log}: the same command continues from there"
        err.print(f"interrupted: {kept}")
        context.exit(INTERRUPTED)
    result, saved = _show.plain(comparison.to_dict()), None
    try:
        if request.model:
            saved = _ship(comparison, request.model, err)
            result["model"] = _show.plain(vars(saved) | {"note": saved.note})
        _write(result, request.output, request.html)
    finally:  # a full disk costs the file, not the answer
        if request.as_json:
            _show.print_json(result)
        else:
            from makeweight.cli._evaluation import show

            show(_show.console(), comparison, saved)
    for path in filter(None, (request.output, request.html, request.model)):
        err.print(f"wrote {path}")
    if request.require_gain and not comparison.helps:
        context.exit(GATE_FAILED)


def _ship(comparison: Comparison, path: str, err: Console) -> SavedModel:
    answer = comparison.answer
    err.print(f"fitting {answer.arm} with {answer.estimator} to all rows, and to inner folds for its calibration")
    return comparison.model().save(path, force=True)  # that it may be replaced was checked before any work


def _write(result: dict[str, Any], output: str | None, html: str | None) -> None:
    if output:
        _outputs.write_json(output, result)
    if html:
        from makeweight.page import render

        _outputs.write(html, render(result))


def _compare(request: EvaluateRequest, err: Console) -> Comparison:
    log = request.log
    if log is not None and request.force:
        log.unlink(missing_ok=True)
    file = _options.load(request.data, request.kinds, request.missing, request.no_header)
    schema = _options.infer(file, request.target, request.group_by, request.kinds)
    external = {
        name: _options.load(path, request.kinds, request.missing, request.no_header).frame
        for name, path in request.external.items()
    }
    from makeweight.cli._evaluation import Steps
    from makeweight.evaluation import Design, Execution, compare

    with Steps(err) as steps:
        return compare(
            file.frame,
            target=request.target,
            group_by=tuple(map(str, schema.group_by)),
            kinds=request.kinds,
            generator=request.generator,
            options=request.options,
            arms=request.arms,
            estimators=_options.learners(request.estimators),
            design=Design(
                repeats=request.repeats,
                folds=request.folds,
                splits=request.splits,
                augment=request.augment,
                synthetic_weight=request.synthetic_weight,
                soft_rows=request.soft_rows,
                calibration_folds=request.calibration_folds,
                copies=request.copies,
                external=external,
            ),
            execution=Execution(
                engine=request.engine, log=log, name=request.data, read_options=request.read_options, is_command=True
            ),
            max_seconds="auto" if request.max_seconds is None else request.max_seconds or None,
            random_state=_seed(request),
            n_jobs=request.jobs,
            progress=steps,
        )


def _seed(request: EvaluateRequest) -> int:
    """Return the seed that was given, that of results which are continued, or one that is drawn."""
    if request.seed is not None:
        return request.seed
    if request.log is not None and request.log.is_file():
        first = request.log.read_text(encoding="utf-8").partition("\n")[0]
        stated = re.search(r'"random_state": (\d+)', first)
        if stated is not None:
            return int(stated[1])
    return secrets.randbits(32)
