"""JSON values ↔ parameters, shape by shape: the part ``json`` and ``rest-json`` share.

Reading is strict about types (AWS: ``STRING_VALUE can not be converted to an Integer``) and lenient
about unknown members; explicit nulls are absent members.
"""

import base64
import binascii
import math
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from typing import Any

import msgspec

from lambent.wire import timestamps
from lambent.wire.faults import serialization, unparsable_json
from lambent.wire.models import Shape
from lambent.wire.shape_table import MAX_DEPTH, ShapeTable

Reader = Callable[[Any, int], Any]
Writer = Callable[[Any], Any]

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


def too_deep() -> Exception:
    """The refusal of input nested deeper than ``MAX_DEPTH``."""
    return serialization("Request body is nested too deeply")


@cache
def readers(service_model: Any) -> ShapeTable[Reader]:
    """The readers of one service's shapes."""
    del service_model  # the key of the cache: shape names mean something within one model only
    return ShapeTable(_reader)


@cache
def writers(service_model: Any) -> ShapeTable[Writer | None]:
    """The writers of one service's shapes; None where the value goes out as it is."""
    del service_model
    return ShapeTable(_writer)


def _mismatch(value: object, wanted: str) -> Exception:
    if isinstance(value, dict):
        return serialization("Start of structure or map found where not expected.")
    if isinstance(value, list):
        return serialization("Start of list found where not expected")
    if isinstance(value, bool):
        token = "TRUE_VALUE" if value else "FALSE_VALUE"
    else:
        token = "STRING_VALUE" if isinstance(value, str) else "NUMBER_VALUE"
    return serialization(f"{token} can not be converted to {wanted}")


# --- reading


def _reader(shape: Shape, table: ShapeTable[Reader]) -> Reader:
    match shape.type_name:
        case "structure" if shape.is_document_type:
            return _read_document
        case "structure":
            return structure_reader(shape, table, shape.members)
        case "list":
            return _list_reader(shape, table)
        case "map":
            return _map_reader(shape, table)
        case "timestamp":
            return _timestamp_reader(shape.serialization.get("timestampFormat"))
        case kind:
            return _SCALAR_READERS.get(kind, _read_document)


def structure_reader(shape: Shape, table: ShapeTable[Reader], names: Iterable[str]) -> Reader:
    """A reader of ``shape`` that knows the members ``names`` only (a REST body is part of a
    shape)."""
    members: dict[str, tuple[str, Reader]] = {}
    wanted = tuple(names)

    def read(value: Any, depth: int) -> dict[str, Any]:
        if type(value) is not dict:
            raise serialization("Unexpected field type")
        if depth > MAX_DEPTH:
            raise too_deep()
        if not members:
            for name in wanted:
                member = shape.members[name]
                members[member.serialization.get("name", name)] = (name, table.of(member))
        found = {}
        for key, item in value.items():
            known = members.get(key)
            if known is not None and item is not None:
                found[known[0]] = known[1](item, depth + 1)
        return found

    return read


def _list_reader(shape: Shape, table: ShapeTable[Reader]) -> Reader:
    def read(value: Any, depth: int) -> list[Any]:
        if type(value) is not list:
            raise serialization("Expected list or null")
        if depth > MAX_DEPTH:
            raise too_deep()
        member = table.of(shape.member)
        return [None if item is None else member(item, depth + 1) for item in value]

    return read


def _map_reader(shape: Shape, table: ShapeTable[Reader]) -> Reader:
    def read(value: Any, depth: int) -> dict[str, Any]:
        if type(value) is not dict:
            raise serialization("Expected map or null")
        if depth > MAX_DEPTH:
            raise too_deep()
        member = table.of(shape.value)
        return {
            key: None if item is None else member(item, depth + 1) for key, item in value.items()
        }

    return read


def _read_document(value: Any, depth: int) -> Any:
    if depth > MAX_DEPTH:
        raise too_deep()
    nested = value.values() if isinstance(value, dict) else value
    if isinstance(value, (dict, list)):
        for item in nested:
            _read_document(item, depth + 1)
    return value


def _read_string(value: Any, _depth: int) -> str:
    if type(value) is not str:
        raise _mismatch(value, "a String")
    return value


def _read_integer(value: Any, _depth: int) -> int:
    if type(value) is int:
        return value
    if type(value) is float and value.is_integer():
        return int(value)
    raise _mismatch(value, "an Integer")


def _read_long(value: Any, _depth: int) -> int:
    if type(value) is int:
        return value
    if type(value) is float and value.is_integer():
        return int(value)
    raise _mismatch(value, "a Long")


def _read_float(value: Any, _depth: int) -> float:
    if type(value) is float:
        return value
    if type(value) is int:
        try:
            return float(value)
        except OverflowError:
            raise _mismatch(value, "a Double") from None
    if type(value) is str and value in _SPECIAL_FLOATS:
        return _SPECIAL_FLOATS[value]
    raise _mismatch(value, "a Double")


def _read_boolean(value: Any, _depth: int) -> bool:
    if type(value) is not bool:
        raise _mismatch(value, "a Boolean")
    return value


def _read_blob(value: Any, _depth: int) -> bytes:
    if type(value) is not str:
        raise _mismatch(value, "a ByteBuffer")
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        raise serialization("Invalid base64 text") from None


def _timestamp_reader(timestamp_format: str | None) -> Reader:
    def read(value: Any, _depth: int) -> Any:
        try:
            return timestamps.parse(value, timestamp_format)
        except ValueError:
            raise _mismatch(value, "a Timestamp") from None

    return read


_SCALAR_READERS: Mapping[str, Reader] = {
    "string": _read_string,
    "character": _read_string,
    "integer": _read_integer,
    "long": _read_long,
    "float": _read_float,
    "double": _read_float,
    "boolean": _read_boolean,
    "blob": _read_blob,
}


# --- writing


def _writer(shape: Shape, table: ShapeTable[Writer | None]) -> Writer | None:
    match shape.type_name:
        case "structure" if not shape.is_document_type:
            return structure_writer(shape, table, shape.members)
        case "list":
            return _list_writer(shape, table)
        case "map":
            return _map_writer(shape, table)
        case "timestamp":
            chosen = shape.serialization.get("timestampFormat", "unixtimestamp")
            return lambda moment: timestamps.format_as(moment, chosen)
        case kind:
            return _SCALAR_WRITERS.get(kind)


def structure_writer(
    shape: Shape, table: ShapeTable[Writer | None], names: Iterable[str]
) -> Writer:
    """A writer of ``shape`` with the members ``names``.

    The writer raises ``ValueError`` for a member the shape has not: what we mean to say must not
    get lost.
    """
    members: dict[str, tuple[str, Writer | None]] = {}
    wanted = tuple(names)

    def write(value: Mapping[str, Any]) -> dict[str, Any]:
        if not members:
            for name in wanted:
                member = shape.members[name]
                members[name] = (member.serialization.get("name", name), table.of(member))
        written = {}
        for name, item in value.items():
            if item is None:
                continue
            known = members.get(name)
            if known is None:
                raise ValueError(f"{shape.name} has no member {name}")
            written[known[0]] = item if known[1] is None else known[1](item)
        return written

    return write


def _list_writer(shape: Shape, table: ShapeTable[Writer | None]) -> Writer:
    def write(value: Iterable[Any]) -> list[Any]:
        member = table.of(shape.member)
        if member is None:
            return list(value)
        return [None if item is None else member(item) for item in value]

    return write


def _map_writer(shape: Shape, table: ShapeTable[Writer | None]) -> Writer:
    def write(value: Mapping[str, Any]) -> dict[str, Any]:
        member = table.of(shape.value)
        if member is None:
            return dict(value)
        return {key: None if item is None else member(item) for key, item in value.items()}

    return write


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
