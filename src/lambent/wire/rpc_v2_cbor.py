"""The ``smithy-rpc-v2-cbor`` protocol (CloudWatch): one CBOR map each way.

Of CBOR's tags only 1 (epoch seconds) is read; the others stand for things no AWS shape has, and
some of them (shared references, regular expressions) are traps.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from functools import cache
from typing import Any

import cbor2

from lambent.model.call import Result
from lambent.model.errors import AwsError
from lambent.model.http import HttpRequest, HttpResponse
from lambent.wire import errors, models, timestamps
from lambent.wire.faults import serialization
from lambent.wire.models import Shape
from lambent.wire.shape_table import MAX_DEPTH, ShapeTable
from lambent.wire.tree_values import (
    Reader,
    Writer,
    mismatch,
    read_boolean,
    read_document,
    read_integer,
    read_long,
    read_string,
    reader_table,
    writer_table,
)

_HEADERS = (("content-type", "application/cbor"), ("smithy-protocol", "rpc-v2-cbor"))
_EPOCH_TAG = 1


def _refuse(*_: Any) -> Any:
    raise serialization("Unsupported CBOR tag")


# Every tag cbor2 would give a meaning of its own; the rest comes to the tag hook.
_REFUSED: Mapping[int, Callable[..., Any]] = dict.fromkeys(
    (0, *range(2, 64), 100, 256, 258, 260, 261, 1004, 43000, 55799), _refuse
)


def decode_input(operation: Any, request: HttpRequest, labels: Mapping[str, str]) -> dict[str, Any]:
    """The parameters of ``operation``; raises ``SerializationException`` for a body it cannot
    read."""
    del labels
    if operation.input_shape is None or not request.body:
        return {}
    parsed = _drop_undefined(_parse(request.body))
    found: dict[str, Any] = _readers(operation.service_model).of(operation.input_shape)(parsed, 0)
    return found


def _parse(body: bytes) -> Any:
    try:
        return cbor2.loads(
            body,
            tag_hook=_refuse,
            semantic_decoders=_REFUSED,
            max_depth=MAX_DEPTH,
            strict_hashable_types=True,
        )
    except AwsError:
        raise
    except (cbor2.CBORError, ValueError, OverflowError, RecursionError, MemoryError) as error:
        if isinstance(error.__cause__, AwsError):
            raise error.__cause__ from None
        raise serialization("The request body is not valid CBOR") from None


def _drop_undefined(value: Any) -> Any:
    """CBOR's ``undefined`` is as good as null."""
    return {} if value is cbor2.undefined or value is None else value


def encode_output(operation: Any, result: Result, request_id: str) -> HttpResponse:
    """The answer of ``operation``: 200 unless the result says otherwise; no output shape is no
    body."""
    del request_id
    status = result.status or 200
    shape = operation.output_shape
    if shape is None:
        return HttpResponse(status, _HEADERS[1:], b"")
    write = _writers(operation.service_model).of(shape)
    output = write(result.output) if write is not None else result.output
    return HttpResponse(status, _HEADERS, cbor2.dumps(output))


def encode_error(service: str, error: AwsError, request_id: str) -> HttpResponse:
    """``{"__type":…,"message":…}`` as CBOR."""
    del request_id
    plan = errors.error_plan(service, error.code)
    model = models.service_model(service) if service else None
    table = _writers(model) if model is not None else None
    body = {"__type": plan.name, **errors.wire_members(plan, error, table)}
    headers = (*_HEADERS, *errors.query_error(plan, model, error))
    return HttpResponse(error.status, headers, cbor2.dumps(body))


@cache
def _readers(service_model: Any) -> ShapeTable[Reader]:
    del service_model
    return reader_table(lambda shape: _SCALAR_READERS.get(shape.type_name, read_document))


@cache
def _writers(service_model: Any) -> ShapeTable[Writer | None]:
    del service_model
    return writer_table(_scalar_writer)


def _read_float(value: Any, _depth: int) -> float:
    if type(value) is float:
        return value
    if type(value) is int:
        return float(value)  # CBOR's integers have 64 bits: no overflow
    raise mismatch(value, "a Double")


def _read_blob(value: Any, _depth: int) -> bytes:
    if type(value) is not bytes:
        raise mismatch(value, "a ByteBuffer")
    return value


def _read_timestamp(value: Any, _depth: int) -> datetime:
    if isinstance(value, datetime):
        return value
    if isinstance(value, str):
        raise mismatch(value, "a Timestamp")
    try:
        return timestamps.parse(value)
    except ValueError:
        raise mismatch(value, "a Timestamp") from None


_SCALAR_READERS: Mapping[str, Reader] = {
    "string": read_string,
    "character": read_string,
    "integer": read_integer,
    "long": read_long,
    "float": _read_float,
    "double": _read_float,
    "boolean": read_boolean,
    "blob": _read_blob,
    "timestamp": _read_timestamp,
}


def _scalar_writer(shape: Shape) -> Writer | None:
    match shape.type_name:
        case "timestamp":
            return lambda moment: cbor2.CBORTag(_EPOCH_TAG, timestamps.format_unix(moment))
        case "float" | "double":
            return float
        case "blob":
            return lambda value: value.encode() if isinstance(value, str) else value
        case _:
            return None
