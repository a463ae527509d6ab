"""Elements ↔ parameters, shape by shape: the bodies of ``rest-xml`` and the answers of ``query``.

A reader takes all elements of one name (a flattened list is spread over several); a writer appends
text.
"""

import base64
import binascii
import math
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from typing import Any

from lambent.model.errors import ClientFault
from lambent.wire import timestamps
from lambent.wire.bindings import TEXT_READERS
from lambent.wire.models import Shape
from lambent.wire.shape_table import MAX_DEPTH, ShapeTable
from lambent.wire.xml_text import Element, escape, local_name, malformed

Reader = Callable[[list[Element], int], Any]
Writer = Callable[[list[str], str, Any], None]


@cache
def readers(service_model: Any) -> ShapeTable[Reader]:
    """The readers of one service's shapes."""
    del service_model  # the key of the cache
    return ShapeTable(_reader)


@cache
def writers(service_model: Any) -> ShapeTable[Writer]:
    """The writers of one service's shapes."""
    del service_model
    return ShapeTable(_writer)


def answer_name(shape: Shape, name: str) -> str:
    """The element a member is answered in: a flattened list's is named by its members, if they say
    so."""
    if shape.type_name == "list" and shape.serialization.get("flattened"):
        inner: str | None = shape.member.serialization.get("name")
        if inner is not None:
            return inner
    found: str = shape.serialization.get("name", name)
    return found


# --- reading


def _reader(shape: Shape, table: ShapeTable[Reader]) -> Reader:
    match shape.type_name:
        case "structure":
            return structure_reader(shape, table, shape.members)
        case "list":
            return _list_reader(shape, table)
        case "map":
            return _map_reader(shape, table)
        case _:
            return _scalar_reader(shape)


def structure_reader(shape: Shape, table: ShapeTable[Reader], names: Iterable[str]) -> Reader:
    """A reader of ``shape`` that knows the members ``names``."""
    members: dict[str, tuple[str, Reader]] = {}
    attributes: dict[str, str] = {}
    wanted = tuple(names)

    def prepare() -> None:
        for name in wanted:
            member = shape.members[name]
            wire_name = member.serialization.get("name", name)
            if member.serialization.get("xmlAttribute"):
                attributes[wire_name.rpartition(":")[2]] = name
            else:
                # A shape may bear a name of its own, which clients use or ignore where it is a member.
                members[wire_name] = members[name] = (name, table.of(member))

    def read(elements: list[Element], depth: int) -> dict[str, Any]:
        if depth > MAX_DEPTH:
            raise malformed()
        if not members and not attributes:
            prepare()
        element = elements[0]
        found: dict[str, Any] = {}
        for key, text in element.attrib.items():
            attribute = attributes.get(local_name(key))
            if attribute is not None:
                found[attribute] = text
        for key, group in _by_name(element).items():
            known = members.get(key)
            if known is not None:
                found[known[0]] = known[1](group, depth + 1)
        return found

    return read


def _by_name(element: Element) -> dict[str, list[Element]]:
    groups: dict[str, list[Element]] = {}
    for child in element:
        groups.setdefault(local_name(child.tag), []).append(child)
    return groups


def _list_reader(shape: Shape, table: ShapeTable[Reader]) -> Reader:
    flattened = shape.serialization.get("flattened")

    def read(elements: list[Element], depth: int) -> list[Any]:
        if depth > MAX_DEPTH:
            raise malformed()
        member = table.of(shape.member)
        items = elements if flattened else list(elements[0])
        return [member([item], depth + 1) for item in items]

    return read


def _map_reader(shape: Shape, table: ShapeTable[Reader]) -> Reader:
    flattened = shape.serialization.get("flattened")
    key_name = shape.key.serialization.get("name", "key")
    value_name = shape.value.serialization.get("name", "value")

    def read(elements: list[Element], depth: int) -> dict[str, Any]:
        if depth > MAX_DEPTH:
            raise malformed()
        read_key, read_value = table.of(shape.key), table.of(shape.value)
        found = {}
        for entry in elements if flattened else list(elements[0]):
            parts = _by_name(entry)
            if key_name not in parts or value_name not in parts:
                raise malformed()
            key = read_key(parts[key_name], depth + 1)
            found[key] = read_value(parts[value_name], depth + 1)
        return found

    return read


def _scalar_reader(shape: Shape) -> Reader:
    read_text = text_reader(shape)
    as_it_is = shape.type_name in ("string", "character")

    def read(elements: list[Element], depth: int) -> Any:
        del depth
        text = elements[0].text or ""
        return read_text(text if as_it_is else text.strip())

    return read


def text_reader(shape: Shape) -> Callable[[str], Any]:
    """Reads a scalar's text; what it cannot read it refuses as AWS's XML and query parsers do."""
    if shape.type_name == "timestamp":
        chosen = shape.serialization.get("timestampFormat", "iso8601")
        return lambda text: _checked(lambda: timestamps.parse(text, chosen))
    if shape.type_name == "blob":
        return lambda text: _checked(lambda: base64.b64decode(text, validate=True))
    read = TEXT_READERS.get(shape.type_name)
    return str if read is None else lambda text: _checked(lambda: read(text))


def _checked(read: Callable[[], Any]) -> Any:
    try:
        return read()
    except (ValueError, binascii.Error, ClientFault):
        raise ClientFault("MalformedInput", "Unexpected value in the request", 400) from None


# --- writing


def _writer(shape: Shape, table: ShapeTable[Writer]) -> Writer:
    match shape.type_name:
        case "structure":
            return structure_writer(shape, table, shape.members)
        case "list":
            return _list_writer(shape, table)
        case "map":
            return _map_writer(shape, table)
        case _:
            return _scalar_writer(shape)


def structure_writer(shape: Shape, table: ShapeTable[Writer], names: Iterable[str]) -> Writer:
    """A writer of ``shape`` with the members ``names``; raises ``ValueError`` for any other."""
    members: dict[str, tuple[str, Writer, bool]] = {}
    wanted = tuple(names)
    namespace = namespace_of(shape)

    def write(out: list[str], name: str, value: Mapping[str, Any]) -> None:
        if not members:
            for key in wanted:
                member = shape.members[key]
                is_attribute = bool(member.serialization.get("xmlAttribute"))
                members[key] = (answer_name(member, key), table.of(member), is_attribute)
        inside: list[str] = []
        attributes = namespace
        for key, item in value.items():
            if item is None:
                continue
            if key not in members:
                raise ValueError(f"{shape.name} has no member {key}")
            wire_name, write_member, is_attribute = members[key]
            if is_attribute:
                attributes += f' {wire_name}="{escape(str(item))}"'
            else:
                write_member(inside, wire_name, item)
        text = "".join(inside)
        out.append(f"<{name}{attributes}>{text}</{name}>" if name else text)

    return write


def namespace_of(shape: Shape) -> str:
    """``xmlns`` as an attribute, with a blank before it, or ""."""
    namespace = shape.serialization.get("xmlNamespace")
    if not namespace:
        return ""
    if isinstance(namespace, str):
        return f' xmlns="{escape(namespace)}"'
    prefix = f":{namespace['prefix']}" if namespace.get("prefix") else ""
    return f' xmlns{prefix}="{escape(namespace["uri"])}"'


def _list_writer(shape: Shape, table: ShapeTable[Writer]) -> Writer:
    flattened = shape.serialization.get("flattened")
    member_name = shape.member.serialization.get("name", "member")
    namespace = namespace_of(shape)

    def write(out: list[str], name: str, value: Iterable[Any]) -> None:
        write_member = table.of(shape.member)
        if flattened:
            for item in value:
                write_member(out, name, item)
            return
        inside: list[str] = []
        for item in value:
            write_member(inside, member_name, item)
        out.append(f"<{name}{namespace}>{''.join(inside)}</{name}>")

    return write


def _map_writer(shape: Shape, table: ShapeTable[Writer]) -> Writer:
    flattened = shape.serialization.get("flattened")
    key_name = shape.key.serialization.get("name", "key")
    value_name = shape.value.serialization.get("name", "value")
    namespace = namespace_of(shape)

    def write(out: list[str], name: str, value: Mapping[str, Any]) -> None:
        write_key, write_value = table.of(shape.key), table.of(shape.value)
        entry = name if flattened else "entry"
        inside: list[str] = []
        for key, item in value.items():
            parts: list[str] = []
            write_key(parts, key_name, key)
            write_value(parts, value_name, item)
            inside.append(f"<{entry}>{''.join(parts)}</{entry}>")
        text = "".join(inside)
        out.append(text if flattened else f"<{name}{namespace}>{text}</{name}>")

    return write


def _scalar_writer(shape: Shape) -> Writer:
    to_text = _text_writer(shape)
    namespace = namespace_of(shape)

    def write(out: list[str], name: str, value: Any) -> None:
        out.append(f"<{name}{namespace}>{escape(to_text(value))}</{name}>")

    return write


def _text_writer(shape: Shape) -> Callable[[Any], str]:
    match shape.type_name:
        case "timestamp":
            chosen = shape.serialization.get("timestampFormat", "iso8601")
            return lambda moment: str(timestamps.format_as(moment, chosen))
        case "boolean":
            return lambda value: "true" if value else "false"
        case "blob":
            return _write_blob
        case "float" | "double":
            return _write_float
        case _:
            return str


def _write_blob(value: bytes | str) -> str:
    raw = value.encode() if isinstance(value, str) else value
    return base64.b64encode(raw).decode("ascii")


def _write_float(value: float) -> str:
    if math.isfinite(value):
        return str(value)
    return "NaN" if math.isnan(value) else ("Infinity" if value > 0 else "-Infinity")
