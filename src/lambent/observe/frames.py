"""From a function's bytes to log events: framed telemetry logs, and plain lines of a pipe.

A function may write anything to either, so nothing here fails on bad input and no buffer grows
beyond :data:`MAX_MESSAGE_BYTES`. Events keep their newline, as CloudWatch shows them; bytes are not
decoded here. How the bytes are cut into chunks never changes the events.
"""

import time
from collections.abc import Callable
from typing import Final

from lambent.observe.log_levels import LevelFilter

MAX_MESSAGE_BYTES: Final = 256 * 1024
"""POLICY: an event longer than this is cut (frames) or split (lines). CloudWatch takes 1 MB."""

_MAGIC: Final = b"\xa5\x5a\x00"
_HEADER_BYTES: Final = 16
# AWS: PutLogEvents refuses events older than 14 days or more than 2 hours ahead.
_OLDEST_MS: Final = 14 * 24 * 3600 * 1000
_NEWEST_MS: Final = 2 * 3600 * 1000

Event = tuple[int, bytes]


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


class LineSplitter:
    """Cuts a pipe's bytes into lines; the last, unfinished one waits for its newline.

    ``\\r`` inside a line becomes a newline inside one event: awslambdaric writes multi-line records
    to stdout that way. A line longer than ``max_bytes`` comes out in pieces.
    """

    __slots__ = ("_max_bytes", "_pending")

    def __init__(self, max_bytes: int = MAX_MESSAGE_BYTES) -> None:
        self._max_bytes = max_bytes
        self._pending = bytearray()

    def feed(self, data: bytes) -> list[bytes]:
        """The lines that ``data`` completes, in order."""
        lines: list[bytes] = []
        start = 0
        while (newline := data.find(b"\n", start)) >= 0:
            self._add(data[start:newline], lines)
            lines.append(_as_event(bytes(self._pending).removesuffix(b"\r")) + b"\n")
            self._pending.clear()
            start = newline + 1
        if start < len(data):
            self._add(data[start:], lines)
        return lines

    def flush(self) -> list[bytes]:
        """The unfinished line, if any, without a newline."""
        if not self._pending:
            return []
        line = _as_event(bytes(self._pending))
        self._pending.clear()
        return [line]

    @property
    def pending_bytes(self) -> int:
        """Bytes held back: never more than ``max_bytes``."""
        return len(self._pending)

    def _add(self, part: bytes, lines: list[bytes]) -> None:
        limit = self._max_bytes
        start = 0
        while len(self._pending) + len(part) - start > limit:
            take = start + limit - len(self._pending)
            self._pending += part[start:take]
            lines.append(_as_event(bytes(self._pending)))
            self._pending.clear()
            start = take
        self._pending += part[start:] if start else part


class FrameDecoder:
    """Decodes what awslambdaric writes to ``_LAMBDA_TELEMETRY_LOG_FD``.

    A frame is type (4 bytes, ``0xA55A00xx``), length (4), timestamp in µs (8), message; big endian.
    Bytes that begin no frame are taken as lines of text up to the next frame. A message beyond
    ``max_bytes`` is cut and says so. A timestamp CloudWatch would refuse is replaced by now.
    ``levels`` leaves out what is not grave enough.

    Source: ``FramedTelemetryLogSink`` in awslambdaric's ``bootstrap.py``.
    """

    __slots__ = (
        "_buffer", "_kind", "_left", "_levels", "_lines", "_max_bytes", "_now_ms", "_size",
        "_stamp_ms",
    )  # fmt: skip

    def __init__(
        self,
        now_ms: Callable[[], int] = _now_ms,
        max_bytes: int = MAX_MESSAGE_BYTES,
        levels: LevelFilter | None = None,
    ) -> None:
        self._now_ms = now_ms
        self._levels = levels
        self._kind = 0
        self._max_bytes = max_bytes
        self._lines = LineSplitter(max_bytes)
        self._buffer = bytearray()  # a header begun, or the message kept so far
        self._left = -1  # message bytes still to come; -1: between frames
        self._size = 0
        self._stamp_ms = 0

    def feed(self, data: bytes) -> list[Event]:
        """The events ``data`` completes: (Unix ms, message)."""
        events: list[Event] = []
        if self._left < 0 and self._buffer:
            data = bytes(self._buffer) + data
            self._buffer.clear()
        at = 0
        while at < len(data):
            step = self._take_header if self._left < 0 else self._take_message
            at = step(data, at, events)
        return events

    def flush(self) -> list[Event]:
        """What is left when the function is gone: an unfinished message or line."""
        events: list[Event] = []
        if self._left >= 0:
            self._add_message(bytes(self._buffer), events)
        elif self._buffer:
            self._add_lines(self._lines.feed(bytes(self._buffer)), events)
        self._add_lines(self._lines.flush(), events)
        self._buffer.clear()
        self._left = -1
        return events

    @property
    def pending_bytes(self) -> int:
        """Bytes held back: bounded by ``max_bytes`` each for a message and a line."""
        return len(self._buffer) + self._lines.pending_bytes

    def _take_header(self, data: bytes, at: int, events: list[Event]) -> int:
        """Take the text before the next frame and that frame's header; returns the new position."""
        found = data.find(_MAGIC, at)
        if found < 0:
            found = len(data) - _possible_start(data, at)
        if found > at:
            self._add_lines(self._lines.feed(data[at:found]), events)
        if len(data) - found < _HEADER_BYTES:
            self._buffer += data[found:]
            return len(data)
        self._add_lines(self._lines.flush(), events)
        self._open_message(data[found : found + _HEADER_BYTES], events)
        return found + _HEADER_BYTES

    def _open_message(self, header: bytes, events: list[Event]) -> None:
        self._kind = header[3]
        self._size = self._left = int.from_bytes(header[4:8], "big")
        stamp_ms = int.from_bytes(header[8:16], "big") // 1000
        now_ms = self._now_ms()
        believable = now_ms - _OLDEST_MS <= stamp_ms <= now_ms + _NEWEST_MS
        self._stamp_ms = stamp_ms if believable else now_ms
        if self._left == 0:
            self._close_message(events)

    def _take_message(self, data: bytes, at: int, events: list[Event]) -> int:
        end = min(len(data), at + self._left)
        self._buffer += data[at : min(end, at + self._max_bytes - len(self._buffer))]
        self._left -= end - at
        if self._left == 0:
            self._close_message(events)
        return end

    def _close_message(self, events: list[Event]) -> None:
        message = bytes(self._buffer)
        if self._size > self._max_bytes:
            message += f" [cut: {self._size} bytes, {self._max_bytes} kept]\n".encode()
        self._add_message(message, events)
        self._buffer.clear()
        self._left = -1

    def _add_message(self, message: bytes, events: list[Event]) -> None:
        levels = self._levels
        if message and (levels is None or levels.keeps_frame(self._kind, message)):
            events.append((self._stamp_ms, message))

    def _add_lines(self, lines: list[bytes], events: list[Event]) -> None:
        if self._levels is not None:
            lines = [line for line in lines if self._levels.keeps_line(line)]
        if lines:
            now_ms = self._now_ms()
            events.extend((now_ms, line) for line in lines)


def _as_event(line: bytes) -> bytes:
    return line.replace(b"\r", b"\n") if b"\r" in line else line


def _possible_start(data: bytes, at: int) -> int:
    """How many last bytes of ``data``, from ``at`` on, may be the beginning of a frame."""
    for size in (2, 1):
        if data.endswith(_MAGIC[:size], at):
            return size
    return 0
