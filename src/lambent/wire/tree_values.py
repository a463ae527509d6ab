"""Trees of values ↔ parameters, shape by shape: what the JSON and CBOR protocols share.

Reading is strict about types and lenient about unknown members; explicit nulls are absent members.
Writing takes members the shape has, and refuses others: what we mean to say must not get lost.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from lambent.wire.faults import serialization
from lambent.wire.models import Shape
from lambent.wire.shape_table import MAX_DEPTH, ShapeTable

Reader = Callable[[Any, int], Any]
Writer = Callable[[Any], Any]


def reader_table(scalar: Callable[[Shape], Reader]) -> ShapeTable[Reader]:
    """Readers of trees whose scalars are read by what ``scalar`` gives for their shape."""

    def build(shape: Shape, table: ShapeTable[Reader]) -> Reader:
        match shape.type_name:
            case "structure" if shape.is_document_type:
                return read_document
            case "structure":
                return structure_reader(shape, table, shape.members)
            case "list":
                return _list_reader(shape, table)
            case "map":
                return _map_reader(shape, table)
            case _:
                return scalar(shape)

    return ShapeTable(build)


def writer_table(scalar: Callable[[Shape], Writer | None]) -> ShapeTable[Writer | None]:
    """Writers of trees; ``scalar`` gives None where a value goes out as it is."""

    def build(shape: Shape, table: ShapeTable[Writer | None]) -> Writer | None:
        match shape.type_name:
            case "structure" if shape.is_document_type:
                return None
            case "structure":
                return structure_writer(shape, table, shape.members)
            case "list":
                return _list_writer(shape, table)
            case "map":
                return _map_writer(shape, table)
            case _:
                return scalar(shape)

    return ShapeTable(build)


def too_deep() -> Exception:
    """The refusal of input nested deeper than ``MAX_DEPTH``."""
    return serialization("Request body is nested too deeply")


def mismatch(value: object, wanted: str) -> Exception:
    """``STRING_VALUE can not be converted to an Integer``, by the value that came."""
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
            known_members = {name: shape.members[name] for name in wanted}
            members.update(
                {
                    member.serialization.get("name", name): (name, table.of(member))
                    for name, member in known_members.items()
                }
            )
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


def read_document(value: Any, depth: int) -> Any:
    """Any value as it is, when it is not nested too deeply."""
    if depth > MAX_DEPTH:
        raise too_deep()
    nested = value.values() if isinstance(value, dict) else value
    if isinstance(value, (dict, list)):
        for item in nested:
            read_document(item, depth + 1)
    return value


def read_string(value: Any, _depth: int) -> str:
    """A text, nothing else."""
    if type(value) is not str:
        raise mismatch(value, "a String")
    return value


def read_integer(value: Any, _depth: int) -> int:
    """An integer of 64 bits, or a float without a fraction; a shape of 32 bits has its range."""
    return _whole_number(value, "an Integer")


def read_long(value: Any, _depth: int) -> int:
    """As ``read_integer``, with the other name in its error."""
    return _whole_number(value, "a Long")


def fits(number: int) -> bool:
    """Whether a number has room in 64 bits, as Java's long and a record's column have."""
    return -(2**63) <= number < 2**63


def _whole_number(value: Any, wanted: str) -> int:
    if type(value) is float and value.is_integer():
        value = int(value)
    if type(value) is int and fits(value):
        return value
    raise mismatch(value, wanted)


def read_boolean(value: Any, _depth: int) -> bool:
    """A boolean, nothing else."""
    if type(value) is not bool:
        raise mismatch(value, "a Boolean")
    return value


# --- writing


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
            known_members = {name: shape.members[name] for name in wanted}
            members.update(
                {
                    name: (member.serialization.get("name", name), table.of(member))
                    for name, member in known_members.items()
                }
            )
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
