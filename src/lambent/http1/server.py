"""Listening: binds a handler to sockets, and stops in order."""

import asyncio
import socket

from lambent.http1.protocol import Handler, HttpProtocol


class HttpServer:
    """Serves one handler on any number of listening sockets.

    ``max_body_bytes`` bounds every request; larger ones are answered 413.
    """

    def __init__(self, handler: Handler, max_body_bytes: int) -> None:
        self._handler = handler
        self._max_body_bytes = max_body_bytes
        self._connections: set[HttpProtocol] = set()
        self._servers: list[asyncio.Server] = []

    async def listen(self, sock: socket.socket, backlog: int = 1024) -> asyncio.Server:
        """Accepts on a bound socket from now on; owns it from here."""
        loop = asyncio.get_running_loop()
        server = await loop.create_server(self.make_protocol, sock=sock, backlog=backlog)
        self._servers.append(server)
        return server

    def make_protocol(self) -> HttpProtocol:
        """A protocol for one connection."""
        return HttpProtocol(self._handler, self._max_body_bytes, self._connections)

    async def stop(self, deadline_s: float) -> None:
        """Stops accepting, lets answers in work go out until the deadline, then cuts."""
        for server in self._servers:
            server.close()
        for connection in tuple(self._connections):
            connection.close_when_idle()
        end = asyncio.get_running_loop().time() + deadline_s
        while self._connections and asyncio.get_running_loop().time() < end:
            await asyncio.sleep(0.01)
        for connection in tuple(self._connections):
            connection.abort()
