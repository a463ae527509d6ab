"""``lambent invoke``: one synchronous call; the result to standard output, the log to error.

With ``--duplicate N`` the event is sent asynchronously instead, and delivered N times under one request id.
"""

import base64
import json
import sys
import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lambent.cli import client, console
from lambent.cli.failures import EXIT_FAILED, EXIT_USAGE, CliError
from lambent.cli.options import DEFAULT_ENDPOINT, EndpointOption, FunctionArgument

if TYPE_CHECKING:
    from rich.console import Console

EMPTY_EVENT = b"{}"
STANDARD_INPUT = "-"
MAX_DUPLICATES = 100
_DELIVERIES = "x-lambent-deliveries"


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of it; ``error`` is ``Unhandled``/``Handled`` or None, ``tail`` the log's end."""

    payload: bytes
    error: str | None
    version: str
    tail: str


def invoke(
    name: FunctionArgument,
    *,
    payload: Annotated[
        str | None, typer.Option("--payload", "-p", help="The event, as JSON.", show_default=False)
    ] = None,
    file: Annotated[
        str | None,
        typer.Option("--file", "-f", help="A file with the event; - is standard input."),
    ] = None,
    qualifier: Annotated[
        str | None, typer.Option(help="A version or an alias.", show_default=False)
    ] = None,
    client_context: Annotated[
        str | None, typer.Option(help="Client context, as JSON.", show_default=False)
    ] = None,
    duplicate: Annotated[
        int | None,
        typer.Option(
            "--duplicate",
            min=2,
            max=MAX_DUPLICATES,
            help="Send it as an event, delivered so often with one request id.",
            show_default=False,
        ),
    ] = None,
    tail: Annotated[bool, typer.Option("--tail/--no-tail", help="Show the end of the log.")] = True,
    endpoint: EndpointOption = DEFAULT_ENDPOINT,
) -> None:
    """Call a function and print what it returns. Exits with 1 when the function fails.

    Without --payload and --file the event is read from standard input, or is {} on a terminal.
    """
    event = read_event(payload, file)
    context = None if client_context is None else checked_json(client_context, "--client-context")
    if duplicate is not None:
        if context is not None:
            raise CliError("Events have no client context.", exit_code=EXIT_USAGE)
        with client.connected("lambda", endpoint) as functions:
            print(send_duplicates(functions, name, event, qualifier, duplicate))
        return
    with client.connected("lambda", endpoint, client.INVOKE_READ_TIMEOUT_S) as functions:
        answer = call(functions, name, event, qualifier, context, tail=tail)
    show(answer)
    if answer.error:
        raise typer.Exit(EXIT_FAILED)


def read_event(payload: str | None, file: str | None) -> bytes:
    """The event's bytes, valid JSON. Raises CliError when they are not, or when two are given."""
    if payload is not None and file is not None:
        raise CliError("Give either --payload or --file.", exit_code=EXIT_USAGE)
    if payload is not None:
        return checked_json(payload, "--payload")
    if file is not None and file != STANDARD_INPUT:
        try:
            return checked_json(Path(file).read_bytes(), file)
        except OSError as error:
            raise CliError(
                f"Cannot read {file}: {error.strerror}.", exit_code=EXIT_USAGE
            ) from error
    if file is None and sys.stdin.isatty():
        return EMPTY_EVENT
    return checked_json(sys.stdin.buffer.read().strip() or EMPTY_EVENT, "standard input")


def checked_json(text: str | bytes, origin: str) -> bytes:
    """``text`` as it is, in bytes. Raises CliError with the place where it is no JSON."""
    data = text.encode() if isinstance(text, str) else text
    try:
        json.loads(data.decode())  # json.loads takes bytes of UTF-16 too; Lambda does not
    except RecursionError as error:
        raise CliError(f"{origin} is nested too deeply.", exit_code=EXIT_USAGE) from error
    except UnicodeDecodeError as error:
        raise CliError(f"{origin} is not UTF-8.", exit_code=EXIT_USAGE) from error
    except json.JSONDecodeError as error:
        raise CliError(
            f"{origin} is not JSON: {error.msg} at line {error.lineno}, column {error.colno}.",
            """Quote it for the shell: --payload '{"key": "value"}'""",
            EXIT_USAGE,
        ) from error
    return data


def call(
    functions: Any,
    name: str,
    event: bytes,
    qualifier: str | None = None,
    context: bytes | None = None,
    *,
    tail: bool = True,
) -> Answer:
    """One RequestResponse invocation by ``functions``, a boto3 client of Lambda."""
    optional = {
        "Qualifier": qualifier,
        "ClientContext": context and base64.b64encode(context).decode(),
        "LogType": "Tail" if tail else None,
    }
    response = functions.invoke(
        FunctionName=name, Payload=event, **{k: v for k, v in optional.items() if v is not None}
    )
    return Answer(
        payload=response["Payload"].read(),
        error=response.get("FunctionError"),
        version=str(response.get("ExecutedVersion", "")),
        tail=base64.b64decode(response.get("LogResult", "")).decode(errors="replace"),
    )


def send_duplicates(
    functions: Any, name: str, event: bytes, qualifier: str | None, count: int
) -> str:
    """One asynchronous event, delivered ``count`` times; its request id.

    Raises CliError when the platform delivers it once, as AWS would.
    """

    def ask(request: Any, **_: object) -> None:
        request.headers[_DELIVERIES] = str(count)

    functions.meta.events.register("before-sign.lambda.Invoke", ask)
    optional = {} if qualifier is None else {"Qualifier": qualifier}
    answer = functions.invoke(FunctionName=name, InvocationType="Event", Payload=event, **optional)[
        "ResponseMetadata"
    ]
    request_id = str(answer["RequestId"])
    if answer["HTTPHeaders"].get(_DELIVERIES) != str(count):
        raise CliError(
            f"The event {request_id} was sent once: this platform makes no duplicates.",
            "Start a newer one with: lambent up",
        )
    return request_id


def show(answer: Answer) -> None:
    """Prints the log's end, then the result or the error."""
    if answer.tail:
        # Before the result, as it happened; the last line of the screen is the answer.
        console.write_line(console.err(), answer.tail.rstrip("\n"), "dim")
    if answer.error:
        show_error(console.err(), answer)
    else:
        show_result(answer.payload)


def show_result(payload: bytes) -> None:
    """The payload on standard output: indented on a terminal, as it came elsewhere."""
    screen = console.out()
    document = _parsed(payload)
    if screen.is_terminal and document is not None:
        screen.print_json(data=document, ensure_ascii=False)
    else:
        print(payload.decode(errors="replace"), flush=True)


def show_error(screen: "Console", answer: Answer, indent: str = "") -> None:
    """A failed function's error type, message and stack."""
    document = _parsed(answer.payload)
    if not isinstance(document, dict):
        document = {"errorMessage": answer.payload.decode(errors="replace")}
    kind = str(document.get("errorType") or answer.error)
    # The function chose both texts, and either may look like markup.
    screen.print(f"{indent}{kind}", style="bold red", markup=False, end="")
    screen.print(f": {document.get('errorMessage', '')}", markup=False)
    for line in document.get("stackTrace") or []:
        console.write_line(screen, textwrap.indent(str(line).rstrip(), f"{indent}  "), "dim")


def _parsed(payload: bytes) -> Any:
    """The JSON in ``payload``; None when it is none (or ``null``)."""
    try:
        return json.loads(payload)
    except (ValueError, RecursionError):
        return None
