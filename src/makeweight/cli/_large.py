"""``makeweight balance --engine``: tables in many pieces, from a folder to a folder."""

from __future__ import annotations

import time
import warnings
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from makeweight.cli import _options, _show
from makeweight.cli._codes import INTERRUPTED
from makeweight.cli._progress import Reporter
from makeweight.cli._report import print_groups, print_ledger, print_plan, with_teacher
from makeweight.errors import GenerationShortfall, OptionError

if TYPE_CHECKING:
    from makeweight.cli._request import BalanceRequest
    from makeweight.partitioned import PartitionedGeneration


def run(request: BalanceRequest) -> int:
    """Balance a partitioned table, and say what came of it; return the exit code."""
    from makeweight.generators.fill import ShortfallWarning
    from makeweight.partitioned import OutputFolder, balance_partitions

    request = _checked(request)
    err = _show.console(err=True)
    start = time.perf_counter()
    try:
        with Reporter(err) as progress, warnings.catch_warnings():
            warnings.simplefilter("ignore", ShortfallWarning)  # the ledger shows it
            result = balance_partitions(
                request.data,
                OutputFolder(
                    request.output,
                    existing="resume" if request.resume else "replace" if request.force else "refuse",
                    synthetic_only=request.synthetic_only,
                ),
                target=request.target,
                group_by=request.group_by,
                generator=request.generator,
                options=request.options,
                sampling_strategy=request.amount.sampling_strategy,
                augment=request.augment,
                kinds=request.kinds,
                constraints=request.constraints,
                limits=request.limits,
                random_state=request.seed,
                engine=str(request.engine),
                n_jobs=request.jobs,
                soft_labels=request.soft_labels,
                progress=progress,
            )
    except GenerationShortfall as error:
        _print(request, error.generation, time.perf_counter() - start, finished=False)
        error.hint = (
            "finish with what there is: the same command with --resume --on-shortfall warn, "
            "or start again with --force and another --generator"
        )
        raise
    except KeyboardInterrupt:
        err.print(f"interrupted: {_left(request)}")
        return INTERRUPTED
    _print(request, result, time.perf_counter() - start, finished=True)
    if request.as_json:
        _show.print_json({"source": request.data, "output": request.output, **result.to_dict()})
    return 0


def dry_run(request: BalanceRequest) -> int:
    """Read the table once, and print the plan; write nothing."""
    from makeweight.generators.registry import resolve
    from makeweight.partitioned import Workers, survey
    from makeweight.partitioned.teaching import TEACHER_ROWS, refuse_taken

    request = _checked(request)
    generator = resolve(request.generator, request.options)
    with Reporter(_show.console(err=True)) as progress:
        work = Workers(str(request.engine), request.jobs, progress)
        soft, constraints = request.soft_labels, request.constraints
        table = survey(request.data, request.columns, request.amount, work, soft=soft, constraints=constraints)
        if soft:
            refuse_taken(table.source.schema.names)
    plan, n_columns = table.plan, len(table.schema.features)
    cost = with_teacher(generator.cost(plan), request, plan, n_columns, most_rows=TEACHER_ROWS)
    print_plan(request, request.data, plan, cost)
    return 0


def _checked(request: BalanceRequest) -> BalanceRequest:
    """Return the request with its grouping attributes read; refuse what a folder of part files cannot have."""
    from makeweight.partitioned.source import PartSource

    columns = "real part files are copied as they are; the manifest says what every part is"
    text = "part files are Parquet, which has names and missing values of its own"
    endpoint = "a generator that asks an endpoint works without --engine"
    refused: tuple[tuple[str, Any, str], ...] = (
        ("--provenance", request.provenance, columns),
        ("--alpha", request.alpha is not None, columns),
        ("--synthetic-weight", request.synthetic_weight is not None, columns),
        ("--draw-labels", request.draw_labels, "learners of tables larger than memory take weights"),
        ("--probabilities", request.probabilities, "a row's weight is its label's probability"),
        ("--no-header", request.no_header, text),
        ("--missing", request.missing, text),
        ("--max-seconds", request.max_seconds is not None, "stop with Ctrl-C, and continue with --resume"),
        ("--max-cost", request.max_cost is not None, endpoint),
        ("--yes", request.yes, endpoint),
        ("--replay", request.replay is not None, endpoint),
    )
    for flag, given, hint in refused:
        if given:
            raise OptionError(f"{flag} does not go with --engine", hint=hint)
    if request.resume and request.force:
        raise OptionError("--resume continues and --force starts again", hint="leave one of them out")
    if request.output == "-" and not request.dry_run:
        raise OptionError("--engine writes a folder of part files", hint="-o balanced/")
    group_by = request.group_by
    if any("," in text for text in group_by):
        group_by = _options.attributes(group_by, PartSource.open(request.data).schema.names)
    _options.refuse_roles_of_other_kinds(request.target, group_by, request.kinds)
    return replace(request, group_by=group_by)


def _left(request: BalanceRequest) -> str:
    """Say what an interrupted run has left."""
    from makeweight.partitioned.folder import WORK

    output = Path(request.output)
    if not (output / WORK).is_dir():
        return "nothing was written"
    done = len(list((output / WORK).glob("*.parquet.json")))
    return f"{done:,} parts are done in {request.output}; the same command with --resume continues"


def _print(request: BalanceRequest, result: PartitionedGeneration, seconds: float, *, finished: bool) -> None:
    err = _show.console(err=True)
    real = [part for part in result.parts if part.kind == "real"]
    err.print(
        f"{request.data}: {result.plan.n_real:,} rows x {len(result.schema.columns)} columns, "
        f"{result.n_context:,} of them to learn from"
    )
    print_groups(err, result.plan, result.ledger)
    print_ledger(err, result.ledger)
    err.print()
    new = sum(account.accepted for part in result.parts if part.is_new for account in part.ledger)
    speed = f"{_show.seconds(seconds)} ({_show.per_second(new, seconds)})"
    err.print(f"{new:,} rows by {result.generator} in {speed}, seed {result.seed}")
    for note in result.notes:
        err.print(f"note: {note}")
    there = sum(not part.is_new for part in result.parts)
    if there:
        err.print(f"{there:,} of {len(result.parts):,} parts were written before")
    if finished and result.ledger.shortfall:
        err.print(f"warning: {result.ledger.shortfall:,} rows short, see the ledger")
    if finished:
        n_rows = sum(part.rows for part in result.parts)
        copies = "real part files with a column of weights" if request.soft_labels else "copies of real part files"
        err.print(
            f"wrote {n_rows:,} rows to {request.output}: {len(real):,} {copies} "
            f"and {len(result.parts) - len(real):,} synthetic ones"
        )
