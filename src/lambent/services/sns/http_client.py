"""POSTs what subscribers of the http and https protocols get, and reads the status of the answer.

One connection a delivery, closed after the head of the answer: of an answer only its status means
anything. Bounded in time and size; redirects are not followed; :mod:`destinations` says where it goes.
"""

import asyncio
import base64
import re
import socket
import ssl
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Final, Protocol

from lambent.services.sns.destinations import Destination, is_address, may_call

TIMEOUT_S: Final = 15.0
"""AWS: an endpoint that has not answered after 15 seconds has failed.

Source: https://docs.aws.amazon.com/sns/latest/dg/SendMessageToHttp.prepare.html
"""
_MAX_HEAD_BYTES: Final = 64 * 1024
_MAX_INTERIM: Final = 8
_STATUS: Final = re.compile(rb"HTTP/1\.[01] ([1-9][0-9]{2})[ \r]")


class DeliveryFailure(Exception):
    """No status came back; ``permanent`` where another try could not end otherwise."""

    def __init__(self, reason: str, *, permanent: bool = False) -> None:
        super().__init__(reason)
        self.permanent = permanent


class Post(Protocol):
    """What delivers one message."""

    async def __call__(
        self, destination: Destination, headers: Mapping[str, str], body: bytes
    ) -> int:
        """The status of the endpoint's answer. Raises :class:`DeliveryFailure`."""
        ...


class HttpClient:
    """Delivers over the network. As on AWS, an https endpoint's certificate must be one the host trusts."""

    def __init__(self, timeout_s: float = TIMEOUT_S) -> None:
        self._timeout_s = timeout_s
        self._tls: ssl.SSLContext | None = None
        # Threads of its own: names that nobody answers for must not keep the rest waiting.
        self._resolvers = ThreadPoolExecutor(4, "lambent-resolver")

    def close(self) -> None:
        """Ends its threads."""
        self._resolvers.shutdown(wait=False, cancel_futures=True)

    async def __call__(
        self, destination: Destination, headers: Mapping[str, str], body: bytes
    ) -> int:
        """See :class:`Post`."""
        try:
            async with asyncio.timeout(self._timeout_s):
                return await self._post(destination, headers, body)
        except TimeoutError:
            raise DeliveryFailure(f"no answer within {self._timeout_s:g} seconds") from None
        except (
            OSError,
            asyncio.IncompleteReadError,
            asyncio.LimitOverrunError,
            UnicodeError,
        ) as error:
            raise DeliveryFailure(f"{type(error).__name__}: {error}") from error

    async def _post(self, destination: Destination, headers: Mapping[str, str], body: bytes) -> int:
        loop = asyncio.get_running_loop()
        tls = None
        if destination.scheme == "https":
            if self._tls is None:
                # On a thread: it reads the host's certificates.
                self._tls = await loop.run_in_executor(None, ssl.create_default_context)
            tls = self._tls
        address = await self._resolve(destination)
        reader, writer = await asyncio.open_connection(
            address,
            destination.port,
            ssl=tls,
            server_hostname=destination.host if tls else None,
            limit=_MAX_HEAD_BYTES,
        )
        try:
            writer.write(_head(destination, headers, len(body)) + body)
            await writer.drain()
            return await _read_status(reader)
        finally:
            writer.transport.abort()  # nothing more is to come, and nobody waits for a farewell

    async def _resolve(self, destination: Destination) -> str:
        """The first address of the host. Raises where one of its addresses must not be called."""
        host = destination.host
        addresses = [host]
        if not is_address(host):
            loop = asyncio.get_running_loop()
            found = await loop.run_in_executor(
                self._resolvers, lambda: socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
            )
            addresses = [str(entry[4][0]) for entry in found]
        public_only = destination.public_only
        if not addresses or not all(may_call(one, public_only=public_only) for one in addresses):
            raise DeliveryFailure(f"{host} is an address that is not called", permanent=True)
        return addresses[0]


def _head(destination: Destination, headers: Mapping[str, str], length: int) -> bytes:
    lines = [f"POST {destination.target} HTTP/1.1", f"Host: {destination.host_header}"]
    if destination.user_info is not None:
        token = base64.b64encode(destination.user_info.encode()).decode()
        lines.append(f"Authorization: Basic {token}")
    lines += [f"{name}: {value}" for name, value in headers.items()]
    lines += [f"Content-Length: {length}", "Connection: close", "", ""]
    return "\r\n".join(lines).encode("latin-1")


async def _read_status(reader: asyncio.StreamReader) -> int:
    for _ in range(_MAX_INTERIM):
        head = await reader.readuntil(b"\r\n\r\n")
        found = _STATUS.match(head)
        if found is None:
            break
        status = int(found[1])
        if status >= 200:
            return status
    raise DeliveryFailure("the answer is not HTTP/1.1")
