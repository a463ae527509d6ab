"""Message attributes and bodies: what may be sent, and how much of it it is.

Source: "Amazon SQS message attributes" of the developer guide; texts from recordings where a comment
does not say otherwise.
"""

import re
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from lambent.model.errors import ClientFault
from lambent.model.outgoing import Attribute
from lambent.services.sqs import faults

MAX_ATTRIBUTES: Final = 10
_MAX_NAME: Final = 256
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,256}")
_RESERVED = ("aws.", "amazon.")
_NOT_ALLOWED = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_LIST_VALUES = ("StringListValues", "BinaryListValues")
_TYPES = ("String", "Number", "Binary")


def check_text(text: str) -> None:
    """Raises ``InvalidMessageContents`` for characters that no message may hold."""
    if not (text.isascii() and text.isprintable()) and _NOT_ALLOWED.search(text):
        raise ClientFault("InvalidMessageContents", faults.BAD_CHARACTERS)


def read_attributes(given: Mapping[str, Any]) -> dict[str, Attribute]:
    """The attributes of a request. Raises ``InvalidParameterValue`` and its kin."""
    if len(given) > MAX_ATTRIBUTES:
        raise faults.invalid(
            f"Number of message attributes [{len(given)}] exceeds the allowed maximum [{MAX_ATTRIBUTES}]."
        )
    return {name: _read(name, value) for name, value in given.items()}


def read_trace_header(given: Mapping[str, Any]) -> str | None:
    """``AWSTraceHeader`` of the system attributes, the only one there is."""
    for name, value in given.items():
        if name != "AWSTraceHeader":
            # The best known text.
            raise faults.invalid(f"Message system attribute name '{name[:_MAX_NAME]}' is invalid.")
        attribute = _read(name, value, system=True)
        if attribute.data_type != "String" or not isinstance(attribute.value, str):
            raise faults.invalid(
                "The type of message system attribute 'AWSTraceHeader' is invalid."
            )
        return attribute.value
    return None


def size_of(body: bytes, attributes: Mapping[str, Attribute]) -> int:
    """What counts against the maximum: the body, and names, types and values of attributes."""
    size = len(body)
    for name, attribute in attributes.items():
        value = attribute.value
        raw = value if isinstance(value, bytes) else value.encode()
        size += len(name) + len(attribute.data_type) + len(raw)
    return size


def show_attribute(attribute: Attribute) -> dict[str, Any]:
    """As the model's ``MessageAttributeValue``."""
    key = "BinaryValue" if isinstance(attribute.value, bytes) else "StringValue"
    return {key: attribute.value, "DataType": attribute.data_type}


def _read(name: str, value: Mapping[str, Any], *, system: bool = False) -> Attribute:
    if not system:
        _check_attribute_name(name)
    data_type = value["DataType"]
    prefix = _check_type(name, data_type)
    if any(value.get(member) for member in _LIST_VALUES):
        text = "Message attribute list values in SendMessage operation are not supported."
        raise ClientFault("UnsupportedOperation", text)
    member = "BinaryValue" if prefix == "Binary" else "StringValue"
    content = value.get(member)
    if not content:
        raise faults.invalid(
            f"Message (user) attribute '{name}' must contain a non-empty value of type '{prefix}'."
        )
    if isinstance(content, str):
        check_text(content)
    if prefix == "Number" and not _is_number(content):
        raise faults.invalid(
            f"Can't cast the value of message (user) attribute '{name}' to a number."
        )
    return Attribute(data_type, content)


def _check_attribute_name(name: str) -> None:
    wrong = (
        not _NAME.fullmatch(name)
        or name.lower().startswith(_RESERVED)
        or name.startswith(".")
        or name.endswith(".")
        or ".." in name
    )
    if wrong:  # the best known text; the rule is the model's, of MessageAttributeNames
        raise faults.invalid(
            f"Message (user) attribute name '{name[:_MAX_NAME]}' is invalid. It can contain "
            "alphanumeric characters and the underscore (_), hyphen (-), and period (.), must not "
            "start with AWS-reserved prefixes such as AWS. or Amazon., must not start or end with a "
            "period and should not have periods in succession; it can be up to 256 characters long."
        )


def _check_type(name: str, data_type: str) -> str:
    prefix = data_type.partition(".")[0]
    if not data_type:
        raise faults.invalid(
            f"Message (user) attribute '{name}' must contain a non-empty attribute type."
        )
    if prefix not in _TYPES or len(data_type) > _MAX_NAME or not data_type.isascii():
        raise faults.invalid(
            f"The type of message (user) attribute '{name}' is invalid. You must use only the "
            "following supported type prefixes: Binary, Number, String."
        )
    check_text(data_type)
    return prefix


def _is_number(text: str) -> bool:
    """Source: the developer guide: 38 digits, between 10^-128 and 10^126."""
    if len(text) > 200 or not text.isascii() or "_" in text:
        return False
    try:
        number = Decimal(text)
    except InvalidOperation:
        return False
    if not number.is_finite():
        return False
    return number == 0 or (-128 <= number.adjusted() <= 126 and len(number.as_tuple().digits) <= 38)
