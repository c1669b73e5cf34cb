"""``makeweight balance``."""

from __future__ import annotations

import sys
import time
import warnings
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from makeweight.cli import _endpoint, _large, _options, _show
from makeweight.cli._codes import INTERRUPTED
from makeweight.cli._report import print_generation, print_plan, report_of, with_teacher
from makeweight.cli._request import BalanceOutcome, BalanceRequest
from makeweight.errors import FileProblem, GenerationShortfall, GeneratorError, OptionError

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from rich.console import Console

    from makeweight.committee import SoftGeneration
    from makeweight.generators.fill import Generation
    from makeweight.plan import Groups, Plan
    from makeweight.table import Table
    from makeweight.table.io import TableFile

PREFIX = "makeweight_"


@click.command()
@_options.data_options
@_options.target_option
@_options.generator_options("See `makeweight generators`.")
@click.option(
    "--strategy",
    metavar="WHICH",
    default="auto",
    show_default=True,
    help="Groups to bring up to the largest: auto, minority, not-minority, not-majority or all; "
    "or a ratio of two groups (0.5); or final counts as JSON ('{\"yes\": 500}').",
)
@click.option(
    "--augment",
    metavar="N",
    type=click.IntRange(0, _options.MOST_ROWS),
    default=0,
    help="Further rows for every group.",
)
@click.option(
    "--alpha",
    metavar="A",
    type=_options.Number(0, 1),
    help="Weight of the augmentation rows; adds the column makeweight_weight.",
)
@click.option(
    "--synthetic-weight",
    metavar="W",
    type=_options.Number(min=0),
    help="Weight of a synthetic row, where a real one weighs 1; adds the column makeweight_weight.",
)
@click.option(
    "--soft-labels",
    is_flag=True,
    help="Let a committee of classifiers say what every row is: rows stand once per label, with the label's "
    "probability in the column makeweight_weight. 8,000 rows, or two for every real one, unless --augment or "
    "--strategy say otherwise.",
)
@click.option(
    "--draw-labels",
    is_flag=True,
    help="With --soft-labels, for learners that take no weights: labels drawn from the probabilities.",
)
@click.option("--probabilities", is_flag=True, help="With --soft-labels: a column makeweight_p_LABEL for every label.")
@_options.rows_option
@click.option("--force", is_flag=True, help="Replace the output file if it exists.")
@click.option("--synthetic-only", is_flag=True, help="Leave the real rows out.")
@click.option("--provenance", is_flag=True, help="Add columns: is the row synthetic, its group, generator and purpose.")
@_options.constraint_option
@click.option("--seed", metavar="S", type=click.IntRange(min=0), help=_options.SEED)
@_options.limit_options
@_endpoint.endpoint_options
@_options.jobs_option(1, "Groups written at the same time; with --engine local processes.")
@click.option(
    "--engine",
    metavar="ENGINE",
    help="For tables larger than memory: local, or dask://HOST:PORT. DATA is then a folder of Parquet files "
    "(or one such file) and -o a folder, which gets copies of them and synthetic part files.",
)
@click.option("--resume", is_flag=True, help="With --engine: continue a folder that was begun.")
@click.option("--dry-run", is_flag=True, help="Print the plan and what it is expected to take; write and send nothing.")
@_options.json_option
@click.pass_context
def command(context: click.Context, /, **parameters: Any) -> None:
    """Write the rows that a table is missing.

    DATA is a CSV, TSV, Parquet or Feather file, or - for standard input. Real rows come first and exactly as
    they were, then the synthetic ones. With --engine it is a folder of Parquet files of any length.

    \b
    makeweight balance customers.csv --target churn -o balanced.csv
    makeweight balance adult.csv --target income --group-by sex --missing "?" -o balanced.parquet
    makeweight balance customers.csv --target churn --soft-labels -o taught.parquet
    makeweight balance parts/ --target income --engine dask://localhost:8786 -o balanced/
    """  # noqa: D301 - click keeps the lines of a paragraph that starts with a backspace
    request = BalanceRequest(**parameters)
    _check_soft(request)
    if request.engine is not None:
        context.exit(_large.dry_run(request) if request.dry_run else _large.run(request))
    _check_pieces(request)
    if request.dry_run:
        _dry_run(request)
        return
    outcome = run(request)
    err = _show.console(err=True)
    print_generation(err, outcome)
    _say_split_first(err, request)
    if request.as_json:
        _show.print_json(report_of(outcome))
    if outcome.generation.ledger.interrupted:
        context.exit(INTERRUPTED)


def run(request: BalanceRequest) -> BalanceOutcome:
    """Read, generate and write."""
    import numpy as np

    from makeweight.cli._progress import Reporter
    from makeweight.generators.fill import ShortfallWarning
    from makeweight.generators.forewarning import forecast, warn_of_few_rows
    from makeweight.generators.registry import resolve
    from makeweight.generators.writing import write_rows
    from makeweight.plan import Groups
    from makeweight.table import Table
    from makeweight.table.io import write_table

    start = time.perf_counter()
    _check_output(request)
    limits = request.limits
    seed, options = _endpoint.seed_of(request), _endpoint.options_of(request)
    resolve(request.generator, options)  # a mistyped name is refused before a large file is read
    with Reporter(_show.console(err=True)) as progress, warnings.catch_warnings():
        warnings.simplefilter("ignore", ShortfallWarning)  # the ledger shows it
        progress.say(f"reading {request.data}")
        file = _options.load(request.data, request.kinds, request.missing, request.no_header)
        _check_binary_output(request, file)
        _check_added_columns(request, file)
        table = Table(file.frame, _options.infer(file, request.target, request.group_by, request.kinds))
        groups = Groups(table)
        plan = _plan(request, table, groups)
        if not request.soft_labels:
            warn_of_few_rows(plan)
        forecast(plan, request.generator, options, limits.max_seconds)
        progress.say(f"fitting {request.generator}")
        try:
            generation = write_rows(
                table,
                plan,
                request.generator,
                seed=np.random.SeedSequence(seed),
                options=options,
                groups=groups,
                constraints=request.constraints,
                limits=limits,
                n_jobs=request.jobs,
                progress=progress,
            )
        except GenerationShortfall as error:
            _tell_shortfall(request, file, error, time.perf_counter() - start)
            raise
        except GeneratorError as error:
            _tell_failure(request, file, error, time.perf_counter() - start)
            raise
        if request.soft_labels:
            progress.say("asking a committee what the rows are")
            generation = _softened(request, table, generation, groups, np.random.SeedSequence(seed))
        progress.say("writing")
        write_table(
            file,
            _rows(request, generation),
            request.output,
            extra=_extra(request, file, generation),
            synthetic_only=request.synthetic_only,
        )
    return BalanceOutcome(request, file, generation, time.perf_counter() - start)


def _dry_run(request: BalanceRequest) -> None:
    """Work out the plan and what it is expected to take, without fitting or writing anything."""
    from makeweight.generators.registry import resolve
    from makeweight.plan import Groups
    from makeweight.rules import check_rows, read_constraints
    from makeweight.table import Table

    _check_output(request)
    generator = resolve(request.generator, _endpoint.options_of(request))
    file = _options.load(request.data, request.kinds, request.missing, request.no_header)
    _check_added_columns(request, file)
    table = Table(file.frame, _options.infer(file, request.target, request.group_by, request.kinds))
    check_rows(table, read_constraints(request.constraints, table.schema))
    plan = _plan(request, table, Groups(table))
    prompt = _endpoint.preview(generator, table, plan)
    cost = with_teacher(generator.cost(plan), request, plan, len(table.schema.features))
    print_plan(request, file.source, plan, cost, prompt=prompt)


def _plan(request: BalanceRequest, table: Table, groups: Groups) -> Plan:
    amount = request.amount
    if request.soft_labels:
        from makeweight.committee import check_soft, soft_amount
        from makeweight.rules import read_constraints

        amount = soft_amount(amount, groups, read_constraints(request.constraints, table.schema))
        check_soft(table, groups, amount.synthetic_weight, draw_labels=request.draw_labels)
    return amount.plan(groups)


def _softened(
    request: BalanceRequest, table: Table, generation: Generation, groups: Groups, seed: np.random.SeedSequence
) -> SoftGeneration:
    from makeweight.committee import soften  # it brings scikit-learn

    return soften(table, generation, groups, seed, draw_labels=request.draw_labels, n_jobs=request.jobs)


def _rows(request: BalanceRequest, generation: Generation) -> pd.DataFrame:
    """Return the rows to put below the real ones."""
    from makeweight.committee import SoftGeneration

    if not isinstance(generation, SoftGeneration):
        return generation.frame
    kept = generation.is_synthetic[generation.n_real :] if request.synthetic_only else slice(None)
    return generation.further[kept].reset_index(drop=True)


def _check_soft(request: BalanceRequest) -> None:
    """Refuse what is for rows that carry probabilities, without any."""
    for flag, given in (("--draw-labels", request.draw_labels), ("--probabilities", request.probabilities)):
        if given and not request.soft_labels:
            raise OptionError(f"{flag} is for rows that carry probabilities", hint="add --soft-labels")


def _check_added_columns(request: BalanceRequest, file: TableFile) -> None:
    """Refuse, before any work, a table that has columns like those that are added."""
    taken = [name for name in file.frame.columns if str(name).startswith(PREFIX)] if request.adds_columns else []
    if taken:
        raise OptionError(
            f"the table already has columns that start with {PREFIX!r}", got=taken, hint="drop or rename them"
        )


def _say_split_first(err: Console, request: BalanceRequest) -> None:
    """Say what to do before balancing, unless DATA is a part that was split off."""
    name = Path(request.data)
    if "train" not in name.stem.casefold():
        err.print(
            "note: rows to judge by are split off before balancing, or they are judged by themselves: "
            f"makeweight split {request.data} --target {request.target}, "
            f"then makeweight balance train{name.suffix} --target {request.target}",
            soft_wrap=True,  # commands are copied
        )


def _check_pieces(request: BalanceRequest) -> None:
    """Refuse what is for tables in many pieces."""
    if request.resume:
        raise OptionError("--resume is for folders of part files", hint="add --engine local, or leave it out")
    if Path(request.data).is_dir():
        raise FileProblem(
            "a directory is no table",
            where=request.data,
            hint="name a file in it, or read all its Parquet files: --engine local -o FOLDER",
        )


def _check_output(request: BalanceRequest) -> None:
    """Refuse, before any work, an output that cannot be written."""
    from makeweight.table.files import check_destination

    if request.dry_run:
        return
    if request.as_json and request.output == "-":
        raise OptionError("--json and the rows cannot both go to standard output", hint="add -o FILE, or --dry-run")
    check_destination(request.output, force=request.force, data=request.data)


def _check_binary_output(request: BalanceRequest, file: TableFile) -> None:
    if request.output == "-" and file.format in ("parquet", "feather") and sys.stdout.isatty():
        raise FileProblem(
            f"{file.format.title()} is not for a terminal",
            where="standard output",
            hint=f"-o balanced.{file.format}, or -o balanced.csv",
        )


def _tell_shortfall(request: BalanceRequest, file: TableFile, error: GenerationShortfall, seconds: float) -> None:
    """Print the ledger of what failed, and say what to do about it in the words of the command line."""
    from makeweight.generators.check import COPY

    outcome = BalanceOutcome(request, file, error.generation, seconds)
    print_generation(_show.console(err=True), outcome, written=False)
    ways = ["choose another --generator", "ask for fewer rows", "write what there is with --on-shortfall warn"]
    ways = [*_options.raised_limits(error.generation.ledger), *ways]
    if any(reason == COPY for reason in error.generation.ledger.rejected):
        ways.insert(0, "allow copies of real rows with --copies accept")
    error.hint = ", or ".join(ways)


def _tell_failure(request: BalanceRequest, file: TableFile, error: GeneratorError, seconds: float) -> None:
    """Print the ledger where other groups had rows before one failed, and say how to get them."""
    if error.generation is None or not len(error.generation):
        return
    print_generation(_show.console(err=True), BalanceOutcome(request, file, error.generation, seconds), written=False)
    ways = [*([error.hint] if error.hint else []), "write the groups that it can write: --on-shortfall warn"]
    error.hint = ", or ".join(ways)


def _extra(request: BalanceRequest, file: TableFile, generation: Generation) -> pd.DataFrame | None:
    """Return the columns that say where every row comes from, and what it weighs."""
    import numpy as np
    import pandas as pd

    from makeweight.committee import SoftGeneration

    weighed = request.adds_weights
    if not request.adds_columns:
        return None
    columns: dict[str, Any] = {}
    if isinstance(generation, SoftGeneration):
        synthetic, origin = generation.is_synthetic, generation.origin()
        weights = generation.sample_weight
    else:
        n_real = len(file.frame)
        synthetic = np.repeat([False, True], [n_real, len(generation)])
        real = pd.DataFrame(None, index=range(n_real), columns=generation.provenance.columns, dtype=object)
        origin = pd.concat([real, generation.provenance.astype(object)], ignore_index=True)
        weights = _weights(file, generation) if weighed else np.ones(len(synthetic))
    if request.provenance:
        columns[f"{PREFIX}synthetic"] = synthetic
        columns.update({f"{PREFIX}{name}": origin[name] for name in origin})
    if weighed:
        columns[f"{PREFIX}weight"] = weights
    if isinstance(generation, SoftGeneration) and request.probabilities:
        said = generation.probabilities
        columns.update({f"{PREFIX}p_{label_text(label)}": said[label].to_numpy() for label in said})
    rows = pd.DataFrame(columns)
    return rows[synthetic].reset_index(drop=True) if request.synthetic_only else rows


def label_text(label: Any) -> str:
    """Return a label as a file of text has it.

    >>> from datetime import datetime
    >>> label_text("at 00:00:00"), label_text(datetime(2020, 1, 1))
    ('at 00:00:00', '2020-01-01')
    """
    return str(label).removesuffix(" 00:00:00") if isinstance(label, datetime) else str(label)


def _weights(file: TableFile, generation: Generation) -> np.ndarray:
    from makeweight.plan import Groups
    from makeweight.table import Table
    from makeweight.weights import row_weights  # it brings scikit-learn

    return row_weights(Groups(Table(file.frame, generation.schema)), generation)
