"""Options that commands share, and how their text is read."""

from __future__ import annotations

import math
import secrets
from collections.abc import Callable, Collection, Sequence
from functools import reduce
from typing import TYPE_CHECKING, Any, TypeVar

import click

from makeweight.errors import OptionError, nearest
from makeweight.generators import DEFAULT_GENERATOR

if TYPE_CHECKING:
    from makeweight.generators.ledger import Ledger
    from makeweight.measure.learners import Learner
    from makeweight.table import Schema
    from makeweight.table.io import TableFile

#: Processes or threads at the same time, at most.
MOST_JOBS = 1024

F = TypeVar("F", bound=Callable[..., Any])

EXAMPLES = {"COL=KIND": "zip=categorical", "KEY=VALUE": "bandwidth=0.5"}
STRATEGIES = {
    "auto": "auto",
    "minority": "minority",
    "not-minority": "not minority",
    "not-majority": "not majority",
    "all": "all",
}


EXAMPLE = """for example --strategy '{"yes": 500}', or makeweight inspect DATA --target COL for the groups"""
LISTED = """--strategy '[{"y": "yes", "sex": "F", "rows": 500}]'"""
#: Rows that can be asked for of one group.
MOST_ROWS = 10**12


def pairs(what: str) -> Callable[..., dict[str, str]]:
    """Return a callback that reads repeated ``NAME=VALUE`` into a dict."""

    def read(ctx: click.Context, param: click.Parameter, values: tuple[str, ...]) -> dict[str, str]:
        values_by_name: dict[str, str] = {}
        for text in values:
            name, sign, value = text.rpartition("=") if what == "COL=KIND" else text.partition("=")
            if not sign or not name or not value:
                raise OptionError(
                    f"{param.opts[0]} takes {what}",
                    got=repr(text[:80]),
                    hint=f"for example {param.opts[0]} {EXAMPLES[what]}",
                )
            values_by_name[name] = value
        return values_by_name

    return read


class Number(click.FloatRange):
    """A finite number in a range; what Python also reads as numbers, nan and inf, is refused."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        number = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value!r} is not a finite number.", param, ctx)
        return number


class Jobs(click.ParamType[int]):
    """How many at the same time: 1 or more, or -1 for as many as there are cores."""

    name = "jobs"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        jobs: int = click.INT.convert(value, param, ctx)
        if jobs != -1 and not 1 <= jobs <= MOST_JOBS:
            self.fail(f"{value!r} is neither -1 (every core) nor a number from 1 to {MOST_JOBS}.", param, ctx)
        return jobs


def names(ctx: click.Context, param: click.Parameter, values: tuple[str, ...]) -> tuple[str, ...] | None:
    """Read names that are repeated, or have commas between them; None where there are none."""
    if not values:
        return None
    parts = tuple(part.strip() for value in values for part in value.split(",") if part.strip())
    if not parts:
        raise OptionError(f"{param.opts[0]} takes names, repeated or with commas", got=repr(", ".join(values)))
    return parts


def learners(texts: Sequence[str]) -> dict[str, Learner]:
    """Return learners by what they are called on the command line: names of ours, and MODULE:NAME or FILE.py:NAME."""
    from makeweight.measure.brought import bring_classifier, is_brought

    return {text: bring_classifier(text) if is_brought(text) else text for text in texts}


def attributes(texts: Sequence[str], columns: Collection[object]) -> tuple[str, ...]:
    """Return the columns that --group-by names; a text that is itself a column's name is that column.

    >>> attributes(["sex,age", "a,b"], ["sex", "age", "a,b"])
    ('sex', 'age', 'a,b')
    """
    parts = ((text,) if text in columns else text.split(",") for text in texts)
    return tuple(part.strip() for several in parts for part in several)


def drawn_seed(ctx: click.Context, param: click.Parameter, value: int | None) -> int:
    """Return the seed that was given, or one that is drawn; commands print it."""
    return secrets.randbits(32) if value is None else value


SEED = "The same seed gives the same result; without it one is drawn and printed."
seed_option = click.option("--seed", metavar="S", type=click.IntRange(min=0), callback=drawn_seed, help=SEED)
json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object to standard output.")
target_option = click.option("--target", metavar="COL", required=True, help="Column with the labels.")
rows_option = click.option(
    "-o", "--output", metavar="FILE", default="-", help="CSV, TSV, Parquet or Feather; by default standard output."
)
copies_option = click.option(
    "--copies",
    type=click.Choice(["auto", "reject", "accept"]),
    default="auto",
    show_default=True,
    help="What to do with exact copies of real rows.",
)
constraint_option = click.option(
    "--constraint",
    "constraints",
    metavar="TEXT",
    multiple=True,
    help='What every row obeys, such as "start <= end"; names with blanks go between backticks. May be repeated.',
)


def jobs_option(default: int, what: str) -> Callable[[F], F]:
    """Return --jobs, which says how many of what go on at the same time."""
    return click.option("--jobs", metavar="N", type=Jobs(), default=default, show_default=True, help=what)


def together(*options: Callable[[F], F]) -> Callable[[F], F]:
    """Return one decorator that adds several options, in this order."""
    return lambda function: reduce(lambda decorated, option: option(decorated), reversed(options), function)


def complete_generator(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    """Return the names of generators that begin as typed."""
    from makeweight.generators.registry import names

    return [name for name in names() if name.startswith(incomplete)]


def generator_options(what: str) -> Callable[[F], F]:
    """Return --generator and --option."""
    return together(
        click.option(
            "--generator",
            metavar="NAME",
            default=DEFAULT_GENERATOR,
            show_default=True,
            shell_complete=complete_generator,
            help=what,
        ),
        click.option(
            "--option",
            "options",
            metavar="KEY=VALUE",
            multiple=True,
            callback=pairs("KEY=VALUE"),
            help="Option of the generator; may be repeated.",
        ),
    )


#: How a table is read.
reading_options = together(
    click.option("--group-by", metavar="COL", multiple=True, help="Grouping attributes; repeated, or with commas."),
    click.option(
        "--kind",
        "kinds",
        metavar="COL=KIND",
        multiple=True,
        callback=pairs("COL=KIND"),
        help="What a column is: continuous, integer, categorical, boolean, datetime, text or identifier.",
    ),
    click.option(
        "--missing",
        metavar="TEXT",
        multiple=True,
        help='Text that stands for a missing value, besides the blank cell, "NA", "NaN", "NULL".',
    ),
    click.option("--no-header", is_flag=True, help="The first line holds values; name the columns c1, c2, ..."),
)
data_options = together(click.argument("data"), reading_options)
#: What holds while rows are written.
limit_options = together(
    copies_option,
    click.option(
        "--on-shortfall",
        type=click.Choice(["raise", "warn"]),
        default="raise",
        show_default=True,
        help="When fewer rows than asked for can be written: fail with exit code 3, or write what there is.",
    ),
    click.option(
        "--max-seconds", metavar="S", type=Number(min=0, min_open=True), help="Stop writing rows after this time."
    ),
)


def raised_limits(ledger: Ledger) -> list[str]:
    """Return which flags raise the limits that cut groups short."""
    limits = {entry.stopped.partition("=")[0] for entry in ledger if entry.stopped.startswith("max_")}
    flags = {"max_cost": "--max-cost USD", "max_seconds": "--max-seconds S"}
    return [f"raise {flags.get(limit, f'--option {limit}=N')}" for limit in sorted(limits)]


def load(data: str, kinds: dict[str, str], missing: tuple[str, ...], no_header: bool) -> TableFile:
    """Read DATA as its options say."""
    from makeweight.table import Kind
    from makeweight.table.io import read_table

    stated = {name: Kind.parse(kind) for name, kind in kinds.items()}
    return read_table(data, header=not no_header, missing=missing, kinds=stated)


def infer(file: TableFile, target: str | None, group_by: tuple[str, ...], kinds: dict[str, str]) -> Schema:
    """Return the schema of a table that was read."""
    from makeweight.table import Schema

    group_by = attributes(group_by, file.frame.columns)
    refuse_roles_of_other_kinds(target, group_by, kinds)
    return Schema.infer(file.frame, target=target, group_by=group_by, kinds=kinds)


def refuse_roles_of_other_kinds(target: str | None, group_by: tuple[str, ...], kinds: dict[str, str]) -> None:
    """Refuse a kind that target or attributes cannot have."""
    from makeweight.table import Kind

    for name in (target, *group_by):
        if name is not None and kinds.get(name, Kind.CATEGORICAL) != Kind.CATEGORICAL:
            raise OptionError(
                "the target and grouping attributes are categories",
                got=f"--kind {name}={kinds[name]}",
                hint=f"leave it out, or --kind {name}=categorical to keep its text as it is",
            )


def read_strategy(text: str) -> str | float | dict[Any, int]:
    """Return what ``--strategy`` says: a name, a ratio, or final counts as JSON.

    Counts are an object by label or group, or a list of objects that name every column and the rows.

    >>> read_strategy("not-minority"), read_strategy("0.5"), read_strategy('{"yes": 500}')
    ('not minority', 0.5, {'yes': 500})
    >>> read_strategy('[{"y": "Yes, often", "sex": "F", "rows": 30}]')
    {(('y', 'Yes, often'), ('sex', 'F')): 30}
    """
    name = text.strip().replace(" ", "-")
    if name in STRATEGIES:
        return STRATEGIES[name]
    try:
        ratio = float(text)
    except ValueError:  # neither a name nor a ratio: counts
        return _counts(text, name)
    if not 0 < ratio <= 1:
        raise OptionError("a ratio of rare to common rows", got=text[:40], expected="a number in (0, 1]", hint=EXAMPLE)
    return ratio


def _counts(text: str, name: str) -> dict[Any, int]:
    from makeweight.table.records import MOST_CHARACTERS, parse_json

    if not text.lstrip().startswith(("{", "[")):
        raise OptionError(
            "unknown strategy",
            got=repr(text[:80]),
            expected="a name, a ratio in (0, 1], or final counts as JSON",
            hint=nearest(name, STRATEGIES, EXAMPLE),
        )
    try:
        if len(text) > MOST_CHARACTERS:
            raise ValueError(f"{len(text):,} characters")
        content = parse_json(text)
    except ValueError as error:
        raise OptionError(
            "--strategy is not valid JSON",
            got=str(error),
            hint="""quote it for the shell: --strategy '{"yes": 500, "no": 800}'""",
        ) from None
    entries = content if isinstance(content, list) else [content]
    if not entries or not all(isinstance(entry, dict) and entry for entry in entries):
        raise OptionError("--strategy names no group", got=text[:80], expected="counts by group", hint=EXAMPLE)
    if isinstance(content, dict):
        counts = content
    else:
        if not all("rows" in entry and len(entry) > 1 for entry in entries):
            raise OptionError("--strategy lacks a number of rows", got=text[:80], expected=LISTED, hint=LISTED)
        if any(isinstance(value, list | dict) for entry in entries for value in entry.values()):
            raise OptionError("--strategy names a group by plain values", got=text[:80], expected=LISTED, hint=LISTED)
        named = [tuple((k, v) for k, v in entry.items() if k != "rows") for entry in entries]
        if len(set(named)) < len(named):
            raise OptionError("--strategy names a group twice", got=text[:80], expected=LISTED, hint=LISTED)
        counts = {group: entry["rows"] for group, entry in zip(named, entries, strict=True)}
    for group, rows in counts.items():
        if isinstance(rows, bool) or not isinstance(rows, int) or not 0 <= rows <= MOST_ROWS:
            raise OptionError(
                "a final count is a number of rows",
                where=f"--strategy, {group!r}"[:120],
                got=str(rows)[:40],
                expected=f"a whole number from 0 to {MOST_ROWS:,}",
                hint=EXAMPLE,
            )
    return counts
