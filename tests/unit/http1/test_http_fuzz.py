"""Whatever arrives, in whatever pieces: an answer or a close, never an exception."""

import asyncio
from collections.abc import Callable
from itertools import pairwise
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from lambent.http1.exchange import Exchange
from lambent.http1.protocol import HttpProtocol
from lambent.testing.transport import FakeTransport

TOKENS = [
    b"GET", b"POST", b"HEAD", b" ", b"/", b"HTTP/1.1", b"HTTP/1.0", b"\r\n", b"\n", b"\r",
    b"content-length: ", b"transfer-encoding: chunked", b"0", b"5", b"99999999999", b":",
    b"connection: close", b"upgrade: h2c", b"connection: upgrade", b"expect: 100-continue",
    b"\x00", b"\xff", b"a", b"CONNECT", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
]  # fmt: skip
garbage = st.binary(max_size=200) | st.lists(st.sampled_from(TOKENS), max_size=40).map(b"".join)
valid_header = st.tuples(
    st.sampled_from([b"a", b"X-Long-Name", b"b"]),
    st.from_regex(rb"[!-~]([ -~]{0,20}[!-~])?", fullmatch=True),
)


@st.composite
def requests(draw: st.DrawFn) -> bytes:
    """A valid request: any method, headers, and a plain or chunked body."""
    method = draw(st.sampled_from([b"GET", b"POST", b"PUT", b"DELETE", b"HEAD"]))
    target = b"/" + draw(st.from_regex(rb"[a-zA-Z0-9%&=?.~-]{0,30}", fullmatch=True))
    lines = [name + b": " + value for name, value in draw(st.lists(valid_header, max_size=4))]
    body = draw(st.binary(max_size=60))
    if draw(st.integers(0, 3)) == 0:
        lines += [b"connection: upgrade", b"upgrade: h2c"]
    if draw(st.booleans()):
        lines.append(b"transfer-encoding: chunked")
        cuts = sorted(draw(st.lists(st.integers(0, len(body)), max_size=3)))
        edges = [0, *cuts, len(body)]
        parts = [body[a:b] for a, b in pairwise(edges) if b > a]
        body = b"".join(b"%x\r\n%b\r\n" % (len(p), p) for p in parts) + b"0\r\n\r\n"
    else:
        lines.append(b"content-length: %d" % len(body))
    return b"\r\n".join([method + b" " + target + b" HTTP/1.1", *lines, b"", body])


def cut(data: bytes, places: list[int]) -> list[bytes]:
    edges = [0, *sorted(p % (len(data) + 1) for p in places), len(data)]
    return [data[a:b] for a, b in pairwise(edges) if b > a]


def receive(
    pieces: list[bytes], discard: bool, answer: Callable[[Exchange], None]
) -> tuple[FakeTransport, list[Any]]:
    """Everything a fresh connection made of ``pieces``."""
    seen: list[Any] = []

    def handle(exchange: Exchange) -> None:
        seen.append(
            (exchange.method, exchange.target, exchange.headers, exchange.body,
             exchange.keep_alive, exchange.too_large)
        )  # fmt: skip
        answer(exchange)

    async def run() -> FakeTransport:
        protocol = HttpProtocol(handle, 50, set(), discard)
        transport = FakeTransport(protocol)
        for piece in pieces:
            if not transport.is_closing():
                protocol.data_received(piece)
        await asyncio.sleep(0)
        return transport

    return asyncio.run(run()), seen


@settings(max_examples=200, deadline=None)
@given(garbage, st.lists(st.integers(0, 500), max_size=4), st.booleans(), st.booleans())
def test_garbage_never_escapes(
    data: bytes, places: list[int], discard: bool, answers: bool
) -> None:
    """Random bytes in random pieces raise nothing; a refusal is the last word on its connection."""
    transport, seen = receive(
        cut(data, places), discard, (lambda e: e.respond(200)) if answers else (lambda _: None)
    )
    refused = transport.written.count(b"HTTP/1.1 4")
    assert refused <= 1
    if refused:
        assert transport.is_closing()
    if answers:
        assert transport.written.count(b"HTTP/1.1 200 ") == len(seen)


@settings(max_examples=150, deadline=None)
@given(st.lists(requests(), min_size=1, max_size=3), st.lists(st.integers(0, 600), max_size=8))
def test_pieces_do_not_matter(parts: list[bytes], places: list[int]) -> None:
    """However valid requests are cut, the same exchanges come out as from one piece each."""
    data = b"".join(parts)
    whole, expected = receive([data], True, lambda e: e.respond(200))
    pieces, seen = receive(cut(data, places), True, lambda e: e.respond(200))
    assert len(expected) == len(parts)
    assert seen == expected
    assert pieces.written == whole.written
