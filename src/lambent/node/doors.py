"""The doors of an environment: its Runtime API, and the platform's endpoint inside, served from outside."""

import asyncio
import os
import socket

from lambent.http1.bounds import MAX_HEAD_BYTES, Bounds
from lambent.http1.protocol import Handler
from lambent.http1.remembered import Streams
from lambent.http1.server import HttpServer
from lambent.node.outcomes import MAX_RESPONSE_BYTES
from lambent.node.sandbox.contract import Sandbox

_MIB = 1024 * 1024
_API_HEAD_BYTES = _MIB + MAX_HEAD_BYTES
"""The runtime client sends an exception's X-Ray cause, up to 1 MiB, in a header."""
_API_HELD_BYTES = 2 * MAX_RESPONSE_BYTES
_API_CONNECTIONS = 128
_API_REQUEST_S = 1_000.0
"""POLICY: past every timeout (900 s), which bounds a response that is long in coming."""
_INSIDE_HELD_BYTES = 72 * _MIB
"""POLICY: the largest request, a function's code, once at a time."""
_INSIDE_CONNECTIONS = 1024
"""AWS: as many file descriptors as a function may have. Source: "Lambda quotas"."""


class _Door:
    """A listening socket, served from the first connection on: most functions ask nothing inside."""

    def __init__(self, server: HttpServer, sock: socket.socket, bounds: Bounds) -> None:
        self._server, self._socket, self._bounds = server, sock, bounds
        self._served: asyncio.Server | None = None
        self._is_closed = False
        self._opening: asyncio.Task[None] | None = None
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(sock, self._on_connection)

    def _on_connection(self) -> None:
        self._loop.remove_reader(self._socket)
        self._opening = self._loop.create_task(self._serve())

    async def _serve(self) -> None:
        self._served = await self._server.listen(self._socket, bounds=self._bounds)
        if self._is_closed:
            self._server.stop_listening(self._served)

    def close(self) -> None:
        """Serves nobody any more."""
        if self._opening is None:
            self._loop.remove_reader(self._socket)
            self._socket.close()
        elif self._served is not None and not self._is_closed:
            self._server.stop_listening(self._served)
        self._is_closed = True


class Doors:
    """``serve`` answers the Runtime API; ``streams`` says which of its requests come in pieces."""

    def __init__(self, sandbox: Sandbox, serve: Handler, streams: Streams) -> None:
        self._sandbox = sandbox
        self._api = HttpServer(serve, MAX_RESPONSE_BYTES, discard_oversize=True, streams=streams)
        self._inside: _Door | None = None
        self._runtime_fd = sandbox.runtime_fd
        self._is_closed = False

    async def open(self, edge: HttpServer) -> None:
        """Serves both from now on, unless closed meanwhile. ``edge`` serves the platform's endpoint."""
        api = Bounds(
            max_head_bytes=_API_HEAD_BYTES,
            max_held_bytes=_API_HELD_BYTES,
            max_connections=_API_CONNECTIONS,
            request_deadline_s=_API_REQUEST_S,
        )
        runtime_fd, self._runtime_fd = self._runtime_fd, -1
        if runtime_fd >= 0:
            await self._api.converse(socket.socket(fileno=runtime_fd), api)
        await self._api.listen(self._sandbox.runtime_api, bounds=api)
        if self._sandbox.endpoint is not None:
            bounds = Bounds(max_held_bytes=_INSIDE_HELD_BYTES, max_connections=_INSIDE_CONNECTIONS)
            self._inside = _Door(edge, self._sandbox.endpoint, bounds)
        if self._is_closed:
            self.close()

    def close(self) -> None:
        """Serves neither any more."""
        self._is_closed = True
        runtime_fd, self._runtime_fd = self._runtime_fd, -1
        if runtime_fd >= 0:
            os.close(runtime_fd)
        self._api.close()
        inside, self._inside = self._inside, None
        if inside is not None:
            inside.close()
