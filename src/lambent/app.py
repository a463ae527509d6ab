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
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

from lambent import __version__
from lambent.control import lifecycle
from lambent.control.directory import Directory
from lambent.control.plane import ControlPlane
from lambent.control.registry import OPERATIONS as LAMBDA_OPERATIONS
from lambent.control.reset import reset as reset_control
from lambent.http1.server import HttpServer
from lambent.invoke.counting import Counting
from lambent.invoke.frontend import Frontend
from lambent.invoke.placement import Placement
from lambent.model.errors import AwsError, PlatformFault
from lambent.model.invocation import EnvironmentSpec
from lambent.node.agent import Node
from lambent.node.runtimes import find_interpreters
from lambent.node.sandbox.choose import open_backend
from lambent.node.sandbox.contract import Backend, SandboxError
from lambent.node.sandbox.namespaces import NamespaceBackend
from lambent.node.sandbox.process import ProcessBackend
from lambent.server.edge import MAX_REQUEST_BYTES, Edge
from lambent.server.internal import Internal
from lambent.server.invoke_route import InvokeRoute
from lambent.server.operations import Operations
from lambent.services.logs.registry import OPERATIONS as LOGS_OPERATIONS
from lambent.services.logs.service import LogsService
from lambent.services.logs.service import reset as reset_logs
from lambent.services.sts.credentials import CredentialMint
from lambent.services.sts.registry import OPERATIONS as STS_OPERATIONS
from lambent.services.sts.service import StsService
from lambent.settings import Settings
from lambent.store.code import CodeStore
from lambent.store.database import Database
from lambent.wire.models import operation_model

_STOP_DEADLINE_S = 10.0
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

    @classmethod
    async def open(cls, settings: Settings, stack: AsyncExitStack) -> "Platform":
        """Starts everything, leaving on ``stack`` how each part is stopped, in reverse order."""
        platform = cls(settings)
        loop = asyncio.get_running_loop()
        listener = _listen(settings)
        stack.callback(listener.close)
        port = listener.getsockname()[1]
        platform.endpoint = f"http://{settings.host}:{port}"
        data_dir = _open_data_dir(settings.data_dir, stack)
        control_thread = ThreadPoolExecutor(1, "lambent-control")
        stack.callback(control_thread.shutdown)
        preloading = loop.run_in_executor(control_thread, operation_model, "lambda", "Invoke")

        logs = LogsService(data_dir)
        logs.start()
        stack.callback(logs.stop)
        mint = CredentialMint()
        code = CodeStore(data_dir / "code")
        database = await loop.run_in_executor(control_thread, Database, data_dir)
        stack.callback(database.close)
        directory = Directory(database, code)
        changes = _Changes(directory, loop)
        plane = ControlPlane(
            database,
            code,
            lambda: datetime.now(UTC),
            changes.on_change,
            max_concurrency=settings.max_concurrency,
        )
        await loop.run_in_executor(control_thread, lifecycle.recover, plane)

        backend, interpreters = await platform._open_backend(port, data_dir)
        stack.push_async_callback(backend.close)
        counting = Counting(settings.max_concurrency)
        inside = HttpServer(
            lambda e: edge.handle_inside(e),  # noqa: PLW0108 - made below
            MAX_REQUEST_BYTES,
            discard_oversize=True,
        )
        platform.node = Node(backend, interpreters, logs.writer, _Credentials(mint), inside)
        platform.placement = Placement(
            platform.node, settings.max_concurrency, settings.idle_timeout_s
        )
        changes.placement = platform.placement
        platform.placement.open()
        stack.push_async_callback(platform.placement.close, _STOP_DEADLINE_S)
        stack.callback(inside.close)

        async def reset() -> None:
            await loop.run_in_executor(control_thread, reset_control, plane)
            directory.clear()
            platform.placement.retire(lambda _: False)
            await loop.run_in_executor(None, reset_logs, logs)

        internal = Internal(
            platform.health,
            reset if settings.allow_reset else None,
            lambda sha256: _read(code.zip_path(sha256)),
        )
        operations = Operations(
            {
                "lambda": (LAMBDA_OPERATIONS, plane),
                "logs": (LOGS_OPERATIONS, logs),
                "sts": (STS_OPERATIONS, StsService()),
            }
        )
        edge = Edge(
            InvokeRoute(Frontend(directory, counting, platform.placement), mint.lookup),
            operations,
            internal,
            mint.lookup,
            control_thread,
            lambda: lifecycle.drain(plane),
        )
        stack.callback(edge.close)
        await preloading
        server = HttpServer(edge.handle, MAX_REQUEST_BYTES, discard_oversize=True)
        await server.listen(listener)
        stack.push_async_callback(server.stop, 2.0)
        return platform

    async def _open_backend(self, port: int, data_dir: Path) -> "tuple[Backend, list[Any]]":
        settings = self.settings
        interpreters = find_interpreters()
        slots = settings.max_concurrency + _SPARE_SLOTS
        try:
            backend, self.notice = await open_backend(
                settings.sandbox,
                lambda: NamespaceBackend(
                    interpreters, data_dir / "code", data_dir / "run", port, slots
                ),
                lambda: ProcessBackend(interpreters, self.endpoint),
            )
        except SandboxError as error:
            raise PlatformFault(str(error)) from error
        return backend, interpreters

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
        }


class _Changes:
    """Takes word of a change from the control thread to the loop's."""

    def __init__(self, directory: Directory, loop: asyncio.AbstractEventLoop) -> None:
        self.placement: Placement | None = None
        self._directory = directory
        self._loop = loop

    def on_change(self, function_arn: str) -> None:
        """Called on the control thread after a commit."""
        self._directory.invalidate(function_arn)
        self._loop.call_soon_threadsafe(self._retire, function_arn)

    def _retire(self, function_arn: str) -> None:
        if self.placement is not None:
            prefix = function_arn + ":"
            self.placement.retire(
                lambda spec: not spec.key.startswith(prefix) or self._is_current(spec)
            )

    def _is_current(self, spec: EnvironmentSpec) -> bool:
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
