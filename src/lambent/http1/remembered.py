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
_MAX_DIGITS = 9
_MAX_IN_VAIN = 16
"""POLICY: so many heads are remembered, none of them to be met again, before that is given up."""

Streams = Callable[[dict[bytes, bytes]], bool]
"""Whether a request with these headers is to be handed over before its body is there."""


class RememberedHeads:
    """The last few heads of one connection. Requests with the same lines share their headers: nobody changes them.

    Where ``content-length`` is the last line, it may say another number. ``is_between``: whether the next byte is
    a request's first one. ``end``: where the request that was recalled last ends.
    """

    __slots__ = ("_bounds", "_fields", "_in_vain", "_receiver", "_streams", "end", "is_between")

    def __init__(self, receiver: Answering, bounds: Bounds, streams: Streams | None = None) -> None:
        self._receiver = receiver
        self._bounds = bounds
        self._streams = streams
        self._fields: dict[bytes, tuple[bytes, dict[bytes, bytes], int, bool]] = {}
        """Lines up to the last value → that value, what they mean, the body's size, whether the value is that."""
        self._in_vain = 0
        self.end = 0
        self.is_between = True

    def recall(  # noqa: PLR0911 - one for each doubt
        self, data: bytes, at: int = 0, *, is_last: bool = True
    ) -> Exchange | None:
        """The request that begins at ``at`` and is there whole, counted in; None for the parser.

        ``is_last``: only with nothing behind it.
        """
        if not self._fields or not self.is_between:
            return None
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
        end = self.end = body_at + body_bytes
        count_bytes, bounds = end - at, self._bounds
        is_whole = len(data) == end or (len(data) > end and not is_last)
        if not is_whole or count_bytes > bounds.max_head_bytes:
            return None
        line = _REQUEST_LINE.match(data, at)
        if line is None or line.end() != lines_at or (self._streams and self._streams(headers)):
            return None
        bounds.held_bytes += count_bytes
        if bounds.max_held_bytes is not None and bounds.held_bytes > bounds.max_held_bytes:
            bounds.held_bytes -= count_bytes
            return None
        self._in_vain = 0
        exchange = Exchange(self._receiver, line[1], line[2], headers)
        exchange.body = data[body_at:end]
        exchange.held_bytes = count_bytes
        return exchange

    def remember(self, data: bytes, headers: dict[bytes, bytes], body_bytes: int) -> None:
        """The parser found ``data`` to begin with a request of HTTP/1.1, on a connection that goes on."""
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
        if len(data) - body_at >= body_bytes and len(lines) <= _MAX_LINES_BYTES and is_strict:
            if len(self._fields) >= _MAX_HEADS:
                self._fields.clear()
            start, last, value = lines.rpartition(b" ")
            is_length = start.lower().endswith(b"\r\ncontent-length:") and (
                headers[b"content-length"] == value[:-4]
            )
            if last:
                self._fields[start + last] = value, headers, body_bytes, is_length

    def forget(self) -> None:
        """Whatever comes now is the parser's."""
        self._fields.clear()
