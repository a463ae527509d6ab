"""``lambent dlq``: what failed for good and waits in a queue; shown, replayed, or moved back."""

import json
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lambent.cli import client, console
from lambent.cli.dead_letter_queue import DeadLetterQueue, functions_with_dead_letters_in
from lambent.cli.dead_letters import mark_duplicates
from lambent.cli.dlq_output import as_json, print_letter, print_letters, print_replayed
from lambent.cli.failures import EXIT_FAILED, EXIT_USAGE, CliError
from lambent.cli.move import move_back
from lambent.cli.options import DEFAULT_ENDPOINT, EndpointOption
from lambent.cli.replay import Replay, Replayed

if TYPE_CHECKING:
    from rich.progress import Progress

DEFAULT_LIMIT = 100


class Action(StrEnum):
    """What to do with the queue."""

    LIST = "list"
    SHOW = "show"
    REPLAY = "replay"
    REDRIVE = "redrive"


@dataclass(frozen=True, slots=True)
class Asked:
    """What was said on the command line."""

    name: str
    identifier: str | None
    every: bool
    function: str | None
    wait: bool
    to: str | None
    rate: int | None
    limit: int
    in_json: bool
    endpoint: str


def dlq(
    name: Annotated[
        str,
        typer.Argument(metavar="NAME", help="A queue's name, URL or ARN.", show_default=False),
    ],
    action: Annotated[
        Action, typer.Argument(help="list, show ID, replay ID or replay --all, redrive.")
    ] = Action.LIST,
    identifier: Annotated[
        str | None,
        typer.Argument(metavar="[ID]", help="A request id or message id.", show_default=False),
    ] = None,
    *,
    every: Annotated[bool, typer.Option("--all", help="replay: all that are there now.")] = False,
    function: Annotated[
        str | None,
        typer.Option(help="replay: for dead letters; they name none.", show_default=False),
    ] = None,
    wait: Annotated[
        bool, typer.Option("--wait", help="replay: wait for each; delete those that succeed.")
    ] = False,
    to: Annotated[
        str | None,
        typer.Option("--to", help="redrive: a queue's ARN, not the source.", show_default=False),
    ] = None,
    rate: Annotated[
        int | None,
        typer.Option(min=1, max=500, help="redrive: messages a second.", show_default=False),
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="list: so many at most.")] = DEFAULT_LIMIT,
    in_json: Annotated[bool, typer.Option("--json", help="JSON on standard output.")] = False,
    endpoint: EndpointOption = DEFAULT_ENDPOINT,
) -> None:
    """Failed events in a queue: list them, show one, replay them; or move plain messages back.

    They are received to be seen, and given back; their receive count goes up by one.
    """
    asked = Asked(name, identifier, every, function, wait, to, rate, limit, in_json, endpoint)
    _check(action, asked)
    {Action.LIST: _list, Action.SHOW: _show, Action.REPLAY: _replay, Action.REDRIVE: _redrive}[
        action
    ](asked)


def _check(action: Action, asked: Asked) -> None:
    """Raises CliError for what does not go together: nothing that was said is ignored."""
    if action is Action.SHOW and asked.identifier is None:
        raise CliError("Say which: show ID.", f"See: lambent dlq {asked.name}", EXIT_USAGE)
    if action is Action.REPLAY and (asked.identifier is None) == (not asked.every):
        raise CliError("Give either an ID or --all.", exit_code=EXIT_USAGE)
    meant = {
        "--all": (asked.every, Action.REPLAY),
        "--function": (asked.function, Action.REPLAY),
        "--wait": (asked.wait, Action.REPLAY),
        "--to": (asked.to, Action.REDRIVE),
        "--rate": (asked.rate, Action.REDRIVE),
    }
    for option, (value, owner) in meant.items():
        if value and action is not owner:
            raise CliError(f"{option} goes with {owner} only.", exit_code=EXIT_USAGE)
    if asked.identifier is not None and action not in {Action.SHOW, Action.REPLAY}:
        raise CliError("An ID goes with show and replay only.", exit_code=EXIT_USAGE)


def _list(asked: Asked) -> None:
    with client.connected("sqs", asked.endpoint) as sqs, DeadLetterQueue(sqs, asked.name) as queue:
        letters = mark_duplicates(islice(queue.letters(), asked.limit))
        left = queue.visible - len(letters)
    print_letters(letters, in_json=asked.in_json)
    if left > 0:
        console.err().print(f"About {left} more: give a higher --limit.")


def _show(asked: Asked) -> None:
    identifier = asked.identifier or ""
    with client.connected("sqs", asked.endpoint) as sqs, DeadLetterQueue(sqs, asked.name) as queue:
        found = mark_duplicates(x for x in queue.letters() if x.is_named(identifier))
    if not found:
        raise _not_there(asked)
    if asked.in_json:
        print(json.dumps([as_json(letter, whole=True) for letter in found], indent=2))
        return
    for letter in found:
        print_letter(letter)


def _replay(asked: Asked) -> None:
    with ExitStack() as stack:
        sqs = stack.enter_context(client.connected("sqs", asked.endpoint))
        functions = stack.enter_context(
            client.connected("lambda", asked.endpoint, client.INVOKE_READ_TIMEOUT_S)
        )
        queue = stack.enter_context(DeadLetterQueue(sqs, asked.name))
        function = asked.function or _only_function(functions, queue)
        run = Replay(queue, functions, function, wait=asked.wait)
        done = _all(run, queue) if asked.identifier is None else run.named(asked.identifier)
    if asked.identifier is not None and not done:
        raise _not_there(asked)
    print_replayed(done, in_json=asked.in_json)
    if any(one.state != "replayed" and not one.letter.is_duplicate for one in done):
        raise typer.Exit(EXIT_FAILED)


def _redrive(asked: Asked) -> None:
    with (
        client.connected("sqs", asked.endpoint) as sqs,
        DeadLetterQueue(sqs, asked.name) as queue,
        _progress() as bar,
    ):
        state = move_back(sqs, queue, bar, asked.to, asked.rate)
    moved = state.get("ApproximateNumberOfMessagesMoved", 0)
    if asked.in_json:
        print(json.dumps({"status": state["Status"], "moved": moved}))
    else:
        console.out().print(f"{moved} moved")
    if state["Status"] != "COMPLETED":
        reason = state.get("FailureReason") or state["Status"]
        raise CliError(f"The move ended before its end: {reason}")


def _all(run: Replay, queue: DeadLetterQueue) -> list[Replayed]:
    """Everything, with a bar on a terminal. Ctrl-C tells how far it came."""
    done: list[Replayed] = []
    with _progress() as bar:
        task = bar.add_task("replaying", total=queue.visible)
        try:
            for one in run.every():
                done.append(one)
                bar.advance(task)
        except KeyboardInterrupt:
            count = sum(one.state == "replayed" for one in done)
            bar.console.print(f"{count} replayed; the others are still in the queue.")
            raise
    return done


def _progress() -> "Progress":
    from rich.progress import (  # noqa: PLC0415
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    screen = console.err()
    columns: Iterable[Any] = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    return Progress(*columns, console=screen, transient=True, disable=not screen.is_terminal)


def _only_function(functions: Any, queue: DeadLetterQueue) -> str | None:
    """The one function whose dead letters come here; None when there is none, or several."""
    found = functions_with_dead_letters_in(functions, queue.arn)
    return found[0] if len(found) == 1 else None


def _not_there(asked: Asked) -> CliError:
    return CliError(
        f"Nothing in {asked.name} has the id {asked.identifier}.", f"See: lambent dlq {asked.name}"
    )
