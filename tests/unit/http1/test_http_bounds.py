"""What connections hold together: counted in, counted out, and refused beyond the bound."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambent.http1.bounds import Bounds
from lambent.http1.exchange import Exchange
from lambent.http1.protocol import HttpProtocol
from lambent.testing.transport import FakeTransport

HEAD = b"POST / HTTP/1.1\r\ncontent-length: %d\r\n\r\n"


class Full(FakeTransport):
    """A transport whose client reads nothing."""

    def get_write_buffer_size(self) -> int:
        return len(self.written)


def on_loop(work: Callable[[], Awaitable[None]]) -> None:
    """Runs a test's body on a loop of its own."""

    async def run() -> None:
        await work()

    asyncio.run(run())


def connection(
    bounds: Bounds, seen: list[Exchange], *, discard: bool = False
) -> tuple[HttpProtocol, Full]:
    """One more connection under these bounds, for bodies up to 1,000 bytes."""
    protocol = HttpProtocol(seen.append, 1000, set(), discard, bounds)
    return protocol, Full(protocol)


def test_unfinished_requests_are_bounded_together() -> None:
    """The request that makes it too much is refused with 503; the others go on."""

    async def work() -> None:
        bounds, seen = Bounds(max_held_bytes=1500), list[Exchange]()
        first, _ = connection(bounds, seen)
        second, refused = connection(bounds, seen)
        first.data_received(HEAD % 1000 + b"x" * 900)
        second.data_received(HEAD % 1000 + b"y" * 900)
        assert bytes(refused.written).startswith(b"HTTP/1.1 503 ")
        assert refused.is_closing()
        first.data_received(b"x" * 100)
        assert [exchange.body for exchange in seen] == [b"x" * 1000]
        seen[0].respond(200)
        await asyncio.sleep(0)
        assert bounds.held_bytes == 0

    on_loop(work)


def test_a_discarded_body_is_not_counted() -> None:
    """A body that is read and thrown away takes no room, however long it is."""

    async def work() -> None:
        bounds, seen = Bounds(max_held_bytes=3000), list[Exchange]()
        protocol, _ = connection(bounds, seen, discard=True)
        protocol.data_received(HEAD % 50_000)
        for _ in range(50):
            protocol.data_received(b"z" * 1000)
            assert bounds.held_bytes < 2000
        assert seen[0].too_large
        seen[0].respond(413)
        assert bounds.held_bytes == 0

    on_loop(work)


def test_one_connection_too_many_is_cut() -> None:
    """Beyond the number of connections a new one is cut at once, and room comes back."""

    async def work() -> None:
        bounds, seen = Bounds(max_connections=1), list[Exchange]()
        _, first = connection(bounds, seen)
        _, second = connection(bounds, seen)
        assert (first.aborted, second.aborted) == (False, True)
        await asyncio.sleep(0)
        first.leave()
        assert bounds.connections == 0
        assert not connection(bounds, seen)[1].aborted

    on_loop(work)


def test_a_client_that_does_not_read_is_made_to_wait() -> None:
    """While answers are not read no further request is handed over; then all are, in order."""

    async def work() -> None:
        bounds, seen = Bounds(), list[Exchange]()
        protocol, transport = connection(bounds, seen)
        protocol.data_received((HEAD % 1 + b"a") * 5)
        protocol.pause_writing()
        seen[0].respond(200)
        assert len(seen) == 1
        protocol.resume_writing()
        for number in range(1, 5):
            seen[number].respond(200)
        assert len(seen) == 5
        assert bytes(transport.written).count(b"HTTP/1.1 200") == 5
        assert bounds.held_bytes == 0

    on_loop(work)


def test_unread_answers_beyond_the_bound_end_the_connection() -> None:
    """Answers that nobody reads count as well; too many of them cut the connection."""

    async def work() -> None:
        bounds, seen = Bounds(max_held_bytes=500), list[Exchange]()
        protocol, transport = connection(bounds, seen)
        protocol.data_received(HEAD % 1 + b"a")
        seen[0].respond(200, (), b"b" * 1000)
        protocol.pause_writing()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert transport.aborted
        assert bounds.held_bytes == 0

    on_loop(work)


@pytest.mark.parametrize("discard", [False, True])
@given(
    pieces=st.lists(st.binary(max_size=60), max_size=6),
    sizes=st.lists(st.integers(0, 1500), min_size=1, max_size=5),
    cut=st.integers(1, 400),
)
def test_everything_is_counted_out_at_the_end(
    discard: bool, pieces: list[bytes], sizes: list[int], cut: int
) -> None:
    """Whatever came in whatever pieces, and however it ended: nothing stays counted."""

    async def work() -> None:
        bounds, seen = Bounds(max_held_bytes=2000), list[Exchange]()
        protocol, transport = connection(bounds, seen, discard=discard)
        data = b"".join(HEAD % size + b"x" * size for size in sizes) + b"".join(pieces)
        for start in range(0, len(data), cut):
            if not transport.is_closing():
                protocol.data_received(data[start : start + cut])
        transport.leave() if not transport.is_closing() else await asyncio.sleep(0)
        for exchange in seen:
            exchange.respond(200)
        assert (bounds.held_bytes, bounds.connections) == (0, 0)

    on_loop(work)


def test_an_absurd_body_is_refused_when_it_is_announced() -> None:
    """A body beyond a gigabyte is 413 before it comes, also where too large ones are discarded."""

    async def work() -> None:
        seen = list[Exchange]()
        protocol, transport = connection(Bounds(), seen, discard=True)
        protocol.data_received(HEAD % (1 << 31))
        assert bytes(transport.written).startswith(b"HTTP/1.1 413 ")
        assert transport.is_closing()

    on_loop(work)
