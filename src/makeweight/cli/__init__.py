"""The command line: parse, call, print.

Results go to standard output or to a file; progress and messages go to standard error. Exit codes: 0 done,
2 bad input, 3 fewer rows than asked for, 130 interrupted.
"""

from __future__ import annotations

import errno
import os
import sys
import warnings
from collections.abc import Sequence

import click

from makeweight.cli._app import app
from makeweight.cli._codes import BAD_INPUT, BROKEN_PIPE, INTERRUPTED, SHORTFALL
from makeweight.errors import FileProblem, GenerationShortfall, MakeweightError, OptionError, nearest

__all__ = ["main"]


def main(args: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    args : sequence of str, optional
        By default what the process was started with.

    Returns
    -------
    int
        The exit code. Mistakes of the user are reported on standard error; anything else is raised.
    """
    given = list(sys.argv[1:] if args is None else args)
    try:
        with warnings.catch_warnings():
            warnings.showwarning = _show_warning
            # joblib's, of a process that keeps much memory and is replaced by a fresh one: nothing is wrong
            warnings.filterwarnings("ignore", "A worker stopped while some jobs were given", UserWarning)
            with app.make_context("makeweight", given) as context:
                app.invoke(context)
            sys.stdout.flush()
        return 0
    except click.exceptions.Exit as done:
        return done.exit_code
    except MakeweightError as error:
        if _interrupted(error):
            return INTERRUPTED
        return _tell(error, "--json" in given)
    except KeyboardInterrupt:
        click.echo("interrupted: nothing was written", err=True)
        return INTERRUPTED
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        return BAD_INPUT
    except click.ClickException as error:
        return _tell(_translated(error), "--json" in given)
    except BrokenPipeError:
        _give_up_output()
        return BROKEN_PIPE
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EIO):
            raise
        _give_up_output()
        return _tell(FileProblem("cannot write", where="standard output", got=error.strerror), False)


def _give_up_output() -> None:
    """Keep the interpreter from complaining at exit about output that nobody can take."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _interrupted(error: MakeweightError) -> bool:
    if not isinstance(error, GenerationShortfall):
        return False
    return any(entry.stopped == "interrupted" for entry in error.generation.ledger)


def _tell(error: MakeweightError, as_json: bool) -> int:
    click.echo(f"error: {error.message}", err=True)
    if error.hint:
        click.echo(f"hint: {error.hint}", err=True)
    if as_json:
        from makeweight.cli._show import print_json

        details = {name: getattr(error, name) for name in ("what", "where", "got", "expected", "hint")}
        print_json({"error": {"type": type(error).__name__, **details}})
    if isinstance(error, GenerationShortfall):
        return SHORTFALL
    return BAD_INPUT


def _translated(error: click.ClickException) -> MakeweightError:
    """Say what is wrong with the command line in the form of every other error."""
    context = getattr(error, "ctx", None)
    usage = f"{context.command_path} --help" if context is not None else "makeweight --help"
    if isinstance(error, click.NoSuchOption) and context is not None:
        known = [name for parameter in context.command.params for name in parameter.opts]
        close = nearest(error.option_name, known)
        return OptionError("no such option", got=error.option_name, hint=close if close.startswith("did") else usage)
    if isinstance(error, click.MissingParameter) and error.param is not None:
        is_target = error.param.name == "target"
        hint = "makeweight inspect DATA lists the columns to choose from" if is_target else usage
        if isinstance(error.param, click.Option):
            return OptionError(f"missing option {error.param.opts[0]}", hint=hint)
        return OptionError(f"missing argument {str(error.param.name).upper()}", hint=hint)
    text = error.format_message().rstrip(".")
    return OptionError(text[:1].lower() + text[1:], hint=usage)


def _show_warning(message: Warning | str, *_: object, **__: object) -> None:
    click.echo(f"warning: {message}", err=True)
