"""``makeweight report``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from makeweight.cli import _options, _outputs, _show
from makeweight.cli._codes import GATE_FAILED
from makeweight.errors import OptionError

if TYPE_CHECKING:
    from makeweight.quality.report import QualityReport
    from makeweight.table.io import TableFile


@click.command()
@click.argument("real")
@click.argument("synthetic")
@_options.reading_options
@_options.target_option
@click.option(
    "--holdout", metavar="FILE", help="Real rows that the generator has not seen; they show what fresh rows look like."
)
@click.option("--ledger", metavar="FILE", help="What `makeweight balance --json` printed: shortfall and rejected rows.")
@click.option(
    "--contains-real/--no-contains-real",
    default=None,
    help="Whether SYNTHETIC holds the real rows too, as `makeweight balance` writes it; by default they are "
    "recognised, and left out.",
)
@click.option("--mute", metavar="CHECK", multiple=True, help="Do not run a check, such as MWQ07; may be repeated.")
@click.option(
    "--fail-on",
    type=click.Choice(["issue", "tip", "never"]),
    default="never",
    show_default=True,
    help="Exit with code 3 when there is such a finding.",
)
@click.option(
    "--max-seconds",
    metavar="S",
    type=_options.Number(min=0, min_open=True),
    help="Begin no check after this time; those left are named as skipped.",
)
@click.option("-o", "--output", metavar="FILE", help="Write the report: .html for people, .json for programs.")
@click.option("--force", is_flag=True, help="Replace the output file if it exists.")
@_options.seed_option
@_options.json_option
@click.pass_context
def command(
    context: click.Context,
    real: str,
    synthetic: str,
    target: str,
    group_by: tuple[str, ...],
    kinds: dict[str, str],
    missing: tuple[str, ...],
    no_header: bool,
    holdout: str | None,
    ledger: str | None,
    contains_real: bool | None,
    mute: tuple[str, ...],
    fail_on: str,
    max_seconds: float | None,
    output: str | None,
    force: bool,
    seed: int,
    as_json: bool,
) -> None:
    """Say whether a synthetic table is any good: coded checks, one verdict, one page.

    REAL holds the rows that the generator was fitted on, SYNTHETIC the rows that it wrote. Every check and
    its limits are explained in docs/quality.md.

    \b
    makeweight report customers.csv balanced.csv --target churn -o report.html
    makeweight report train.csv made.csv --target income --group-by sex --holdout held.csv --fail-on issue
    """  # noqa: D301 - click keeps the lines of a paragraph that starts with a backspace
    from makeweight.quality.catalogue import codes_of

    _outputs.check("-o", output, (*_outputs.PAGE, *_outputs.JSON), force=force)
    codes_of(mute)  # a mistyped check is refused before a large file is read
    err = _show.console(err=True)
    files = _read(real, synthetic, holdout, kinds, missing, no_header)
    record = _ledger(ledger)
    from makeweight.cli._evaluation import Steps  # only now, so that mistakes are refused quickly
    from makeweight.quality.report import QualityReport

    options = [*(f"--kind={name}={kind}" for name, kind in kinds.items()), *(f"--missing={m}" for m in missing)]
    options += ["--no-header"] * no_header + ([] if ledger is None else [f"--ledger={ledger}"])
    if contains_real is not None:
        options.append("--contains-real" if contains_real else "--no-contains-real")
    with Steps(err, "checking", max_seconds, "the first check") as steps:
        report = QualityReport(
            files["real"].frame,
            files["synthetic"].frame,
            target=target,
            group_by=_options.attributes(group_by, files["real"].frame.columns),
            holdout=files["holdout"].frame if "holdout" in files else None,
            kinds=kinds,
            ledger=record,
            mute=mute,
            contains_real=contains_real,
            random_state=seed,
            max_seconds=max_seconds,
            progress=steps,
            sources={**{name: str(file.source) for name, file in files.items()}, "options": "\0".join(options)},
        )
    try:
        if output is not None:
            _write(report, output)
    finally:  # a full disk costs the file, not the answer
        if as_json:
            _show.print_json(report.to_dict())
        else:
            from makeweight.cli._quality import print_quality

            print_quality(_show.console(), report.result)
    err.print(f"seed {seed}" + ("" if output is None else f", wrote {output}"))
    if report.counts["issue"] * (fail_on != "never") or report.counts["tip"] * (fail_on == "tip"):
        context.exit(GATE_FAILED)


def _read(
    real: str, synthetic: str, holdout: str | None, kinds: dict[str, str], missing: tuple[str, ...], no_header: bool
) -> dict[str, TableFile]:
    """Read the tables; what is text in the real one is read as text in the others."""
    import pandas as pd

    if [real, synthetic, holdout].count("-") > 1:
        raise OptionError("only one table can come from standard input", got="- twice")
    files = {"real": _options.load(real, kinds, missing, no_header)}
    frame = files["real"].frame
    text = [name for name in frame.columns if isinstance(frame[name].dtype, pd.StringDtype)]
    alike = {**dict.fromkeys(map(str, text), "categorical"), **kinds}
    for name, path in (("synthetic", synthetic), ("holdout", holdout)):
        if path is not None:
            files[name] = _options.load(path, alike, missing, no_header)
    return files


def _ledger(path: str | None) -> dict[str, Any] | None:
    from makeweight.table.records import read_record

    hint = "makeweight balance ... -o balanced.csv --json > ledger.json"
    return None if path is None else read_record(path, "the ledger", hint=hint)


def _write(report: QualityReport, path: str) -> None:
    if path.lower().endswith(_outputs.JSON):
        _outputs.write_json(path, report.to_dict())
    else:
        _outputs.write(path, report.to_html())
