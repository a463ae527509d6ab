"""The control plane, its thread, and what it tells the invocation path."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from lambent.app.changes import Changes
from lambent.app.images import on_thread, open_images
from lambent.app.snapshots import SnapshotMaker
from lambent.control import lifecycle
from lambent.control.directory import Directory
from lambent.control.file_systems import missing_file_system
from lambent.control.plane import ControlPlane
from lambent.invoke.counting import Counting
from lambent.invoke.outlets import Outlets
from lambent.neighbours.trace_export import tracing_missing
from lambent.node.images.service import ContainerImages
from lambent.node.runtimes import Interpreter, choose_interpreter, missing_runtime
from lambent.observe.metrics import Metrics
from lambent.settings import Settings
from lambent.sources.checkpoints import sweep
from lambent.sources.hosting import HostedSources
from lambent.sources.kinds import kinds_with
from lambent.sources.streams import StreamParts
from lambent.store.code import CodeStore
from lambent.store.database import Database
from lambent.store.event_source_mappings import every_mapping
from lambent.store.queues.contract import QueueStore
from lambent.wire.models import operation_model


@dataclass(frozen=True, slots=True)
class Control:
    """The control plane, its thread, and what it tells the invocation path."""

    plane: ControlPlane
    directory: Directory
    changes: "Changes"
    thread: ThreadPoolExecutor
    sources: HostedSources
    images: ContainerImages
    snapshots: SnapshotMaker

    @classmethod
    async def open(
        cls,
        settings: Settings,
        data_dir: Path,
        interpreters: list[Interpreter],
        stack: AsyncExitStack,
        outlets: Outlets,
        queues: QueueStore,
        metrics: Metrics,
    ) -> "Control":
        """Opens the records and finishes what a crash left in between."""
        loop = asyncio.get_running_loop()
        thread = ThreadPoolExecutor(1, "lambent-control")
        stack.callback(thread.shutdown)
        preloading = loop.run_in_executor(None, operation_model, "lambda", "Invoke")
        code = CodeStore(data_dir / "code")
        database = await loop.run_in_executor(thread, Database, data_dir)
        stack.callback(database.close)
        images = await loop.run_in_executor(None, open_images, settings, data_dir)
        stack.push_async_callback(loop.run_in_executor, None, images.close)

        def runtime_build(runtime: str) -> str | None:
            return choose_interpreter(runtime, interpreters).interpreter.build or None

        file_system_missing = missing_file_system(settings.file_systems)
        directory = Directory(database, code, runtime_build, file_system_missing, images)
        changes = Changes(directory, Counting(settings.max_concurrency), database, loop)

        def role_of(function_arn: str) -> str:
            _, _, _, region, account_id, _, name, *qualifier = function_arn.split(":")
            target = directory.resolve(account_id, region, name, "".join(qualifier) or None)
            return target.primary.role

        streams = StreamParts(queues, outlets, metrics, role_of)
        sources = HostedSources(loop, kinds_with(streams, _broker(settings)), metrics.mappings)
        snapshots = SnapshotMaker(thread, loop)
        plane = ControlPlane(
            database,
            code,
            lambda: datetime.now(UTC),
            changes.on_change,
            max_concurrency=settings.max_concurrency,
            code_storage_bytes=settings.code_storage_mib * 1024 * 1024,
            destination_services=outlets.services,
            runtime_notice=lambda runtime: choose_interpreter(runtime, interpreters).notice,
            runtime_build=runtime_build,
            file_system_missing=file_system_missing,
            tracing_missing=tracing_missing(settings.neighbours, settings.neighbour_endpoints),
            runtime_missing=missing_runtime,
            provisioned_status=changes.provisioned_status,
            sources=sources,
            snapshots=snapshots,
            images=images,
            later=on_thread(thread),
        )
        changes.snapshots = snapshots
        await loop.run_in_executor(thread, lifecycle.recover, plane)
        changes.reserve_all()
        await preloading
        return cls(plane, directory, changes, thread, sources, images, snapshots)

    async def sweep_checkpoints(self, queues: QueueStore) -> None:
        """Before sources are started: what is left of mappings that are gone."""

        def read() -> set[str]:
            return {mapping.uuid for mapping in every_mapping(self.plane.database.connection)}

        uuids = await asyncio.get_running_loop().run_in_executor(self.thread, read)
        await sweep(queues, uuids)


def _broker(settings: Settings) -> str:
    """The RabbitMQ that stands for Amazon MQ's brokers, "" where none was named."""
    url = settings.neighbour_endpoints.get("mq", "")
    return url if url.startswith("amqp") else ""
