"""``lambent sources replay``: a stream's mapping handles again what it had from a position on.

The mapping is paused, set back, and resumed; one that was paused stays so. When it cannot be set back it is
resumed where it was. Records come to the function again: the command asks before it does that.
"""

import json
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated, Any, Final

import typer

from lambent.cli import client, console
from lambent.cli.failures import EXIT_FAILED, EXIT_USAGE, CliError, reported
from lambent.cli.options import DEFAULT_ENDPOINT, EndpointOption

_TIMEOUT_S: Final = 60.0
_PAUSE_DEADLINE_S: Final = 930.0
"""The longest function timeout, and some: a mapping is Disabled when what it runs has ended."""
_LOOK_EVERY_S: Final = 0.2
_SAY_EVERY_S: Final = 1.0
_CAUGHT_UP_MS: Final = 1_000
Fares = Callable[[str], list[dict[str, Any]]]
"""How every mapping of an endpoint fares."""


def replay_command(fares: Fares) -> Callable[..., None]:
    """The command; ``fares`` is how it follows."""

    @reported
    def replay(
        uuid: Annotated[
            str, typer.Argument(metavar="UUID", help="The mapping's UUID.", show_default=False)
        ],
        start: Annotated[
            str,
            typer.Option(
                "--from",
                metavar="POSITION",
                help="TRIM_HORIZON, a time (2026-01-31T12:00:00Z), or a sequence number.",
                show_default=False,
            ),
        ],
        *,
        shard: Annotated[
            str | None,
            typer.Option(
                help="Of this shard only; a sequence number needs it.", show_default=False
            ),
        ] = None,
        yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
        follow: Annotated[
            bool, typer.Option("--follow", help="Show how far it is until it has caught up.")
        ] = False,
        endpoint: EndpointOption = DEFAULT_ENDPOINT,
    ) -> None:
        """Have a stream's mapping handle again what it had, from a position on."""
        request = position_request(start, shard)
        with client.connected("lambda", endpoint) as functions:
            mapping = functions.get_event_source_mapping(UUID=uuid)
            _confirm(mapping, start, shard, yes=yes)
            polls = mapping["State"] not in {"Disabled", "Disabling"}
            _move(functions, uuid, "Disabled", enabled=False)
            try:
                shards = _set_back(client.checked_endpoint(endpoint), uuid, request)
            finally:
                if polls:
                    _move(functions, uuid, "Enabled", enabled=True)
        begin = "1 shard begins" if len(shards) == 1 else f"{len(shards)} shards begin"
        print(f"{begin} at {start}.")
        if not polls:
            print(f"The mapping was paused and stays so: lambent sources resume {uuid}")
        elif follow:
            _follow(fares, client.checked_endpoint(endpoint), uuid)

    return replay


def position_request(start: str, shard: str | None) -> dict[str, Any]:
    """The request of a position as it is written on the command line. Raises CliError."""
    one = {} if shard is None else {"shard_id": shard}
    if start == "TRIM_HORIZON":
        return {"from": "TRIM_HORIZON"} | one
    if start.isascii() and start.isdigit():
        if shard is None:
            raise CliError(
                "A sequence number means something in one shard.", "Say --shard.", EXIT_USAGE
            )
        return {"from": "AT_SEQUENCE_NUMBER", "sequence_number": start} | one
    try:
        moment = datetime.fromisoformat(start)
    except ValueError as error:
        raise CliError(
            f"{start} is no position.",
            "Say TRIM_HORIZON, a time such as 2026-01-31T12:00:00Z, or a sequence number.",
            EXIT_USAGE,
        ) from error
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return {"from": "AT_TIMESTAMP", "timestamp": moment.timestamp()} | one


def _confirm(mapping: dict[str, Any], start: str, shard: str | None, *, yes: bool) -> None:
    if yes:
        return
    which = "all shards" if shard is None else f"shard {shard}"
    function = str(mapping["FunctionArn"]).partition(":function:")[2]
    question = (
        f"{function} gets the records of {which} of {mapping.get('EventSourceArn', 'its source')} "
        f"from {start} on again. Go on?"
    )
    if not sys.stdin.isatty():
        raise CliError("Nobody is there to be asked.", "Say --yes.", EXIT_USAGE)
    if not typer.confirm(question, err=True):
        raise CliError("Nothing was changed.", exit_code=EXIT_FAILED)


def _move(functions: Any, uuid: str, state: str, *, enabled: bool) -> None:
    """Pauses or resumes, and waits until it is."""
    shown = functions.get_event_source_mapping(UUID=uuid)
    deadline_s = time.monotonic() + _PAUSE_DEADLINE_S
    if shown["State"] != state:
        console.err().print("Resuming …" if enabled else "Pausing …")
    while shown["State"] != state:
        if shown["State"] in {"Enabled", "Disabled"}:
            shown = functions.update_event_source_mapping(UUID=uuid, Enabled=enabled)
        elif shown["State"] == "Deleting" or time.monotonic() > deadline_s:
            raise CliError(f"{uuid} is {shown['State']} and did not become {state}.")
        else:
            time.sleep(_LOOK_EVERY_S)
            shown = functions.get_event_source_mapping(UUID=uuid)


def _set_back(endpoint: str, uuid: str, request: dict[str, Any]) -> list[str]:
    url = f"{endpoint}/_lambent/sources/{uuid}/replay"
    body = json.dumps(request).encode()
    headers = {"content-type": "application/json", **client.signed_headers(url, "POST", body)}
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    asked = urllib.request.Request(url, body, headers, method="POST")  # noqa: S310 - checked
    try:
        with opener.open(asked, timeout=_TIMEOUT_S) as answer:
            shards: list[str] = json.load(answer)["shards"]
    except urllib.error.HTTPError as error:
        with error:
            said = error.read(65_536)
        raise CliError(f"It was not set back: {_message(said)}") from error
    except (OSError, ValueError, KeyError) as error:
        raise CliError(f"{url} did not answer.", "See: lambent doctor") from error
    return shards


def _message(said: bytes) -> str:
    try:
        return str(json.loads(said)["message"])
    except (ValueError, KeyError, TypeError):
        return said.decode(errors="replace")[:200]


def _follow(fares: Fares, endpoint: str, uuid: str) -> None:
    """Says how far it is, until it has caught up or nobody polls it any more."""
    while True:
        time.sleep(_SAY_EVERY_S)
        here = next((each for each in fares(endpoint) if each["uuid"] == uuid), None)
        if here is None or not here.get("polling"):
            raise CliError(f"{uuid} is not polled any more.", "See: lambent sources")
        waiting = sum(shard["waiting"] for shard in here.get("shards") or ())
        lag_ms = here.get("lag_ms")
        shown = "?" if lag_ms is None else f"{lag_ms / 1000:.1f} s"
        print(f"{here.get('records', 0)} records handled, {waiting} waiting, lag {shown}")
        if lag_ms is not None and lag_ms <= _CAUGHT_UP_MS and not waiting:
            return
