"""The certificate by which receivers check what SNS signed: a file anybody may have, as on AWS."""

from collections.abc import Awaitable, Callable

from lambent.http1.exchange import Exchange

PATH = b"/SimpleNotificationService-"
"""How the paths of certificates begin. AWS: ``https://sns.REGION.amazonaws.com/SimpleNotificationService-HEX.pem``."""


class CertificateFile:
    """``read(path)`` gives the PEM served at a path, or None."""

    def __init__(self, read: Callable[[str], Awaitable[bytes | None]]) -> None:
        self._read = read

    async def serve(self, exchange: Exchange) -> None:
        """Answers one request."""
        path = exchange.target.partition(b"?")[0].decode("latin-1")
        pem = await self._read(path) if exchange.method in {b"GET", b"HEAD"} else None
        if pem is None:
            exchange.respond(404, [("content-type", "text/plain")], b"No such certificate.\n")
        else:
            exchange.respond(200, [("content-type", "application/x-pem-file")], pem)
