"""An HTTP/1.1 client on the loop: one request a connection, the answer's body in pieces at the reader's pace.

Nothing is retried, followed or decoded; deadlines: ``CONNECT_DEADLINE_S`` to connect, ``silence_s`` for each
wait after that.
"""

import asyncio
import ssl
from collections.abc import AsyncGenerator, Iterable
from dataclasses import dataclass
from typing import Final

import httptools

CONNECT_DEADLINE_S: Final = 10.0
SILENCE_S: Final = 60.0
"""POLICY: a server that sends nothing for that long is given up; as long as SDKs wait by default."""
MAX_HEAD_BYTES: Final = 256 * 1024
_PIECE_BYTES: Final = 64 * 1024


class HttpFailure(Exception):
    """No whole answer came: not connected, silent, broken off, or no HTTP."""


@dataclass(frozen=True, slots=True)
class Server:
    """Where requests go. ``tls``: None for plain HTTP."""

    host: str
    port: int
    tls: ssl.SSLContext | None = None


class HttpAnswer:
    """An answer whose head is there. ``headers`` has lower-case names; :meth:`close` whatever happened."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        *,
        bodiless: bool,
        silence_s: float,
    ) -> None:
        self._reader, self._writer = reader, writer
        self._bodiless, self._silence_s = bodiless, silence_s
        self._parser = httptools.HttpResponseParser(self)
        self._pieces: list[bytes] = []
        self._head_done = self._whole = False
        self._head_bytes = 0
        self.status = 0
        self.headers: list[tuple[str, str]] = []

    def header(self, name: str) -> str | None:
        """The first header of that lower-case name."""
        return next((value for key, value in self.headers if key == name), None)

    @property
    def length(self) -> int | None:
        """What ``content-length`` says, if it does."""
        text = self.header("content-length")
        return int(text) if text is not None and text.isdecimal() else None

    async def read_head(self) -> None:
        """Waits for the head. Raises :class:`HttpFailure`."""
        while not self._head_done:
            if not await self._feed():
                raise HttpFailure("the connection ended before the answer's head")
            if not self._head_done and self._head_bytes > MAX_HEAD_BYTES:
                raise HttpFailure("the answer's head is too large")

    async def pieces(self) -> AsyncGenerator[bytes, None]:
        """The body. Raises :class:`HttpFailure` where it breaks off."""
        if self._bodiless:
            return
        framed = self.length is not None or self.header("transfer-encoding") is not None
        while True:
            pieces, self._pieces = self._pieces, []
            for piece in pieces:
                yield piece
            if self._whole:
                return
            if not await self._feed():
                if framed:
                    raise HttpFailure("the answer broke off")
                return

    async def read(self, max_bytes: int) -> bytes:
        """The whole body. Raises :class:`HttpFailure`, also where it is larger than ``max_bytes``."""
        parts, size = [], 0
        async for piece in self.pieces():
            size += len(piece)
            if size > max_bytes:
                raise HttpFailure(f"the answer is larger than {max_bytes} bytes")
            parts.append(piece)
        return b"".join(parts)

    def close(self) -> None:
        """Ends the connection."""
        self._writer.transport.abort()

    async def _feed(self) -> bool:
        try:
            async with asyncio.timeout(self._silence_s):
                data = await self._reader.read(_PIECE_BYTES)
            if data:
                self._parser.feed_data(data)
        except TimeoutError:
            raise HttpFailure(f"nothing came for {self._silence_s:g} s") from None
        except (OSError, httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            raise HttpFailure(f"{type(error).__name__}: {error}") from error
        self._head_bytes += 0 if self._head_done else len(data)
        return bool(data)

    # httptools callbacks

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header."""
        if not self._head_done:  # not a trailer
            self.headers.append((name.decode("latin-1").lower(), value.decode("latin-1")))

    def on_headers_complete(self) -> None:
        """The end of a head; one of an interim answer is forgotten."""
        self.status = self._parser.get_status_code()
        if self.status < 200:
            self.headers.clear()
        else:
            self._head_done = True

    def on_body(self, body: bytes) -> None:
        """A piece of the body."""
        self._pieces.append(body)

    def on_message_complete(self) -> None:
        """The end of the answer, or of an interim one."""
        self._whole = self._head_done


async def send(
    server: Server,
    method: str,
    target: str,
    headers: Iterable[tuple[str, str]],
    body: bytes,
    *,
    silence_s: float = SILENCE_S,
) -> HttpAnswer:
    """Sends one request and waits for the answer's head; ``content-length`` is added.

    ``headers`` hold ``host``. Raises :class:`HttpFailure`; the connection is closed then.
    """
    try:
        async with asyncio.timeout(CONNECT_DEADLINE_S):
            reader, writer = await asyncio.open_connection(server.host, server.port, ssl=server.tls)
    except TimeoutError:
        raise HttpFailure(f"not connected within {CONNECT_DEADLINE_S:g} s") from None
    except OSError as error:
        raise HttpFailure(f"not connected: {error}") from error
    answer = HttpAnswer(reader, writer, bodiless=method == "HEAD", silence_s=silence_s)
    try:
        lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in headers)]
        lines += [f"content-length: {len(body)}", "connection: close", "", ""]
        writer.write("\r\n".join(lines).encode("latin-1"))
        writer.write(body)
        async with asyncio.timeout(silence_s):
            await writer.drain()
        await answer.read_head()
    except (OSError, TimeoutError) as error:
        answer.close()
        raise HttpFailure(f"{type(error).__name__}: {error}") from error
    except BaseException:
        answer.close()
        raise
    return answer
