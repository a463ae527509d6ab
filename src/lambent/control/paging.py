"""Pages of a list: an opaque ``Marker`` in, an opaque ``NextMarker`` out.

A marker holds the last key of the page before, so a page never shifts when others are added or
removed.
"""

import base64
import binascii
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from lambent.model import limits
from lambent.model.errors import invalid_parameter
from lambent.store.functions import NUMBER_MAX

Item = TypeVar("Item")
Key = str | int


def page_size(parameters: Mapping[str, Any]) -> int:
    """How many items to answer: ``MaxItems``, but never more than AWS's 50."""
    wanted: int = parameters.get("MaxItems") or limits.PAGE.value
    return min(wanted, limits.PAGE.value)


def after(parameters: Mapping[str, Any], start: tuple[Key, ...]) -> tuple[Key, ...]:
    """The key behind which the page starts: ``start`` without a marker.

    Raises ``InvalidParameterValueException`` for a marker that is none of ours for this list.
    """
    marker = parameters.get("Marker")
    if not marker:
        return start
    try:
        key = json.loads(base64.urlsafe_b64decode(marker.encode()))
    except (binascii.Error, ValueError, RecursionError) as error:
        raise invalid_parameter("Invalid Marker") from error
    if not isinstance(key, list) or [type(part) for part in key] != [type(part) for part in start]:
        raise invalid_parameter("Invalid Marker")
    if any(isinstance(part, int) and abs(part) > NUMBER_MAX for part in key):
        raise invalid_parameter("Invalid Marker")
    return tuple(key)


def page(
    found: Sequence[Item],
    size: int,
    key: Callable[[Item], tuple[Key, ...]],
    show: Callable[[Item], Any],
    member: str,
) -> dict[str, Any]:
    """The output for ``found``, which was asked for one item more than a page holds."""
    output: dict[str, Any] = {member: [show(item) for item in found[:size]]}
    if len(found) > size:
        text = json.dumps(key(found[size - 1]), separators=(",", ":"))
        output["NextMarker"] = base64.urlsafe_b64encode(text.encode()).decode()
    return output
