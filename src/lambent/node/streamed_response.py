"""A response the runtime sends piece by piece: counted, handed on, and held back where the caller is slow.

Source: "Building a custom runtime", "Response streaming" (AWS Lambda); AWS's runtime interface emulator.
"""

import base64
import binascii
from collections.abc import Callable, Mapping

from lambent.http1.exchange import Exchange
from lambent.model.invocation import ResponseSink

MAX_STREAMED_BYTES = 200 * 1024 * 1024
"""AWS: 200 MB since July 2025, 20 MB before. Source: "Lambda quotas".

POLICY: AWS lets the first 6 MB through as fast as they come and the rest at 2 MB/s. That is a limit of its
network, not a meaning: here pieces go as fast as the caller takes them.
"""
MODE = b"lambda-runtime-function-response-mode"
_ERROR_TYPE = b"lambda-runtime-function-error-type"
_ERROR_BODY = b"lambda-runtime-function-error-body"
_DEFAULT_TYPE = "application/octet-stream"


def is_streaming(headers: Mapping[bytes, bytes]) -> bool:
    """Whether the runtime says that the body comes piece by piece."""
    return headers.get(MODE, b"").lower() == b"streaming"


def error_in_trailers(headers: Mapping[bytes, bytes]) -> tuple[str, bytes] | None:
    """The type and body of an error that came after the body's end; None where all went well.

    AWS: the body is the usual JSON document in base64.
    """
    error_type = headers.get(_ERROR_TYPE)
    if error_type is None:
        return None
    encoded = headers.get(_ERROR_BODY, b"")
    try:
        body = base64.b64decode(encoded, validate=True)
    except binascii.Error:
        body = encoded
    return error_type.decode("latin-1") or "Unhandled", body


class StreamedResponse:
    """One such response on its way from ``exchange`` to ``sink``.

    ``on_end`` is called after the last piece, ``on_oversized`` when there are too many, ``on_broken`` when the
    runtime left before the last one: one of them, once, and nothing after :meth:`abandon`.
    """

    def __init__(
        self,
        exchange: Exchange,
        sink: ResponseSink,
        executed_version: str,
        *,
        on_end: Callable[[Exchange], None],
        on_oversized: Callable[[Exchange], None],
        on_broken: Callable[[], None],
        max_bytes: int = MAX_STREAMED_BYTES,
    ) -> None:
        self.size_bytes = 0
        self.broken = False
        self._exchange = exchange
        self._sink = sink
        self._max_bytes = max_bytes
        self._on_end = on_end
        self._on_oversized = on_oversized
        self._on_broken = on_broken
        exchange.on_body = self._take
        exchange.on_body_end = self._end
        exchange.on_disconnect = self._break
        content_type = exchange.headers.get(b"content-type", b"").decode("latin-1")
        sink.begin(content_type or _DEFAULT_TYPE, executed_version)

    def _take(self, data: bytes) -> None:
        self.size_bytes += len(data)
        if self.size_bytes > self._max_bytes:
            self.abandon()
            self._on_oversized(self._exchange)
        elif not self._sink.write(data):
            self._exchange.pause_body()
            self._sink.on_writable = self._exchange.resume_body

    def _end(self) -> None:
        self.abandon()
        self._on_end(self._exchange)

    def _break(self) -> None:
        self.abandon()
        self.broken = True
        self._on_broken()

    def abandon(self) -> None:
        """Nothing that still comes is heard."""
        exchange = self._exchange
        exchange.on_body = exchange.on_body_end = exchange.on_disconnect = None
