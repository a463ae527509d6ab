"""``lambent sources``: the event source mappings, how each fares; pausing, resuming or replaying one."""

import json
import sys
import urllib.request
from collections.abc import Mapping
from typing import Annotated, Any

import typer

from lambent.cli import client, console
from lambent.cli.failures import CliError, reported
from lambent.cli.options import DEFAULT_ENDPOINT, EndpointOption
from lambent.cli.source_replay import replay_command

COLUMNS = (
    *("UUID", "SOURCE", "FUNCTION", "STATE", "LAG", "IN FLIGHT", "INVOKED", "RETRIED"),
    *("GIVEN UP", "LAST RESULT"),
)
_TIMEOUT_S = 10.0

app = typer.Typer(
    help="Show event source mappings and how they fare; pause, resume or replay one.",
    invoke_without_command=True,
)
UuidArgument = Annotated[
    str, typer.Argument(metavar="UUID", help="The mapping's UUID.", show_default=False)
]


@app.callback()
@reported
def ls(ctx: typer.Context, endpoint: EndpointOption = DEFAULT_ENDPOINT) -> None:
    """List the mappings: a table on a terminal, tab-separated lines elsewhere."""
    if ctx.invoked_subcommand is not None:
        return
    with client.connected("lambda", endpoint) as functions:
        pages = functions.get_paginator("list_event_source_mappings").paginate()
        mappings = [mapping for page in pages for mapping in page["EventSourceMappings"]]
    if not mappings:
        console.err().print("No event source mappings yet.")
        return
    fares = {each["uuid"]: each for each in _fares(client.checked_endpoint(endpoint))}
    rows = [row(mapping, fares.get(mapping["UUID"], {})) for mapping in mappings]
    if sys.stdout.isatty():
        _print_table(rows)
    else:
        for cells in (COLUMNS, *rows):
            print("\t".join(cells))


@app.command("pause")
@reported
def pause(uuid: UuidArgument, endpoint: EndpointOption = DEFAULT_ENDPOINT) -> None:
    """Stop polling: what waits in the source stays there."""
    _set_enabled(uuid, endpoint, enabled=False)


@app.command("resume")
@reported
def resume(uuid: UuidArgument, endpoint: EndpointOption = DEFAULT_ENDPOINT) -> None:
    """Poll again."""
    _set_enabled(uuid, endpoint, enabled=True)


def row(mapping: Mapping[str, Any], fares: Mapping[str, Any]) -> tuple[str, ...]:
    """One mapping's cells, as in ``COLUMNS``; what is not known is ``-``."""
    numbers = (fares.get(name) for name in ("in_flight", "invoked", "retried", "given_up"))
    return (
        str(mapping["UUID"]),
        str(mapping.get("EventSourceArn") or fares.get("source", "-")).split(":", 5)[-1],
        str(mapping["FunctionArn"]).partition(":function:")[2],
        str(mapping["State"]),
        _lag(fares),
        *("-" if number is None else str(number) for number in numbers),
        str(fares.get("last_result") or mapping.get("LastProcessingResult") or "-"),
    )


def _lag(fares: Mapping[str, Any]) -> str:
    """Messages that wait in a queue or topic, or how far behind a stream's newest record its slowest shard is."""
    if fares.get("lag") is not None:
        return str(fares["lag"])
    return "-" if fares.get("lag_ms") is None else f"{fares['lag_ms'] / 1000:.1f} s"


def _set_enabled(uuid: str, endpoint: str, *, enabled: bool) -> None:
    with client.connected("lambda", endpoint) as functions:
        shown = functions.update_event_source_mapping(UUID=uuid, Enabled=enabled)
    console.out().print(f"{uuid} is {shown['State']}.", markup=False)


def _fares(endpoint: str) -> list[dict[str, Any]]:
    """What ``GET /_lambent/sources`` says."""
    url = f"{endpoint}/_lambent/sources"
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    opener.addheaders = list(client.signed_headers(url).items())
    try:
        with opener.open(url, timeout=_TIMEOUT_S) as answer:
            found: list[dict[str, Any]] = json.load(answer)["sources"]
    except (OSError, ValueError, KeyError) as error:
        raise CliError(
            f"{url} did not say how they fare.", "See whether it is well: lambent doctor"
        ) from error
    return found


app.command("replay")(replay_command(_fares))


def _print_table(rows: list[tuple[str, ...]]) -> None:
    from rich.markup import escape  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415

    table = Table(box=None, pad_edge=False, header_style="dim")
    for column in COLUMNS:
        table.add_column(column, justify="right" if column in COLUMNS[4:9] else "left")
    for cells in rows:
        table.add_row(*(escape(cell) for cell in cells))
    console.out().print(table)
