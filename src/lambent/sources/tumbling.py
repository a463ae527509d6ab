"""Tumbling windows: records aggregated by when they arrived, the state passed on from one invocation to the next.

Windows are those of the clock: [n × length, (n + 1) × length). A record that arrived before the window that is
open (clocks of shards do that) is counted in the open one.
Source: "Implementing stateful Kinesis Data Streams processing in Lambda".
"""

import json
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final

import msgspec

from lambent.sources.stream_failures import Piece

MAX_STATE_BYTES: Final = 1024 * 1024
"""AWS: "if the state exceeds 1 MB, Lambda terminates the window early"."""
FRAME_BYTES: Final = 1024
"""More than the members beside records and state take: names, ARNs and times are bounded."""
NO_STATE: Final = b"{}"


@dataclass(frozen=True, slots=True)
class Window:
    """An open window: Unix seconds, and what the function said last (JSON)."""

    start_s: int
    length_s: int
    state: bytes = NO_STATE

    @property
    def end_s(self) -> int:
        """The first second that is not in it."""
        return self.start_s + self.length_s

    @property
    def too_large(self) -> bool:
        """Whether it has to end early."""
        return len(self.state) > MAX_STATE_BYTES


def window_at(arrived_s: float, length_s: int) -> Window:
    """The window a record belongs to that arrived then."""
    return Window(int(arrived_s // length_s) * length_s, length_s)


def window_event(piece: Piece, window: Window, shard_id: str, stream_arn: str) -> bytes:
    """The event of a piece in its window."""
    frame = {"start": _time(window.start_s), "end": _time(window.end_s)}
    members = (
        b'{"Records":[' + b",".join(each.record for each in piece.records) + b"]",
        b'"window":' + _encode(frame),
        b'"state":' + window.state,
        b'"shardId":' + _encode(shard_id),
        b'"eventSourceARN":' + _encode(stream_arn),
        b'"isFinalInvokeForWindow":' + _encode(piece.final),
        b'"isWindowTerminatedEarly":' + _encode(piece.early) + b"}",
    )
    return b",".join(members)


def next_state(window: Window, answer: bytes) -> Window:
    """The window with the state a function answered. One that answers none has none: AWS takes ``{}``."""
    try:
        document = json.loads(answer) if answer.strip() else None
    except (ValueError, RecursionError):
        document = None
    state = document.get("state") if isinstance(document, dict) else None
    return replace(window, state=NO_STATE if state is None else _encode(state))


def record_room(window: Window, max_bytes: int) -> int:
    """What records may take of an event beside the state."""
    return max_bytes - len(window.state) - FRAME_BYTES


def _time(unix_s: int) -> str:
    """``2020-07-30T17:00:00Z``."""
    return datetime.fromtimestamp(unix_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _encode(value: object) -> bytes:
    return msgspec.json.encode(value)
