"""The resource groups tagging API: tags of everything hosted here, in one place.

It keeps nothing: each service is asked for its tagged resources, and changes are made by its own operations, so
its limits and its refusals hold.
"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Protocol

from lambent.model.call import Caller
from lambent.model.errors import ClientFault

Tagged = Mapping[str, Mapping[str, str]]
"""ARN → tags."""


class TaggedResources(Protocol):
    """One service's part."""

    @property
    def types(self) -> Sequence[str]:
        """Its resource types: ``lambda:function``."""
        ...

    async def list_tagged(self, account_id: str, region: str) -> Tagged:
        """The resources of an account and region that have tags."""
        ...

    async def tag(self, caller: Caller, arn: str, tags: Mapping[str, str]) -> None:
        """Adds tags. Raises AwsError as the service's own operation does."""
        ...

    async def untag(self, caller: Caller, arn: str, keys: Sequence[str]) -> None:
        """Removes tags."""
        ...


class Tagging:
    """``services``: by their word in an ARN."""

    def __init__(self, services: Mapping[str, TaggedResources]) -> None:
        self.services = services

    async def list_tagged(self, caller: Caller) -> Tagged:
        """Everything the caller's account has in its region, by ARN."""
        parts = await asyncio.gather(
            *(one.list_tagged(caller.account_id, caller.region) for one in self.services.values())
        )
        together: dict[str, Mapping[str, str]] = {}
        for part in parts:
            together |= part
        return dict(sorted(together.items()))

    def owner_of(self, caller: Caller, arn: str) -> TaggedResources:
        """The service of a resource. Raises ``InvalidParameterException`` for one that is not hosted here."""
        parts = arn.split(":", 5)
        service = self.services.get(parts[2]) if len(parts) == 6 and parts[0] == "arn" else None
        if service is None:
            raise invalid(f"Lambent hosts no resource {arn} that could be tagged.")
        if (parts[3], parts[4]) != (caller.region, caller.account_id):
            raise invalid(f"The resource {arn} is of another account or Region.")
        return service


def invalid(message: str) -> ClientFault:
    """400 ``InvalidParameterException``. Best known wordings."""
    return ClientFault("InvalidParameterException", message)
