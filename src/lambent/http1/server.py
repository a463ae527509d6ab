"""Listening: binds a handler to sockets, and stops in order."""

import asyncio
import socket
from functools import partial

from lambent.http1.bounds import Bounds
from lambent.http1.paired import PairedProtocol
from lambent.http1.protocol import Handler, HttpProtocol
from lambent.http1.remembered import Streams


class HttpServer:
    """Serves one handler on any number of listening sockets.

    ``max_body_bytes`` bounds every request; larger ones are answered 413.
    """

    def __init__(
        self,
        handler: Handler,
        max_body_bytes: int,
        *,
        discard_oversize: bool = False,
        streams: Streams | None = None,
    ) -> None:
        self._handler = handler
        self._streams = streams
        self._discard_oversize = discard_oversize
        self._max_body_bytes = max_body_bytes
        self._connections: set[HttpProtocol] = set()
        self._servers: set[asyncio.Server] = set()

    async def listen(
        self, sock: socket.socket, backlog: int = 1024, *, bounds: Bounds | None = None
    ) -> asyncio.Server:
        """Accepts on a bound socket from now on; owns it from here. ``bounds``: for its connections."""
        loop = asyncio.get_running_loop()
        make = partial(self.make_protocol, bounds)
        server = await loop.create_server(make, sock=sock, backlog=backlog)
        self._servers.add(server)
        return server

    async def converse(self, sock: socket.socket, bounds: Bounds | None = None) -> None:
        """Serves one that is connected already, by :mod:`lambent.http1.paired`; owns it from here."""
        make = partial(self.make_protocol, bounds, PairedProtocol)
        await asyncio.get_running_loop().connect_accepted_socket(make, sock)

    def stop_listening(self, server: asyncio.Server) -> None:
        """Closes one listening socket; its connections go on."""
        self._servers.discard(server)
        server.close()

    def make_protocol(
        self, bounds: Bounds | None = None, kind: type[HttpProtocol] = HttpProtocol
    ) -> HttpProtocol:
        """A protocol for one connection."""
        return kind(
            self._handler,
            self._max_body_bytes,
            self._connections,
            self._discard_oversize,
            bounds,
            self._streams,
        )

    def close(self) -> None:
        """Stops accepting and cuts every connection, now."""
        for server in self._servers:
            server.close()
        self._servers.clear()
        for connection in tuple(self._connections):
            connection.abort()

    async def stop(self, deadline_s: float) -> None:
        """Stops accepting, lets answers in work go out until the deadline, then cuts."""
        for server in self._servers:
            server.close()
        for connection in tuple(self._connections):
            connection.close_when_idle()
        loop = asyncio.get_running_loop()
        end_s = loop.time() + deadline_s
        while self._connections and loop.time() < end_s:  # noqa: ASYNC110 - once, at the end
            await asyncio.sleep(0.01)
        self.close()
