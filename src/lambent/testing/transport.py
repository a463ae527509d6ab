"""A transport without a socket: keeps what a protocol writes, and can leave like a client does."""

import asyncio
from typing import Any


class FakeTransport(asyncio.Transport):
    """Bytes written go to ``written``. Closing tells the protocol at once, as if nothing were buffered."""

    def __init__(self, protocol: asyncio.Protocol) -> None:
        super().__init__()
        self.written = bytearray()
        self.aborted = False
        self.reading = True
        self._protocol = protocol
        self._closing = False
        protocol.connection_made(self)

    def write(self, data: "bytes | bytearray | memoryview[Any]") -> None:
        """Raises RuntimeError once it is closed: nothing may be said after the last word."""
        if self._closing:
            raise RuntimeError("written after close")
        self.written += data

    def is_closing(self) -> bool:
        return self._closing

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True

    def close(self) -> None:
        """Closes; the protocol hears of it on the loop's next turn."""
        if not self._closing:
            self._closing = True
            asyncio.get_running_loop().call_soon(self._protocol.connection_lost, None)

    def abort(self) -> None:
        self.aborted = True
        self.close()

    def leave(self) -> None:
        """The client is gone, now."""
        self._closing = True
        self._protocol.connection_lost(None)
