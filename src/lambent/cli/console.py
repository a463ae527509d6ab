"""Where the command line writes: colour on a terminal, plain unwrapped text anywhere else."""

import sys
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

PLAIN_WIDTH = 10_000
"""Columns when nobody looks: wide enough that a line of a log or a file stays one line."""


def out() -> "Console":
    """Standard output as it is now (a test may have replaced it)."""
    return _console(sys.stdout)


def err() -> "Console":
    """Standard error as it is now."""
    return _console(sys.stderr)


def write_line(screen: "Console", text: str, style: str | None = None) -> None:
    """What others wrote (a log, a stack), unwrapped: styled on a terminal, untouched elsewhere."""
    if screen.is_terminal:
        screen.print(text, style=style, markup=False, soft_wrap=True)
    else:
        screen.file.write(text + "\n")
        screen.file.flush()


def _console(stream: IO[str]) -> "Console":
    from rich.console import Console  # noqa: PLC0415 - half of what `lambent --help` would cost

    terminal = stream.isatty()
    return Console(
        file=stream,
        width=None if terminal else PLAIN_WIDTH,
        highlight=False,
        emoji=False,
        soft_wrap=not terminal,
    )
