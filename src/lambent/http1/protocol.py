"""The server side of an HTTP/1.1 connection, as an asyncio Protocol.

Contract:
1. The handler is called once per whole request, in the order they came; the next request of a
   connection is handed over only after the one before it was answered.
2. ``Exchange.respond`` may be called at once or later, from the loop's thread; a second call, or one
   after the client left, does nothing.
3. With ``discard_oversize`` a body over the limit is read and thrown away, and the handler sees
   ``Exchange.too_large``; else, or when a gigabyte is announced, the client gets 413.
4. Bytes that are no request get 400, too large a body 413, too large a head 431, in their turn behind
   the requests before them; then the connection closes. A connection that sends half a request is
   closed after ``REQUEST_DEADLINE_S``.
5. A handler that raises is answered for with 500, and the loop's exception handler hears of it.

Callbacks instead of coroutines: this is the hot path, and a task per request costs as much as parsing it.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import cast

import httptools

from lambent.http1.bounds import Bounds

REQUEST_DEADLINE_S = 60.0
"""POLICY: from a request's first byte to its last."""
IDLE_DEADLINE_S = 600.0
"""POLICY: a kept-alive connection without a request."""
_MAX_PIPELINED = 16
_MAX_DISCARDED_BYTES = 1 << 30
"""POLICY: nobody sends more by mistake; such a body is refused before it comes."""
_OFFER = (b"connection", b"expect", b"http2-settings", b"upgrade")
_INLINE_BODY_BYTES = 32 * 1024

_STATUS_LINES = {
    status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n".encode() for status in HTTPStatus
}
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class Exchange:
    """One request and the way to answer it. ``headers`` has lower-case names; ``target`` is raw."""

    __slots__ = (
        "_protocol", "body", "headers", "held_bytes", "keep_alive", "method", "on_disconnect",
        "target", "too_large",
    )  # fmt: skip

    def __init__(
        self, protocol: "HttpProtocol", method: bytes, target: bytes, headers: dict[bytes, bytes]
    ) -> None:
        self._protocol: HttpProtocol | None = protocol
        self.method = method
        self.target = target
        self.headers = headers
        self.body = b""
        self.held_bytes = 0
        self.keep_alive = True
        self.too_large = False
        self.on_disconnect: Callable[[], None] | None = None

    def respond(
        self, status: int, headers: Iterable[tuple[str, str]] = (), body: bytes = b""
    ) -> None:
        """Answers with headers as pairs; ``content-length`` is added."""
        lines = [f"{name}: {value}\r\n" for name, value in headers]
        self.respond_raw(status, "".join(lines).encode("latin-1", "replace"), body)

    def respond_raw(self, status: int, head: bytes, body: bytes) -> None:
        """Answers with ready header lines (each ending in CRLF)."""
        protocol, self._protocol = self._protocol, None
        if protocol is not None:
            protocol.finish(self, status, head, body)

    @property
    def gone(self) -> bool:
        """Whether the client left before the answer, or was answered."""
        return self._protocol is None or self._protocol.closed


Handler = Callable[[Exchange], None]


class HttpProtocol(asyncio.Protocol):
    """One connection. ``connections`` is the server's own set of live ones, for an orderly stop;

    ``bounds`` what it may hold together with others.
    """

    def __init__(
        self,
        handler: Handler,
        max_body_bytes: int,
        connections: "set[HttpProtocol]",
        discard_oversize: bool,
        bounds: Bounds | None = None,
    ) -> None:
        self._handler = handler
        self._bounds = bounds or Bounds()
        self._held_bytes = 0
        self._unread_bytes = 0
        self._writable = True
        self._discard_oversize = discard_oversize
        self._max_body_bytes = max_body_bytes
        self._connections = connections
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpRequestParser(self)
        self._waiting: deque[Exchange] = deque()
        self._current: Exchange | None = None
        self._broken = False
        self._refusal = b""
        self._advancing = False
        self._started_s = 0.0
        self._active_s = time.monotonic()
        self._watch: asyncio.TimerHandle | None = None
        self._reset_request()

    def _reset_request(self) -> None:
        self._target: list[bytes] = []
        self._headers: dict[bytes, bytes] = {}
        self._body: list[bytes] = []
        self._head_bytes = 0
        self._body_bytes = 0
        self._stuck_bytes = 0

    @property
    def closed(self) -> bool:
        """Whether the connection is gone."""
        return self._transport is None

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Starts the watch on half requests and idle connections."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is none by class
        self._connections.add(self)
        if not self._bounds.connect():
            self._transport.abort()
        loop = asyncio.get_running_loop()
        self._watch = loop.call_later(REQUEST_DEADLINE_S, self._check_deadlines, loop)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        """Tells the request in work that nobody waits for it."""
        self._transport = None
        self._connections.discard(self)
        if self._watch is not None:
            self._watch.cancel()
        self._bounds.disconnect()
        waiting = sum(exchange.held_bytes for exchange in self._waiting)
        self._bounds.give_back(self._held_bytes + self._unread_bytes + waiting)
        self._held_bytes = self._unread_bytes = 0
        self._waiting.clear()
        current, self._current = self._current, None
        if current is not None and current.on_disconnect is not None:
            current.on_disconnect()

    def data_received(self, data: bytes) -> None:
        """Feeds the parser; anything it cannot take ends the connection with 400."""
        if self._broken:
            return
        headers, body_bytes = self._headers, self._body_bytes
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as offer:
            self._ignore_upgrade(data[offer.args[0] :])
        except httptools.HttpParserError as error:
            self._fail(400, f"This is not an HTTP/1.1 request: {error}".encode())
        else:
            if self._started_s and headers is self._headers and body_bytes == self._body_bytes:
                # The parser holds on to an unfinished header without telling of it.
                self._stuck_bytes += len(data)
                if self._stuck_bytes > self._bounds.max_head_bytes:
                    self._fail(431, b"The request's headers are too large.")
            if self._started_s:
                discarded = self._body_bytes > self._max_body_bytes
                self._hold(0 if discarded else self._held_bytes + len(data))

    def _hold(self, count_bytes: int) -> None:
        """The request being received takes that much; one that is too much with all others is refused."""
        more = count_bytes - self._held_bytes
        self._held_bytes = count_bytes
        if not self._bounds.hold(more):
            self._fail(503, b"Too much is being sent at once; try again.")

    def pause_writing(self) -> None:
        """The client does not read its answers: no further request is worked on until it does."""
        self._writable = False
        transport = self._transport
        if transport is not None:
            self._unread_bytes = transport.get_write_buffer_size()
            if not self._bounds.hold(self._unread_bytes):
                asyncio.get_running_loop().call_soon(transport.abort)

    def resume_writing(self) -> None:
        """It has read them: goes on."""
        self._writable = True
        self._bounds.give_back(self._unread_bytes)
        self._unread_bytes = 0
        if self._transport is not None and self._current is None:
            self._advance(self._transport)

    def _ignore_upgrade(self, rest: bytes) -> None:
        """Reads the request again without its offer: RFC 9110 allows it, some clients always offer h2c.

        The parser ends the message at its head then, body or not.
        """
        method = self._parser.get_method()
        if self._broken or method == b"CONNECT":
            self._fail(400, b"CONNECT is not served here.")
            return
        closes = b"close" in self._headers.get(b"connection", b"").lower()
        lines = [b"%b: %b\r\n" % item for item in self._headers.items() if item[0] not in _OFFER]
        lines.append(b"connection: close\r\n" if closes else b"")
        head = b"%b %b HTTP/1.1\r\n%b\r\n"
        self._parser = httptools.HttpRequestParser(self)
        self.data_received(head % (method, b"".join(self._target), b"".join(lines)) + rest)

    def _check_deadlines(self, loop: asyncio.AbstractEventLoop) -> None:
        now_s = time.monotonic()
        if self._started_s and now_s - self._started_s > REQUEST_DEADLINE_S:
            self._fail(408, b"The request did not arrive whole in time.")
            return
        idle = self._current is None and not self._started_s
        if idle and now_s - self._active_s > IDLE_DEADLINE_S and self._transport:
            self._transport.close()
            return
        self._watch = loop.call_later(REQUEST_DEADLINE_S / 4, self._check_deadlines, loop)

    # httptools callbacks

    def on_message_begin(self) -> None:
        """A request's first byte."""
        self._reset_request()
        self._started_s = time.monotonic()

    def on_url(self, url: bytes) -> None:
        """A piece of the request target."""
        self._target.append(url)
        self._count_head(len(url))

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header; a repeated one is joined by a comma."""
        self._count_head(len(name) + len(value) + 4)
        key = name.lower()
        headers = self._headers
        if key in headers:
            headers[key] = headers[key] + b", " + value
        else:
            headers[key] = value

    def _count_head(self, count: int) -> None:
        self._head_bytes += count
        if self._head_bytes > self._bounds.max_head_bytes:
            self._fail(431, b"The request's headers are too large.")

    def on_headers_complete(self) -> None:
        """Refuses a body announced too large before it comes."""
        headers = self._headers
        length = headers.get(b"content-length", b"")
        most = _MAX_DISCARDED_BYTES if self._discard_oversize else self._max_body_bytes
        if length.isdigit() and int(length) > most:
            self._fail(413, b"The request's body is too large.")
        elif b"expect" in headers and self._transport is not None:
            self._transport.write(_CONTINUE)

    def on_body(self, body: bytes) -> None:
        """A piece of the body."""
        self._body_bytes += len(body)
        self._stuck_bytes = 0
        if self._body_bytes > self._max_body_bytes:
            self._body.clear()
            if not self._discard_oversize:
                self._fail(413, b"The request's body is too large.")
        elif not self._broken:
            self._body.append(body)

    def on_message_complete(self) -> None:
        """A whole request: hands it over, or queues it behind the one in work."""
        parser = self._parser
        if parser.should_upgrade():
            return  # data_received goes on with it
        self._started_s = 0.0
        if self._broken:
            return
        self._hold(self._head_bytes + sum(map(len, self._body)))
        if self._broken:
            return
        target = self._target
        exchange = Exchange(
            self,
            parser.get_method(),
            target[0] if len(target) == 1 else b"".join(target),
            self._headers,
        )
        body = self._body
        exchange.body = body[0] if len(body) == 1 else b"".join(body)
        exchange.too_large = self._body_bytes > self._max_body_bytes
        exchange.keep_alive = parser.should_keep_alive()
        self._body = []
        exchange.held_bytes, self._held_bytes = self._held_bytes, 0
        if self._current is None and self._writable:
            self._hand_over(exchange)
            return
        self._waiting.append(exchange)
        if len(self._waiting) >= _MAX_PIPELINED and self._transport is not None:
            self._transport.pause_reading()

    # Answering

    def _hand_over(self, exchange: Exchange) -> None:
        self._current = exchange
        try:
            self._handler(exchange)
        except Exception as error:
            context = {"message": "a request's handler failed", "exception": error}
            asyncio.get_running_loop().call_exception_handler(context)
            exchange.respond(500)

    def finish(self, exchange: Exchange, status: int, head: bytes, body: bytes) -> None:
        """Writes the answer and goes on with the next request, if one is waiting."""
        self._bounds.give_back(exchange.held_bytes)
        transport = self._transport
        if transport is None:
            return
        start = _STATUS_LINES.get(status) or f"HTTP/1.1 {status} Status\r\n".encode()
        close = b"" if exchange.keep_alive else b"connection: close\r\n"
        if status == 204:
            full_head = b"%b%b%b\r\n" % (start, head, close)
        else:
            full_head = b"%b%b%bcontent-length: %d\r\n\r\n" % (start, head, close, len(body))
        if exchange.method == b"HEAD" or status == 204:
            transport.write(full_head)
        elif len(body) <= _INLINE_BODY_BYTES:
            transport.write(full_head + body)
        else:
            transport.write(full_head)
            transport.write(body)
        self._current = None
        self._active_s = time.monotonic()
        if not exchange.keep_alive:
            transport.close()
        elif self._waiting:
            self._advance(transport)
        elif self._refusal:
            transport.write(self._refusal)
            transport.close()

    def _advance(self, transport: asyncio.Transport) -> None:
        """Hands over what waits, in a loop: answered at once, each would else be a call deeper."""
        if self._advancing:
            return
        self._advancing = True
        while self._may_advance(transport):
            self._hand_over(self._waiting.popleft())
        self._advancing = False
        if not self._waiting and not transport.is_closing():
            transport.resume_reading()

    def _may_advance(self, transport: asyncio.Transport) -> bool:
        idle = self._current is None and self._writable
        return bool(self._waiting) and idle and not transport.is_closing()

    def _fail(self, status: int, message: bytes) -> None:
        """Answers a request that never became one, after those before it, and closes."""
        if self._broken:
            return
        self._broken = True
        self._started_s = 0.0
        self._body.clear()
        self._bounds.give_back(self._held_bytes)
        self._held_bytes = 0
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        head = b"content-type: text/plain\r\nconnection: close\r\ncontent-length: %d\r\n\r\n"
        self._refusal = _STATUS_LINES[status] + head % len(message) + message
        if self._current is None:
            transport.write(self._refusal)
            transport.close()

    def close_when_idle(self) -> None:
        """Part of an orderly stop: closes now, or after the answer in work."""
        if self._current is not None:
            self._current.keep_alive = False
        elif self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        """Cuts the connection now."""
        if self._transport is not None:
            self._transport.abort()
