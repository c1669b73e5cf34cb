"""Options that commands share, and how their text is read."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import click

from makeweight.errors import OptionError, nearest

if TYPE_CHECKING:
    from makeweight.table import Schema
    from makeweight.table.io import TableFile

F = TypeVar("F", bound=Callable[..., Any])

STRATEGIES = {
    "auto": "auto",
    "minority": "minority",
    "not-minority": "not minority",
    "not-majority": "not majority",
    "all": "all",
}


def pairs(what: str) -> Callable[..., dict[str, str]]:
    """Return a callback that reads repeated ``NAME=VALUE`` into a dict."""

    def read(ctx: click.Context, param: click.Parameter, values: tuple[str, ...]) -> dict[str, str]:
        values_by_name: dict[str, str] = {}
        for text in values:
            name, sign, value = text.rpartition("=") if what == "COL=KIND" else text.partition("=")
            if not sign or not name:
                raise OptionError(f"{param.opts[0]} takes {what}", got=repr(text))
            values_by_name[name] = value
        return values_by_name

    return read


def data_options(function: F) -> F:
    """Add DATA and the options that say how it is read."""
    decorated: F = click.argument("data")(reading_options(function))
    return decorated


def reading_options(function: F) -> F:
    """Add the options that say how a table is read."""
    for decorate in reversed(
        (
            click.option(
                "--group-by", metavar="COL", multiple=True, help="Grouping attributes; repeated, or with commas."
            ),
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
    ):
        function = decorate(function)
    return function


def names(ctx: click.Context, param: click.Parameter, values: tuple[str, ...]) -> tuple[str, ...] | None:
    """Read names that are repeated, or have commas between them; None where there are none."""
    if not values:
        return None
    parts = tuple(part.strip() for value in values for part in value.split(",") if part.strip())
    if not parts:
        raise OptionError(f"{param.opts[0]} takes names, repeated or with commas", got=repr(", ".join(values)))
    return parts


def attributes(texts: Sequence[str], columns: Collection[object]) -> tuple[str, ...]:
    """Return the columns that --group-by names; a text that is itself a column's name is that column.

    Examples
    --------
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


def read_strategy(text: str) -> str | float | dict[str, int]:
    """Read ``--strategy``: a name, a ratio, or final counts as JSON.

    Examples
    --------
    >>> read_strategy("not-minority"), read_strategy("0.5"), read_strategy('{"yes": 500}')
    ('not minority', 0.5, {'yes': 500})
    """
    name = text.strip().replace(" ", "-")
    if name in STRATEGIES:
        return STRATEGIES[name]
    try:
        return float(text)
    except ValueError:  # neither a name nor a ratio: counts
        pass
    if not text.lstrip().startswith("{"):
        close = nearest(name, STRATEGIES)
        raise OptionError(
            "unknown strategy",
            got=repr(text),
            expected="a name, a ratio in (0, 1], or final counts as JSON",
            hint=close if close.startswith("did") else """for example --strategy '{"yes": 500}'""",
        )
    try:
        counts = json.loads(text)
    except json.JSONDecodeError as error:
        raise OptionError(
            "--strategy is not valid JSON",
            got=f"{error.msg} at character {error.pos}",
            hint="""quote it for the shell: --strategy '{"yes": 500, "no": 800}'""",
        ) from None
    return dict(counts)
