"""Heads that a connection sent before: their meaning is remembered, so that the parser need not find it again.

A runtime sends the same header lines over and over, and the same bytes mean the same. Contract: what was not
read by the parser itself, whole and in one piece, is never remembered; nor is anything that ends, switches or
delays a connection, or comes in chunks. A connection whose lines are always new (an SDK signs each request) is
left alone soon.
"""

import re

_REQUEST_LINE = re.compile(rb"(GET|POST) (/[!-~]*+) HTTP/1\.1\r\n")
_LEFT_TO_THE_PARSER = frozenset(
    {b"transfer-encoding", b"upgrade", b"expect", b"http2-settings", b"trailer"}
)
_MAX_LINES_BYTES = 1024
_MAX_HEADS = 8
"""POLICY: per connection, so 8 KiB of lines; when there are more it begins anew."""
_MAX_IN_VAIN = 16
"""POLICY: so many heads are remembered, none of them to be met again, before that is given up."""

Head = tuple[bytes, bytes, dict[bytes, bytes], int]
"""Method, target, headers by lower-case name (shared, so nobody changes them), and where the body begins."""


class RememberedHeads:
    """The last few heads of one connection."""

    __slots__ = ("_fields", "_in_vain")

    def __init__(self) -> None:
        self._fields: dict[bytes, tuple[dict[bytes, bytes], int]] = {}
        self._in_vain = 0

    def recall(self, data: bytes) -> Head | None:
        """The head of a request that is in ``data`` whole, with nothing behind it; None for the parser."""
        if not self._fields:
            return None
        lines_at = data.find(b"\n") + 1
        body_at = data.find(b"\r\n\r\n", lines_at) + 4
        fields = self._fields.get(data[lines_at:body_at])
        if fields is None or len(data) - body_at != fields[1]:
            return None
        line = _REQUEST_LINE.match(data)
        if line is None or line.end() != lines_at:
            return None
        self._in_vain = 0
        return line[1], line[2], fields[0], body_at

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
