"""The AWS API of the services hosted here, without the wire: a call is the operation's coroutine."""

import asyncio
import uuid
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from lambent.model.call import Call, Caller, Result
from lambent.model.errors import PlatformFault, not_yet

Services = Mapping[str, tuple[Mapping[str, Callable[[Any, Call], Awaitable[Result]]], Any]]
"""Service → (operations by AWS name, their first argument)."""
DEADLINE_S: Final = 30.0
"""POLICY: longer than the longest poll."""


class InProcessApi:
    """Is an :class:`~lambent.sources.contract.AwsApi`; the caller is the account's own root.

    Outputs are as the operations give them: absent members may be None, times are ``datetime``.
    """

    def __init__(self, services: Services) -> None:
        self._services = services

    async def call(
        self,
        service: str,
        operation: str,
        parameters: Mapping[str, Any],
        *,
        account_id: str,
        region: str,
    ) -> Mapping[str, Any]:
        """See the protocol. Raises 501 for what is not hosted, 503 after the deadline."""
        registry, owner = self._services.get(service, ({}, None))
        function = registry.get(operation)
        if function is None:
            raise not_yet(f"{service}:{operation}")
        root = f"arn:aws:iam::{account_id}:root"
        caller = Caller(account_id, region, str(uuid.uuid4()), principal_arn=root)
        try:
            async with asyncio.timeout(DEADLINE_S):
                result = await function(owner, Call(service, operation, parameters, caller))
        except TimeoutError as error:
            text = f"{service}:{operation} did not answer within {DEADLINE_S:.0f} s."
            raise PlatformFault(text, "ServiceUnavailable", 503) from error
        return result.output
