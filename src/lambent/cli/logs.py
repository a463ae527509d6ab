"""``lambent logs``: a function's log, and what comes to it.

Every event is shown once, in order of time: following asks again from a little before the newest
event and leaves out the ids already shown, since an event may arrive after a later one of another
environment.
"""

import re
import textwrap
import time
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lambent.cli import client, console
from lambent.cli.failures import EXIT_USAGE, CliError
from lambent.cli.options import DEFAULT_ENDPOINT, EndpointOption, FunctionArgument

if TYPE_CHECKING:
    from rich.console import Console

POLL_S = 0.3
OVERLAP_MS = 5_000
"""POLICY: how late an event may arrive and still be shown while following."""
UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}

_FRAME = re.compile(r"(START|END|REPORT|INIT_START|INIT_REPORT) |XRAY TraceId")
_ERROR = re.compile(
    r"\[ERROR\]|\[CRITICAL\]|Traceback \(most recent call last\)|Task timed out after"
    r'|Status: (error|timeout)|"level":\s*"(ERROR|FATAL|CRITICAL)"|Runtime\.\w+|signal: killed'
)


def logs(
    name: FunctionArgument,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on with what comes; Ctrl-C ends it.")
    ] = False,
    since: Annotated[str, typer.Option(help="How far back: 30s, 10m, 2h, 1d.")] = "10m",
    filter_pattern: Annotated[
        str | None,
        typer.Option(
            "--filter",
            help='A CloudWatch Logs filter pattern: ERROR, "two words".',
            show_default=False,
        ),
    ] = None,
    endpoint: EndpointOption = DEFAULT_ENDPOINT,
) -> None:
    """Show a function's log."""
    start_ms = max(0, int(time.time() * 1000) - parse_since(since) * 1000)
    group, required = log_group(name, endpoint)
    screen, shown = console.out(), 0
    with client.connected("logs", endpoint) as log_client:
        reader = LogReader(log_client, group, start_ms, filter_pattern, required=required)
        while True:
            for event in reader.new_events():
                show(screen, str(event["message"]))
                shown += 1
            if not follow:
                break
            time.sleep(POLL_S)
    if not shown:
        console.err().print(
            f"Nothing in {group} since {since}. Call it: lambent invoke {name}", style="dim"
        )


def parse_since(text: str) -> int:
    """``10m`` in seconds; a bare number is seconds. Raises CliError for anything else."""
    match = re.fullmatch(r"(\d{1,9})([smhdw]?)", text.strip())
    if match is None:
        raise CliError(
            f"--since {text} is no length of time.", "Such as 30s, 10m, 2h, 1d.", EXIT_USAGE
        )
    return int(match[1]) * UNITS_S[match[2] or "s"]


def log_group(name: str, endpoint: str) -> tuple[str, bool]:
    """The function's log group, and whether it has to exist.

    A function's group begins with its first call; a deleted function's has its usual name.
    """
    with client.connected("lambda", endpoint) as functions:
        try:
            configuration = functions.get_function_configuration(FunctionName=name)
        except functions.exceptions.ResourceNotFoundException:
            return f"/aws/lambda/{_bare_name(name)}", True
    usual = f"/aws/lambda/{configuration['FunctionName']}"
    return str(configuration.get("LoggingConfig", {}).get("LogGroup", usual)), False


def _bare_name(name: str) -> str:
    """The name in a name, ``name:qualifier``, a partial or a whole ARN."""
    return name.rsplit(":function:", maxsplit=1)[-1].split(":", maxsplit=1)[0]


class LogReader:
    """Hands out each event of one log group once; a missing group is empty unless ``required``."""

    def __init__(
        self,
        log_client: Any,
        group: str,
        start_ms: int,
        pattern: str | None = None,
        *,
        required: bool = False,
    ) -> None:
        self._client = log_client
        self._required = required
        self._request: dict[str, Any] = {"logGroupName": group}
        if pattern:
            self._request["filterPattern"] = pattern
        self._start_ms = start_ms
        self._seen: dict[str, int] = {}

    def new_events(self) -> list[Mapping[str, Any]]:
        """Events not handed out before, oldest first."""
        fresh = [event for event in self._fetch() if event["eventId"] not in self._seen]
        fresh.sort(key=lambda event: int(event["timestamp"]))  # stable: keeps the order within a ms
        self._seen |= {str(event["eventId"]): int(event["timestamp"]) for event in fresh}
        if self._seen:
            # AWS: an event may be dated two hours ahead; it must not hide what comes meanwhile.
            newest = min(max(self._seen.values()), int(time.time() * 1000))
            self._start_ms = max(self._start_ms, newest - OVERLAP_MS)
            self._seen = {i: at for i, at in self._seen.items() if at >= self._start_ms}
        return fresh

    def _fetch(self) -> Iterator[Mapping[str, Any]]:
        request = {**self._request, "startTime": self._start_ms}
        while True:
            try:
                page = self._client.filter_log_events(**request)
            except self._client.exceptions.ResourceNotFoundException as error:
                if not self._required:
                    return
                group = self._request["logGroupName"]
                raise CliError(
                    f"There is neither such a function nor a log group {group}.",
                    "See what there is: lambent ls",
                ) from error
            yield from page.get("events", ())
            token = page.get("nextToken")
            if not token:
                return
            request["nextToken"] = token


def style_of(message: str) -> str | None:
    """The platform's own lines stand back, errors stand out."""
    if _ERROR.search(message):
        return "red"
    return "dim" if _FRAME.match(message) else None


def show(screen: "Console", message: str, indent: str = "") -> None:
    """One event on ``screen``, each of its lines indented."""
    text = textwrap.indent(message.rstrip("\n"), indent)
    console.write_line(screen, text, style_of(message))
