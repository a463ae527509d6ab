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
    top, _, content = bytes(transport.written).partition(b"\r\n\r\n")
    transport.leave()
    first, *rest = top.decode("latin-1").split("\r\n")
    pairs = (line.split(": ", 1) for line in rest)
    return Answer(int(first.split(" ")[1]), {k.lower(): v for k, v in pairs}, content)
