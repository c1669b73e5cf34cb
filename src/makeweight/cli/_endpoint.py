"""Options of generators that ask an endpoint: what they may spend, send and replay."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

import click

from makeweight.cli import _options
from makeweight.errors import OptionError

if TYPE_CHECKING:
    from makeweight.cli._request import BalanceRequest
    from makeweight.generators.base import Generator
    from makeweight.plan import Plan
    from makeweight.table import Table

#: Put behind the name of the output: the folder that keeps every answer.
ANSWERS = ".answers"


endpoint_options = _options.together(
    click.option(
        "--max-cost",
        metavar="USD",
        type=_options.Number(min=0),
        help="US dollars to spend at most; what was accepted until then is kept.",
    ),
    click.option("--yes", is_flag=True, help="Agree that real rows go to an endpoint that is not on this machine."),
    click.option(
        "--replay",
        metavar="DIR",
        help="Read answers from DIR instead of asking an endpoint; repeat the command that recorded them.",
    ),
)


def options_of(request: BalanceRequest) -> dict[str, object]:
    """Return the options of the generator, those among them that have a flag of their own.

    A generator that asks an endpoint keeps the answers beside the output, unless another folder is named.
    """
    options: dict[str, object] = dict(request.options)
    if not _asks(request.generator):
        for flag, given in (("--yes", request.yes), ("--replay", request.replay is not None)):
            if given:
                raise OptionError(
                    f"{flag} is for generators that ask an endpoint",
                    got=f"--generator {request.generator}",
                    hint="--generator chat, or leave it out",
                )
        return options
    if request.yes:
        options["allow_remote"] = True
    if request.replay is not None:
        options["replay"] = request.replay
    if request.max_cost is not None:
        options.setdefault("max_cost", request.max_cost)
    if request.dry_run:
        options.pop("cache_dir", None)  # nothing is written
        options.setdefault("api_key", "not-needed")  # nor sent
    elif request.replay is None and request.output != "-":
        options.setdefault("cache_dir", request.output + ANSWERS)
    return options


def seed_of(request: BalanceRequest) -> int:
    """Return the seed: stated; any; or, where a rerun is to find its answers again, always the same."""
    if request.seed is not None:
        return request.seed
    return 0 if _asks(request.generator) else secrets.randbits(32)


def preview(generator: Generator, table: Table, plan: Plan) -> str | None:
    """Return one complete request for a group that gets rows; None where no endpoint is asked."""
    import numpy as np

    if not hasattr(generator, "preview"):
        return None
    generator.fit(table, rng=np.random.default_rng(0))
    for entry in plan:
        if entry.n_synthetic:
            return str(generator.preview(entry.group, entry.n_synthetic))
    return None


def _asks(generator: str) -> bool:
    from makeweight.generators.registry import names

    return generator in names("remote")
