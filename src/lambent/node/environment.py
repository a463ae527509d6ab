"""One execution environment: a sandbox, its Runtime API, its log, and the invocation it works on.

Contract:
1. One event at a time. ``invoke`` is legal in READY only and resolves exactly once, whatever happens.
2. Between ``/next`` and the next event the sandbox is frozen.
3. After a timeout, an exit or a failed initialisation the environment is stopped, never reused. Initialisation is
   then run again in another one (:meth:`Environment.start_again`), which goes on with the same log.
4. ``stop`` is final; ``on_gone`` is called once, after the sandbox gave everything back. With extensions the
   Shutdown phase comes first, which takes two seconds at most.
5. With extensions it is ready when they are too, and an invocation's REPORT waits for them; its caller does not.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Protocol

from lambent.http1.exchange import Exchange
from lambent.http1.server import HttpServer
from lambent.model.errors import ClientFault
from lambent.model.invocation import EnvironmentSpec, Invocation, InvocationResult
from lambent.node import endings, outcomes
from lambent.node.doors import Doors
from lambent.node.endings import Describe, describe_exit, describe_timeout
from lambent.node.environment_extensions import EnvironmentExtensions
from lambent.node.environment_invocations import INIT_DEADLINE_S, EnvironmentInvocations
from lambent.node.environment_log import EnvironmentLog, Phase, error_only
from lambent.node.extensions_api.shutdown import Reason
from lambent.node.freezer import Freezer
from lambent.node.lifecycle import Event, InvalidStateTransitionError, State, move
from lambent.node.outcomes import Failure
from lambent.node.responses import LAST_WORDS_S, error_payload
from lambent.node.runtime_api import endpoints
from lambent.node.sandbox.contract import ExitStatus, Sandbox
from lambent.node.telemetry_api.log import TelemetryLog


class Watcher(Protocol):
    """Who is told how an environment fares: the pool it belongs to."""

    def on_ready(self, environment: "Environment") -> None: ...
    def on_responded(self, environment: "Environment") -> None: ...
    def on_leaving(self, environment: "Environment") -> None: ...
    def on_gone(self, environment: "Environment") -> None: ...


class Environment(EnvironmentInvocations):
    """See the module. Made by :class:`lambent.node.agent.Node`; lives on the loop's thread only."""

    def __init__(
        self,
        spec: EnvironmentSpec,
        sandbox: Sandbox,
        log: EnvironmentLog,
        watcher: Watcher,
        born_s: float,
        on_close: Callable[[], None],
        *,
        phase: Phase = "init",
        again: "Callable[[Watcher], Awaitable[Environment]] | None" = None,
        extensions: tuple[str, ...] = (),
        freezer: Freezer | None = None,
    ) -> None:
        super().__init__(spec, sandbox, log, born_s, phase, freezer or Freezer())
        self._watcher = watcher
        self._on_close = on_close
        self._again = again
        self._init_failure: Describe | None = None
        self._runtime_is_gone = False
        if extensions:
            self._extensions = EnvironmentExtensions(spec, sandbox, log, self, extensions)
        serve = partial(endpoints.handle, self)
        self._doors = Doors(sandbox, serve, self._responses.takes_pieces)
        sandbox.exited.add_done_callback(self._on_exit)

    async def open(self, edge: HttpServer) -> None:
        """Serves the Runtime API, and the platform's endpoint inside, from now on."""
        await self._doors.open(edge)

    def _tell_ready(self) -> None:
        self._watcher.on_ready(self)

    def tell_responded(self) -> None:
        self._watcher.on_responded(self)

    # Extensions, called by lambent.node.environment_extensions

    def on_other(self, exchange: Exchange) -> bool:
        """The Extensions and Telemetry API; internal extensions show themselves here first."""
        extensions = self._extensions
        if extensions is None:
            extensions = EnvironmentExtensions(self.spec, self._sandbox, self._log, self)
            if self.state is State.INIT:
                self._extensions = extensions
            else:
                extensions.close_registration()
        return extensions.serve(exchange, self._log)

    def tell_telemetry(self, log: TelemetryLog) -> None:
        """There are extensions: whatever the log shows, they may want to hear."""
        self._log = log
        self._capture.sink = log.write
        self._capture.extension_sink = log.write_extension

    def on_extensions_settled(self) -> None:
        """No extension keeps the environment from being frozen any longer."""
        if self.state in (State.EXTENSIONS_INIT, State.EXTENSIONS_BUSY):
            self.state = move(self.state, Event.NEXT)
            self._settle()
            if self._waiting is not None and self._waiting.gone:
                self._on_hang_up()

    def on_extension_failed(self, describe: Describe) -> None:
        """AWS: an environment with an extension that failed is of no use any more."""
        self._fail(describe)
        self._leave("failure")

    def on_runtime_exit(self, how: ExitStatus) -> None:
        """The runtime ended before its extensions."""
        self._fail(self._describe_exit(how))
        self._runtime_is_gone = True
        self._leave("failure")

    def _leave(self, reason: Reason) -> None:
        was_ready = self.state is State.READY
        self.stop(reason)
        if was_ready:
            self._watcher.on_leaving(self)

    # Ends

    def on_init_error(self, exchange: Exchange, error_type: str) -> None:
        """Initialisation failed: the handler cannot be loaded."""
        self.state = move(self.state, Event.INIT_ERROR)
        failure = Failure(error_type, "", body=error_payload(exchange, error_type))
        self._init_failure = lambda _: failure
        self._deadline.set(time.monotonic() + LAST_WORDS_S)
        endpoints.accept(exchange)

    def on_restore_error(self, exchange: Exchange, error_type: str) -> None:
        """A hook that is to run after being restored failed: AWS does not try again."""
        self.state = move(self.state, Event.RESTORE_ERROR)
        self._init_failure = lambda _: outcomes.restore_failed(error_type)
        self._deadline.set(time.monotonic() + LAST_WORDS_S)
        endpoints.accept(exchange)

    def give_up(self, request_id: str, failure: Failure) -> None:
        """The response to this invocation, if it works on that still, will never be whole."""
        if self._invocation is not None and self._invocation.request_id == request_id:
            self._fail(lambda _: failure)
            self.stop("failure")

    def _on_hang_up(self) -> None:
        """The runtime left while it waited for an event: no other may come before it is gone."""
        if self.state is State.READY:
            self._leave("failure")

    def _on_deadline(self) -> None:
        """The timeout of the invocation, or of the initialisation."""
        now_ms = time.time_ns() // 1_000_000
        reason: Reason = "failure" if self.state is State.FAILED else "timeout"
        describe = describe_timeout(self.spec.timeout_s, now_ms)
        if not self._is_initialised and self._phase == "init":
            describe = partial(outcomes.init_timed_out, deadline_s=INIT_DEADLINE_S)
        elif not self._is_initialised and self._phase == "restore":
            describe = outcomes.restore_timed_out
        if self.state is not State.FAILED:
            self._fail(describe)
        self.stop(reason)

    def _fail(self, describe: Describe) -> None:
        """Whoever waits for this environment hears why it ends: an invocation, its REPORT, or the Init phase."""
        if self._invocation is not None:
            self._capture.drain()
            self._failure = failure = describe(self._invocation.request_id)
            self.finish(failure.payload(), "Unhandled", failure.status, error_only(failure))
        elif self._unreported is not None:
            self._report(describe(self._unreported.request_id))
        elif not self._is_initialised and self._init_failure is None:
            self._init_failure = describe

    def _on_exit(self, exited: "asyncio.Future[ExitStatus]") -> None:
        """The sandbox is gone, because the runtime process is or because it was killed."""
        how = exited.result()
        self._deadline.close()
        self._capture.finish()
        if self._invocation is not None or self.state not in (State.SHUTDOWN, State.STOPPED):
            self._fail(self._describe_exit(how))
        self._report()
        if self._init_failure is not None:
            self._log_init_failure(self._init_failure(""))
        self._settle_trace()
        self._capture.close()
        self.state = State.STOPPED
        self._on_close()
        self._close()
        self._watcher.on_gone(self)

    def _log_init_failure(self, failure: Failure) -> None:
        if self._extensions is not None:
            self._extensions.initialised()
        init_ms = (time.monotonic() - self._born_s) * 1000
        self._log.init_failed(time.time_ns() // 1_000_000, init_ms, failure, self._phase)

    def _describe_exit(self, how: ExitStatus) -> Describe:
        return describe_exit(
            how, out_of_memory=self._sandbox.oom_killed(), file_system=self.spec.file_system
        )

    def _close(self) -> None:
        if self._extensions is not None:
            self._extensions.close()
        self._doors.close()

    def held_bytes(self) -> int:
        """The most memory it has had: what ending it gives back, about."""
        return self._sandbox.memory_peak_bytes()

    def stop(self, reason: Reason = "spindown") -> None:
        """Ends it, after the Shutdown phase where there is one; ``on_gone`` follows when all is given back."""
        if self.state in (State.SHUTDOWN, State.STOPPED):
            return
        self._deadline.lift()
        extensions, is_alive = self._extensions, not self._runtime_is_gone
        if extensions is None or not extensions.is_any:
            self.kill()
            return
        self.state = move(self.state, Event.SHUT_DOWN)
        self._sandbox.thaw()
        extensions.shut_down(reason, runtime_is_alive=is_alive)

    def kill(self) -> None:
        """Ends it at once."""
        self.state = move(self.state, Event.STOP)
        self._sandbox.kill()

    async def start_again(self, watcher: Watcher) -> "Environment":
        """Initialisation failed: the environment in which it is run once more, inside the invocation.

        Raises SandboxError when the host could not make it. AWS does it in the same sandbox, emptied.
        """
        if self._phase == "restore":
            raise self._restore_fault()
        assert self._again is not None  # noqa: S101 - given by the node
        return await self._again(watcher)

    def _restore_fault(self) -> ClientFault:
        """AWS: what cannot be restored fails the request itself."""
        describe = self._init_failure or (lambda _: outcomes.restore_failed("Runtime.ExitError"))
        return describe("").fault or outcomes.RESTORE_FAILED

    def refuse_invocation(self, invocation: Invocation) -> InvocationResult:
        """Answers an invocation whose environment failed to initialise, with its log lines.

        Raises ClientFault where AWS refuses the request itself.
        """
        return endings.refuse_invocation(
            self._log, self._sandbox, self.spec, invocation, self._init_failure, self._born_s
        )


__all__ = ["Environment", "InvalidStateTransitionError", "Watcher"]
