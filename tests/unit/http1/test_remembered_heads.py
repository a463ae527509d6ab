"""Requests whose head a connection sent before are the same requests as when the parser reads them."""

import asyncio
from collections.abc import Callable
from typing import Any, cast

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.http1.test_http_fuzz import receive, requests

from lambent.http1.bounds import Bounds
from lambent.http1.exchange import Answering, Exchange
from lambent.http1.protocol import HttpProtocol
from lambent.http1.remembered import RememberedHeads
from lambent.testing.transport import FakeTransport

Connect = Callable[..., Any]
POST = b"POST /a HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\nhi"
LINES = (b"host: x\r\ncontent-length: 2\r\n\r\n", {b"host": b"x", b"content-length": b"2"})
SHAPES = [
    POST,
    b"GET /next HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET /next HTTP/1.1\r\nHost: x\r\nConnection: keep-alive\r\n\r\n",
    b"POST /b HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
    b"POST /c HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: 2\r\n\r\nhi",
    b"GET /d HTTP/1.0\r\nHost: x\r\n\r\n",
    b"GET /e HTTP/1.1\r\nHost: x\r\nupgrade: h2c\r\nconnection: upgrade\r\n\r\n",
    b"GET /f HTTP/1.1\nHost: x\n\n",
    b"\r\nGET /g HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET /last HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
]


def remembering(bounds: Bounds | None = None) -> RememberedHeads:
    """A memory of its own; nobody answers what it recalls."""
    return RememberedHeads(cast("Answering", None), bounds or Bounds())


@st.composite
def conversations(draw: st.DrawFn) -> list[bytes]:
    """Requests of a few shapes again and again, now and then with some bytes changed, cut off or put before."""
    shapes = st.sampled_from([*SHAPES, draw(requests()), draw(requests())])
    pieces = []
    for _ in range(draw(st.integers(1, 8))):
        piece = draw(shapes)
        change = draw(
            st.sampled_from(["none", "none", "none", "replace", "cut", "insert", "twice"])
        )
        at = draw(st.integers(0, len(piece) - 1))
        other = draw(
            st.sampled_from([b"\r\n", b"\n", b"\r", b":", b" ", b"0", b"x", b"\x00", POST])
        )
        changed = {
            "none": piece,
            "replace": piece[:at] + other + piece[at + 1 :],
            "insert": piece[:at] + other + piece[at:],
            "cut": piece[:at],
            "twice": piece + piece,
        }
        pieces.append(changed[change])
    return [piece for piece in pieces if piece]


@settings(max_examples=300, deadline=None)
@given(conversations(), st.booleans())
def test_a_head_met_before_means_what_the_parser_says(pieces: list[bytes], discard: bool) -> None:
    """Handlers see, and clients are answered, the same as when every head comes in two parts."""

    def answer(exchange: Any) -> None:
        exchange.respond(200, (), exchange.target + exchange.body)

    halves = [half for piece in pieces for half in (piece[:3], piece[3:]) if half]
    whole, seen = receive(pieces, discard, answer)
    cut, seen_cut = receive(halves, discard, answer)
    assert seen == seen_cut
    assert whole.written == cut.written


def test_the_same_lines_are_recalled_for_another_target() -> None:
    """Lines that were remembered serve any plain request line."""
    heads = remembering()
    heads.remember(POST, LINES[1], 2)
    for target in (b"/a", b"/other"):
        exchange = heads.recall(b"POST %b HTTP/1.1\r\n%bhi" % (target, LINES[0]))
        assert exchange is not None
        assert (exchange.method, exchange.target, exchange.body) == (b"POST", target, b"hi")
        assert exchange.headers == LINES[1]


def test_what_is_not_certain_is_left_to_the_parser() -> None:
    """A body of another length, another version, a stranger's line: none is recalled."""
    heads = remembering()
    heads.remember(POST, LINES[1], 2)
    for line, body in [
        (b"POST /a HTTP/1.1\r\n", b"h"),
        (b"POST /a HTTP/1.1\r\n", b"hi!"),
        (b"POST /a HTTP/1.0\r\n", b"hi"),
        (b"POST /a HTTP/1.1\n", b"hi"),
        (b"POST  /a HTTP/1.1\r\n", b"hi"),
        (b"POST * HTTP/1.1\r\n", b"hi"),
        (b"BREW /a HTTP/1.1\r\n", b"hi"),
    ]:
        assert heads.recall(line + LINES[0] + body) is None


def test_a_connection_whose_lines_are_always_new_is_left_alone() -> None:
    """After sixteen heads in vain nothing is remembered any more; one met again starts the count anew."""
    heads = remembering()

    def send(number: int) -> bytes:
        data = b"GET /a HTTP/1.1\r\nx-id: %d\r\n\r\n" % number
        known = heads.recall(data) is not None
        if not known:
            heads.remember(data, {b"x-id": b"%d" % number}, 0)
        return b"known" if known else b"new"

    assert [send(n) for n in range(10)] == [b"new"] * 10
    assert send(9) == b"known"
    assert [send(n) for n in range(100, 117)] == [b"new"] * 17
    assert send(116) == b"new"


def test_what_a_listener_holds_counts_remembered_requests_too(connect: Connect) -> None:
    """Every byte that was counted in is counted out when the request is answered."""

    async def run() -> None:
        connection = connect()
        for _ in range(3):
            connection.feed(POST)
            assert connection.protocol._bounds.held_bytes > 0
            connection.seen[-1].respond(200)
            assert connection.protocol._bounds.held_bytes == 0
        assert connection.statuses() == [200, 200, 200]

    asyncio.run(run())


def test_a_body_in_pieces_that_looks_like_a_request_is_a_body() -> None:
    """While a body is coming, however it comes, nothing in it is recalled."""
    start = b"POST /long HTTP/1.1\r\nhost: x\r\nx-stream: 1\r\ncontent-length: %d\r\n\r\n" % len(
        POST
    )

    async def run(**options: Any) -> list[bytes]:
        seen: list[bytes] = []

        def handle(exchange: Exchange) -> None:
            seen.append(exchange.target)
            exchange.on_body = seen.append
            if not exchange.streamed:
                seen.append(exchange.body)
                exchange.respond(200)

        protocol = HttpProtocol(handle, 1000, set(), False, **options)
        FakeTransport(protocol)
        for piece in (POST, POST, start, POST):
            protocol.data_received(piece)
        return seen

    expected = [b"/a", b"hi"] * 2 + [b"/long", POST]
    assert asyncio.run(run()) == expected
    assert asyncio.run(run(streams=lambda headers: b"x-stream" in headers)) == expected


def test_more_than_a_listener_may_hold_is_not_recalled() -> None:
    """The parser refuses it in its own words; nothing is counted twice."""
    bounds = Bounds(max_held_bytes=len(POST) * 2)
    heads = remembering(bounds)
    heads.remember(POST, LINES[1], 2)
    assert [heads.recall(POST) is not None for _ in range(3)] == [True, True, False]
    assert bounds.held_bytes == len(POST) * 2
