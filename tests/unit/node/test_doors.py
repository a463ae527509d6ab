"""The Runtime API is served over the runtime's own socket too, whose descriptor is given back in any case."""

import asyncio
import os
import socket
from types import SimpleNamespace
from typing import Any, cast

import pytest

from lambent.http1.exchange import Exchange
from lambent.http1.server import HttpServer
from lambent.node.doors import Doors
from lambent.node.sandbox.contract import Sandbox
from lambent.node.sandbox.runtime_socket import open_runtime_socket


def listener() -> socket.socket:
    """Where any runtime may ask."""
    made = socket.create_server(("127.0.0.1", 0))
    made.setblocking(False)
    return made


def is_open(fd: int) -> bool:
    """Whether the number stands for something."""
    try:
        os.fstat(fd)
    except OSError:
        return False
    return True


def make(runtime_fd: int) -> Doors:
    """Doors that answer 200 with what was asked for."""
    sandbox: Any = SimpleNamespace(runtime_fd=runtime_fd, runtime_api=listener(), endpoint=None)
    served = lambda exchange: exchange.respond(200, (), cast("Exchange", exchange).target)  # noqa: E731
    return Doors(cast("Sandbox", sandbox), served, lambda _: False)


def test_both_ways_lead_to_the_same_api() -> None:
    """Over the socket and over TCP; closed, the socket is at its end."""

    async def run() -> None:
        ours, theirs = open_runtime_socket()
        doors = make(ours)
        await doors.open(HttpServer(lambda _: None, 1))
        with socket.socket(fileno=theirs) as runtime:
            runtime.setblocking(False)
            loop = asyncio.get_running_loop()
            await loop.sock_sendall(runtime, b"GET /asked HTTP/1.1\r\nhost: x\r\n\r\n")
            assert (await loop.sock_recv(runtime, 1000)).endswith(b"\r\n\r\n/asked")
            reader, writer = await asyncio.open_connection(
                *doors._sandbox.runtime_api.getsockname()
            )
            writer.write(b"GET /too HTTP/1.1\r\nhost: x\r\n\r\n")
            assert (await reader.read(1000)).endswith(b"\r\n\r\n/too")
            writer.close()
            doors.close()
            assert await loop.sock_recv(runtime, 1000) == b""

    asyncio.run(run())


@pytest.mark.parametrize("has_socket", [True, False])
def test_doors_that_never_opened_keep_nothing(has_socket: bool) -> None:
    """Closed before they are opened, they give the descriptor back, once."""

    async def run() -> None:
        ours, theirs = open_runtime_socket()
        os.close(theirs)
        doors = make(ours if has_socket else -1)
        doors.close()
        assert is_open(ours) is not has_socket
        other = ours if not has_socket else os.dup2(1, ours)
        doors.close()
        assert is_open(other)
        os.close(other)
        doors._sandbox.runtime_api.close()

    asyncio.run(run())
