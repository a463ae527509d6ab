"""The one thing SQS refuses before an operation runs: a required parameter that is not there.

Everything else – lengths, ranges, names – SQS's operations refuse in words of their own.
"""

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from lambent.model.errors import ClientFault
from lambent.wire.models import Shape
from lambent.wire.shape_table import ShapeTable

Check = Callable[[Any, str], None]


def check_presence(shape: Shape, params: Mapping[str, Any]) -> None:
    """Raises 400 ``MissingParameter``, naming the first that is missing or null within a list or map."""
    _checks().of(shape)(params, "")


@cache
def _checks() -> ShapeTable[Check]:
    return ShapeTable(_check)


def _missing(path: str) -> ClientFault:
    return ClientFault("MissingParameter", f"The request must contain the parameter {path}.")


def _check(shape: Shape, table: ShapeTable[Check]) -> Check:
    match shape.type_name:
        case "structure":
            return _structure_check(shape, table)
        case "list":
            return _elements_check(shape.member, table, lambda value: enumerate(value, 1))
        case "map":
            return _elements_check(shape.value, table, lambda value: value.items())
        case _:
            return _accept


def _accept(value: Any, path: str) -> None:
    """A scalar that is there."""


def _structure_check(shape: Shape, table: ShapeTable[Check]) -> Check:
    required = tuple(shape.required_members)
    nested: dict[str, Check] | None = None

    def check(value: Any, path: str) -> None:
        nonlocal nested
        if nested is None:
            found = {name: table.of(member) for name, member in shape.members.items()}
            nested = {name: inner for name, inner in found.items() if inner is not _accept}
        for name in required:
            if name not in value:
                raise _missing(f"{path}{name}")
        for name, inner in nested.items():
            if name in value:
                inner(value[name], f"{path}{name}.")

    return check


def _elements_check(member: Shape, table: ShapeTable[Check], items: Callable[[Any], Any]) -> Check:
    inner: Check | None = None

    def check(value: Any, path: str) -> None:
        nonlocal inner
        if inner is None:
            inner = table.of(member)
        for name, item in items(value):
            if item is None:
                raise _missing(f"{path}{name}")
            inner(item, f"{path}{name}.")

    return check
