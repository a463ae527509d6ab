"""The composition root: builds the platform from Settings, starts it, and stops it in order."""

import asyncio
import fcntl
import logging
import os
import resource
import signal
import socket
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

from lambent import __version__
from lambent.control import lifecycle
from lambent.control.concurrency import reserved_executions
from lambent.control.directory import Directory
from lambent.control.locate import version_of
from lambent.control.plane import ControlPlane
from lambent.control.provisioned_concurrency import provisioned_of
from lambent.control.reset import reset as reset_control
from lambent.control.url_directory import UrlDirectory
from lambent.gateway.function_url import FunctionUrls
from lambent.http1.bounds import Bounds
from lambent.http1.server import HttpServer
from lambent.invoke.counting import Counting
from lambent.invoke.event_handling import EventHandler
from lambent.invoke.event_queue import EventQueue, LoopClock
from lambent.invoke.frontend import Frontend
from lambent.invoke.outlets import LambdaOutlet, Outlets
from lambent.invoke.placement import Placement
from lambent.invoke.provisioned import INITIALIZATION_TYPE, Provisioned
from lambent.model.errors import AwsError, PlatformFault
from lambent.model.invocation import EnvironmentSpec
from lambent.model.provisioned import ProvisionedStatus
from lambent.node.agent import Node
from lambent.node.runtimes import Interpreter, choose_interpreter, find_interpreters
from lambent.node.sandbox.choose import open_backend
from lambent.node.sandbox.contract import Backend, SandboxError
from lambent.node.sandbox.namespaces import NamespaceBackend
from lambent.node.sandbox.process import ProcessBackend
from lambent.observe.metrics import Metrics
from lambent.server.certificates import CertificateFile
from lambent.server.edge import MAX_REQUEST_BYTES, Edge
from lambent.server.fidelity import AWAITED, REGISTRIES
from lambent.server.internal import Internal
from lambent.server.invoke_route import InvokeRoute
from lambent.server.operations import Operations
from lambent.server.stream_route import StreamRoute
from lambent.services.logs.service import LogsService
from lambent.services.logs.service import reset as reset_logs
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
from lambent.sources.hosting import HostedSources
from lambent.sources.in_process_api import InProcessApi
from lambent.store.code import CodeStore
from lambent.store.concurrency import list_reservations
from lambent.store.database import Database
from lambent.store.provisioned import ProvisionedConcurrency, functions_with_provisioned
from lambent.store.queues.sqlite import FILE_NAME as QUEUES_FILE_NAME
from lambent.store.queues.sqlite import SqliteQueueStore
from lambent.wire.models import operation_model

_STOP_DEADLINE_S = 10.0
_MAX_HELD_BYTES = 1024 * 1024 * 1024
_MAX_CONNECTIONS = 10_000
"""POLICY: what all clients together may make the platform hold."""
_SPARE_SLOTS = 128
"""Room for environments that are dying while their successors start."""
_log = logging.getLogger("lambent")

OnReady = Callable[[Mapping[str, Any]], None]


def serve(settings: Settings, on_ready: OnReady) -> None:
    """Runs the platform until SIGINT or SIGTERM; ``on_ready`` gets the health document once.

    Raises PlatformFault or OSError when it cannot start; everything is given back then.
    """
    _raise_open_files()
    with asyncio.Runner(loop_factory=new_event_loop_factory()) as runner:
        runner.run(_run(settings, on_ready))


def new_event_loop_factory() -> "Callable[[], asyncio.AbstractEventLoop] | None":
    """uvloop's where it is installed."""
    try:
        import uvloop  # noqa: PLC0415 - not everywhere there is one
    except ImportError:
        return None
    return uvloop.new_event_loop


def _raise_open_files() -> None:
    """An environment takes about ten descriptors here; the soft limit is often 1,024."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


async def _run(settings: Settings, on_ready: OnReady) -> None:
    async with AsyncExitStack() as stack:
        platform = await Platform.open(settings, stack)
        stopped = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stopped.set)
        on_ready(platform.health())
        await stopped.wait()


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
        self.frontend: Frontend
        self.api: InProcessApi
        self.outlets = Outlets()
        self.metrics = Metrics()

    @classmethod
    async def open(cls, settings: Settings, stack: AsyncExitStack) -> "Platform":
        """Starts everything, leaving on ``stack`` how each part is stopped, in reverse order."""
        platform = cls(settings)
        listener = _listen(settings)
        stack.callback(listener.close)
        port = listener.getsockname()[1]
        host = f"[{settings.host}]" if ":" in settings.host else settings.host
        platform.endpoint = f"http://{host}:{port}"
        data_dir = _open_data_dir(settings.data_dir, stack)
        interpreters = find_interpreters()
        control = await _Control.open(settings, data_dir, interpreters, stack, platform.outlets)
        platform.queues = SqliteQueueStore(data_dir / QUEUES_FILE_NAME)
        await platform.queues.open()
        stack.push_async_callback(platform.queues.close)
        platform.sqs = SqsService(platform.queues)
        await sqs_upkeep.start(platform.sqs)
        platform.outlets.register("sqs", SqsOutlet(platform.sqs))
        platform.sns = await platform._start_sns(data_dir, stack)
        logs = LogsService(data_dir)
        logs.start()
        stack.callback(logs.stop)
        mint = CredentialMint()
        inside = HttpServer(
            lambda e: edge.handle_inside(e),  # noqa: PLW0108 - made below
            MAX_REQUEST_BYTES,
            discard_oversize=True,
        )
        backend = await platform._open_backend(interpreters, port, data_dir)
        stack.push_async_callback(backend.close)
        platform.node = Node(backend, interpreters, logs.writer, _Credentials(mint), inside)
        placement = Placement(platform.node, settings.max_concurrency, settings.idle_timeout_s)
        platform.placement = control.changes.placement = placement
        placement.open()
        stack.push_async_callback(placement.close, _STOP_DEADLINE_S)
        control.changes.provisioned = Provisioned(placement)
        stack.callback(control.changes.provisioned.close)
        control.changes.provision_all()
        stack.callback(inside.close)
        edge = platform._make_edge(control, logs, mint)
        stack.callback(edge.close)
        await platform.events.open()
        stack.push_async_callback(platform.events.close)
        await control.sources.start(control.plane, control.thread, platform.frontend, platform.api)
        server = HttpServer(edge.handle, MAX_REQUEST_BYTES)
        bounds = Bounds(max_held_bytes=_MAX_HELD_BYTES, max_connections=_MAX_CONNECTIONS)
        await server.listen(listener, bounds=bounds)
        stack.push_async_callback(server.stop, 2.0)
        stack.push_async_callback(sqs_upkeep.stop, platform.sqs)
        stack.push_async_callback(control.sources.close)
        return platform

    def _make_edge(self, control: "_Control", logs: LogsService, mint: CredentialMint) -> Edge:
        """The edge and everything it calls."""

        async def reset() -> None:
            loop = asyncio.get_running_loop()
            await loop.run_in_executor(control.thread, reset_control, control.plane)
            control.directory.clear()
            await control.sources.clear()
            self.placement.retire(lambda _: False)
            await self.queues.clear()
            await self.sqs.reset()
            self.sns.forget_all()
            await loop.run_in_executor(None, reset_logs, logs)

        code = control.plane.code
        internal = Internal(
            self.health,
            reset if self.settings.allow_reset else None,
            lambda sha256: _read(code.zip_path(sha256)),
            self.metrics.prometheus,
            control.sources.report,
        )
        owners = {"lambda": control.plane, "logs": logs, "sts": StsService()}
        awaited = {"sns": self.sns, "sqs": self.sqs}
        hosted = {service: (registry, awaited[service]) for service, registry in AWAITED.items()}
        self.api = InProcessApi(hosted)
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
        )
        self.events = control.changes.events = self._make_events(control, frontend)
        return Edge(
            InvokeRoute(frontend, mint.lookup, self.events),
            operations,
            internal,
            mint.lookup,
            control.thread,
            lambda: lifecycle.drain(control.plane),
            FunctionUrls(UrlDirectory(control.plane.database), frontend, mint.lookup, user_id),
            CertificateFile(self.sns.certificate),
            StreamRoute(frontend, mint.lookup),
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

    def _make_events(self, control: "_Control", frontend: Frontend) -> EventQueue:
        """Asynchronous invocation, and functions as a place to send events to."""
        reader, clock, queues = control.plane.database.reader(), LoopClock(), dict[int, str]()
        self.outlets.register(
            "lambda", LambdaOutlet(lambda function: version_of(reader, function), queues)
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
        return EventQueue(self.queues, handler, directory, counting, self.metrics, clock, queues)

    async def _open_backend(
        self, interpreters: list[Interpreter], port: int, data_dir: Path
    ) -> Backend:
        settings = self.settings
        slots = settings.max_concurrency + _SPARE_SLOTS
        try:
            backend, self.notice = await open_backend(
                settings.sandbox,
                lambda: NamespaceBackend(
                    interpreters,
                    data_dir / "code",
                    data_dir / "run",
                    port,
                    slots,
                    cpu_limit=settings.cpu_limit,
                    network=settings.network,
                ),
                lambda: ProcessBackend(interpreters, self.endpoint),
                settings.network,
            )
        except SandboxError as error:
            raise PlatformFault(str(error)) from error
        return backend

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
            "sandbox": sandbox,
            "runtimes": described["runtimes"],
            "environments": self.placement.counts(),
            "time_scale": self.settings.time_scale,
        }


@dataclass(frozen=True, slots=True)
class _Control:
    """The control plane, its thread, and what it tells the invocation path."""

    plane: ControlPlane
    directory: Directory
    changes: "_Changes"
    thread: ThreadPoolExecutor
    sources: HostedSources

    @classmethod
    async def open(
        cls,
        settings: Settings,
        data_dir: Path,
        interpreters: list[Interpreter],
        stack: AsyncExitStack,
        outlets: Outlets,
    ) -> "_Control":
        """Opens the records and finishes what a crash left in between."""
        loop = asyncio.get_running_loop()
        thread = ThreadPoolExecutor(1, "lambent-control")
        stack.callback(thread.shutdown)
        preloading = loop.run_in_executor(None, operation_model, "lambda", "Invoke")
        code = CodeStore(data_dir / "code")
        database = await loop.run_in_executor(thread, Database, data_dir)
        stack.callback(database.close)

        def runtime_build(runtime: str) -> str | None:
            return choose_interpreter(runtime, interpreters).interpreter.build or None

        directory = Directory(database, code, runtime_build)
        changes = _Changes(directory, Counting(settings.max_concurrency), database, loop)
        sources = HostedSources(loop)
        plane = ControlPlane(
            database,
            code,
            lambda: datetime.now(UTC),
            changes.on_change,
            max_concurrency=settings.max_concurrency,
            destination_services=outlets.services,
            runtime_notice=lambda runtime: choose_interpreter(runtime, interpreters).notice,
            runtime_build=runtime_build,
            provisioned_status=changes.provisioned_status,
            sources=sources,
        )
        await loop.run_in_executor(thread, lifecycle.recover, plane)
        changes.reserve_all()
        await preloading
        return cls(plane, directory, changes, thread, sources)


class _Changes:
    """Takes word of a change from the control thread to the loop's."""

    def __init__(
        self,
        directory: Directory,
        counting: Counting,
        database: Database,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self.placement: Placement | None = None
        self.events: EventQueue | None = None
        self.provisioned: Provisioned | None = None
        self.counting = counting
        self._directory = directory
        self._database = database
        self._loop = loop

    def reserve_all(self) -> None:
        """At start: the reservations there are."""
        for function, executions in list_reservations(self._database.connection):
            self.counting.reserve(function.account_id, function.region, function.name, executions)

    def provision_all(self) -> None:
        """At start: what is provisioned."""
        for function in functions_with_provisioned(self._database.connection):
            arn = function.function_arn
            self._provision(arn, provisioned_of(self._database.connection, arn))

    def provisioned_status(self, qualified_arn: str) -> ProvisionedStatus:
        """How far an allocation is; nothing is there before the invocation path is."""
        if self.provisioned is None:
            return ProvisionedStatus(0, 0, "IN_PROGRESS")
        return self.provisioned.status(qualified_arn)

    def on_change(self, function_arn: str) -> None:
        """Called on the control thread after a commit."""
        self._directory.invalidate(function_arn)
        reserved = reserved_executions(self._database.connection, function_arn)
        provisioned = provisioned_of(self._database.connection, function_arn)
        self._loop.call_soon_threadsafe(self._take_over, function_arn, reserved, provisioned)

    def _provision(self, function_arn: str, configs: list[ProvisionedConcurrency]) -> None:
        """Has kept what is provisioned for a function, and no more than that."""
        *_, region, account_id, _, name = function_arn.split(":")
        self.counting.provision(account_id, region, name, sum(c.executions for c in configs))
        if self.provisioned is None:
            return
        self.provisioned.drop(
            f"{function_arn}:", [f"{function_arn}:{config.qualifier}" for config in configs]
        )
        for config in configs:
            with suppress(AwsError):  # Pending: its turn comes with the change to Active
                target = self._directory.resolve(account_id, region, name, config.qualifier)
                self.provisioned.put(target, config.executions)

    def _take_over(
        self, function_arn: str, reserved: int | None, provisioned: list[ProvisionedConcurrency]
    ) -> None:
        """Environments of what is no more, or may not run, go; a function that may again keeps its."""
        *_, region, account_id, _, name = function_arn.split(":")
        self.counting.reserve(account_id, region, name, reserved)
        self._provision(function_arn, provisioned)
        if self.events is not None:
            self.events.function_changed(account_id, region, name)
        if self.placement is None:
            return
        prefix = function_arn + ":"
        stopped = reserved == 0

        def may_run(spec: EnvironmentSpec) -> bool:
            return not stopped and self._is_current(spec)

        self.placement.retire(lambda spec: not spec.key.startswith(prefix) or may_run(spec))
        self.placement.revive(lambda spec: spec.key.startswith(prefix) and may_run(spec))

    def _is_current(self, spec: EnvironmentSpec) -> bool:
        if spec.initialization_type == INITIALIZATION_TYPE:
            return True  # what is provisioned goes by its own rules
        try:
            target = self._directory.resolve(
                spec.account_id, spec.region, spec.function_name, spec.version
            )
        except AwsError:
            return False
        return target.primary.key == spec.key


class _Credentials:
    """The mint of STS, in the node's words."""

    def __init__(self, mint: CredentialMint) -> None:
        self._mint = mint

    def mint(self, spec: EnvironmentSpec, session_name: str) -> Mapping[str, str]:
        """See :class:`lambent.node.agent.CredentialSource`."""
        made = self._mint.mint(spec.account_id, spec.role, session_name)
        return {
            "AWS_ACCESS_KEY_ID": made.access_key_id,
            "AWS_SECRET_ACCESS_KEY": made.secret_access_key,
            "AWS_SESSION_TOKEN": made.session_token,
        }

    def revoke(self, environ: Mapping[str, str]) -> None:
        """See :class:`lambent.node.agent.CredentialSource`."""
        self._mint.revoke(environ["AWS_ACCESS_KEY_ID"])


def _listen(settings: Settings) -> socket.socket:
    """The platform's port, bound first: a port in use should stop everything else from starting."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((settings.host, settings.port))
    except OSError:
        listener.close()
        raise
    return listener


def _open_data_dir(data_dir: Path, stack: AsyncExitStack) -> Path:
    """The directory, private and held by one platform at a time. Raises PlatformFault if it is not."""
    data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock: IO[str] = stack.enter_context(open(data_dir / "lock", "w"))  # noqa: SIM115
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise PlatformFault(
            f"Another Lambent is using {data_dir}. Stop it, or choose another --data directory."
        ) from error
    return data_dir


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
