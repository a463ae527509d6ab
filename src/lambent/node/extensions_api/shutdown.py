"""The Shutdown phase: the runtime hears SIGTERM, then the extensions hear SHUTDOWN, then everything is killed.

AWS: with an external extension 2 s in all, of which the runtime has 300 ms; with internal ones alone 500 ms for
the runtime; without any none. An external extension that does not hear of SHUTDOWN is not waited for. Source:
"Lambda execution environment lifecycle", "Shutdown phase"; ``aws-samples/graceful-shutdown-with-aws-lambda``;
``shutdown.go`` of AWS's runtime interface emulator.
"""

import asyncio
import time
from collections.abc import Callable
from typing import Literal, Protocol

from lambent.node.extensions_api.extension import Extension
from lambent.node.extensions_api.registry import Registry

Reason = Literal["spindown", "timeout", "failure"]
EXTERNAL_LIMIT_S = 2.0
INTERNAL_LIMIT_S = 0.5
RUNTIME_LIMIT_S = 0.3
"""Of the two seconds."""


class Processes(Protocol):
    """What of a sandbox is needed here. On processes that are gone these do nothing."""

    def terminate_runtime(self) -> None: ...
    def kill_runtime(self) -> None: ...


class Shutdown:
    """One Shutdown phase. ``on_over`` is called once: what is left is to be killed then."""

    def __init__(
        self, processes: Processes, registry: Registry, on_over: Callable[[], None]
    ) -> None:
        self._processes = processes
        self._registry = registry
        self._on_over = on_over
        self._loop = asyncio.get_running_loop()
        self._limit: asyncio.TimerHandle | None = None
        self._runtime_limit: asyncio.TimerHandle | None = None
        self._awaited: list[Extension] = []
        self._reason: Reason = "spindown"
        self._deadline_ms = 0
        self._runtime_is_over = False
        self._is_over = False

    def begin(self, reason: Reason, *, runtime_is_alive: bool) -> None:
        """Begins. ``runtime_is_alive``: whether there is one to end."""
        has_external = self._registry.has_external
        limit_s = EXTERNAL_LIMIT_S if has_external else INTERNAL_LIMIT_S
        self._reason = reason
        self._deadline_ms = time.time_ns() // 1_000_000 + int(limit_s * 1000)
        self._limit = self._loop.call_later(limit_s, self._finish)
        if runtime_is_alive:
            self._processes.terminate_runtime()
            if has_external:
                self._runtime_limit = self._loop.call_later(RUNTIME_LIMIT_S, self._kill_runtime)
        else:
            self.runtime_exited()

    def _kill_runtime(self) -> None:
        self._processes.kill_runtime()
        self.runtime_exited()

    def runtime_exited(self) -> None:
        """The runtime is gone, or will be in a moment: the extensions' turn."""
        if self._runtime_is_over or self._is_over:
            return
        self._runtime_is_over = True
        if self._runtime_limit is not None:
            self._runtime_limit.cancel()
        told = self._registry.shut_down(self._reason, self._deadline_ms)
        self._awaited = [extension for extension in told if extension.is_external]
        self.extension_exited()

    def extension_exited(self) -> None:
        """Some extension's process ended."""
        if self._runtime_is_over and not any(e.is_alive for e in self._awaited):
            self._finish()

    def _finish(self) -> None:
        if not self._is_over:
            self.close()
            self._on_over()

    def close(self) -> None:
        """Waits for nothing any more."""
        self._is_over = True
        for timer in (self._limit, self._runtime_limit):
            if timer is not None:
                timer.cancel()
