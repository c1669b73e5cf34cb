"""The command line: parse, call, print.

Results go to standard output or to a file; progress and messages go to standard error. Exit codes: 0 done,
2 bad input, 3 fewer rows than asked for, 130 interrupted.
"""

from __future__ import annotations

import errno
import io
import logging
import os
import signal
import sys
import tempfile
import threading
import traceback
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import click
from click.shell_completion import shell_complete

from makeweight import __version__
from makeweight.cli._again import again
from makeweight.cli._app import COMMANDS, app
from makeweight.cli._codes import BAD_INPUT, BROKEN_PIPE, INTERRUPTED, SHORTFALL
from makeweight.errors import FileProblem, GenerationShortfall, MakeweightError, OptionError, nearest

__all__ = ["main"]

#: Set by the line that `_MAKEWEIGHT_COMPLETE=bash_source makeweight` writes, and when it asks for words.
COMPLETE = "_MAKEWEIGHT_COMPLETE"


def main(args: Sequence[str] | None = None) -> int:
    """Run the command line."""
    given = list(sys.argv[1:] if args is None else args)
    if args is None and COMPLETE in os.environ:  # what a shell asks for on TAB
        return shell_complete(app, {}, "makeweight", COMPLETE, os.environ[COMPLETE])
    _replace_what_cannot_be_shown()
    status = _run(given)
    if status == INTERRUPTED:
        click.echo(f"to go on: {again(given)}", err=True)
    return status


def _run(given: list[str]) -> int:
    """Run the command; answer every error."""
    try:
        with warnings.catch_warnings(), _stopped_by_terminate(), _logged():
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
        if isinstance(error, GenerationShortfall) and error.generation.ledger.interrupted:
            return INTERRUPTED
        return _answer(error, given)
    except KeyboardInterrupt:
        click.echo("interrupted: nothing was written", err=True)
        return INTERRUPTED
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        return BAD_INPUT
    except click.ClickException as error:
        return _answer(_translated(error), given)
    except BrokenPipeError:
        _give_up_output()
        return BROKEN_PIPE
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EIO) and error.filename is None:
            _give_up_output()
            return _answer(FileProblem("cannot write", where="standard output", got=error.strerror), [])
        if error.errno is None:
            return _answer(_unexpected(error), given)
        return _answer(
            FileProblem(
                "a file cannot be used",
                where=None if error.filename is None else str(error.filename)[:200],
                got=error.strerror,
                hint="check the name, the free space and the permissions",
            ),
            given,
        )
    except MemoryError:
        return _answer(
            MakeweightError(
                "there is not enough memory",
                hint="take fewer rows or columns, or balance part files: --engine local, DATA and -o folders",
            ),
            given,
        )
    except UnicodeEncodeError as error:
        if not any("\ud800" <= letter <= "\udfff" for word in given for letter in word):
            return _answer(_unexpected(error), given)
        got = "bytes that the encoding of this system does not have"
        return _answer(OptionError("an argument is no text", got=got, hint="write it in UTF-8"), given)
    except Exception as error:  # noqa: BLE001 - the last net: what nobody expected is one line, and a file
        return _answer(_unexpected(error), given)


def _replace_what_cannot_be_shown() -> None:
    """Let consoles that lack a character show another one in its place."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


@contextmanager
def _logged() -> Iterator[None]:
    """Print what the package logs, such as how long something takes, as lines on standard error."""
    logger, handler = logging.getLogger("makeweight"), _Lines()
    level, propagates = logger.level, logger.propagate
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.propagate = False
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
        logger.propagate = propagates


class _Lines(logging.Handler):
    """Prints messages as they are."""

    def emit(self, record: logging.LogRecord) -> None:
        click.echo(record.getMessage(), err=True)


@contextmanager
def _stopped_by_terminate() -> Iterator[None]:
    """Treat a request to terminate as an interrupt: what is half written is removed."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _unexpected(error: BaseException) -> MakeweightError:
    """Return what to say of an error that nobody expected; its traceback is kept in a file."""
    text = "".join(traceback.format_exception(error))
    kept = "with this line"
    try:
        with tempfile.NamedTemporaryFile(
            "w", prefix="makeweight-", suffix=".log", delete=False, encoding="utf-8", errors="replace"
        ) as file:
            file.write(f"makeweight {__version__}, Python {sys.version}\n{text}")
            kept = f"with {file.name}"
    except OSError:  # nowhere to keep it: the line that is printed has to do
        pass
    message = " ".join(str(error).split())[:200]
    return MakeweightError(
        "something unexpected happened",
        got=f"{type(error).__name__}: {message}" if message else type(error).__name__,
        hint=f"this is a fault of makeweight: report it where you got it from, {kept}",
    )


def _give_up_output() -> None:
    """Keep the interpreter from complaining at exit about output that nobody can take."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _answer(error: MakeweightError, given: Sequence[str]) -> int:
    """Print an error and what to do about it, and return the exit code."""
    click.echo(f"error: {error.message}", err=True)
    click.echo(f"hint: {error.hint or _help(given)}", err=True)
    if "--json" in given:
        from makeweight.cli._show import print_json

        details = {name: getattr(error, name) for name in ("what", "where", "got", "expected", "hint")}
        print_json({"error": {"type": type(error).__name__, **details}})
    if isinstance(error, GenerationShortfall):
        return SHORTFALL
    return BAD_INPUT


def _help(given: Sequence[str]) -> str:
    command = next((f" {word}" for word in given if word in COMMANDS), "")
    return f"makeweight{command} --help"


def _translated(error: click.ClickException) -> MakeweightError:
    """Say what is wrong with the command line in the form of every other error."""
    context = getattr(error, "ctx", None)
    usage = f"{context.command_path} --help" if context is not None else "makeweight --help"
    if isinstance(error, click.NoSuchOption) and context is not None:
        known = [name for parameter in context.command.params for name in parameter.opts]
        return OptionError("no such option", got=error.option_name, hint=nearest(error.option_name, known, usage))
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
