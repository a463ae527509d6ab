"""JSON's scalars and text: the part ``json`` and ``rest-json`` share.

Reading is strict about types (AWS: ``STRING_VALUE can not be converted to an Integer``).
"""

import base64
import binascii
import math
from collections.abc import Mapping
from functools import cache
from typing import Any

import msgspec

from lambent.wire import timestamps
from lambent.wire.faults import serialization, unparsable_json
from lambent.wire.models import Shape
from lambent.wire.shape_table import ShapeTable
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
    too_deep,
    writer_table,
)

_SPECIAL_FLOATS = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode


def parse_json(body: bytes) -> Any:
    """The JSON value of ``body``; an empty body is ``{}``.

    Raises ``SerializationException`` for text that is no JSON, or nested beyond the interpreter's
    limit.
    """
    if not body:
        return {}
    try:
        return _decode(body)
    except RecursionError:
        raise too_deep() from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise serialization(unparsable_json(body, str(error))) from None


def dump_json(value: Any) -> bytes:
    """UTF-8 JSON without spaces."""
    return _encode(value)


@cache
def readers(service_model: Any) -> ShapeTable[Reader]:
    """The readers of one service's shapes."""
    del service_model  # the key of the cache: shape names mean something within one model only
    return reader_table(_scalar_reader)


@cache
def writers(service_model: Any) -> ShapeTable[Writer | None]:
    """The writers of one service's shapes; None where the value goes out as it is."""
    del service_model
    return writer_table(_scalar_writer)


def _scalar_reader(shape: Shape) -> Reader:
    if shape.type_name == "timestamp":
        return _timestamp_reader(shape.serialization.get("timestampFormat"))
    return _SCALAR_READERS.get(shape.type_name, read_document)


def _read_float(value: Any, _depth: int) -> float:
    if type(value) is float:
        return value
    if type(value) is int:
        try:
            return float(value)
        except OverflowError:
            raise mismatch(value, "a Double") from None
    if type(value) is str and value in _SPECIAL_FLOATS:
        return _SPECIAL_FLOATS[value]
    raise mismatch(value, "a Double")


def _read_blob(value: Any, _depth: int) -> bytes:
    if type(value) is not str:
        raise mismatch(value, "a ByteBuffer")
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        raise serialization("Invalid base64 text") from None


def _timestamp_reader(timestamp_format: str | None) -> Reader:
    def read(value: Any, _depth: int) -> Any:
        try:
            return timestamps.parse(value, timestamp_format)
        except ValueError:
            raise mismatch(value, "a Timestamp") from None

    return read


_SCALAR_READERS: Mapping[str, Reader] = {
    "string": read_string,
    "character": read_string,
    "integer": read_integer,
    "long": read_long,
    "float": _read_float,
    "double": _read_float,
    "boolean": read_boolean,
    "blob": _read_blob,
}


def _scalar_writer(shape: Shape) -> Writer | None:
    if shape.type_name == "timestamp":
        chosen = shape.serialization.get("timestampFormat", "unixtimestamp")
        return lambda moment: timestamps.format_as(moment, chosen)
    return _SCALAR_WRITERS.get(shape.type_name)


def _write_blob(value: bytes | str) -> str:
    raw = value.encode() if isinstance(value, str) else value
    return base64.b64encode(raw).decode("ascii")


def _write_float(value: float) -> float | str:
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else ("Infinity" if value > 0 else "-Infinity")


_SCALAR_WRITERS: Mapping[str, Writer] = {
    "blob": _write_blob,
    "float": _write_float,
    "double": _write_float,
}
