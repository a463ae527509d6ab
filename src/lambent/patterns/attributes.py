"""SNS message attributes as the document an attribute filter policy is matched with."""

import json
import re
from collections.abc import Mapping
from typing import Any

_NUMBER = re.compile(r"[+-]?[0-9]{1,400}(\.[0-9]{0,400})?([eE][+-]?[0-9]{1,4})?")


def message_attributes_document(attributes: Mapping[str, tuple[str, str | None]]) -> dict[str, Any]:
    """``{name: (DataType, StringValue)}`` → ``{name: JSON value}`` for :meth:`Pattern.matches`.

    ``String`` is a string, ``Number`` a number, ``String.Array`` the array its JSON holds; custom
    types (``Number.int``) count as what they begin with. ``Binary`` is left out, as is what does
    not read as its type: a policy never sees it. Never raises.

    Source: https://docs.aws.amazon.com/sns/latest/dg/subscription-filter-policy-constraints.html
    """
    document: dict[str, Any] = {}
    for name, (data_type, text) in attributes.items():
        value = None if text is None else _value(data_type, text)
        if value is not None:
            document[name] = value
    return document


def _value(data_type: str, text: str) -> Any:
    if data_type == "String.Array":
        return _array(text)
    base = data_type.split(".", 1)[0]
    if base == "Number":
        return _number(text)
    return text if base == "String" else None


def _array(text: str) -> list[Any] | None:
    try:
        values = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return values if isinstance(values, list) else None


def _number(text: str) -> int | float | None:
    if not _NUMBER.fullmatch(text):
        return None
    return float(text) if set(text) & set(".eE") else int(text)
