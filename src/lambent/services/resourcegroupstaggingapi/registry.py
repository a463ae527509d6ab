"""Operation name → coroutine function, for the server."""

from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType
from typing import Final

from lambent.model.call import Call, Result
from lambent.services.resourcegroupstaggingapi import operations
from lambent.services.resourcegroupstaggingapi.service import Tagging

OPERATIONS: Final[Mapping[str, Callable[[Tagging, Call], Awaitable[Result]]]] = MappingProxyType(
    {
        "GetResources": operations.get_resources,
        "GetTagKeys": operations.get_tag_keys,
        "GetTagValues": operations.get_tag_values,
        "TagResources": operations.tag_resources,
        "UntagResources": operations.untag_resources,
    }
)
