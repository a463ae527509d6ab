"""Event sources in one platform: between the control plane's thread, the records, the pollers, the frontend."""

import asyncio
import secrets
import time
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import Executor
from typing import Any, Final

from lambent.control import event_source_states as states
from lambent.control.plane import ControlPlane
from lambent.invoke.frontend import Frontend
from lambent.model.errors import PlatformFault
from lambent.model.event_source_mapping import EventSourceMapping, MappingEvent, source_service
from lambent.model.function_name import FunctionName
from lambent.model.invocation import InvocationResult
from lambent.observe.mapping_metrics import MappingMetrics
from lambent.sources.contract import AwsApi, Kind, Writes
from lambent.sources.kinds import KINDS
from lambent.sources.registry import Registry
from lambent.store.event_source_mappings import every_mapping

_DESCRIBE_DEADLINE_S: Final = 5.0
"""POLICY: what a source is given to answer; the control plane waits meanwhile."""
_STOP_DEADLINE_S: Final = 3.0
"""POLICY: what functions may take to end when the platform stops; their messages come again."""


class HostedSources:
    """Is :class:`~lambent.control.event_source_ports.EventSources` from the control plane's thread.

    Made before the services are; ``start`` joins it to them.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        kinds: Mapping[str, Kind] = KINDS,
        metrics: MappingMetrics | None = None,
    ) -> None:
        self._loop = loop
        self._metrics = metrics
        self._table = kinds
        self._api: AwsApi | None = None
        self._registry: Registry | None = None

    async def start(
        self,
        plane: ControlPlane,
        thread: Executor,
        frontend: Frontend,
        api: AwsApi,
        writes: Callable[[str, str], Writes | None] = lambda _service, _name: None,
    ) -> None:
        """Polls what the records say. ``thread`` is the control plane's."""

        async def settle(mapping: EventSourceMapping, event: MappingEvent) -> None:
            await self._loop.run_in_executor(
                thread, states.settle, plane, mapping.uuid, event, mapping
            )

        async def record_result(uuid: str, result: str) -> None:
            await self._loop.run_in_executor(thread, states.record_result, plane, uuid, result)

        functions = FrontendFunctions(frontend)
        registry = Registry(
            self._table, api, functions, settle, record_result, self._metrics, writes
        )

        def read() -> list[EventSourceMapping]:
            return every_mapping(plane.database.connection)

        mappings = await self._loop.run_in_executor(thread, read)
        self._api, self._registry = api, registry
        registry.open(mappings)

    async def close(self) -> None:
        """Stops every poller."""
        if self._registry is not None:
            await self._registry.close(_STOP_DEADLINE_S)

    async def clear(self) -> None:
        """Stops every poller for good: the records are gone."""
        if self._registry is not None:
            await self._registry.clear()

    async def report(self) -> list[dict[str, Any]]:
        """Every mapping, for ``GET /_lambent/sources``."""
        return [] if self._registry is None else await self._registry.describe()

    async def replay(self, uuid: str, request: object) -> list[str]:
        """Sets a stream's mapping back: see :meth:`Registry.replay`."""
        if self._registry is None:
            raise PlatformFault("The platform is still starting.", status=503)
        return await self._registry.replay(uuid, request)

    # From the control plane's thread

    @property
    def kinds(self) -> Collection[str]:
        """See the protocol."""
        return self._table.keys()

    def describe(self, arn: str, account_id: str, region: str) -> Mapping[str, Any]:
        """See the protocol."""
        kind = self._table[source_service(arn)]
        if self._api is None:
            raise PlatformFault("The platform is still starting.", status=503)

        async def ask(api: AwsApi) -> Mapping[str, Any]:
            async with asyncio.timeout(_DESCRIBE_DEADLINE_S):
                return await kind.describe(api, arn, account_id, region)

        asked = asyncio.run_coroutine_threadsafe(ask(self._api), self._loop)
        try:
            return asked.result(_DESCRIBE_DEADLINE_S + 1)
        except TimeoutError as error:
            asked.cancel()
            raise PlatformFault(f"{arn} did not answer in time.", status=503) from error

    def changed(self, mapping: EventSourceMapping) -> None:
        """See the protocol."""
        if self._registry is not None:
            self._loop.call_soon_threadsafe(self._registry.changed, mapping)


class FrontendFunctions:
    """Is :class:`~lambent.sources.contract.Functions` over the frontend."""

    def __init__(self, frontend: Frontend) -> None:
        self._frontend = frontend

    async def invoke(
        self, function_arn: str, payload: bytes, *, trace_id: str | None = None
    ) -> InvocationResult:
        """See the protocol. A function always gets a trace, so that its lineage has a beginning."""
        name = _parse(function_arn)
        return await self._frontend.invoke(
            name.account_id,
            name.region,
            name.name,
            name.qualifier,
            payload,
            trace_id=trace_id or _new_trace(),
        )

    def room(self, function_arn: str) -> int:
        """See the protocol."""
        name = _parse(function_arn)
        return self._frontend.room(name.account_id, name.region, name.name, name.qualifier)


def _parse(function_arn: str) -> FunctionName:
    """``arn:aws:lambda:REGION:ACCOUNT:function:NAME[:QUALIFIER]``, as the records have it."""
    _, _, _, region, account_id, _, name, *qualifier = function_arn.split(":")
    return FunctionName(account_id, region, name, qualifier[0] if qualifier else None)


def _new_trace() -> str:
    """Whether it is sampled is the function's to say. Source: "Tracing header" (AWS X-Ray)."""
    return f"Root=1-{int(time.time()):08x}-{secrets.token_hex(12)}"
