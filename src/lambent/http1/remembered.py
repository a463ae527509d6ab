"""Heads that a connection sent before: their meaning is remembered, so that the parser need not find it again.

A runtime sends the same header lines over and over, and the same bytes mean the same. Contract: what was not
read by the parser itself, whole and in one piece, is never remembered; nor is anything that ends, switches or
delays a connection, or comes in chunks. A connection whose lines are always new (an SDK signs each request) is
left alone soon.
"""

import re
import sys
from collections.abc import Callable

from lambent.http1.bounds import Bounds
from lambent.http1.exchange import Answering, Exchange

_REQUEST_LINE = re.compile(rb"(GET|POST) (/[!-~]*+) HTTP/1\.1\r\n")
_LEFT_TO_THE_PARSER = frozenset(
    {b"transfer-encoding", b"upgrade", b"expect", b"http2-settings", b"trailer"}
)
_MAX_LINES_BYTES = 1024
_MAX_HEADS = 8
"""POLICY: per connection, so 8 KiB of lines; when there are more it begins anew."""
_MAX_DIGITS = 9
_G = b"G"[0]
_MAX_IN_VAIN = 16
"""POLICY: so many heads are remembered, none of them to be met again, before that is given up."""

Streams = Callable[[dict[bytes, bytes]], bool]
"""Whether a request with these headers is to be handed over before its body is there."""


class RememberedHeads:
    """The last few heads of one connection. Requests with the same lines share their headers: nobody changes them.

    Where ``content-length`` is the last line, it may say another number. ``is_between``: whether the next byte is
    a request's first one. ``end``: where the request that was recalled last ends.
    """

    __slots__ = (
        "_bodiless", "_bounds", "_fields", "_in_vain", "_max_bytes", "_receiver", "_streams", "end",
        "is_between",
    )  # fmt: skip

    def __init__(
        self,
        receiver: Answering,
        bounds: Bounds,
        streams: Streams | None = None,
        max_body_bytes: int = sys.maxsize,
    ) -> None:
        self._receiver = receiver
        self._max_bytes = min(bounds.max_head_bytes, max_body_bytes)
        self._bounds = bounds
        self._streams = streams
        self._fields: dict[bytes, tuple[bytes, dict[bytes, bytes], int, bool]] = {}
        """Lines up to the last value → that value, what they mean, the body's size, whether the value is that."""
        self._bodiless: dict[bytes, tuple[bytes, bytes, dict[bytes, bytes]]] = {}
        """Whole requests of GET → method, target, headers."""
        self._in_vain = 0
        self.end = 0
        self.is_between = True

    def recall(self, data: bytes, at: int = 0, *, is_last: bool = True) -> Exchange | None:
        """The request that begins at ``at`` and is there whole, counted in; None for the parser.

        ``is_last``: only with nothing behind it.
        """
        if not self._fields or not self.is_between:
            return None
        size_bytes = len(data)
        bodiless = self._bodiless.get(data[at:] if at else data) if data[at] == _G else None
        if bodiless is not None:
            method, target, headers = bodiless
            end = body_at = size_bytes
        else:
            found = self._find(data, at)
            if found is None:
                return None
            line, headers, body_at, end = found
            method, target = line[1], line[2]
            if end != size_bytes and (is_last or end > size_bytes):
                return None
        bounds, count_bytes = self._bounds, end - at
        held_bytes, most_bytes = bounds.held_bytes + count_bytes, bounds.max_held_bytes
        if most_bytes is not None and held_bytes > most_bytes:
            return None
        if self._streams is not None and self._streams(headers):
            return None
        bounds.held_bytes = held_bytes
        self._in_vain = 0
        self.end = end
        exchange = Exchange(self._receiver, method, target, headers)
        exchange.body = data[body_at:end]
        exchange.held_bytes = count_bytes
        return exchange

    def _find(
        self, data: bytes, at: int
    ) -> tuple[re.Match[bytes], dict[bytes, bytes], int, int] | None:
        """Request line and headers of what begins at ``at``; where its body begins, and is to end."""
        lines_at = data.find(b"\n", at) + 1
        body_at = data.find(b"\r\n\r\n", lines_at) + 4
        value_at = data.rfind(b" ", lines_at, body_at) + 1
        fields = self._fields.get(data[lines_at:value_at])
        if fields is None:
            return None
        value, headers, body_bytes, is_length = fields
        said = data[value_at:body_at]
        if said != value:
            digits = said[:-4]
            if not (is_length and digits.isdigit() and len(digits) <= _MAX_DIGITS):
                return None
            body_bytes = int(digits)
            headers = {**headers, b"content-length": digits}
        line = _REQUEST_LINE.match(data, at)
        end = body_at + body_bytes
        if line is None or line.end() != lines_at or end - at > self._max_bytes:
            return None
        return line, headers, body_at, end

    def remember(self, data: bytes, headers: dict[bytes, bytes], body_bytes: int) -> None:
        """The parser found ``data`` to begin with a request of HTTP/1.1, on a connection that goes on."""
        self._in_vain += 1
        if self._in_vain > _MAX_IN_VAIN:
            self.forget()
            return
        line = _REQUEST_LINE.match(data)
        if line is None or not _LEFT_TO_THE_PARSER.isdisjoint(headers):
            return
        body_at = data.find(b"\r\n\r\n", line.end()) + 4
        lines = data[line.end() : body_at]
        is_strict = lines.count(b"\n") == lines.count(b"\r") == lines.count(b"\r\n")
        if len(data) - body_at >= body_bytes and len(lines) <= _MAX_LINES_BYTES and is_strict:
            if len(self._fields) >= _MAX_HEADS:
                self._fields.clear()
            start, last, value = lines.rpartition(b" ")
            is_length = start.lower().endswith(b"\r\ncontent-length:") and (
                headers[b"content-length"] == value[:-4]
            )
            if last:
                self._fields[start + last] = value, headers, body_bytes, is_length
            if line[1] == b"GET" and not body_bytes and body_at <= _MAX_LINES_BYTES:
                if len(self._bodiless) >= _MAX_HEADS:
                    self._bodiless.clear()
                self._bodiless[data[:body_at]] = line[1], line[2], headers

    def forget(self) -> None:
        """Whatever comes now is the parser's."""
        self._fields.clear()
        self._bodiless.clear()
