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
6. A request for which ``streams`` says so is handed over with its head, its body in pieces: neither counted
   against ``max_body_bytes`` nor under the deadline; the handler bounds it, and has it wait.

Callbacks instead of coroutines: this is the hot path, and a task per request costs as much as parsing it.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from typing import cast

from lambent.http1.bounds import REQUEST_DEADLINE_S, Bounds
from lambent.http1.exchange import STATUS_LINES, Exchange, status_line
from lambent.http1.reader import RequestReader
from lambent.http1.remembered import Streams

IDLE_DEADLINE_S = 600.0
"""POLICY: a kept-alive connection without a request."""
_MAX_PIPELINED = 16
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
INLINE_BODY_BYTES = 32 * 1024

Handler = Callable[[Exchange], None]


class HttpProtocol(asyncio.Protocol):
    """One connection. ``connections`` is the server's own set of live ones, for an orderly stop;

    ``bounds`` what it may hold together with others.
    """

    idle_deadline_s = IDLE_DEADLINE_S

    def __init__(
        self,
        handler: Handler,
        max_body_bytes: int,
        connections: "set[HttpProtocol]",
        discard_oversize: bool,
        bounds: Bounds | None = None,
        streams: Streams | None = None,
    ) -> None:
        self._handler = handler
        self._connections = connections
        self._bounds = bounds or Bounds()
        self._reader = RequestReader(
            self,
            max_body_bytes,
            self._bounds,
            discard_oversize=discard_oversize,
            streams=streams,
        )
        self._recall = self._reader.heads.recall
        self._transport: asyncio.Transport | None = None
        self._waiting: deque[Exchange] = deque()
        self._current: Exchange | None = None
        self._refusal = b""
        self._unread_bytes = 0
        self._writable = True
        self._advancing = False
        self._active_s = time.monotonic()
        self._watch: asyncio.TimerHandle | None = None

    @property
    def closed(self) -> bool:
        """Whether the connection is gone."""
        return self._transport is None

    @property
    def peer(self) -> str:
        """The client's address; empty for none (a Unix socket, a client that left)."""
        name = None if self._transport is None else self._transport.get_extra_info("peername")
        return str(name[0]) if isinstance(name, tuple) and name else ""

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
        self._reader.give_back()
        self._bounds.give_back(self._unread_bytes + waiting)
        self._unread_bytes = 0
        self._waiting.clear()
        current, self._current = self._current, None
        if current is not None and current.on_disconnect is not None:
            current.on_disconnect()

    def data_received(self, data: bytes) -> None:
        """Bytes of requests."""
        exchange = self._recall(data)
        if exchange is None:
            self._reader.feed(data)
        elif self._current is None and self._writable:
            self._current = exchange
            try:
                self._handler(exchange)
            except Exception as error:
                self._answer_for(exchange, error)
        else:
            self.take(exchange)

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
        current = self._current
        if current is not None and current.on_writable is not None:
            current.on_writable()
        elif self._transport is not None and current is None:
            self._advance(self._transport)

    def _check_deadlines(self, loop: asyncio.AbstractEventLoop) -> None:
        now_s = time.monotonic()
        if self._reader.is_overdue(now_s):
            self._reader.fail(408, b"The request did not arrive whole in time.")
            return
        idle = self._current is None and not self._reader.reading
        if idle and now_s - self._active_s > self.idle_deadline_s and self._transport:
            self._transport.close()
            return
        self._watch = loop.call_later(REQUEST_DEADLINE_S / 4, self._check_deadlines, loop)

    # What the reader tells

    def take(self, exchange: Exchange) -> None:
        """Hands a request over, or queues it behind the one in work."""
        if self._current is None and self._writable:
            self._hand_over(exchange)
            return
        self._waiting.append(exchange)
        if len(self._waiting) >= _MAX_PIPELINED and self._transport is not None:
            self._transport.pause_reading()

    def may_take_early(self) -> bool:
        """Whether a request whose body is still coming would be worked on at once."""
        return self._current is None and self._writable and not self._waiting

    def go_ahead(self) -> None:
        """Asks for the body."""
        if self._transport is not None:
            self._transport.write(_CONTINUE)

    def refuse(self, status: int, message: bytes) -> None:
        """Answers a request that never became one, after those before it, and closes."""
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        head = b"content-type: text/plain\r\nconnection: close\r\ncontent-length: %d\r\n\r\n"
        self._refusal = STATUS_LINES[status] + head % len(message) + message
        if self._current is None:
            transport.write(self._refusal)
            transport.close()

    # Answering

    def _hand_over(self, exchange: Exchange) -> None:
        self._current = exchange
        try:
            self._handler(exchange)
        except Exception as error:
            self._answer_for(exchange, error)

    def _answer_for(self, exchange: Exchange, error: Exception) -> None:
        context = {"message": "a request's handler failed", "exception": error}
        asyncio.get_running_loop().call_exception_handler(context)
        exchange.respond(500)

    def finish(self, exchange: Exchange, status: int, head: bytes, body: bytes) -> None:
        """Writes the answer and goes on with the next request, if one is waiting."""
        self._bounds.held_bytes -= exchange.held_bytes
        transport = self._transport
        if transport is None:
            return
        start = STATUS_LINES.get(status) or status_line(status)
        close = b"" if exchange.keep_alive else b"connection: close\r\n"
        if status == 204:
            transport.write(b"%b%b%b\r\n" % (start, head, close))
        elif exchange.method == b"HEAD" or len(body) > INLINE_BODY_BYTES:
            framed = b"%b%b%bcontent-length: %d\r\n\r\n"
            transport.write(framed % (start, head, close, len(body)))
            if exchange.method != b"HEAD":
                transport.write(body)
        else:
            whole = b"%b%b%bcontent-length: %d\r\n\r\n%b"
            transport.write(whole % (start, head, close, len(body), body))
        self._current = None
        self._active_s = time.monotonic()
        if self._waiting or self._refusal or close:
            self._go_on(exchange, transport)

    def begin(self, exchange: Exchange, status: int, head: bytes) -> None:
        """Writes the head of an answer in pieces."""
        if self._transport is not None:
            close = b"" if exchange.keep_alive else b"connection: close\r\n"
            self._transport.write(b"%b%b%b\r\n" % (status_line(status), head, close))

    def send(self, data: bytes) -> bool:
        """Writes a piece; whether the client keeps up."""
        if self._transport is not None:
            self._transport.write(data)
        return self._writable

    def end(self, exchange: Exchange) -> None:
        """The answer in pieces is whole: goes on with the next request."""
        self._bounds.give_back(exchange.held_bytes)
        if self._transport is not None:
            self._go_on(exchange, self._transport)

    def pause_body(self) -> None:
        """Reads no more of a body that comes in pieces."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.pause_reading()

    def resume_body(self) -> None:
        """Reads on."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()

    def _go_on(self, exchange: Exchange, transport: asyncio.Transport) -> None:
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
