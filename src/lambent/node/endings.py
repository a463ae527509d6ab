"""How an environment's end is told to those who wait for it: whichever request id they have."""

import time
from collections.abc import Callable
from functools import partial

from lambent.model.function import FileSystemConfig
from lambent.model.invocation import EnvironmentSpec, Invocation, InvocationResult
from lambent.node import outcomes
from lambent.node.environment_log import Ending, EnvironmentLog, error_only
from lambent.node.outcomes import Failure
from lambent.node.sandbox.contract import ExitStatus, Sandbox
from lambent.observe import report

_MIB = 1024 * 1024
Describe = Callable[[str], Failure]
"""The failure as the one with this request id hears of it."""


def max_memory_mib(sandbox: Sandbox) -> int:
    """What REPORT shows."""
    return -(-sandbox.memory_peak_bytes() // _MIB)


def describe_exit(
    how: ExitStatus, *, out_of_memory: bool, file_system: FileSystemConfig | None = None
) -> Describe:
    """The runtime ended, or could not be started."""
    if how.not_mounted and file_system is not None:
        return partial(outcomes.not_mounted, reason=how.not_mounted, config=file_system)
    if how.not_started:
        return partial(outcomes.not_started, reason=how.not_started)
    clean = not how.signal and not how.code
    return partial(outcomes.exited, how=how.describe(), clean=clean, out_of_memory=out_of_memory)


def describe_timeout(timeout_s: float, now_ms: int) -> Describe:
    """The function's timeout was over."""

    def describe(request_id: str) -> Failure:
        message = report.timed_out_message(request_id, timeout_s, now_ms)
        line = report.timed_out(request_id, timeout_s, now_ms).decode()
        return outcomes.timed_out(message, line)

    return describe


def report_ending(
    log: EnvironmentLog,
    sandbox: Sandbox,
    ending: Ending,
    started_s: float,
    failure: Failure | None,
) -> None:
    """The extensions are done with an invocation too, or never will be. AWS: Duration has their time."""
    ending = ending._replace(
        duration_ms=(time.monotonic() - started_s) * 1000, max_memory_mib=max_memory_mib(sandbox)
    )
    if failure is not None:
        error_type = error_only(failure)
        ending = ending._replace(status=failure.status, error_type=error_type, failure=failure)
    log.reported(time.time_ns() // 1_000_000, ending)


def refuse_invocation(
    log: EnvironmentLog,
    sandbox: Sandbox,
    spec: EnvironmentSpec,
    invocation: Invocation,
    describe: Describe | None,
    born_s: float,
) -> InvocationResult:
    """Answers an invocation whose environment failed to initialise, with its log lines.

    Raises ClientFault where AWS refuses the request itself.
    """
    describe = describe or describe_exit(ExitStatus(1), out_of_memory=False)
    failure = describe(invocation.request_id)
    now_ms = time.time_ns() // 1_000_000
    log.start(now_ms, invocation.request_id, invocation.trace)
    ending = Ending(
        invocation.request_id,
        duration_ms=(time.monotonic() - born_s) * 1000,
        max_memory_mib=max_memory_mib(sandbox),
        init_ms=None,
        status=failure.status,
        error_type=error_only(failure),
        function_error="Unhandled",
        produced_bytes=0,
        failure=failure,
        trace=invocation.trace,
    )
    log.end(now_ms, ending)
    if failure.fault is not None:
        raise failure.fault
    return InvocationResult(failure.payload(), spec.version, "Unhandled", log.tail())
