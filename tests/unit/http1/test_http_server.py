"""Listening and stopping, over real loopback sockets and the loop the platform runs on."""

import asyncio
import socket
from collections.abc import Coroutine
from typing import Any

import pytest
import uvloop

from lambent.http1.exchange import Exchange
from lambent.http1.server import HttpServer
from lambent.testing.loop import until


def listener() -> socket.socket:
    sock = socket.socket()
    sock.bind(("127.0.0.1", 0))
    return sock


@pytest.fixture(params=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest) -> Any:
    """Runs a coroutine on either loop."""

    def run_on(work: Coroutine[Any, Any, None]) -> None:
        factory = uvloop.new_event_loop if request.param == "uvloop" else None
        with asyncio.Runner(loop_factory=factory) as runner:
            runner.run(work)

    return run_on


def test_requests_are_served_over_a_socket(run: Any) -> None:
    """Two pipelined requests and a megabyte each way pass over a real connection."""

    async def work() -> None:
        server = HttpServer(lambda e: e.respond(200, (), e.body), 2_000_000)
        sock = listener()
        address = sock.getsockname()
        await server.listen(sock)
        reader, writer = await asyncio.open_connection(*address)
        body = bytes(range(256)) * 4096
        head = b"POST / HTTP/1.1\r\ncontent-length: %d\r\n\r\n" % len(body)
        writer.write((head + body) * 2)
        for _ in range(2):
            answer = await reader.readuntil(b"\r\n\r\n")
            assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
            assert await reader.readexactly(len(body)) == body
        writer.close()
        await writer.wait_closed()
        server.close()

    run(work())


def test_a_request_knows_where_it_came_from(run: Any) -> None:
    """The handler sees the client's address, and none once the request was answered."""
    seen: list[str] = []

    def handle(exchange: Exchange) -> None:
        seen.append(exchange.peer)
        exchange.respond(200)
        seen.append(exchange.peer)

    async def work() -> None:
        server = HttpServer(handle, 100)
        sock = listener()
        await server.listen(sock)
        reader, writer = await asyncio.open_connection(*sock.getsockname())
        writer.write(b"GET / HTTP/1.1\r\n\r\n")
        await reader.readuntil(b"\r\n\r\n")
        writer.close()
        await writer.wait_closed()
        server.close()

    run(work())
    assert seen == ["127.0.0.1", ""]


def test_an_orderly_stop_waits_for_the_answer_in_work(run: Any) -> None:
    """``stop`` lets the answer in work out, closes idle connections, and accepts no more."""

    async def work() -> None:
        seen: list[Exchange] = []
        server = HttpServer(seen.append, 100)
        sock = listener()
        address = sock.getsockname()
        await server.listen(sock)
        busy_reader, busy_writer = await asyncio.open_connection(*address)
        idle_reader, idle_writer = await asyncio.open_connection(*address)
        busy_writer.write(b"GET / HTTP/1.1\r\n\r\n")
        await until(lambda: bool(seen) and len(server._connections) == 2)
        stopping = asyncio.create_task(server.stop(5.0))
        assert await idle_reader.read() == b""
        assert not stopping.done()
        seen[0].respond(200, (), b"done")
        assert (await busy_reader.read()).endswith(b"\r\n\r\ndone")
        await stopping
        with pytest.raises(OSError):
            await asyncio.open_connection(*address)
        for writer in (busy_writer, idle_writer):
            writer.close()
            await writer.wait_closed()

    run(work())


def test_a_stop_cuts_what_does_not_end_in_time(run: Any) -> None:
    """A request that is never answered holds ``stop`` no longer than its deadline."""

    async def work() -> None:
        seen: list[Exchange] = []
        left: list[bool] = []
        server = HttpServer(seen.append, 100)
        sock = listener()
        address = sock.getsockname()
        await server.listen(sock)
        reader, writer = await asyncio.open_connection(*address)
        writer.write(b"GET / HTTP/1.1\r\n\r\n")
        await until(lambda: bool(seen))
        seen[0].on_disconnect = lambda: left.append(True)
        await server.stop(0.0)
        await until(lambda: left == [True])
        assert await reader.read() == b""
        writer.close()
        await writer.wait_closed()

    run(work())


def test_one_socket_may_stop_while_others_go_on(run: Any) -> None:
    """``stop_listening`` ends one socket; its connections and the other socket go on."""

    async def work() -> None:
        server = HttpServer(lambda e: e.respond(200), 100)
        first, second = listener(), listener()
        addresses = [first.getsockname(), second.getsockname()]
        handle = await server.listen(first)
        await server.listen(second)
        reader, writer = await asyncio.open_connection(*addresses[0])
        await until(lambda: len(server._connections) == 1)
        server.stop_listening(handle)
        with pytest.raises(OSError):
            await asyncio.open_connection(*addresses[0])
        writer.write(b"GET / HTTP/1.1\r\n\r\n")
        assert await reader.readline() == b"HTTP/1.1 200 OK\r\n"
        _, other = await asyncio.open_connection(*addresses[1])
        for each in (writer, other):
            each.close()
            await each.wait_closed()
        server.close()

    run(work())
