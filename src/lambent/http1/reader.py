"""Reads the requests of one connection: bytes in, exchanges out, bounds kept while they come."""

import time
from typing import Protocol

import httptools

from lambent.http1.bounds import Bounds
from lambent.http1.exchange import Answering, Exchange
from lambent.http1.remembered import RememberedHeads, Streams

_MAX_DISCARDED_BYTES = 1 << 30
"""POLICY: nobody sends more by mistake; such a body is refused before it comes."""
_OFFER = (b"connection", b"expect", b"http2-settings", b"upgrade")


class Receiver(Answering, Protocol):
    """The connection, as its reader needs it."""

    def take(self, exchange: Exchange) -> None:
        """A whole request."""

    def may_take_early(self) -> bool:
        """Whether a request may be handed over before its body: only when none is before it."""

    def refuse(self, status: int, message: bytes) -> None:
        """The bytes are no request, or too many: nothing more will be read."""

    def go_ahead(self) -> None:
        """The client waits for 100 before it sends the body."""


class RequestReader:
    """Feeds a parser. ``held_bytes`` is what the request being received holds of ``bounds``."""

    def __init__(
        self,
        receiver: Receiver,
        max_body_bytes: int,
        bounds: Bounds,
        *,
        discard_oversize: bool = False,
        streams: Streams | None = None,
    ) -> None:
        self._receiver = receiver
        self._max_body_bytes = max_body_bytes
        self._bounds = bounds
        self._discard_oversize = discard_oversize
        self._streams = streams
        self._parser = httptools.HttpRequestParser(self)
        self.heads = RememberedHeads(receiver, bounds, streams, max_body_bytes)
        self._piece = b""
        self._streamed: Exchange | None = None
        self.held_bytes = 0
        self.broken = False
        self._started_s = 0.0
        self._reset_request()

    def _reset_request(self) -> None:
        self._target: list[bytes] = []
        self._headers: dict[bytes, bytes] = {}
        self._body: list[bytes] = []
        self._head_bytes = 0
        self._body_bytes = 0
        self._stuck_bytes = 0

    @property
    def reading(self) -> bool:
        """Whether half a request is there."""
        return self._started_s > 0

    def is_overdue(self, now_s: float) -> bool:
        """Whether half a request has been there for too long."""
        return self.reading and now_s - self._started_s > self._bounds.request_deadline_s

    def feed(self, data: bytes) -> None:
        """Feeds the parser; anything it cannot take ends the connection with 400."""
        if self.broken:
            return
        self._piece = b"" if self._started_s else data
        headers, body_bytes = self._headers, self._body_bytes
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as offer:
            self._ignore_upgrade(data[offer.args[0] :])
        except httptools.HttpParserError as error:
            self.fail(400, f"This is not an HTTP/1.1 request: {error}".encode())
        else:
            if headers is self._headers and body_bytes == self._body_bytes:
                # The parser holds on to an unfinished header without telling of it.
                self._stuck_bytes += len(data)
                if self._stuck_bytes > self._bounds.max_head_bytes:
                    self._refuse_head()
            if self._started_s:
                discarded = self._body_bytes > self._max_body_bytes
                self._hold(0 if discarded else self.held_bytes + len(data))

    def _hold(self, count_bytes: int) -> None:
        """The request being received takes that much; one that is too much with all others is refused."""
        more = count_bytes - self.held_bytes
        self.held_bytes = count_bytes
        if not self._bounds.hold(more):
            self.fail(503, b"Too much is being sent at once; try again.")

    def _ignore_upgrade(self, rest: bytes) -> None:
        """Reads the request again without its offer: RFC 9110 allows it, some clients always offer h2c.

        The parser ends the message at its head then, body or not.
        """
        method = self._parser.get_method()
        if self.broken or method == b"CONNECT":
            self.fail(400, b"CONNECT is not served here.")
            return
        closes = b"close" in self._headers.get(b"connection", b"").lower()
        lines = [b"%b: %b\r\n" % item for item in self._headers.items() if item[0] not in _OFFER]
        lines.append(b"connection: close\r\n" if closes else b"")
        head = b"%b %b HTTP/1.1\r\n%b\r\n"
        self._parser = httptools.HttpRequestParser(self)
        self.feed(head % (method, b"".join(self._target), b"".join(lines)) + rest)

    # httptools callbacks

    def on_message_begin(self) -> None:
        """A request's first byte."""
        self._reset_request()
        self._started_s = time.monotonic()
        self.heads.is_between = False

    def on_url(self, url: bytes) -> None:
        """A piece of the request target."""
        self._target.append(url)
        self._count_head(len(url))

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header; a repeated one is joined by a comma."""
        # Counted in place: ten headers and more come with every request, and a call costs as much as the rest.
        self._head_bytes += len(name) + len(value) + 4
        if self._head_bytes > self._bounds.max_head_bytes:
            self._refuse_head()
        key = name.lower()
        headers = self._headers
        if key in headers:
            headers[key] = headers[key] + b", " + value
        else:
            headers[key] = value

    def _count_head(self, count: int) -> None:
        self._head_bytes += count
        if self._head_bytes > self._bounds.max_head_bytes:
            self._refuse_head()

    def _refuse_head(self) -> None:
        self.fail(431, b"The request's headers are too large.")

    def on_headers_complete(self) -> None:
        """Refuses a body announced too large before it comes."""
        headers = self._headers
        length = headers.get(b"content-length", b"")
        most = _MAX_DISCARDED_BYTES if self._discard_oversize else self._max_body_bytes
        if length.isdigit() and int(length) > most:
            self.fail(413, b"The request's body is too large.")
        elif b"expect" in headers:
            self._receiver.go_ahead()
        if self._streams is not None and not self.broken and self._streams(headers):
            self._hand_over_early()

    def _hand_over_early(self) -> None:
        """Only when nothing is before it: a pipelined request comes whole, as any other."""
        if self._receiver.may_take_early():
            self._started_s = 0.0
            self._hold(0)
            exchange = self._streamed = self._make_exchange()
            exchange.streamed = True
            self._receiver.take(exchange)

    def on_body(self, body: bytes) -> None:
        """A piece of the body."""
        self._body_bytes += len(body)
        self._stuck_bytes = 0
        if self._streamed is not None:
            if self._streamed.on_body is not None:
                self._streamed.on_body(body)
            return
        if self._body_bytes > self._max_body_bytes:
            self._body.clear()
            if not self._discard_oversize:
                self.fail(413, b"The request's body is too large.")
        elif not self.broken:
            self._body.append(body)

    def on_message_complete(self) -> None:
        """A whole request: hands it over, or queues it behind the one in work."""
        parser = self._parser
        if parser.should_upgrade():
            return  # feed goes on with it
        self._started_s = 0.0
        self.heads.is_between = True
        streamed, self._streamed = self._streamed, None
        if streamed is not None:
            if streamed.on_body_end is not None:
                streamed.on_body_end()
            return
        if self.broken:
            return
        body = self._body
        whole = body[0] if len(body) == 1 else b"".join(body)
        self._hold(self._head_bytes + len(whole))
        if self.broken:
            return
        exchange = self._make_exchange()
        piece, self._piece = self._piece, b""
        if not exchange.keep_alive:
            self.heads.forget()
        elif len(piece) <= self._bounds.max_head_bytes and not exchange.http_10:
            self.heads.remember(piece, self._headers, len(whole))
        exchange.body = whole
        exchange.too_large = self._body_bytes > self._max_body_bytes
        self._body = []
        exchange.held_bytes, self.held_bytes = self.held_bytes, 0
        self._receiver.take(exchange)

    def _make_exchange(self) -> Exchange:
        parser, target = self._parser, self._target
        path = target[0] if len(target) == 1 else b"".join(target)
        exchange = Exchange(self._receiver, parser.get_method(), path, self._headers)
        exchange.keep_alive = parser.should_keep_alive()
        exchange.http_10 = parser.get_http_version() == "1.0"
        return exchange

    def fail(self, status: int, message: bytes) -> None:
        """Gives up: nothing of this connection is read any more."""
        if self.broken:
            return
        self.stop()
        if self._streamed is not None:
            # Its handler has the half of it already: it hears that there will be no other half.
            self._streamed = None
            self._receiver.abort()
            return
        self._receiver.refuse(status, message)

    def stop(self) -> None:
        """Nothing of this connection is read any more."""
        self.broken = True
        self.heads.forget()
        self._started_s = 0.0
        self._body.clear()
        self.give_back()

    def give_back(self) -> None:
        """The connection is gone, or given up: its half request is."""
        self._bounds.give_back(self.held_bytes)
        self.held_bytes = 0
