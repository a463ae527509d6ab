"""Which resources a GetResources asks for, and pages of what was found. Pure."""

import base64
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, TypeVar

from lambent.services.resourcegroupstaggingapi.service import invalid

T = TypeVar("T")
_NO_TYPE = {"sqs": "queue", "sns": "topic"}
"""Services whose ARNs do not tell the type of resource."""


def type_of(arn: str) -> str:
    """``lambda:function``, ``sqs:queue``, ``logs:log-group``."""
    service, resource = arn.split(":", 5)[2], arn.split(":", 5)[5]
    return f"{service}:{_NO_TYPE.get(service) or resource.partition(':')[0]}"


def has_type(arn: str, types: Collection[str]) -> bool:
    """Whether a resource is of one of the types (``lambda``, ``lambda:function``); without any it is."""
    found = type_of(arn)
    return not types or found in types or found.partition(":")[0] in types


def passes(tags: Mapping[str, str], filters: Sequence[Mapping[str, Any]]) -> bool:
    """Whether all filters hold: the key is there, with one of the values where any are given."""
    return all(
        one.get("Key") in tags and (not one.get("Values") or tags[one["Key"]] in one["Values"])
        for one in filters
    )


def page(
    found: Sequence[T],
    name_of: Callable[[T], str],
    token: str | None,
    size: int,
    cost_of: Callable[[T], int] = lambda _: 0,
    budget: int | None = None,
) -> tuple[list[T], str]:
    """What comes behind ``token``, at most ``size`` and, but for a first one, of ``budget``; and the next token.

    ``found`` is sorted by name. The last page's token is empty. Raises ``InvalidParameterException``.
    """
    start = _name_in(token) if token else ""
    left = [one for one in found if name_of(one) > start]
    taken: list[T] = []
    spent = 0
    for one in left:
        spent += cost_of(one)
        if len(taken) == size or (taken and budget is not None and spent > budget):
            break
        taken.append(one)
    if len(taken) == len(left):
        return taken, ""
    return taken, base64.urlsafe_b64encode(name_of(taken[-1]).encode()).decode()


def _name_in(token: str) -> str:
    try:
        return base64.b64decode(token, b"-_", validate=True).decode()
    except ValueError:
        raise invalid("The PaginationToken is not valid.") from None
