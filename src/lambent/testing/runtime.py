"""A runtime written by hand: speaks HTTP to the Runtime API, also in ways no good runtime would."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass

_ROOT = "/2018-06-01/runtime"


@dataclass(frozen=True, slots=True)
class Reply:
    """What the Runtime API answered; header names are lower-case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def request_id(self) -> str:
        """The id of the event this is."""
        return self.headers["lambda-runtime-aws-request-id"]


async def _at_once() -> None:
    return


class RuntimeClient:
    """One kept-alive connection. ``gate`` is awaited before anything is done with an answer."""

    def __init__(
        self, address: tuple[str, int], gate: Callable[[], Awaitable[object]] = _at_once
    ) -> None:
        self._address = address
        self._gate = gate
        self._writer: asyncio.StreamWriter | None = None
        self._reader: asyncio.StreamReader

    async def call(
        self, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> Reply:
        """Any request. Raises ConnectionError when the other side leaves."""
        writer = await self._connect()
        lines = "".join(f"{name}: {value}\r\n" for name, value in (headers or {}).items())
        head = f"{method} {path} HTTP/1.1\r\n{lines}content-length: {len(body)}\r\n\r\n"
        writer.write(head.encode() + body)
        return await self._reply()

    async def _connect(self) -> asyncio.StreamWriter:
        if self._writer is None:
            self._reader, self._writer = await asyncio.open_connection(*self._address)
        return self._writer

    async def _reply(self) -> Reply:
        try:
            reply = await self._read_reply()
        except asyncio.IncompleteReadError as error:
            raise ConnectionError("the Runtime API is gone") from error
        await self._gate()
        return reply

    async def _read_reply(self) -> Reply:
        text = (await self._reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, *lines = text.rstrip("\r\n").split("\r\n")
        pairs = (line.split(": ", 1) for line in lines)
        headers = {name.lower(): value for name, value in pairs}
        body = await self._reader.readexactly(int(headers["content-length"]))
        return Reply(int(first.split(" ")[1]), headers, body)

    async def next(self) -> Reply:
        """Waits for the next event."""
        return await self.call("GET", f"{_ROOT}/invocation/next")

    async def respond(self, request_id: str, body: bytes) -> Reply:
        """The function's result."""
        return await self.call("POST", f"{_ROOT}/invocation/{request_id}/response", body)

    async def begin_stream(
        self, request_id: str, content_type: str = "application/octet-stream"
    ) -> None:
        """The head of a response in pieces: :meth:`piece` any number of times, then :meth:`end_stream`."""
        writer = await self._connect()
        writer.write(
            f"POST {_ROOT}/invocation/{request_id}/response HTTP/1.1\r\n"
            "Lambda-Runtime-Function-Response-Mode: streaming\r\nTransfer-Encoding: chunked\r\n"
            f"content-type: {content_type}\r\n\r\n".encode()
        )

    async def piece(self, data: bytes) -> None:
        """One piece; waits where the other side does not read."""
        writer = await self._connect()
        writer.write(b"%x\r\n%b\r\n" % (len(data), data))
        await writer.drain()

    async def end_stream(self, trailers: Mapping[str, str] | None = None) -> Reply:
        """The end, with an error in ``trailers`` where there was one."""
        lines = "".join(f"{name}: {value}\r\n" for name, value in (trailers or {}).items())
        writer = await self._connect()
        writer.write(f"0\r\n{lines}\r\n".encode())
        return await self._reply()

    async def error(self, request_id: str, body: bytes, error_type: str = "") -> Reply:
        """The function failed."""
        return await self.call(
            "POST", f"{_ROOT}/invocation/{request_id}/error", body, _type_header(error_type)
        )

    async def init_error(self, body: bytes, error_type: str = "") -> Reply:
        """The function could not be loaded."""
        return await self.call("POST", f"{_ROOT}/init/error", body, _type_header(error_type))

    async def close(self) -> None:
        """Hangs up."""
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()


def _type_header(error_type: str) -> dict[str, str]:
    return {"Lambda-Runtime-Function-Error-Type": error_type} if error_type else {}
