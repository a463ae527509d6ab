"""Between the control plane's thread and the loop: asking a source, telling of a change."""

import asyncio
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from tests.unit.sources.conftest import FakeApi, mapping_of
from tests.unit.sources.test_registry import FakePoller

from lambent.control.plane import ControlPlane
from lambent.model.errors import ClientFault, PlatformFault
from lambent.model.event_source_mapping import EventSourceMapping, MappingState
from lambent.sources.contract import AwsApi, Kind, Parts, Poller
from lambent.sources.hosting import HostedSources
from lambent.store.code import CodeStore
from lambent.store.database import Database
from lambent.store.event_source_mappings import get_mapping, put_mapping
from lambent.testing.loop import on_loop, until

ARN = "arn:aws:sqs:us-east-1:000000000000:q"


def make_poller(mapping: EventSourceMapping, parts: Parts) -> Poller:
    """One that stops at once."""
    may_stop = asyncio.Event()
    may_stop.set()
    return FakePoller(mapping, parts, [], may_stop)


async def describe(api: AwsApi, arn: str, account_id: str, region: str) -> Mapping[str, Any]:
    """A source that is there for one account."""
    await asyncio.sleep(0)
    if account_id != "000000000000":
        raise ClientFault("QueueDoesNotExist", "no")
    return {"VisibilityTimeout": 30}


@on_loop
async def test_records_and_pollers_meet(tmp_path: Path) -> None:
    """Asked from the control thread a source answers; a change is carried out and its state moved there."""
    loop = asyncio.get_running_loop()
    sources = HostedSources(loop, {"sqs": Kind(make_poller, describe)})
    assert list(sources.kinds) == ["sqs"]
    with ThreadPoolExecutor(1) as thread:
        database = await loop.run_in_executor(thread, Database, tmp_path)
        code = CodeStore(tmp_path / "code")
        plane = ControlPlane(database, code, lambda: datetime.now(UTC), lambda _: None)
        with pytest.raises(PlatformFault, match="starting"):
            await loop.run_in_executor(thread, sources.describe, ARN, "000000000000", "us-east-1")
        await sources.start(plane, thread, None, FakeApi())  # type: ignore[arg-type]

        def ask(account_id: str) -> Mapping[str, Any]:
            return sources.describe(ARN, account_id, "us-east-1")

        facts = await loop.run_in_executor(thread, ask, "000000000000")
        assert facts == {"VisibilityTimeout": 30}
        with pytest.raises(ClientFault):
            await loop.run_in_executor(thread, ask, "111111111111")
        creating = replace(mapping_of("q"), state=MappingState.CREATING)
        reader = database.reader()

        def create() -> None:
            with database.transaction() as cx:
                put_mapping(cx, creating)
            sources.changed(creating)

        def state() -> MappingState | None:
            found = get_mapping(reader, creating.uuid)
            return found.state if found else None

        await loop.run_in_executor(thread, create)
        await until(lambda: state() is MappingState.ENABLED)
        assert [each["polling"] for each in await sources.report()] == [True]
        await sources.clear()
        assert await sources.report() == []
        await sources.close()
        database.close()
