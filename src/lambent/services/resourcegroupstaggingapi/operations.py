"""The operations: find resources by their tags, list keys and values, tag many at once."""

from collections.abc import Awaitable, Callable
from typing import Any

from lambent.model.call import Call, Result
from lambent.model.errors import AwsError, PlatformFault, not_yet
from lambent.services.resourcegroupstaggingapi.selection import has_type, page, passes
from lambent.services.resourcegroupstaggingapi.service import Tagging, invalid

_MAX_RESOURCES = 100
_DEFAULT_RESOURCES = 50
_MIN_TAGS, _MAX_TAGS = 100, 500
_KEYS = 100
"""POLICY: keys or values on a page; AWS does not say how many it gives."""


async def get_resources(tagging: Tagging, call: Call) -> Result:
    """``GetResources``: those that have tags, by ARN. AWS shows those whose tags are gone for a while too."""
    parameters = call.parameters
    for member in ("IncludeComplianceDetails", "ExcludeCompliantResources"):
        if parameters.get(member):
            raise not_yet(member)
    arns = parameters.get("ResourceARNList") or []
    types = parameters.get("ResourceTypeFilters") or []
    filters = parameters.get("TagFilters") or []
    _check(tagging, arns, types, filters, parameters)
    tagged = await tagging.list_tagged(call.caller)
    found = [
        (arn, tags)
        for arn, tags in tagged.items()
        if (not arns or arn in arns) and has_type(arn, types) and passes(tags, filters)
    ]
    taken, token = page(
        found,
        lambda one: one[0],
        parameters.get("PaginationToken"),
        parameters.get("ResourcesPerPage", _DEFAULT_RESOURCES),
        lambda one: len(one[1]),
        parameters.get("TagsPerPage"),
    )
    shown = [
        {"ResourceARN": arn, "Tags": [{"Key": k, "Value": v} for k, v in tags.items()]}
        for arn, tags in taken
    ]
    return Result({"PaginationToken": token, "ResourceTagMappingList": shown})


async def get_tag_keys(tagging: Tagging, call: Call) -> Result:
    """``GetTagKeys``: every key in use."""
    tagged = await tagging.list_tagged(call.caller)
    keys = sorted({key for tags in tagged.values() for key in tags})
    taken, token = page(keys, str, call.parameters.get("PaginationToken"), _KEYS)
    return Result({"PaginationToken": token, "TagKeys": taken})


async def get_tag_values(tagging: Tagging, call: Call) -> Result:
    """``GetTagValues``: every value of a key."""
    key = call.parameters["Key"]
    tagged = await tagging.list_tagged(call.caller)
    values = sorted({tags[key] for tags in tagged.values() if key in tags})
    token = call.parameters.get("PaginationToken")
    if not token and values[:1] == [""]:
        taken, token = page(values[1:], str, None, _KEYS - 1)  # the empty value is behind no token
        return Result({"PaginationToken": token, "TagValues": ["", *taken]})
    taken, token = page(values, str, token, _KEYS)
    return Result({"PaginationToken": token, "TagValues": taken})


async def tag_resources(tagging: Tagging, call: Call) -> Result:
    """``TagResources``: each on its own; those that cannot be are named with the reason."""
    tags, caller = call.parameters["Tags"], call.caller
    return await _each(call, lambda arn: tagging.owner_of(caller, arn).tag(caller, arn, tags))


async def untag_resources(tagging: Tagging, call: Call) -> Result:
    """``UntagResources``, likewise."""
    keys, caller = call.parameters["TagKeys"], call.caller
    return await _each(call, lambda arn: tagging.owner_of(caller, arn).untag(caller, arn, keys))


async def _each(call: Call, change: Callable[[str], Awaitable[None]]) -> Result:
    failed: dict[str, Any] = {}
    for arn in dict.fromkeys(call.parameters["ResourceARNList"]):
        try:
            await change(arn)
        except AwsError as error:
            ours = isinstance(error, PlatformFault)
            failed[arn] = {
                "StatusCode": error.status,
                # AWS: the shape ErrorCode knows these two.
                "ErrorCode": "InternalServiceException" if ours else "InvalidParameterException",
                "ErrorMessage": error.message,
            }
    return Result({"FailedResourcesMap": failed})


def _check(tagging: Tagging, arns: Any, types: Any, filters: Any, parameters: Any) -> None:
    if arns and (types or filters or "ResourcesPerPage" in parameters):
        raise invalid("ResourceARNList cannot be combined with filters or ResourcesPerPage.")
    known = {name for one in tagging.services.values() for name in one.types}
    known |= set(tagging.services)
    for name in types:
        if name not in known:
            raise not_yet(f"ResourceTypeFilters {name}")
    for one in filters:
        if not one.get("Key"):
            raise invalid("A tag filter must have a Key.")
    size = parameters.get("ResourcesPerPage", 1)
    if not 1 <= size <= _MAX_RESOURCES:
        raise invalid(f"ResourcesPerPage must be between 1 and {_MAX_RESOURCES}.")
    budget = parameters.get("TagsPerPage", _MIN_TAGS)
    if not _MIN_TAGS <= budget <= _MAX_TAGS or budget % _MIN_TAGS:
        raise invalid("TagsPerPage must be 100, 200, 300, 400 or 500.")
