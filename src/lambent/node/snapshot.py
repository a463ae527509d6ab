"""One version's snapshot: the template that its environments are forked from, and its initialisation.

Contract:
1. :meth:`Snapshot.initialise` ends within AWS's limit: the template waits to be forked, or the reason is told.
2. What initialisation prints is in a log stream of its own, with ``INIT_START`` and ``INIT_REPORT``.
3. The credentials it was initialised with hold while anything that was forked from it lives.
"""

import asyncio
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from lambent.http1.exchange import Exchange
from lambent.http1.server import HttpServer
from lambent.model.invocation import EnvironmentSpec
from lambent.node import outcomes
from lambent.node.capture import Capture
from lambent.node.doors import Doors
from lambent.node.endings import describe_exit
from lambent.node.environment_log import EnvironmentLog
from lambent.node.lifecycle import Event, InvalidStateTransitionError, State
from lambent.node.outcomes import Failure
from lambent.node.responses import LAST_WORDS_S, error_payload
from lambent.node.runtime_api import endpoints
from lambent.node.sandbox.contract import ExitStatus, Sandbox, Template

_INIT_DEADLINE_S = 130.0
"""AWS: 130 seconds, or the function's timeout where that is longer. Source: "Lambda execution environment"."""


class SnapshotError(Exception):
    """The function could not be initialised: ``failure`` says how, ``notice`` what of it is Lambent's doing."""

    def __init__(self, failure: Failure, notice: str = "") -> None:
        super().__init__(failure.message or failure.error_type)
        self.failure = failure
        self.notice = notice


class Snapshot:
    """See the module. Lives on the loop's thread only. ``on_close``: nothing of it is left."""

    def __init__(
        self,
        spec: EnvironmentSpec,
        template: Template,
        log: EnvironmentLog,
        born_s: float,
        on_close: Callable[[], None],
    ) -> None:
        self.spec = spec
        self.template = template
        self.used_s = born_s
        self.init_s = 0.0
        """What its initialisation took; 0 until it is over."""
        self.forks = 0
        self.request_id: bytes | None = None
        self.past_request_id: bytes | None = None
        self.response_target = b""
        self._log = log
        self._born_s = born_s
        self._on_close = on_close
        self._capture = Capture(
            template.stdout_fd, template.telemetry_fd, log.write, log.levels, template.extension_fd
        )
        self._doors = Doors(template, partial(endpoints.handle, self), lambda _: False)
        self._failure: Failure | None = None
        self._ending: asyncio.TimerHandle | None = None
        template.exited.add_done_callback(self._on_exit)

    @property
    def is_live(self) -> bool:
        """Whether it can be forked still."""
        return not (self.template.is_retired or self.template.exited.done())

    async def initialise(self, edge: HttpServer) -> None:
        """Waits for the function to be ready. Raises SnapshotError; the template ends then."""
        limit_s = max(_INIT_DEADLINE_S, self.spec.timeout_s)
        try:
            await self._doors.open(edge)
            either: list[asyncio.Future[Any]] = [self.template.snapshot, self.template.exited]
            async with asyncio.timeout(limit_s):
                await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        except (OSError, ValueError, TimeoutError):
            self._failure = self._failure or outcomes.init_timed_out("", limit_s)
        except asyncio.CancelledError:
            self.template.retire()
            raise
        self._check_taken()
        self._report()

    def _check_taken(self) -> None:
        """Raises SandboxError where the function is ready, and what holds its state could not be made of it."""
        snapshot, exited = self.template.snapshot, self.template.exited
        error = snapshot.exception() if snapshot.done() else None
        if error is not None and not exited.done() and self._failure is None:
            self.template.retire()
            raise error

    def _report(self) -> None:
        self._capture.drain()
        now_ms, init_ms = time.time_ns() // 1_000_000, (time.monotonic() - self._born_s) * 1000
        self.init_s = init_ms / 1000
        failure = self._failure
        if failure is None and self.template.exited.done():
            how = self.template.exited.result()
            out_of_memory = self.template.oom_killed()
            failure = describe_exit(how, out_of_memory=out_of_memory)("")
        if failure is None:
            self._log.init_done(now_ms, init_ms, "init")
            return
        self._log.init_failed(now_ms, init_ms, failure, "init")
        self.template.retire()
        raise SnapshotError(failure)

    def use(self, fork: Sandbox) -> None:
        """An environment was forked from it."""
        self.forks += 1
        self.used_s = time.monotonic()
        fork.exited.add_done_callback(self._on_fork_exit)

    def _on_fork_exit(self, _: "asyncio.Future[ExitStatus]") -> None:
        self.forks -= 1
        self._settle()

    def _on_exit(self, _: "asyncio.Future[ExitStatus]") -> None:
        if self._ending is not None:
            self._ending.cancel()
        self._capture.finish()
        self._capture.close()
        self._doors.close()
        self._settle()

    def _settle(self) -> None:
        if not self.forks and self.template.exited.done():
            on_close, self._on_close = self._on_close, lambda: None
            on_close()

    # The Runtime API of the template, called by lambent.node.runtime_api.endpoints

    def on_init_error(self, exchange: Exchange, error_type: str) -> None:
        """The handler cannot be loaded, or a hook before the snapshot failed."""
        if self._failure is not None or self.template.snapshot.done():
            raise InvalidStateTransitionError(State.FAILED, Event.INIT_ERROR)
        self._failure = Failure(error_type, "", body=error_payload(exchange, error_type))
        loop = asyncio.get_running_loop()
        self._ending = loop.call_later(LAST_WORDS_S, self.template.retire)
        endpoints.accept(exchange)

    def on_next(self, _: Exchange) -> None:
        """It is forked, never invoked."""
        raise InvalidStateTransitionError(State.INIT, Event.NEXT)

    def on_response(self, _: Exchange) -> None:
        """The same."""
        raise InvalidStateTransitionError(State.INIT, Event.RESPONSE)

    def on_error(self, _: Exchange, __: str) -> None:
        """The same."""
        raise InvalidStateTransitionError(State.INIT, Event.ERROR)

    def on_restore_next(self, _: Exchange) -> None:
        """Only the runtime client that is forked can be restored, and that does not ask here."""
        raise InvalidStateTransitionError(State.INIT, Event.NEXT)

    def on_restore_error(self, _: Exchange, __: str) -> None:
        """Nothing was restored."""
        raise InvalidStateTransitionError(State.INIT, Event.RESTORE_ERROR)

    def on_other(self, _: Exchange) -> bool:
        """Extensions are not forked."""
        return False
