"""Message attributes as callers give them → :class:`Attribute` values. Pure.

The rules are those of https://docs.aws.amazon.com/sns/latest/dg/sns-message-attributes.html, the texts recorded.
"""

import re
import string
from collections.abc import Mapping
from typing import Any

from lambent.model.errors import ClientFault
from lambent.model.outgoing import Attribute
from lambent.services.sns import faults

_NAME = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*")
_TYPE = re.compile(r"(String|Number|Binary)(\.[\x21-\x7e]{1,200})?")
_ALPHABET = frozenset(string.ascii_letters + string.digits + "_-.")
_MAX_NAME_CHARS = 256


def parse_attributes(given: Mapping[str, Mapping[str, Any]]) -> dict[str, Attribute]:
    """Raises ``ParameterValueInvalid`` for the first one that AWS would not take."""
    return {name: _parse(name, value) for name, value in given.items()}


def size_bytes(attributes: Mapping[str, Attribute]) -> int:
    """What attributes count in a message's size: names, types and values."""
    total = 0
    for name, attribute in attributes.items():
        value = attribute.value
        raw = value if isinstance(value, bytes) else value.encode()
        total += len(name.encode()) + len(attribute.data_type.encode()) + len(raw)
    return total


def _parse(name: str, given: Mapping[str, Any]) -> Attribute:
    _check_name(name)
    data_type = given["DataType"]
    found = _TYPE.fullmatch(data_type)
    if found is None:
        raise faults.invalid_value(
            f"The message attribute '{name}' has an invalid message attribute type, the set of"
            " supported type prefixes is Binary, Number, and String."
        )
    field = "BinaryValue" if found[1] == "Binary" else "StringValue"
    if "StringValue" not in given and "BinaryValue" not in given:
        raise _empty(name, data_type)
    if field not in given:
        kind = field.removesuffix("Value")
        raise faults.invalid_value(
            f"The message attribute '{name}' with type '{data_type}' must use field '{kind}'."
        )
    value: str | bytes = given[field]
    if not value:
        raise _empty(name, data_type)
    return Attribute(data_type, value)


def _empty(name: str, data_type: str) -> ClientFault:
    return faults.invalid_value(
        f"The message attribute '{name}' must contain non-empty message attribute value for message"
        f" attribute type '{data_type}'."
    )


def _check_name(name: str) -> None:
    if len(name) > _MAX_NAME_CHARS:
        raise faults.invalid_value("Length of message attribute name must be less than 256 bytes.")
    if _NAME.fullmatch(name):
        return
    if name.startswith("."):
        raise faults.invalid_value(
            "Invalid message attribute name starting with character '.' was found."
        )
    if name.endswith("."):
        raise faults.invalid_value(
            "Invalid message attribute name ending with character '.' was found."
        )
    odd = next((character for character in name if character not in _ALPHABET), None)
    if odd is not None:
        raise faults.invalid_value(
            f"Invalid non-alphanumeric character '#x{ord(odd):X}' was found in the message attribute"
            " name. Can only include alphanumeric characters, hyphens, underscores, or dots."
        )
    raise faults.invalid_value("Message attribute name can not have successive '.' character.")
