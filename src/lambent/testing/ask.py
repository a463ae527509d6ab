"""One request to a handler, as if it had come over a connection, and its answer."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from lambent.http1.exchange import Exchange
from lambent.http1.server import HttpServer
from lambent.testing.loop import until
from lambent.testing.transport import FakeTransport


@dataclass(frozen=True, slots=True)
class Answer:
    """One response, taken apart. Header names are lower-case."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    whole: bool = True
    """False where it was cut off."""


_LAST_CHUNK = b"0\r\n\r\n"


async def ask(
    handle: Callable[[Exchange], None],
    method: str,
    target: str,
    body: bytes = b"",
    headers: Mapping[str, str] | None = None,
    *,
    max_body_bytes: int = 1 << 24,
) -> Answer:
    """What ``handle`` answers. Raises TimeoutError when it does not."""
    server = HttpServer(handle, max_body_bytes, discard_oversize=True)
    protocol = server.make_protocol()
    transport = FakeTransport(protocol)
    given = {"host": "h"} | dict(headers or {})
    lines = "".join(f"{name}: {value}\r\n" for name, value in given.items())
    head = f"{method} {target} HTTP/1.1\r\n{lines}content-length: {len(body)}\r\n\r\n"
    protocol.data_received(head.encode("latin-1") + body)
    await until(lambda: b"\r\n\r\n" in transport.written)
    if _is_chunked(bytes(transport.written)):
        await until(lambda: transport.aborted or transport.written.endswith(_LAST_CHUNK))
    top, _, content = bytes(transport.written).partition(b"\r\n\r\n")
    transport.leave()
    first, *rest = top.decode("latin-1").split("\r\n")
    pairs = (line.split(": ", 1) for line in rest)
    status, known = int(first.split(" ")[1]), {k.lower(): v for k, v in pairs}
    if not _is_chunked(bytes(transport.written)):
        return Answer(status, known, content)
    return Answer(status, known, _joined(content), whole=not transport.aborted)


def _is_chunked(answer: bytes) -> bool:
    return b"transfer-encoding: chunked\r\n" in answer.partition(b"\r\n\r\n")[0] + b"\r\n"


def _joined(chunks: bytes) -> bytes:
    """The body of an answer in pieces, as far as it came."""
    body = b""
    while chunks and not chunks.startswith(b"0\r\n"):
        size, _, rest = chunks.partition(b"\r\n")
        body += rest[: int(size, 16)]
        chunks = rest[int(size, 16) + 2 :]
    return body
