"""A connection whose client sends its next request together with the one before, and hears both answers at once.

Contract, besides :mod:`lambent.http1.protocol`'s:
1. An answer to a request behind which the next one has come already leaves with that one's answer.
2. A refusal (400 and above) ends the connection: what came behind the refused request is not looked at.
3. However long it is idle, it stays open.
"""

import math

from lambent.http1.exchange import STATUS_LINES, Exchange
from lambent.http1.protocol import INLINE_BODY_BYTES, HttpProtocol

_FIRST_REFUSAL = 400
_USUAL = (200, 202)
_ANSWER = b"%b%b%bcontent-length: %d\r\n\r\n%b"


class PairedProtocol(HttpProtocol):
    """See the module."""

    idle_deadline_s = math.inf
    _is_followed = False
    _held = b""

    def data_received(self, data: bytes) -> None:
        """Bytes of requests: one, or two."""
        reader = self._reader
        heads = reader.heads
        at, size_bytes = 0, len(data)
        while at < size_bytes and not reader.broken:
            exchange = self._recall(data, at, is_last=False)
            if exchange is None:
                self._send_held()
                reader.feed(data[at:] if at else data)
                return
            at = heads.end
            self._is_followed = at < size_bytes
            self.take(exchange)
            self._is_followed = False

    def finish(self, exchange: Exchange, status: int, head: bytes, body: bytes) -> None:
        """Writes the answer, or holds it back."""
        transport = self._transport
        is_usual = status in _USUAL and exchange.method != b"HEAD" and exchange.keep_alive
        is_short = len(body) <= INLINE_BODY_BYTES
        if not (is_usual and is_short) or self._waiting or self._refusal or transport is None:
            self._finish_otherwise(exchange, status, head, body)
            return
        self._bounds.held_bytes -= exchange.held_bytes
        self._current = None
        answer = _ANSWER % (self._held, STATUS_LINES[status], head, len(body), body)
        if self._is_followed:
            self._held = answer
        else:
            self._held = b""
            transport.write(answer)

    def _finish_otherwise(self, exchange: Exchange, status: int, head: bytes, body: bytes) -> None:
        if status >= _FIRST_REFUSAL:
            exchange.keep_alive = False
            self._reader.stop()
        self._send_held()
        super().finish(exchange, status, head, body)

    def begin(self, exchange: Exchange, status: int, head: bytes) -> None:
        """What is held back first."""
        self._send_held()
        super().begin(exchange, status, head)

    def _send_held(self) -> None:
        held, self._held = self._held, b""
        if held and self._transport is not None:
            self._transport.write(held)
