"""Expected failures: one sentence on what is wrong, one on what to do, an exit code, no traceback.

``EXIT_FAILED`` (1): tried and failed. ``EXIT_USAGE`` (2): cannot be tried as asked. 130:
interrupted.
"""

import functools
import sys
from collections.abc import Callable
from typing import ParamSpec

import typer

from lambent.cli import console

EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_INTERRUPTED = 130

P = ParamSpec("P")


class CliError(Exception):
    """What a command could not do (``message``) and what mends it (``remedy``, may be empty)."""

    def __init__(self, message: str, remedy: str = "", exit_code: int = EXIT_FAILED) -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy
        self.exit_code = exit_code


def reported(command: Callable[P, None]) -> Callable[P, None]:
    """``command`` with its expected failures printed to standard error and turned into exit codes.

    Anything else is a bug of ours and keeps its traceback.
    """

    @functools.wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            command(*args, **kwargs)
        except KeyboardInterrupt:
            raise typer.Exit(EXIT_INTERRUPTED) from None
        except BrokenPipeError:
            _forget_standard_output()
            raise typer.Exit(EXIT_FAILED) from None
        except Exception as error:
            failure = error if isinstance(error, CliError) else _explain(error)
            if failure is None:
                raise
            report(failure)
            raise typer.Exit(failure.exit_code) from None

    return run


def report(failure: CliError) -> None:
    """Prints a failure to standard error."""
    screen = console.err()
    screen.print("[bold red]error:[/] ", end="")
    screen.print(failure.message, markup=False)
    if failure.remedy:
        screen.print(failure.remedy, markup=False)


def _forget_standard_output() -> None:
    """After ``lambent logs … | head`` nobody reads; without this Python complains at exit."""
    import os  # noqa: PLC0415 - only here

    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _explain(error: Exception) -> CliError | None:
    """``error`` in words: a file that cannot be used, or what the SDK raised if it is loaded."""
    if isinstance(error, OSError) and error.filename is not None:
        return CliError(f"Cannot use {error.filename}: {error.strerror}.")
    if "botocore.exceptions" not in sys.modules:
        return None
    from lambent.cli import client  # noqa: PLC0415 - a cycle otherwise

    return client.explain(error)
