"""The extensions of one environment: what they ask, what they are told, and what becomes of the environment by it.

It is made when there are external extensions, or when something first asks for the Extensions API; an environment
without any has none of this.
"""

import asyncio
import time
from collections.abc import Callable, Iterable
from functools import partial
from typing import Protocol

from lambent.http1.exchange import Exchange
from lambent.model.invocation import EnvironmentSpec, Invocation
from lambent.node.environment_log import EnvironmentLog
from lambent.node.extensions_api import failures
from lambent.node.extensions_api.answers import Refusal, header, refuse
from lambent.node.extensions_api.errors import tell_error
from lambent.node.extensions_api.extension import Extension
from lambent.node.extensions_api.register import register
from lambent.node.extensions_api.registry import MAX_EXTENSIONS, Registry
from lambent.node.extensions_api.shutdown import Reason, Shutdown
from lambent.node.extensions_api.states import Event
from lambent.node.outcomes import Failure
from lambent.node.sandbox.contract import ExitStatus, Sandbox
from lambent.node.telemetry_api.hub import Hub
from lambent.node.telemetry_api.log import TelemetryLog
from lambent.node.telemetry_api.subscribe import subscribe

_EXTENSION = b"/2020-01-01/extension/"
_TELEMETRY = (b"/2022-07-01/telemetry", b"/2022-07-01/telemetry/")
_LOGS = (b"/2020-08-15/logs", b"/2020-08-15/logs/")
_NO_LOGS = Refusal("Logs.NotSupported", "Logs API is not supported: subscribe to the Telemetry API")
"""AWS: the Telemetry API supersedes it. The type is their emulator's, which has none either."""
_LAST_WORDS_S = 0.5
"""POLICY: an extension that told an error has this long to end by itself."""


class Host(Protocol):
    """The environment they belong to."""

    def on_extensions_settled(self) -> None: ...
    def on_extension_failed(self, describe: Callable[[str], Failure]) -> None: ...
    def on_runtime_exit(self, how: ExitStatus) -> None: ...
    def tell_telemetry(self, log: TelemetryLog) -> None: ...
    def kill(self) -> None: ...


class EnvironmentExtensions:
    """See the module. ``names``: the external ones. Lives on the loop's thread only."""

    def __init__(
        self,
        spec: EnvironmentSpec,
        sandbox: Sandbox,
        log: EnvironmentLog,
        host: Host,
        names: Iterable[str] = (),
    ) -> None:
        self._spec = spec
        self._sandbox = sandbox
        self._host = host
        self._registry = Registry(names)
        self._hub = Hub(sandbox.connection, embeds_json=spec.log_format == "JSON")
        self._log = TelemetryLog(spec, log, self._hub)
        self._is_telling = False
        self._shutdown: Shutdown | None = None
        self._runtime_is_started = not len(self._registry)
        self._last_words: asyncio.TimerHandle | None = None
        if self._registry.has_external:
            sandbox.on_process_exit = self._on_process_exit
            self._begin_telling(log)
            if len(self._registry) > MAX_EXTENSIONS:
                describe = partial(failures.too_many, limit=MAX_EXTENSIONS)
                asyncio.get_running_loop().call_soon(host.on_extension_failed, describe)

    def _begin_telling(self, log: EnvironmentLog) -> None:
        if not self._is_telling:
            self._is_telling = True
            if log.started_with is not None:
                self._log.tell_init_start(*log.started_with)
            self._host.tell_telemetry(self._log)

    # What they ask

    def serve(self, exchange: Exchange, log: EnvironmentLog) -> bool:
        """One request; False where it is no request of these APIs."""
        target, method = exchange.target, exchange.method
        try:
            if target == _EXTENSION + b"register" and method == b"POST":
                self._register(exchange, log)
            elif target == _EXTENSION + b"event/next" and method == b"GET":
                self._next(exchange)
            elif target == _EXTENSION + b"init/error" and method == b"POST":
                self._error(exchange, Event.INIT_ERROR)
            elif target == _EXTENSION + b"exit/error" and method == b"POST":
                self._error(exchange, Event.EXIT_ERROR)
            elif target in _TELEMETRY and method == b"PUT":
                self._subscribe(exchange)
            elif target in _LOGS:
                refuse(exchange, _NO_LOGS)
            else:
                return False
        except Refusal as refusal:
            refuse(exchange, refusal)
        return True

    def _register(self, exchange: Exchange, log: EnvironmentLog) -> None:
        register(self._registry, self._spec, exchange)
        self._begin_telling(log)
        is_due = not self._registry.awaits_registration and self._shutdown is None
        if is_due and not self._runtime_is_started:
            # AWS: the runtime is started when every external extension has registered.
            self._runtime_is_started = True
            self._sandbox.start_runtime()

    def _next(self, exchange: Exchange) -> None:
        self._registry.wait(self._identify(exchange), exchange)
        if self._shutdown is None and self._registry.is_settled:
            self._host.on_extensions_settled()

    def _error(self, exchange: Exchange, event: Event) -> None:
        extension = self._identify(exchange)
        tell_error(extension, event, exchange)
        if self._last_words is None and self._shutdown is None:
            describe = partial(failures.told, extension=extension)
            loop = asyncio.get_running_loop()
            self._last_words = loop.call_later(_LAST_WORDS_S, self._fail, describe)

    def _subscribe(self, exchange: Exchange) -> None:
        extension = self._identify(exchange)
        if not self._sandbox.can_connect:
            message = "Without root this platform reaches listeners of external extensions only"
            raise Refusal("Telemetry.NotSupported", message)
        subscribe(self._hub, extension, exchange, is_open=self._registry.is_open)

    def _identify(self, exchange: Exchange) -> Extension:
        identifier = header(exchange, "Lambda-Extension-Identifier")
        if not identifier:
            message = "Missing Lambda-Extension-Identifier header"
            raise Refusal("Extension.MissingExtensionIdentifier", message)
        return self._registry.find(identifier)

    # What the environment tells

    def close_registration(self) -> None:
        """The runtime has asked for its first event."""
        self._registry.close_registration()
        self._hub.close_subscribing()

    @property
    def is_settled(self) -> bool:
        """Whether the environment may be frozen for them."""
        return self._registry.is_settled

    @property
    def hears_invocations(self) -> bool:
        """Whether the end of an invocation is theirs to tell."""
        return any("INVOKE" in extension.events for extension in self._registry)

    def initialised(self) -> None:
        """Init is over, well or not: the log says what became of each."""
        self._registry.initialised()
        now_ms = time.time_ns() // 1_000_000
        for e in self._registry:
            self._log.extension(now_ms, e.name, e.state.value, e.events, e.error_type)

    def invoke(self, invocation: Invocation, deadline_ms: int) -> None:
        """An event is on its way to the runtime."""
        self._registry.invoke(invocation, deadline_ms)
        self._hub.resume()

    def freeze(self) -> None:
        """The environment is being frozen."""
        self._hub.pause()

    @property
    def is_any(self) -> bool:
        """Whether there is an extension at all, and so a Shutdown phase."""
        return len(self._registry) > 0

    def shut_down(self, reason: Reason, *, runtime_is_alive: bool) -> None:
        """Begins the Shutdown phase; the host is killed when it is over."""
        if self._last_words is not None:
            self._last_words.cancel()
        self._hub.resume()
        self._hub.flush()
        self._shutdown = Shutdown(self._sandbox, self._registry, self._host.kill)
        is_alive = runtime_is_alive and self._runtime_is_started
        self._shutdown.begin(reason, runtime_is_alive=is_alive)

    def close(self) -> None:
        """The environment is gone."""
        if self._last_words is not None:
            self._last_words.cancel()
        if self._shutdown is not None:
            self._shutdown.close()
        self._hub.close()

    # What the sandbox tells

    def _on_process_exit(self, name: str, how: ExitStatus) -> None:
        if not name:
            if self._shutdown is None:
                self._host.on_runtime_exit(how)
            else:
                self._shutdown.runtime_exited()
            return
        extension = self._registry.named(name)
        if extension is None or not extension.is_alive:
            return
        extension.is_alive = False
        extension.move(Event.LAUNCH_ERROR if how.not_started else Event.EXIT)
        if self._shutdown is None:
            self._fail(partial(failures.exited, extension=extension, how=how))
        else:
            self._shutdown.extension_exited()

    def _fail(self, describe: Callable[[str], Failure]) -> None:
        if self._shutdown is None:
            self._host.on_extension_failed(describe)
