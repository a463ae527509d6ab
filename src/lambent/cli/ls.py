"""``lambent ls``: the functions there are."""

import sys
from collections.abc import Iterator, Mapping
from typing import Any

from lambent.cli import client, console
from lambent.cli.options import DEFAULT_ENDPOINT, EndpointOption

COLUMNS = ("NAME", "RUNTIME", "MEMORY", "TIMEOUT", "CODE SIZE", "STATE", "LAST MODIFIED (UTC)")


def ls(endpoint: EndpointOption = DEFAULT_ENDPOINT) -> None:
    """List the functions: a table on a terminal, tab-separated lines elsewhere."""
    with client.connected("lambda", endpoint) as functions:
        rows = [row(function) for function in every_function(functions)]
    if not rows:
        console.err().print("No functions yet. Deploy one with: lambent deploy DIR")
        return
    if sys.stdout.isatty():
        _print_table(rows)
    else:
        for cells in (COLUMNS, *rows):
            print("\t".join(cells))


def every_function(functions: Any) -> Iterator[Mapping[str, Any]]:
    """The configuration of each function, by name, with its state."""
    pages = functions.get_paginator("list_functions").paginate()
    found = [function for page in pages for function in page["Functions"]]
    for function in sorted(found, key=lambda each: str(each["FunctionName"])):
        if "State" in function:
            yield function
            continue
        try:  # AWS: ListFunctions leaves the state out
            yield functions.get_function_configuration(FunctionName=function["FunctionName"])
        except functions.exceptions.ResourceNotFoundException:
            continue  # deleted since it was listed


def row(function: Mapping[str, Any]) -> tuple[str, ...]:
    """One function's cells, as in ``COLUMNS``."""
    state = str(function.get("State", "-"))
    if state == "Active" and function.get("LastUpdateStatus") in {"InProgress", "Failed"}:
        state = f"Active, update {function['LastUpdateStatus']}"
    return (
        str(function["FunctionName"]),
        str(function.get("Runtime", "-")),
        f"{function.get('MemorySize', '-')} MB",
        f"{function.get('Timeout', '-')} s",
        size_text(int(function.get("CodeSize", 0))),
        state,
        str(function.get("LastModified", "-"))[:19].replace("T", " "),
    )


def size_text(size_bytes: int) -> str:
    """``512 B``, ``1.5 kB``, ``12.0 MB``: decimal, as AWS counts uploads."""
    size = float(size_bytes)
    for unit in ("B", "kB", "MB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} GB"


def _print_table(rows: list[tuple[str, ...]]) -> None:
    from rich.markup import escape  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415

    table = Table(box=None, pad_edge=False, header_style="dim")
    for column in COLUMNS:
        table.add_column(column, justify="right" if column in COLUMNS[2:5] else "left")
    for cells in rows:
        colour = "green" if cells[5] == "Active" else "yellow"
        table.add_row(
            f"[bold]{escape(cells[0])}[/]", *cells[1:5], f"[{colour}]{cells[5]}[/]", cells[6]
        )
    console.out().print(table)
