"""The running platform: every part made, wired and started, and stopped in reverse order."""

import asyncio
import os
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from lambent import __version__
from lambent.app.ahead import Ahead, ahead_of
from lambent.app.control import Control
from lambent.app.credentials import Credentials
from lambent.app.host import access_keys, listen, open_data_dir, read_or_none, room_of
from lambent.app.images import NOT_ISOLATED
from lambent.app.sandboxes import open_sandboxes
from lambent.app.tagged import LambdaTags, LogsTags, SnsTags, SqsTags
from lambent.control import lifecycle
from lambent.control.locate import version_of
from lambent.control.reset import reset as reset_control
from lambent.control.resource_policies import ResourcePolicies
from lambent.control.url_directory import UrlDirectory
from lambent.gateway.function_url import FunctionUrls
from lambent.http1.bounds import Bounds
from lambent.http1.server import HttpServer
from lambent.invoke.deliveries import Deliveries
from lambent.invoke.delivery_requests import SERVICES
from lambent.invoke.event_clock import LoopClock
from lambent.invoke.event_handling import EventHandler
from lambent.invoke.event_queue import EventQueue
from lambent.invoke.frontend import Frontend
from lambent.invoke.outlets import LambdaOutlet, Outlets
from lambent.invoke.placement import Placement
from lambent.invoke.provisioned import Provisioned
from lambent.invoke.tracing import Tracing
from lambent.neighbours.api import NeighbourApi
from lambent.neighbours.code_objects import CodeObjects
from lambent.neighbours.forwarding import Neighbours
from lambent.neighbours.routing import parse_neighbour
from lambent.neighbours.trace_export import TraceExport
from lambent.node.agent import Node
from lambent.node.linux import memory
from lambent.node.runtimes import Interpreter, find_interpreters
from lambent.node.sandbox.namespaces import NamespaceBackend
from lambent.observe.metrics import Metrics
from lambent.server.certificates import CertificateFile
from lambent.server.code_sources import CodeSources
from lambent.server.cross_account import CrossAccount
from lambent.server.edge import MAX_REQUEST_BYTES, Edge
from lambent.server.fidelity import AWAITED, REGISTRIES
from lambent.server.internal import Internal
from lambent.server.invoke_route import InvokeRoute
from lambent.server.operations import Operations
from lambent.server.stream_route import StreamRoute
from lambent.services.applicationautoscaling.service import AutoScaling
from lambent.services.logs.service import LogsService
from lambent.services.logs.service import reset as reset_logs
from lambent.services.resourcegroupstaggingapi.service import Tagging
from lambent.services.sns.http_client import HttpClient
from lambent.services.sns.outlet import SnsOutlet
from lambent.services.sns.service import SnsService
from lambent.services.sns.signing import Signer
from lambent.services.sqs import upkeep as sqs_upkeep
from lambent.services.sqs.outlet import SqsOutlet
from lambent.services.sqs.service import SqsService
from lambent.services.sts.credentials import CredentialMint
from lambent.services.sts.service import StsService, user_id
from lambent.settings import Settings
from lambent.sources.in_process_api import InProcessApi
from lambent.sources.routed_api import RoutedApi
from lambent.store.queues.sqlite import FILE_NAME as QUEUES_FILE_NAME
from lambent.store.queues.sqlite import SqliteQueueStore

_STOP_DEADLINE_S = 10.0
_MAX_HELD_BYTES = 1024 * 1024 * 1024
_MAX_CONNECTIONS = 10_000
"""POLICY: what all clients together may make the platform hold."""


OnReady = Callable[[Mapping[str, Any]], None]


class Platform:
    """The running parts, and what health says of them."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.endpoint = ""
        self.notice: str | None = None
        self.node: Node
        self.placement: Placement
        self.queues: SqliteQueueStore
        self.sqs: SqsService
        self.sns: SnsService
        self.events: EventQueue
        self.scaling: AutoScaling
        self.frontend: Frontend
        self.api: RoutedApi
        self.neighbours: Neighbours
        self.tracing = Tracing()
        self.outlets = Outlets()
        self.metrics = Metrics()

    @classmethod
    async def open(cls, settings: Settings, stack: AsyncExitStack) -> "Platform":
        """Starts everything, leaving on ``stack`` how each part is stopped, in reverse order."""
        platform = cls(settings)
        listener = listen(settings)
        stack.callback(listener.close)
        port = listener.getsockname()[1]
        host = f"[{settings.host}]" if ":" in settings.host else settings.host
        platform.endpoint = f"http://{host}:{port}"
        data_dir = open_data_dir(settings.data_dir, stack)
        interpreters = find_interpreters()
        control = await platform._open_records(data_dir, interpreters, stack)
        await platform._open_services(data_dir, stack)
        logs = LogsService(data_dir)
        logs.start()
        stack.callback(logs.stop)
        mint = CredentialMint(lasting=access_keys(settings))
        inside = HttpServer(
            lambda e: edge.handle_inside(e),  # noqa: PLW0108 - made below
            MAX_REQUEST_BYTES,
            discard_oversize=True,
        )
        backend, platform.notice = await open_sandboxes(
            settings, interpreters, port, platform.endpoint, data_dir
        )
        if not isinstance(backend, NamespaceBackend):
            control.images.not_isolated = NOT_ISOLATED
        stack.push_async_callback(backend.close)
        forks = backend if isinstance(backend, NamespaceBackend) else None
        platform.node = Node(
            backend, interpreters, logs.writer, Credentials(mint), inside, snapshots=forks
        )
        control.snapshots.attach(platform.node, control.directory, backend)
        stack.push_async_callback(control.snapshots.close)
        platform._open_pools(control, stack, ahead_of(backend, platform.node.snapshots))
        stack.callback(inside.close)
        edge = platform._make_edge(control, logs, mint)
        stack.callback(edge.close)
        await platform._start_pumps(control, stack)
        server = HttpServer(edge.handle, MAX_REQUEST_BYTES)
        bounds = Bounds(max_held_bytes=_MAX_HELD_BYTES, max_connections=_MAX_CONNECTIONS)
        await server.listen(listener, bounds=bounds)
        stack.push_async_callback(server.stop, 2.0)
        stack.push_async_callback(sqs_upkeep.stop, platform.sqs)
        stack.push_async_callback(control.sources.close)
        return platform

    async def _open_records(
        self, data_dir: Path, interpreters: list[Interpreter], stack: AsyncExitStack
    ) -> Control:
        """The control plane and the queue store: what is on disk."""
        self.queues = SqliteQueueStore(data_dir / QUEUES_FILE_NAME)
        control = await Control.open(
            self.settings, data_dir, interpreters, stack, self.outlets, self.queues, self.metrics
        )
        await self.queues.open()
        stack.push_async_callback(self.queues.close)
        return control

    async def _open_services(self, data_dir: Path, stack: AsyncExitStack) -> None:
        """Queues, topics, and the services of others."""
        self.sqs = SqsService(self.queues)
        await sqs_upkeep.start(self.sqs)
        self.outlets.register("sqs", SqsOutlet(self.sqs))
        self.sns = await self._start_sns(data_dir, stack)
        endpoints = self.settings.neighbour_endpoints
        self.neighbours = Neighbours(
            {*REGISTRIES, *AWAITED},
            dict(parse_neighbour("=".join(one)) for one in endpoints.items()),
            data_dir / "neighbour.log",
            embedded=self.settings.neighbours,
        )
        stack.push_async_callback(self.neighbours.close)
        if self.neighbours.serves("xray"):
            export = TraceExport(NeighbourApi(self.neighbours), self.metrics.traces)
            stack.push_async_callback(export.close)
            self.tracing = Tracing(export)

    def _open_pools(self, control: Control, stack: AsyncExitStack, ahead: Ahead | None) -> None:
        """Environments: on demand, and those kept initialised."""
        settings = self.settings
        placement = Placement(
            self.node,
            settings.max_concurrency,
            settings.idle_timeout_s,
            room_of(settings),
            memory.available_bytes,
            ahead,
        )
        if self.node.snapshots is not None:
            self.node.snapshots.has_room = placement.has_room_for
        self.placement = control.changes.placement = placement
        placement.open()
        stack.push_async_callback(placement.close, _STOP_DEADLINE_S)
        control.changes.provisioned = Provisioned(placement)
        stack.callback(control.changes.provisioned.close)
        control.changes.provision_all()
        self.scaling = AutoScaling(
            control.plane, control.thread, control.changes.provisioned, settings.time_scale
        )

    async def _start_pumps(self, control: Control, stack: AsyncExitStack) -> None:
        """What invokes functions by itself: events, scaling's clock, sources; what hands on their records."""
        await self._start_deliveries(stack)
        await self.events.open()
        stack.push_async_callback(self.events.close)
        self.scaling.start()
        stack.push_async_callback(self.scaling.stop)
        await control.sweep_checkpoints(self.queues)
        await control.sources.start(
            control.plane, control.thread, self.frontend, self.api, self.neighbours.writes
        )

    async def _start_deliveries(self, stack: AsyncExitStack) -> None:
        """Destinations behind an API: those that somebody serves."""
        deliveries = Deliveries(
            self.queues,
            self.api,
            self.metrics,
            LoopClock().now_ms,
            time_scale=self.settings.time_scale,
        )
        services = [each for each in SERVICES if self.neighbours.serves(each)]
        for service in services:
            self.outlets.register(service, deliveries.outlet(service))
        await deliveries.open(services)
        stack.push_async_callback(deliveries.close)

    def _make_edge(self, control: Control, logs: LogsService, mint: CredentialMint) -> Edge:
        """The edge and everything it calls."""

        async def reset() -> None:
            loop = asyncio.get_running_loop()
            await loop.run_in_executor(control.thread, reset_control, control.plane)
            control.directory.clear()
            await control.sources.clear()
            self.placement.retire(lambda _: False)
            control.snapshots.retire(lambda _: False)
            await self.queues.clear()
            await self.sqs.reset()
            self.sns.forget_all()
            await self.neighbours.reset()
            await self.scaling.forget_all()
            await loop.run_in_executor(None, reset_logs, logs)

        code = control.plane.code
        internal = Internal(
            self.health,
            reset if self.settings.allow_reset else None,
            lambda sha256: read_or_none(code.zip_path(sha256)),
            self.metrics.prometheus,
            control.sources.report,
            control.sources.replay,
        )
        owners = {"lambda": control.plane, "logs": logs, "sts": StsService()}
        awaited = {
            "application-autoscaling": self.scaling,
            "resourcegroupstaggingapi": Tagging(
                {
                    "lambda": LambdaTags(control.plane, control.thread),
                    "logs": LogsTags(logs),
                    "sns": SnsTags(self.sns),
                    "sqs": SqsTags(self.sqs),
                }
            ),
            "sns": self.sns,
            "sqs": self.sqs,
        }
        hosted = {service: (registry, awaited[service]) for service, registry in AWAITED.items()}
        self.api = RoutedApi(
            {*REGISTRIES, *AWAITED}, InProcessApi(hosted), NeighbourApi(self.neighbours)
        )
        operations = Operations(
            {service: (registry, owners[service]) for service, registry in REGISTRIES.items()},
            hosted,
        )
        self.frontend = frontend = Frontend(
            control.directory,
            control.changes.counting,
            self.placement,
            provisioned=control.changes.provisioned,
            metrics=self.metrics,
            tracing=self.tracing,
        )
        self.events = control.changes.events = self._make_events(control, frontend)
        policies = ResourcePolicies(control.plane.database.reader())
        cross_account = CrossAccount(policies, mint.lookup)
        return Edge(
            InvokeRoute(frontend, mint.lookup, self.events, cross_account),
            operations,
            internal,
            mint.lookup,
            control.thread,
            lambda: lifecycle.drain(control.plane),
            FunctionUrls(UrlDirectory(control.plane.database), frontend, mint.lookup, user_id),
            CertificateFile(self.sns.certificate),
            StreamRoute(frontend, mint.lookup, cross_account),
            self.neighbours,
            CodeSources(
                CodeObjects(
                    NeighbourApi(self.neighbours), embedded=self.neighbours.is_embedded("s3")
                ),
                control.images,
            ),
            mint.lookup if self.settings.access_keys else None,
        )

    async def _start_sns(self, data_dir: Path, stack: AsyncExitStack) -> SnsService:
        """Topics, and the pump of their HTTP deliveries."""
        client = HttpClient()
        stack.callback(client.close)
        sns = SnsService(
            self.queues,
            self.outlets,
            Signer(data_dir / "sns", self.endpoint),
            client,
            now_ms=LoopClock().now_ms,
            endpoint=self.endpoint,
            time_scale=self.settings.time_scale,
        )
        await sns.start()
        stack.push_async_callback(sns.stop)
        self.outlets.register("sns", SnsOutlet(sns))
        return sns

    def _make_events(self, control: Control, frontend: Frontend) -> EventQueue:
        """Asynchronous invocation, and functions as a place to send events to."""
        reader, clock, queues = control.plane.database.reader(), LoopClock(), dict[int, str]()
        self.outlets.register(
            "lambda",
            LambdaOutlet(
                lambda function: version_of(reader, function),
                ResourcePolicies(reader).authorize_sender,
                queues,
            ),
        )
        directory, counting = control.directory, control.changes.counting
        handler = EventHandler(
            self.queues,
            frontend,
            directory,
            counting,
            self.outlets,
            self.metrics,
            clock.now_ms,
            time_scale=self.settings.time_scale,
        )
        stores = (self.queues, handler, directory, counting, self.metrics, clock, queues)
        return EventQueue(*stores, self.tracing)

    def health(self) -> Mapping[str, Any]:
        """What ``GET /_lambent/health`` answers."""
        described = dict(self.node.describe())
        sandbox = dict(described["sandbox"])
        if self.notice:
            sandbox["notices"] = [self.notice, *sandbox["notices"]]
        return {
            "status": "ok",
            "version": __version__,
            "pid": os.getpid(),
            "endpoint": self.endpoint,
            "data_dir": str(self.settings.data_dir),
            "authentication": "signatures" if self.settings.access_keys else "none",
            "sandbox": sandbox,
            "runtimes": described["runtimes"],
            "environments": self.placement.counts(),
            "time_scale": self.settings.time_scale,
            "neighbours": self.neighbours.describe(),
        }
