"""``lambent ls``: every function with its state."""

from collections.abc import Callable
from typing import Any

import pytest

from lambent.cli.ls import COLUMNS, row, size_text

Run = Callable[..., Any]


def test_lists_functions_by_name(lambent: Run, platform: Any) -> None:
    """Off a terminal the cells are tab-separated, a heading first."""
    for name in ("zeta", "alpha"):
        platform.functions[name] = {
            "FunctionName": name,
            "Runtime": "python3.11",
            "MemorySize": 128,
            "Timeout": 3,
            "CodeSize": 1500,
            "State": "Active",
            "LastModified": "2026-01-02T03:04:05.678+0000",
        }
    done = lambent("ls")
    cells = [line.split("\t") for line in done.stdout.splitlines()]
    assert cells[0] == list(COLUMNS)
    assert [line[0] for line in cells[1:]] == ["alpha", "zeta"]
    assert cells[1][1:] == [
        "python3.11",
        "128 MB",
        "3 s",
        "1.5 kB",
        "Active",
        "2026-01-02 03:04:05",
    ]


def test_says_what_to_do_when_there_is_none(lambent: Run) -> None:
    """An empty list is no error, and a hint is no output."""
    done = lambent("ls")
    assert (done.exit_code, done.stdout) == (0, "")
    assert "lambent deploy DIR" in done.stderr


@pytest.mark.parametrize("update", ["InProgress", "Failed"])
def test_shows_an_update_that_is_not_through(update: str) -> None:
    """An active function with an unfinished or failed update says so."""
    function = {"FunctionName": "f", "State": "Active", "LastUpdateStatus": update}
    assert row(function)[5] == f"Active, update {update}"


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (12_000_000, "12.0 MB"), (2 * 10**9, "2.0 GB")],
)
def test_writes_sizes(size: int, text: str) -> None:
    """Sizes are decimal with one place."""
    assert size_text(size) == text
