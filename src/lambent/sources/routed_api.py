"""The AWS API of any service: hosted here, else of the neighbour that serves it."""

from collections.abc import Collection, Mapping
from typing import Any

from lambent.sources.contract import AwsApi


class RoutedApi:
    """Is an :class:`~lambent.sources.contract.AwsApi`; ``hosted`` services never go to a neighbour."""

    def __init__(self, hosted: Collection[str], here: AwsApi, neighbour: AwsApi) -> None:
        self._hosted = frozenset(hosted)
        self._here, self._neighbour = here, neighbour

    async def call(
        self,
        service: str,
        operation: str,
        parameters: Mapping[str, Any],
        *,
        account_id: str,
        region: str,
    ) -> Mapping[str, Any]:
        """See the protocol."""
        api = self._here if service in self._hosted else self._neighbour
        return await api.call(service, operation, parameters, account_id=account_id, region=region)
