"""Heads that a connection sent before: their meaning is remembered, so that the parser need not find it again.

A runtime sends the same header lines over and over, and the same bytes mean the same. Contract: what was not
read by the parser itself, whole and in one piece, is never remembered; nor is anything that ends, switches or
delays a connection, or comes in chunks. A connection whose lines are always new (an SDK signs each request) is
left alone soon.
"""

import re
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
_MAX_IN_VAIN = 16
"""POLICY: so many heads are remembered, none of them to be met again, before that is given up."""

Streams = Callable[[dict[bytes, bytes]], bool]
"""Whether a request with these headers is to be handed over before its body is there."""


class RememberedHeads:
    """The last few heads of one connection. Requests with the same lines share their headers: nobody changes them.

    ``is_between``: whether the next byte is a request's first one.
    """

    __slots__ = ("_bounds", "_fields", "_in_vain", "_receiver", "_streams", "is_between")

    def __init__(self, receiver: Answering, bounds: Bounds, streams: Streams | None = None) -> None:
        self._receiver = receiver
        self._bounds = bounds
        self._streams = streams
        self._fields: dict[bytes, tuple[dict[bytes, bytes], int]] = {}
        self._in_vain = 0
        self.is_between = True

    def recall(self, data: bytes) -> Exchange | None:
        """The request that is in ``data`` whole, with nothing behind it, counted in; None for the parser."""
        if not self._fields or not self.is_between:
            return None
        lines_at = data.find(b"\n") + 1
        body_at = data.find(b"\r\n\r\n", lines_at) + 4
        fields = self._fields.get(data[lines_at:body_at])
        count_bytes = len(data)
        if fields is None or count_bytes - body_at != fields[1]:
            return None
        line = _REQUEST_LINE.match(data)
        if line is None or line.end() != lines_at:
            return None
        headers, bounds = fields[0], self._bounds
        if count_bytes > bounds.max_head_bytes or (self._streams and self._streams(headers)):
            return None
        bounds.held_bytes += count_bytes
        if bounds.max_held_bytes is not None and bounds.held_bytes > bounds.max_held_bytes:
            bounds.held_bytes -= count_bytes
            return None
        self._in_vain = 0
        exchange = Exchange(self._receiver, line[1], line[2], headers)
        exchange.body = data[body_at:]
        exchange.held_bytes = count_bytes
        return exchange

    def remember(self, data: bytes, headers: dict[bytes, bytes], body_bytes: int) -> None:
        """The parser found ``data`` to be a request of HTTP/1.1, on a connection that goes on."""
        self._in_vain += 1
        if self._in_vain > _MAX_IN_VAIN:
            self._fields.clear()
            return
        line = _REQUEST_LINE.match(data)
        if line is None or not _LEFT_TO_THE_PARSER.isdisjoint(headers):
            return
        body_at = data.find(b"\r\n\r\n", line.end()) + 4
        lines = data[line.end() : body_at]
        is_strict = lines.count(b"\n") == lines.count(b"\r") == lines.count(b"\r\n")
        if len(data) - body_at == body_bytes and len(lines) <= _MAX_LINES_BYTES and is_strict:
            if len(self._fields) >= _MAX_HEADS:
                self._fields.clear()
            self._fields[lines] = headers, body_bytes

    def forget(self) -> None:
        """Whatever comes now is the parser's."""
        self._fields.clear()
