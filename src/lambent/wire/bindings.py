"""REST bindings: which member travels in the path, the query, a header, the status or the body.

The part ``rest-json`` and ``rest-xml`` share. One frozen plan per operation, made when it is first
called; what a body holds is left to the codec.
"""

import base64
import binascii
import json
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any
from urllib.parse import parse_qsl

from lambent.model.call import Result
from lambent.model.errors import ClientFault
from lambent.model.http import HttpRequest
from lambent.wire import timestamps
from lambent.wire.faults import serialization
from lambent.wire.header_lists import format_header_list, split_header_list
from lambent.wire.models import Shape
from lambent.wire.tree_values import fits

TextReader = Callable[[str], Any]
TextWriter = Callable[[Any], str]

_STREAMED = ("blob", "string")


@dataclass(frozen=True, slots=True)
class Bound:
    """A member outside the body.

    ``name`` is its key on the wire, a header's in lower case; ``spelt`` as the model writes it.
    """

    member: str
    name: str
    spelt: str
    is_list: bool
    read: TextReader
    write: TextWriter


@dataclass(frozen=True, slots=True)
class RestPlan:
    """Where the members of one input or output shape travel.

    ``payload`` is the member that is the whole body, ``payload_shape`` its shape; ``body_members``
    are the members of the body when there is no payload.
    """

    labels: tuple[Bound, ...]
    query: tuple[Bound, ...]
    query_map: tuple[str, bool] | None
    headers: tuple[Bound, ...]
    header_maps: tuple[tuple[str, str], ...]
    status_member: str | None
    payload: str | None
    payload_shape: Shape
    body_members: tuple[str, ...]
    outside: frozenset[str]

    @property
    def streamed(self) -> bool:
        """The body is the payload's bytes themselves."""
        return self.payload is not None and self.payload_shape.type_name in _STREAMED


@cache
def input_plan(shape: Shape) -> RestPlan:
    """The plan of an operation's input shape (None gives an empty one)."""
    return _plan(shape, ("uri", "querystring", "header", "headers"))


@cache
def output_plan(shape: Shape) -> RestPlan:
    """The plan of an output or error shape; labels and query members are ordinary ones there."""
    return _plan(shape, ("header", "headers", "statusCode"))


def _plan(shape: Shape, locations: tuple[str, ...]) -> RestPlan:
    located: dict[str, list[Any]] = {key: [] for key in _LOCATIONS}
    query_map: tuple[str, bool] | None = None
    payload = shape.serialization.get("payload") if shape is not None else None
    body = []
    for name, member in shape.members.items() if shape is not None else ():
        location = member.serialization.get("location")
        if location not in locations:
            location = None
        if location == "querystring" and member.type_name == "map":
            query_map = (name, member.value.type_name == "list")
        elif location in located:
            located[location].append(_bind(name, member, location))
        elif name != payload:
            body.append(name)
    status = located["statusCode"]
    return RestPlan(
        labels=tuple(located["uri"]),
        query=tuple(located["querystring"]),
        query_map=query_map,
        headers=tuple(located["header"]),
        header_maps=tuple((bound.member, bound.name) for bound in located["headers"]),
        status_member=status[0].member if status else None,
        payload=payload,
        payload_shape=shape.members[payload] if payload else None,
        body_members=tuple(body),
        outside=frozenset(bound.member for group in located.values() for bound in group),
    )


_LOCATIONS = ("uri", "querystring", "header", "headers", "statusCode")


def _bind(name: str, member: Shape, location: str) -> Bound:
    wire_name = member.serialization.get("name", "" if location == "headers" else name)
    in_header = location in ("header", "headers")
    is_list = member.type_name == "list"
    scalar = member.member if is_list else member
    return Bound(
        member=name,
        name=wire_name.lower() if in_header else wire_name,
        spelt=wire_name,
        is_list=is_list,
        read=_text_reader(scalar),
        write=_header_writer(member),
    )


# --- reading


def read_located(
    the_plan: RestPlan, request: HttpRequest, labels: Mapping[str, str]
) -> dict[str, Any]:
    """The members of ``request`` that are not in its body; ``labels`` are the decoded path
    labels."""
    found: dict[str, Any] = {}
    for bound in the_plan.labels:
        if bound.name in labels:
            found[bound.member] = bound.read(labels[bound.name])
    if request.query and (the_plan.query or the_plan.query_map):
        _read_query(the_plan, request.query, found)
    headers = request.headers
    for bound in the_plan.headers:
        text = headers.get(bound.name)
        if text is not None:
            found[bound.member] = _read_header(bound, text)
    for member, prefix in the_plan.header_maps:
        found_map = {
            key[len(prefix) :]: value for key, value in headers.items() if key.startswith(prefix)
        }
        if found_map:
            found[member] = found_map
    return found


def parse_query(query: str) -> list[tuple[str, str]]:
    """The decoded pairs of a query string, in order; blanks are kept."""
    try:
        return parse_qsl(query, keep_blank_values=True, max_num_fields=_MAX_FIELDS)
    except ValueError:
        raise ClientFault("InvalidQueryParameter", "Too many query parameters") from None


_MAX_FIELDS = 10_000


def _read_query(the_plan: RestPlan, query: str, found: dict[str, Any]) -> None:
    values: dict[str, list[str]] = {}
    for key, value in parse_query(query):
        values.setdefault(key, []).append(value)
    for bound in the_plan.query:
        texts = values.get(bound.name)
        if texts is not None:
            read = bound.read
            found[bound.member] = (
                [read(text) for text in texts] if bound.is_list else read(texts[0])
            )
    if the_plan.query_map is not None:
        member, holds_lists = the_plan.query_map
        taken = {bound.name for bound in the_plan.query}
        rest = {key: texts for key, texts in values.items() if key not in taken}
        if rest:
            found[member] = rest if holds_lists else {key: texts[0] for key, texts in rest.items()}


def _read_header(bound: Bound, text: str) -> Any:
    if not bound.is_list:
        return bound.read(text)
    return [bound.read(item) for item in split_header_list(text, bound.read)]


def _text_reader(shape: Shape) -> TextReader:
    if shape.type_name == "timestamp":
        return TimestampText(shape.serialization.get("timestampFormat"))
    if shape.serialization.get("jsonvalue"):
        return _read_json_value
    return TEXT_READERS.get(shape.type_name, str)


@dataclass(frozen=True, slots=True)
class TimestampText:
    """Reads a moment from a label, query value or header."""

    timestamp_format: str | None

    def __call__(self, text: str) -> Any:
        """The moment, or ``SerializationException``."""
        try:
            return timestamps.parse(text, self.timestamp_format)
        except ValueError:
            raise serialization("STRING_VALUE can not be converted to a Timestamp") from None


def _read_integer(text: str) -> int:
    if _INTEGER.fullmatch(text) is None:
        raise serialization("STRING_VALUE can not be converted to an Integer")
    number = int(text)
    if not fits(number):
        raise serialization("STRING_VALUE can not be converted to an Integer")
    return number


_INTEGER = re.compile(r"\s*[+-]?[0-9]{1,64}\s*")


def _read_float(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise serialization("STRING_VALUE can not be converted to a Double") from None


def _read_boolean(text: str) -> bool:
    lowered = text.lower()
    if lowered not in ("true", "false"):
        raise serialization("STRING_VALUE can not be converted to a Boolean")
    return lowered == "true"


def _read_blob(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise serialization("Invalid base64 text") from None


def _read_json_value(text: str) -> Any:
    try:
        return json.loads(_read_blob(text))
    except (ValueError, RecursionError):
        raise serialization("A header holds no base64-encoded JSON") from None


TEXT_READERS: Mapping[str, TextReader] = {
    "integer": _read_integer,
    "long": _read_integer,
    "float": _read_float,
    "double": _read_float,
    "boolean": _read_boolean,
    "blob": _read_blob,
}


# --- writing


def read_stream(kind: str, body: bytes) -> bytes | str:
    """A streamed payload: bytes for a ``blob``, else text. Raises ``SerializationException``."""
    if kind == "blob":
        return body
    try:
        return body.decode()
    except UnicodeDecodeError:
        raise serialization("The request body is not valid UTF-8") from None


def status_of(the_plan: RestPlan, operation: Any, result: Result) -> int:
    """The answer's status: the result's, a ``statusCode`` member's, or the model's."""
    status: int = result.status or operation.http.get("responseCode", 200)
    if the_plan.status_member is not None:
        given: int | None = result.output.get(the_plan.status_member)
        if given is not None:
            return given
    return status


def write_headers(the_plan: RestPlan, output: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The headers an output shape asks for, in the model's order."""
    written = []
    for bound in the_plan.headers:
        value = output.get(bound.member)
        if value is not None and not (bound.is_list and not value):
            written.append((bound.spelt, bound.write(value)))
    for member, prefix in the_plan.header_maps:
        for key, value in (output.get(member) or {}).items():
            written.append((f"{prefix}{key}", _one_line(str(value))))
    return written


def _one_line(text: str) -> str:
    return text.replace("\r", " ").replace("\n", " ")


def _header_writer(shape: Shape) -> TextWriter:
    if shape.type_name == "list":
        member = _header_writer(shape.member)
        quoted = shape.member.type_name == "string"
        return lambda values: format_header_list([member(item) for item in values], quoted)
    if shape.type_name == "timestamp":
        chosen = shape.serialization.get("timestampFormat", "rfc822")
        return lambda moment: str(timestamps.format_as(moment, chosen))
    if shape.serialization.get("jsonvalue"):
        return _write_json_value
    return _TEXT_WRITERS.get(shape.type_name, lambda value: _one_line(str(value)))


def _write_json_value(value: Any) -> str:
    return _write_blob(json.dumps(value, separators=(",", ":")).encode())


def _write_blob(value: bytes) -> str:
    return base64.b64encode(value).decode("ascii")


def _write_float(value: float) -> str:
    if math.isfinite(value):
        return str(value)
    return "NaN" if math.isnan(value) else ("Infinity" if value > 0 else "-Infinity")


_TEXT_WRITERS: Mapping[str, TextWriter] = {
    "boolean": lambda value: "true" if value else "false",
    "blob": _write_blob,
    "float": _write_float,
    "double": _write_float,
}
