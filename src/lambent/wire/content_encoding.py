"""Request bodies the client compressed: gunzipped, within a bound, for operations that say they may
be.

Elsewhere ``Content-Encoding`` is a property of what is stored (an S3 object) and not ours to undo.
Source: the ``requestcompression`` trait of botocore's models (CloudWatch's ``PutMetricData``).
"""

import zlib
from dataclasses import replace
from typing import Any

from lambent.model.errors import ClientFault
from lambent.model.http import HttpRequest
from lambent.wire.faults import serialization

MAX_INFLATED_BYTES = 16 * 1024 * 1024
"""POLICY: a few times what any compressible operation takes uncompressed."""

_GZIP = 16 + zlib.MAX_WBITS


def inflate(operation: Any, request: HttpRequest) -> HttpRequest:
    """``request`` with its body gunzipped when ``operation`` allows compression and it is
    compressed.

    Raises 413 ``RequestEntityTooLargeException`` beyond ``MAX_INFLATED_BYTES`` and
    ``SerializationException`` for what is no gzip.
    """
    encodings = request.headers.get("content-encoding")
    if encodings is None or operation.request_compression is None:
        return request
    if encodings.rpartition(",")[2].strip().lower() != "gzip":
        return request
    stream = zlib.decompressobj(_GZIP)
    try:
        body = stream.decompress(request.body, MAX_INFLATED_BYTES)
    except zlib.error:
        raise serialization("The request body is not valid gzip") from None
    if stream.unconsumed_tail:
        raise ClientFault("RequestEntityTooLargeException", "Request body is too large", 413)
    if not stream.eof:
        raise serialization("The request body is not valid gzip")
    return replace(request, body=body)
