"""A connection whose client sends two requests at once: one write answers both, and a refusal ends it."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.http1.test_http_fuzz import cut, requests
from tests.unit.http1.test_remembered_heads import conversations

from lambent.http1.bounds import Bounds
from lambent.http1.exchange import Exchange
from lambent.http1.paired import PairedProtocol
from lambent.http1.protocol import IDLE_DEADLINE_S, HttpProtocol
from lambent.testing.transport import FakeTransport

POST = b"POST /r%d HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\nhi"
LONGER = b"POST /longer HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\n\r\nhello"
NEXT = b"GET /next HTTP/1.1\r\nHost: x\r\n\r\n"
ACCEPTED = b"HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n"
EVENT = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nevent"
Handle = Callable[[Exchange], None]


class Client:
    """One connection, every write to it by itself, and the ``/next`` that waits."""

    def __init__(self, handle: Handle | None = None) -> None:
        self.seen: list[Exchange] = []
        self.writes: list[bytes] = []
        self.bounds = Bounds()
        self._handle = handle or self.answer
        self.protocol = PairedProtocol(self._take, 1000, set(), False, self.bounds)
        self.transport = FakeTransport(self.protocol)
        self._forward = self.transport.write
        self.transport.write = self._write  # type: ignore[method-assign]

    def _write(self, data: Any) -> None:
        self.writes.append(bytes(data))
        self._forward(data)

    def _take(self, exchange: Exchange) -> None:
        self.seen.append(exchange)
        self._handle(exchange)

    @staticmethod
    def answer(exchange: Exchange) -> None:
        """202 for a response; an event comes later."""
        if exchange.method == b"POST":
            exchange.respond(202)

    def send(self, data: bytes) -> None:
        """Everything in one piece."""
        self.protocol.data_received(data)

    def event(self) -> None:
        """Answers the ``/next`` that waits."""
        self.seen[-1].respond(200, (), b"event")


@contextmanager
def warm(handle: Handle | None = None) -> Iterator[Client]:
    """A client whose heads are known."""
    client = Client(handle)
    client.send(NEXT)
    client.event()
    client.send(POST % 0 + NEXT)
    client.event()
    client.writes.clear()
    client.seen.clear()
    yield client


def run(work: Callable[[], None]) -> None:
    """On a loop."""

    async def main() -> None:
        work()
        await asyncio.sleep(0)

    asyncio.run(main())


def test_both_answers_leave_together() -> None:
    """The acceptance of a response is written with the next event, whatever the response's length."""

    def work() -> None:
        with warm() as client:
            for request in (POST % 1, LONGER, POST % 2):
                client.send(request + NEXT)
                assert client.writes == []
                client.event()
                assert client.writes == [ACCEPTED + EVENT]
                client.writes.clear()
            assert [e.body for e in client.seen[::2]] == [b"hi", b"hello", b"hi"]
            assert client.seen[2].headers[b"content-length"] == b"5"
            assert client.bounds.held_bytes == 0

    run(work)


def test_an_answer_with_nothing_behind_it_leaves_at_once() -> None:
    """Who waits for an acceptance before it asks for more gets it."""

    def work() -> None:
        with warm() as client:
            client.send(POST % 1)
            assert client.writes == [ACCEPTED]
            client.send(NEXT)
            client.event()
            assert client.writes == [ACCEPTED, EVENT]

    run(work)


def test_what_comes_behind_in_another_form_gets_what_was_held_back_first() -> None:
    """Half a request, and one whose head is new, come after an answer that is written then."""

    def work() -> None:
        with warm() as client:
            client.send(POST % 1 + NEXT[:9])
            assert client.writes == [ACCEPTED]
            client.send(NEXT[9:])
            client.event()
            assert client.writes == [ACCEPTED, EVENT]

    run(work)


@pytest.mark.parametrize("is_known", [True, False])
def test_a_refusal_ends_it(is_known: bool) -> None:
    """Behind a request that is refused nothing is looked at, whether its head was known or not."""

    def refuse(exchange: Exchange) -> None:
        if exchange.target == b"/r9":
            exchange.respond(410, (), b"gone")
        else:
            Client.answer(exchange)

    def work() -> None:
        with warm(refuse) as client:
            request = POST % 9 if is_known else (POST % 9).replace(b"host", b"Host")
            client.send(request + NEXT)
            assert [exchange.target for exchange in client.seen] == [b"/r9"]
            assert b"".join(client.writes).startswith(b"HTTP/1.1 410 Gone\r\nconnection: close\r\n")
            assert client.transport.is_closing()

    run(work)


def test_it_is_never_idle_for_too_long() -> None:
    """The function may work on an event for longer than other connections may be idle."""
    assert PairedProtocol.idle_deadline_s > IDLE_DEADLINE_S


def _conversation(
    kind: type[HttpProtocol], pieces: list[bytes], late: bool
) -> tuple[list[Any], bytes]:
    seen: list[Any] = []
    waiting: list[Exchange] = []

    def handle(exchange: Exchange) -> None:
        seen.append((exchange.method, exchange.target, exchange.headers, exchange.body))
        if late and exchange.method == b"GET":
            waiting.append(exchange)
        else:
            exchange.respond(200, (), exchange.target + exchange.body)

    async def main() -> bytes:
        bounds = Bounds()
        protocol = kind(handle, 50, set(), False, bounds)
        transport = FakeTransport(protocol)
        for piece in pieces:
            if not transport.is_closing():
                protocol.data_received(piece)
            while waiting:
                waiting.pop().respond(200, (), b"event")
        await asyncio.sleep(0)
        if not transport.is_closing():
            transport.leave()
        assert bounds.held_bytes == 0
        return bytes(transport.written)

    return seen, asyncio.run(main())


@settings(max_examples=300, deadline=None)
@given(
    conversations() | st.lists(requests(), min_size=1, max_size=5),
    st.booleans(),
    st.lists(st.integers(0, 2000), max_size=3),
)
def test_it_hears_and_says_what_any_connection_does(
    pieces: list[bytes], late: bool, places: list[int]
) -> None:
    """However requests are cut and joined: the same requests, and the same bytes in answer."""
    joined = [b"".join(pieces)] if not places else cut(b"".join(pieces), places)
    for arrived in (pieces, joined):
        plain = _conversation(HttpProtocol, arrived, late)
        assert _conversation(PairedProtocol, arrived, late) == plain
