"""The command group, which imports a command only when it runs."""

from __future__ import annotations

import importlib
from typing import Any

import click

from makeweight import __version__
from makeweight.errors import OptionError, nearest

#: Command, and its line in the help; the code is in the module of the same name in this room.
COMMANDS = {
    "inspect": "Show the kind of every column, with the reason, and the groups with their counts.",
    "balance": "Write the rows that a table is missing.",
    "sample": "Write rows like those of a table, under conditions on any columns.",
    "split": "Split a table into rows to learn from and rows to judge by, before it is balanced.",
    "evaluate": "Say whether synthetic rows help, for which estimator and groups, and what is cheaper.",
    "scaling": "Measure how much adding rows lowers the balanced log-loss, and say how many are worth it.",
    "report": "Say whether a synthetic table is any good: coded checks, one verdict, one page.",
    "generators": "List the generators: what each needs and is good for; or the options of the one called NAME.",
    "reproduce": "Run the published experiments again, and compare arms that see the same rows.",
    "pretrain": "Pretrain an in-context network on tables drawn from its prior.",
    "doctor": "Check the installation, with a one-line fix for what does not work.",
    "demo": "Balance a real table from end to end, and measure whether it helped.",
}


class LazyGroup(click.Group):
    """A group that knows its commands by name and imports them one by one."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(f"makeweight.cli.{cmd_name}").command
        command.name = cmd_name  # each is a function called `command`
        return command

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        if args and not ctx.resilient_parsing and args[0] not in COMMANDS and not args[0].startswith("-"):
            raise OptionError("no such command", got=args[0], hint=nearest(args[0], COMMANDS))
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.command(
    cls=LazyGroup,
    epilog="Start with: makeweight demo, or makeweight inspect DATA --target COLUMN",
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(__version__, prog_name="makeweight")
def app() -> None:
    """Add the rows a table is missing.

    makeweight oversamples rare classes and rare (label x attribute) groups of a table with synthetic rows,
    and says honestly whether it helped.
    """
