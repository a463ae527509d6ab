"""Answers in pieces at the client's pace, and bodies in pieces that break off."""

import asyncio

import pytest

from lambent.http1.bounds import Bounds
from lambent.http1.exchange import Exchange
from lambent.http1.flow import Outflow
from lambent.http1.protocol import HttpProtocol
from lambent.testing.loop import on_loop, turns
from lambent.testing.transport import FakeTransport

GET = b"GET / HTTP/1.1\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nx-stream: 1\r\ntransfer-encoding: chunked\r\n\r\n"


class Connection:
    """One request on its way to an answer in pieces."""

    def __init__(self, request: bytes = GET, max_head_bytes: int = 65536) -> None:
        self.seen: list[Exchange] = []
        self.protocol = HttpProtocol(
            self.seen.append, 100, set(), False, Bounds(max_head_bytes=max_head_bytes),
            streams=lambda headers: b"x-stream" in headers,
        )  # fmt: skip
        self.transport = FakeTransport(self.protocol)
        self.transport.get_write_buffer_size = lambda: 70_000  # type: ignore[method-assign]
        self.protocol.data_received(request)
        self.exchange = self.seen[0]
        self.left = 0

    def leave(self) -> None:
        self.left += 1


@on_loop
async def test_a_piece_waits_for_a_slow_client() -> None:
    """The writer goes on when the client has caught up, and not before."""
    there = Connection()
    outflow = Outflow(there.exchange, there.leave)
    outflow.begin(200, b"")
    await outflow.write(b"one")
    there.protocol.pause_writing()
    writing = asyncio.ensure_future(outflow.write(b"two"))
    await turns(5)
    assert not writing.done()
    there.protocol.resume_writing()
    await writing
    there.exchange.end()
    assert there.transport.written.endswith(b"3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n")
    assert there.left == 0


@on_loop
@pytest.mark.parametrize("stalled", [True, False])
async def test_a_client_that_leaves_is_written_to_no_more(stalled: bool) -> None:
    """Whoever writes hears of it once and is not held up, whether it was waiting or not."""
    there = Connection()
    outflow = Outflow(there.exchange, there.leave)
    outflow.begin(200, b"")
    if stalled:
        there.protocol.pause_writing()
    writing = asyncio.ensure_future(outflow.write(b"one"))
    await turns(5)
    there.transport.leave()
    await writing
    await outflow.write(b"two")
    assert (there.left, b"two" in there.transport.written) == (1, False)


@on_loop
async def test_a_client_that_left_before_is_noticed() -> None:
    """Nothing is written to it at all."""
    there = Connection()
    there.transport.leave()
    outflow = Outflow(there.exchange, there.leave)
    outflow.begin(200, b"")
    await outflow.write(b"one")
    assert (there.left, bytes(there.transport.written)) == (1, b"")


@on_loop
async def test_a_client_that_takes_nothing_is_cut_off() -> None:
    """At the deadline the connection is gone, and whoever writes hears of it."""
    there = Connection()
    outflow = Outflow(there.exchange, there.leave, stall_deadline_s=0.001)
    outflow.begin(200, b"")
    there.protocol.pause_writing()
    await outflow.write(b"one")
    assert (there.left, there.transport.aborted) == (1, True)


@on_loop
async def test_an_error_after_pieces_is_a_connection_cut_off() -> None:
    """There is no second head inside a body."""
    there = Connection()
    there.exchange.begin(200, b"")
    there.exchange.write(b"one")
    there.exchange.respond(500, (), b"failed")
    assert (there.transport.aborted, b"failed" in there.transport.written) == (True, False)


@on_loop
@pytest.mark.parametrize("rest", [b"zz\r\n", b"0\r\nx: " + b"y" * 70_000])
async def test_a_body_in_pieces_that_is_none_is_told_as_broken_off(rest: bytes) -> None:
    """Bytes that are no chunk, or trailers without an end: the handler hears that the rest will not come."""
    there = Connection(POST, max_head_bytes=1000)
    pieces: list[bytes] = []
    ended: list[bool] = []
    there.exchange.on_body = pieces.append
    there.exchange.on_body_end = lambda: ended.append(True)
    there.exchange.on_disconnect = there.leave
    there.protocol.data_received(b"3\r\nabc\r\n")
    for start in range(0, len(rest), 600):
        there.protocol.data_received(rest[start : start + 600])
    await turns(3)
    assert (pieces, ended, there.left) == ([b"abc"], [], 1)
