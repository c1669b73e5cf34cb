"""``makeweight balance --engine``: tables in many pieces, from a folder to a folder."""

from __future__ import annotations

import time
import warnings
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from makeweight.cli import _options, _show
from makeweight.cli._progress import Reporter
from makeweight.cli._report import plan_rows, print_groups, print_ledger, print_plan
from makeweight.errors import GenerationShortfall, OptionError

if TYPE_CHECKING:
    from makeweight.cli.balance import Request
    from makeweight.partitioned import PartitionedGeneration

INTERRUPTED = 130


def run(request: Request) -> int:
    """Balance a partitioned table, and say what came of it; return the exit code.

    Raises
    ------
    MakeweightError
        When something is wrong with the request, the table or the folder.
    """
    from makeweight.generators.fill import ShortfallWarning
    from makeweight.partitioned import balance_partitions

    _check(request)
    err = _show.console(err=True)
    start = time.perf_counter()
    try:
        with Reporter(err) as progress, warnings.catch_warnings():
            warnings.simplefilter("ignore", ShortfallWarning)  # the ledger tells it
            made = balance_partitions(
                request.data,
                request.output,
                target=request.target,
                group_by=request.group_by,
                generator=request.generator,
                options=request.options,
                sampling_strategy=_options.read_strategy(request.strategy),
                augment=request.augment,
                kinds=request.kinds,
                copies=request.copies,
                on_shortfall=request.on_shortfall,
                synthetic_only=request.synthetic_only,
                seed=request.seed,
                engine=str(request.engine),
                n_jobs=request.jobs,
                resume=request.resume,
                force=request.force,
                watch=_watch(progress),
            )
    except GenerationShortfall as error:
        _print(request, error.generation, time.perf_counter() - start, finished=False)
        error.hint = (
            "finish with what there is: the same command with --resume --on-shortfall warn, "
            "or begin anew with --force and another --generator"
        )
        raise
    except KeyboardInterrupt:
        err.print(f"interrupted: {_left(request)}")
        return INTERRUPTED
    _print(request, made, time.perf_counter() - start, finished=True)
    if request.as_json:
        _show.print_json({"source": request.data, "output": request.output, **made.to_dict()})
    return 0


def dry_run(request: Request) -> int:
    """Read the table once, and print the plan; write nothing."""
    from makeweight.generators.registry import resolve
    from makeweight.partitioned import survey

    _check(request)
    generator = resolve(request.generator, request.options)
    with Reporter(_show.console(err=True)) as progress:
        found = survey(
            request.data,
            target=request.target,
            group_by=request.group_by,
            kinds=request.kinds,
            sampling_strategy=_options.read_strategy(request.strategy),
            augment=request.augment,
            engine=str(request.engine),
            n_jobs=request.jobs,
            watch=_watch(progress),
        )
    cost = generator.cost(found.plan)
    if not request.as_json:
        print_plan(_show.console(), request, found.plan, cost)
        return 0
    _show.print_json(
        {
            "source": request.data,
            "generator": request.generator,
            "groups": plan_rows(found.plan),
            "n_real": found.plan.n_real,
            "n_synthetic": found.plan.n_synthetic,
            "expected": asdict(cost),
        }
    )
    return 0


def _check(request: Request) -> None:
    """Refuse what a folder of part files cannot have."""
    _options.refuse_roles_of_other_kinds(request.target, request.group_by, request.kinds)
    columns = "real part files are copied as they are; the manifest says what every part is"
    text = "part files are Parquet, which has names and missing values of its own"
    endpoint = "a generator that asks an endpoint works without --engine"
    refused: tuple[tuple[str, Any, str], ...] = (
        ("--provenance", request.provenance, columns),
        ("--alpha", request.alpha is not None, columns),
        ("--synthetic-weight", request.synthetic_weight is not None, columns),
        ("--no-header", request.no_header, text),
        ("--missing", request.missing, text),
        ("--max-seconds", request.max_seconds is not None, "stop with Ctrl-C, and go on with --resume"),
        ("--max-cost", request.max_cost is not None, endpoint),
        ("--yes", request.yes, endpoint),
        ("--replay", request.replay is not None, endpoint),
    )
    for flag, given, hint in refused:
        if given:
            raise OptionError(f"{flag} does not go with --engine", hint=hint)
    if request.resume and request.force:
        raise OptionError("--resume goes on and --force begins anew", hint="leave one of them out")
    if request.output == "-" and not request.dry_run:
        raise OptionError("--engine writes a folder of part files", hint="-o balanced/")


def _watch(progress: Reporter) -> Any:
    def watch(step: str, done: int, total: int) -> None:
        progress.say(step if total < 2 else f"{step}: {done:,} of {total:,} parts")

    return watch


def _left(request: Request) -> str:
    """Say what an interrupted run has left."""
    from makeweight.partitioned.folder import WORK

    output = Path(request.output)
    if not (output / WORK).is_dir():
        return "nothing was written"
    done = len(list((output / WORK).glob("*.parquet.json")))
    return f"{done:,} parts are done in {request.output}; the same command with --resume goes on"


def _print(request: Request, made: PartitionedGeneration, seconds: float, *, finished: bool) -> None:
    err = _show.console(err=True)
    real = [part for part in made.parts if part["kind"] == "real"]
    err.print(
        f"{request.data}: {made.plan.n_real:,} rows x {len(made.schema.columns)} columns, "
        f"{made.n_context:,} of them to learn from"
    )
    print_groups(err, made.plan, made.ledger)
    print_ledger(err, made.ledger)
    err.print()
    new = sum(part["rows"] for part in made.parts if part["made"] and part["kind"] == "synthetic")
    speed = f"{_show.seconds(seconds)} ({_show.per_second(new, seconds)})"
    err.print(f"{new:,} rows by {made.generator} in {speed}, seed {made.seed}")
    for note in made.notes:
        err.print(f"note: {note}")
    there = sum(not part["made"] for part in made.parts)
    if there:
        err.print(f"{there:,} of {len(made.parts):,} parts were there already")
    if finished and made.ledger.shortfall:
        err.print(f"warning: {made.ledger.shortfall:,} rows short, see the ledger")
    if finished:
        n_rows = sum(part["rows"] for part in made.parts)
        err.print(
            f"wrote {n_rows:,} rows to {request.output}: {len(real):,} copies of real part files "
            f"and {len(made.parts) - len(real):,} synthetic ones"
        )
