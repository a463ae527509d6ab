"""Operation name → function, for the server."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from lambent.model.call import Call, Result
from lambent.services.sts.service import StsService, get_caller_identity

OPERATIONS: Final[Mapping[str, Callable[[StsService, Call], Result]]] = MappingProxyType(
    {"GetCallerIdentity": get_caller_identity}
)
