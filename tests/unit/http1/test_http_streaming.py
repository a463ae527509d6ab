"""Bodies in pieces, both ways."""

import asyncio

import httptools
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambent.http1.exchange import Exchange
from lambent.http1.protocol import HttpProtocol
from lambent.testing.loop import on_loop
from lambent.testing.transport import FakeTransport

POST = b"POST /r HTTP/1.1\r\nx-stream: 1\r\ntransfer-encoding: chunked\r\n\r\n"
GET = b"GET / HTTP/1.1\r\n\r\n"


class Client:
    """A connection whose requests with ``x-stream`` come in pieces, and what became of them."""

    def __init__(self, max_body_bytes: int = 100) -> None:
        self.seen: list[Exchange] = []
        self.pieces: list[bytes] = []
        self.ended = 0
        self.left = 0
        self.protocol = HttpProtocol(
            self.handle,
            max_body_bytes,
            set(),
            False,
            streams=lambda headers: b"x-stream" in headers,
        )
        self.transport = FakeTransport(self.protocol)

    def handle(self, exchange: Exchange) -> None:
        self.seen.append(exchange)
        exchange.on_body = self.pieces.append
        exchange.on_body_end = self._end
        exchange.on_disconnect = self._leave

    def _end(self) -> None:
        self.ended += 1

    def _leave(self) -> None:
        self.left += 1


class Answers:
    """Reads answers as an HTTP client does."""

    def __init__(self, data: bytes) -> None:
        self.body = b""
        self.complete = 0
        self.close = False
        self._parser = httptools.HttpResponseParser(self)
        self._parser.feed_data(data)

    def on_body(self, body: bytes) -> None:
        self.body += body

    def on_message_complete(self) -> None:
        self.complete += 1


@on_loop
async def test_a_request_is_handed_over_with_its_head() -> None:
    """The handler sees the request before its body, then the pieces as they come, then the end."""
    client = Client()
    client.protocol.data_received(POST)
    assert [exchange.streamed for exchange in client.seen] == [True]
    client.protocol.data_received(b"3\r\nabc\r\n")
    assert client.pieces == [b"abc"]
    client.protocol.data_received(b"0\r\nx-error: yes\r\n\r\n")
    assert client.ended == 1
    assert client.seen[0].headers[b"x-error"] == b"yes"


@on_loop
async def test_a_body_in_pieces_is_bounded_by_its_handler_alone() -> None:
    """More than ``max_body_bytes`` may pass; the next request on the connection is read as ever."""
    client = Client(max_body_bytes=10)
    client.protocol.data_received(POST)
    client.protocol.data_received(b"40\r\n" + b"x" * 0x40 + b"\r\n" + b"0\r\n\r\n")
    client.seen[0].respond(202)
    client.protocol.data_received(GET)
    assert b"".join(client.pieces) == b"x" * 0x40
    assert len(client.seen) == 2


@on_loop
async def test_an_answer_before_the_body_is_over_leaves_the_connection_whole() -> None:
    """What still comes of a refused request's body is read past."""
    client = Client()
    client.protocol.data_received(POST)
    client.seen[0].respond(403)
    client.protocol.data_received(b"3\r\nabc\r\n0\r\n\r\n" + GET)
    assert len(client.seen) == 2
    client.seen[1].respond(200)
    assert Answers(bytes(client.transport.written)).complete == 2


@on_loop
async def test_a_pipelined_request_comes_whole() -> None:
    """Behind another request it is handed over when that one is answered, with all of its body."""
    client = Client()
    client.protocol.data_received(GET + POST + b"3\r\nabc\r\n0\r\n\r\n")
    assert len(client.seen) == 1
    client.seen[0].respond(200)
    assert [(e.streamed, e.body) for e in client.seen] == [(False, b""), (False, b"abc")]


@on_loop
async def test_reading_waits_when_the_handler_says_so() -> None:
    """``pause_body`` stops the client, ``resume_body`` lets it go on."""
    client = Client()
    client.protocol.data_received(POST)
    client.seen[0].pause_body()
    assert not client.transport.reading
    client.seen[0].resume_body()
    assert client.transport.reading


@on_loop
async def test_leaving_in_the_middle_of_a_body_is_told() -> None:
    """The handler hears that the body will never be whole."""
    client = Client()
    client.protocol.data_received(POST + b"3\r\nab")
    client.transport.leave()
    assert (client.left, client.ended) == (1, 0)


@given(st.lists(st.binary(max_size=50)))
def test_an_answer_in_pieces_is_read_as_one(pieces: list[bytes]) -> None:
    """Whatever the pieces, empty ones too, a client reads their sum, and the answer after it."""

    async def answer() -> bytes:
        client = Client()
        client.protocol.data_received(GET + GET)
        client.seen[0].begin(200, b"content-type: text/plain\r\n")
        for piece in pieces:
            client.seen[0].write(piece)
        client.seen[0].end()
        client.seen[1].respond(200)
        return bytes(client.transport.written)

    read = Answers(asyncio.run(answer()))
    assert (read.body, read.complete) == (b"".join(pieces), 2)


@on_loop
async def test_http_1_0_gets_no_chunks() -> None:
    """Its answer in pieces ends with the connection."""
    client = Client()
    client.protocol.data_received(b"GET / HTTP/1.0\r\nconnection: keep-alive\r\n\r\n")
    client.seen[0].begin(200, b"")
    client.seen[0].write(b"abc")
    client.seen[0].end()
    assert client.transport.written.endswith(b"\r\n\r\nabc")
    assert b"chunked" not in client.transport.written
    assert client.transport.is_closing()


@on_loop
async def test_a_slow_reader_is_told_of_and_waited_for() -> None:
    """``write`` says that the client is behind, ``on_writable`` when it has caught up."""
    client = Client()
    client.protocol.data_received(GET)
    told: list[bool] = []
    exchange = client.seen[0]
    exchange.on_writable = lambda: told.append(True)
    exchange.begin(200, b"")
    client.transport.get_write_buffer_size = lambda: 70_000  # type: ignore[method-assign]
    client.protocol.pause_writing()
    assert exchange.write(b"abc") is False
    client.protocol.resume_writing()
    assert told == [True]
    assert exchange.write(b"abc") is True


@on_loop
@pytest.mark.parametrize("begun", [True, False])
async def test_an_answer_cut_off_is_no_whole_answer(begun: bool) -> None:
    """After ``cut`` the connection is gone without a last chunk."""
    client = Client()
    client.protocol.data_received(GET)
    if begun:
        client.seen[0].begin(200, b"")
    client.seen[0].cut()
    assert client.transport.aborted
    assert not client.transport.written.endswith(b"0\r\n\r\n")
