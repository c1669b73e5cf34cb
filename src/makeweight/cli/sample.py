"""``makeweight sample``."""

from __future__ import annotations

import time
import warnings
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import click

from makeweight.cli import _endpoint, _options, _show
from makeweight.cli._codes import INTERRUPTED
from makeweight.cli._report import print_ledger
from makeweight.cli._request import BalanceRequest
from makeweight.errors import GenerationShortfall, OptionError

if TYPE_CHECKING:
    from makeweight.generators.fill import Generation
    from makeweight.synthesizer import Synthesizer
    from makeweight.table import Schema
    from makeweight.table.io import TableFile

RANGE = ".."


@dataclass(frozen=True)
class SampleRequest(BalanceRequest):
    """What was asked for on the command line; see ``makeweight sample --help``."""

    target: str | None = None  # type: ignore[assignment]
    n: int = 0
    where: tuple[str, ...] = ()
    save: str | None = None
    load: str | None = None


@dataclass(frozen=True)
class _Outcome:
    file: TableFile
    generation: Generation
    seconds: float
    where: dict[Any, Any] = field(default_factory=dict)


@click.command()
@_options.data_options
@click.option("--target", metavar="COL", help="Column with the labels; without one all rows are one group.")
@click.option("-n", "n", metavar="N", type=click.IntRange(0, _options.MOST_ROWS), required=True, help="Rows to write.")
@click.option(
    "--where",
    metavar="COL=VALUE",
    multiple=True,
    help="What a column of every row is: a value, a range (18..30, or 18.. and ..30 with an open end), or several "
    "values with the option repeated; COL= is a missing value.",
)
@_options.generator_options("See `makeweight generators`.")
@_options.constraint_option
@_options.rows_option
@click.option("--force", is_flag=True, help="Replace the output file if it exists.")
@click.option("--save", metavar="FOLDER", help="Keep what was learned in a new folder.")
@click.option("--load", metavar="FOLDER", help="Take what was learned from a folder instead of learning again.")
@_options.seed_option
@_options.limit_options
@_options.jobs_option(1, "Groups written at the same time.")
@_endpoint.endpoint_options
@_options.json_option
@click.pass_context
def command(context: click.Context, /, **parameters: Any) -> None:
    """Write rows like those of a table, under conditions on any columns.

    Exactly N valid rows are written. Labels and attributes have the shares that they have among the real rows that meet
    the conditions. Rows that break a condition are replaced; where there are fewer than N, the error says why.

    \b
    makeweight sample customers.csv --target churn -n 500 --where churn=yes --where age=18..30 -o more.csv
    makeweight sample customers.csv -n 1000 --generator smoothed-bootstrap --constraint "start <= end"
    """  # noqa: D301 - click keeps the lines of a paragraph that starts with a backspace
    request = SampleRequest(**parameters)
    outcome = run(request)
    err = _show.console(err=True)
    _print(err, request, outcome)
    if request.as_json:
        _show.print_json(_report(request, outcome))
    if outcome.generation.ledger.interrupted:
        context.exit(INTERRUPTED)


def run(request: SampleRequest) -> _Outcome:
    """Read, learn or load, sample and write."""
    from makeweight.cli._progress import Reporter
    from makeweight.generators.fill import ShortfallWarning
    from makeweight.generators.registry import resolve
    from makeweight.table.io import write_table

    start = time.perf_counter()
    _check_request(request)
    if request.load is None:
        resolve(request.generator, _endpoint.options_of(request))  # a mistyped name is refused before a file is read
    with Reporter(_show.console(err=True)) as progress, warnings.catch_warnings():
        warnings.simplefilter("ignore", ShortfallWarning)  # the ledger shows it
        progress.say(f"reading {request.data}")
        file = _options.load(request.data, request.kinds, request.missing, request.no_header)
        progress.say(f"fitting {request.generator}" if request.load is None else f"loading {request.load}")
        synth = _fitted(request, file)
        where = read_where(request.where, synth.schema_)
        try:
            rows = synth.sample(request.n, where=where, random_state=request.seed, progress=progress)
        except GenerationShortfall as error:
            print_ledger(_show.console(err=True), error.generation.ledger)
            error.hint = "".join(f"{way}, " for way in _options.raised_limits(error.generation.ledger)) + (
                "allow more values with --where, ask for fewer rows, choose another --generator, "
                "or write what there is with --on-shortfall warn"
            )
            raise
        progress.say("writing")
        write_table(file, rows, request.output, synthetic_only=True)
    return _Outcome(file, synth.generation_, time.perf_counter() - start, where)


def _fitted(request: SampleRequest, file: TableFile) -> Synthesizer:
    from makeweight.synthesizer import Synthesizer

    common: dict[str, Any] = {"limits": request.limits, "random_state": request.seed, "n_jobs": request.jobs}
    if request.load is not None:
        return Synthesizer.load(request.load, file.frame, **common)
    group_by = _options.attributes(request.group_by, file.frame.columns)
    _options.refuse_roles_of_other_kinds(request.target, group_by, request.kinds)
    synth = Synthesizer(
        request.generator,
        options=_endpoint.options_of(request),
        kinds=request.kinds,
        constraints=request.constraints,
        **common,
    ).fit(file.frame, target=request.target, group_by=group_by)
    if request.save is not None:
        synth.save(request.save)
    return synth


def _check_request(request: SampleRequest) -> None:
    from makeweight.table.files import check_destination

    if request.as_json and request.output == "-":
        raise OptionError("--json and the rows cannot both go to standard output", hint="add -o FILE")
    check_destination(request.output, force=request.force, data=request.data)
    if request.load is not None:
        stated = {
            "--target": request.target is not None,
            "--group-by": bool(request.group_by),
            "--kind": bool(request.kinds),
            "--option": bool(request.options),
            "--constraint": bool(request.constraints),
            "--save": request.save is not None,
        }
        for flag, given in stated.items():
            if given:
                raise OptionError(
                    f"{flag} is part of what was learned", got=f"--load {request.load}", hint="leave it out"
                )


def read_where(texts: tuple[str, ...], schema: Schema) -> dict[Any, Any]:
    """Return conditions by column, as `Synthesizer.sample` takes them.

    >>> import pandas as pd
    >>> from makeweight import Schema
    >>> schema = Schema.infer(pd.DataFrame({"age": [18, 25, 31], "city": ["Rome", "Oslo", "a..b"]}))
    >>> read_where(("age=18..30", "city=Rome", "city=a..b"), schema)
    {'age': ('18', '30'), 'city': ['Rome', 'a..b']}
    """
    where: dict[Any, Any] = {}
    for text in texts:
        names = [name for name in schema.names if text.startswith(f"{name}=")]
        name: Any = max(names, key=lambda each: len(str(each))) if names else text.partition("=")[0]
        if "=" not in text:
            raise OptionError(
                "--where takes COL=VALUE", got=repr(text[:80]), hint="--where churn=yes --where age=18..30"
            )
        column, value = schema[name], text[len(str(name)) + 1 :]
        known = column.categories is not None and value in set(map(str, column.categories))
        wanted: Any = value if value else None
        if RANGE in value and not known:
            low, _, high = value.partition(RANGE)
            wanted = (low or None, high or None)
        if name not in where:
            where[name] = wanted
        elif isinstance(wanted, tuple) or isinstance(where[name], tuple):
            raise OptionError("a range stands alone", where=f"--where {name}", hint=f"--where {name}=LOW..HIGH once")
        else:
            where[name] = [*(where[name] if isinstance(where[name], list) else [where[name]]), wanted]
    return where


def _report(request: SampleRequest, outcome: _Outcome) -> dict[str, object]:
    return {
        "source": outcome.file.source,
        "output": request.output,
        "target": request.target,
        "where": {str(name): wanted for name, wanted in outcome.where.items()},
        "n_requested": request.n,
        "n_written": len(outcome.generation),
        "total_seconds": outcome.seconds,
        **outcome.generation.to_dict(),
    }


def _print(out: Any, request: SampleRequest, outcome: _Outcome) -> None:
    generation = outcome.generation
    out.print(f"{outcome.file.source}: {len(outcome.file.frame):,} rows x {outcome.file.frame.shape[1]} columns")
    print_ledger(out, generation.ledger)
    out.print()
    took = f"{_show.seconds(generation.seconds)}, {_show.seconds(outcome.seconds)} in all"
    out.print(f"{len(generation):,} rows by {generation.generator} in {took}, seed {request.seed}")
    for note in generation.notes:
        out.print(f"note: {note}")
    if generation.ledger.shortfall:
        out.print(f"warning: {generation.ledger.shortfall:,} rows short, see the ledger")
    place = "standard output" if request.output == "-" else request.output
    out.print(f"wrote {len(generation):,} rows to {place}")
