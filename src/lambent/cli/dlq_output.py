"""What ``lambent dlq`` prints: tables on a terminal, tab-separated lines elsewhere, or JSON."""

import json
import sys
from collections.abc import Sequence
from typing import Any

from lambent.cli import console
from lambent.cli.dead_letters import DeadLetter
from lambent.cli.replay import Replayed

COLUMNS = ("TIME (UTC)", "FUNCTION", "ERROR", "ATTEMPTS", "REQUEST ID", "")
_RESULT = ("STATE", "FUNCTION", "REQUEST ID", "NEW REQUEST ID", "NOTE")
_MAX_ERROR_CHARS = 80


def print_letters(letters: Sequence[DeadLetter], *, in_json: bool) -> None:
    """The listing."""
    if in_json:
        print(json.dumps([as_json(letter) for letter in letters], indent=2))
    elif not letters:
        console.err().print("Nothing is in the queue.")
    else:
        _print_rows(COLUMNS, [_row(letter) for letter in letters])


def print_letter(letter: DeadLetter) -> None:
    """One message: what is known of it, then its event (or body) as it is."""
    screen = console.err()
    for key, value in as_json(letter).items():
        if value not in (None, "", False):
            screen.print(f"{key}: {value}", markup=False)
    console.write_line(
        console.out(), (letter.body if letter.event is None else letter.event).decode()
    )


def print_replayed(done: Sequence[Replayed], *, in_json: bool) -> None:
    """What became of each, and the sum."""
    if in_json:
        documents = [
            {
                "state": one.state,
                "function": one.function,
                "requestId": one.letter.request_id,
                "messageId": one.letter.message_id,
                "newRequestId": one.request_id,
                "note": one.note,
            }
            for one in done
        ]
        print(json.dumps(documents, indent=2))
        return
    rows = [
        (one.state, _short(one.function), one.letter.request_id or one.letter.message_id,
         one.request_id, one.note)
        for one in done
    ]  # fmt: skip
    if rows:
        _print_rows(_RESULT, rows)
    counts = {state: sum(one.state == state for one in done) for state in ("failed", "skipped")}
    rest = "".join(f", {count} {state}" for state, count in counts.items() if count)
    replayed = sum(one.state == "replayed" for one in done)
    console.err().print(f"{replayed} replayed{rest}")


def as_json(letter: DeadLetter, *, whole: bool = False) -> dict[str, Any]:
    """A message as a document; ``whole`` with the event and the body."""
    document: dict[str, Any] = {
        "kind": letter.kind,
        "time": letter.sent_at,
        "function": letter.function_arn,
        "condition": letter.condition,
        "error": letter.error,
        "attempts": letter.attempts,
        "requestId": letter.request_id,
        "messageId": letter.message_id,
        "duplicate": letter.is_duplicate,
    }
    if whole:
        document["event"] = None if letter.event is None else letter.event.decode(errors="replace")
        document["body"] = letter.body.decode(errors="replace")
    return document


def _row(letter: DeadLetter) -> tuple[str, ...]:
    error = letter.error or (
        letter.body.decode(errors="replace") if letter.kind == "message" else ""
    )
    return (
        letter.sent_at[:19].replace("T", " "),
        _short(letter.function_arn) or "-",
        _one_line(error) or "-",
        "-" if letter.attempts is None else str(letter.attempts),
        letter.request_id or letter.message_id,
        "duplicate" if letter.is_duplicate else "",
    )


def _short(function: str) -> str:
    """``name:qualifier`` of a function's ARN; what is none, as it is."""
    parts = function.split(":", 6)
    return parts[6] if len(parts) == 7 else function


def _one_line(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _MAX_ERROR_CHARS else line[: _MAX_ERROR_CHARS - 1] + "…"


def _print_rows(columns: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> None:
    if not sys.stdout.isatty():
        for cells in (columns, *rows):
            print("\t".join(cells))
        return
    from rich.markup import escape  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415

    table = Table(*columns, box=None, pad_edge=False, header_style="dim")
    for cells in rows:
        table.add_row(*(escape(cell) for cell in cells))
    console.out().print(table)
