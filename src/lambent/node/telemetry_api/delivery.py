"""One POST to a listener inside an environment, over a socket of that environment's network.

The listener is the function's own and not trusted: little of its answer is read, and every wait is bounded by the
caller, who cancels.
"""

import asyncio
import socket
from collections.abc import Awaitable, Callable

Connect = Callable[[], Awaitable[socket.socket]]
"""An unconnected TCP socket of the environment's network. Raises OSError."""
_MAX_ANSWER_BYTES = 16 * 1024


class DeliveryError(Exception):
    """The listener did not take it."""


async def post(connect: Connect, host: str, port: int, path: str, body: bytes) -> None:
    """Raises DeliveryError where the listener cannot be reached or answers with an error."""
    loop = asyncio.get_running_loop()
    head = (
        f"POST {path} HTTP/1.1\r\nHost: {host}:{port}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    try:
        sock = await connect()
        with sock:
            sock.setblocking(False)
            await loop.sock_connect(sock, ("127.0.0.1", port))
            await loop.sock_sendall(sock, head.encode("latin-1") + body)
            status = await _read_status(sock)
    except OSError as error:
        raise DeliveryError(str(error)) from error
    if not 200 <= status < 400:
        raise DeliveryError(f"the listener answered {status}")


async def _read_status(sock: socket.socket) -> int:
    """The status of the answer; interim ones (1xx) are passed over."""
    loop = asyncio.get_running_loop()
    received = b""
    while len(received) < _MAX_ANSWER_BYTES:
        data = await loop.sock_recv(sock, 4096)
        received += data
        while b"\r\n\r\n" in received:
            head, _, received = received.partition(b"\r\n\r\n")
            status = _status_of(head)
            if status >= 200:
                return status
        if not data:
            break
    raise DeliveryError("the listener gave no answer")


def _status_of(head: bytes) -> int:
    words = head.split(b" ", 2)
    if len(words) < 2 or not words[0].startswith(b"HTTP/1.") or not words[1][:3].isdigit():
        raise DeliveryError("the listener's answer is not HTTP")
    return int(words[1][:3])
