"""What an environment's log shows: the function's output, and the platform's own lines between it.

The format is chosen once for each environment, by :func:`open_log`: lines of text, or JSON records.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any, Literal, NamedTuple, Protocol

from lambent.model.invocation import SNAP_START, EnvironmentSpec, InvocationTrace
from lambent.node.outcomes import Failure
from lambent.observe import report, report_json
from lambent.observe.log_levels import RANKS, LevelFilter

_TAIL_BYTES = 4096
_TAIL_EVENTS = 512

Phase = Literal["init", "invoke", "restore"]
"""Where initialisation runs: ahead of the first event or, after that failed, inside its invocation.

Instead of it, an environment is restored from a snapshot.
"""


InitStart = tuple[int, str, Phase, str | None]
"""What :meth:`EnvironmentLog.init_start` was called with."""


class LogSink(Protocol):
    """Where log events go."""

    def append(
        self,
        account_id: str,
        region: str,
        group: str,
        stream: str,
        timestamp_ms: int,
        message: bytes,
    ) -> None: ...


class Ending(NamedTuple):
    """How an invocation ended. ``status`` is None unless the platform ended it."""

    request_id: str
    duration_ms: float
    max_memory_mib: int
    init_ms: float | None
    status: str | None
    error_type: str | None
    function_error: str | None
    produced_bytes: int
    failure: Failure | None
    trace: InvocationTrace | None = None
    restore: report.Restore | None = None


class EnvironmentLog:
    """Text: ``INIT_START``, ``START``, ``END``, ``REPORT``. One stream, and the tail of one invocation."""

    levels: LevelFilter | None = None
    """Which of the function's own events are shown; None for all."""

    def __init__(self, spec: EnvironmentSpec, sink: LogSink, stream: str) -> None:
        self._spec = spec
        self._append = partial(sink.append, spec.account_id, spec.region, spec.log_group, stream)
        self.stream = stream
        self.started_with: InitStart | None = None
        self._tail: list[bytes] = []

    def write(self, timestamp_ms: int, message: bytes) -> None:
        """One event, as it is."""
        self._append(timestamp_ms, message)
        self._tail.append(message if message.endswith(b"\n") else message + b"\n")
        if len(self._tail) > _TAIL_EVENTS:
            self._tail = [self.tail()]

    def _put(self, now_ms: int, line: bytes) -> None:
        """One of the platform's few lines of an invocation, with its end."""
        self._append(now_ms, line)
        self._tail.append(line)

    def tail(self) -> bytes:
        """The last 4 KiB of this invocation: ``LogType=Tail``."""
        return b"".join(self._tail)[-_TAIL_BYTES:]

    def forget_tail(self) -> None:
        """What was written so far is no part of the next invocation's tail."""
        self._tail.clear()

    def notice(self, now_ms: int, message: str) -> None:
        """The platform has something to say."""
        self.write(now_ms, f"[lambent] {message}\n".encode())

    def init_start(
        self, now_ms: int, runtime_version: str, phase: Phase, arn: str | None = None
    ) -> None:
        """The environment is being made; ``arn`` is the runtime version's.

        AWS: text does not say so a second time.
        """
        if phase == "init" and runtime_version:  # AWS: an image has no runtime version
            self.write(now_ms, report.init_start(runtime_version, arn))
        elif phase == "restore":
            self.write(now_ms, report.restore_start(runtime_version, arn))

    def init_done(self, now_ms: int, init_ms: float, phase: Phase) -> None:
        """The runtime asks for its first event.

        AWS: text says so of a snapshot's initialisation, and of being restored.
        """
        if phase == "restore":
            self.write(now_ms, report.restore_report(init_ms))
        elif self._spec.initialization_type == SNAP_START:
            self.write(now_ms, report.init_report(init_ms, phase=phase, status=None))

    def init_failed(self, now_ms: int, init_ms: float, failure: Failure, phase: Phase) -> None:
        """Initialisation failed or overran."""
        status, error_type = failure.status, error_only(failure)
        if phase == "restore":
            line = report.restore_report(init_ms, status=status, error_type=error_type)
            self.write(now_ms, line)
            return
        line = report.init_report(init_ms, phase=phase, status=status, error_type=error_type)
        self.write(now_ms, line)

    def extension(
        self, now_ms: int, name: str, state: str, events: Sequence[str], error_type: str | None
    ) -> None:
        """Init is over: what became of an extension."""
        self.write(now_ms, report.extension(name, state, events, error_type))

    def start(
        self,
        now_ms: int,
        request_id: str,
        trace: InvocationTrace | None = None,  # noqa: ARG002 - AWS: text says so in REPORT
    ) -> None:
        """An invocation begins; ``trace`` where X-Ray is told of it."""
        self._put(now_ms, report.start(request_id, self._spec.version))

    def end(self, now_ms: int, ending: Ending) -> None:
        """An invocation is over, for the runtime and for everybody else."""
        self.runtime_done(now_ms, ending)
        self.reported(now_ms, ending)

    def runtime_done(self, now_ms: int, ending: Ending) -> None:
        """The runtime has answered. AWS: text says nothing of it."""

    def reported(self, now_ms: int, ending: Ending) -> None:
        """The extensions are done as well: the invocation's last words."""
        if ending.failure is not None and ending.failure.log_line:
            self.write(now_ms, ending.failure.log_line.encode())
        self._put(now_ms, report.end(ending.request_id))
        line = report.report(
            ending.request_id,
            duration_ms=ending.duration_ms,
            memory_mib=self._spec.memory_mib,
            max_memory_mib=ending.max_memory_mib,
            init_ms=ending.init_ms,
            status=ending.status,
            error_type=ending.error_type,
            trace=ids_of(ending.trace),
            restore=ending.restore,
        )
        self._put(now_ms, line)


class JsonEnvironmentLog(EnvironmentLog):
    """JSON: ``platform.*`` records of ``SystemLogLevel`` and above, output of ``ApplicationLogLevel`` and above.

    A timeout or an exit is told by the records' status and type, not by a line of text.
    """

    def __init__(self, spec: EnvironmentSpec, sink: LogSink, stream: str) -> None:
        super().__init__(spec, sink, stream)
        self._least = RANKS[spec.system_log_level or "INFO"]
        self.levels = LevelFilter(spec.application_log_level or "INFO")

    def _record(self, now_ms: int, record: report_json.Record) -> None:
        if record.rank >= self._least:
            self.write(now_ms, record.line)

    def notice(self, now_ms: int, message: str) -> None:
        self._record(now_ms, report_json.notice(now_ms, message))

    def init_start(
        self, now_ms: int, runtime_version: str, phase: Phase, arn: str | None = None
    ) -> None:
        about: dict[str, Any] = {
            "runtime_version": runtime_version,
            "function_name": self._spec.function_name,
            "function_version": self._spec.version,
            "instance_id": self.stream[-32:],
            "memory_mib": self._spec.memory_mib,
            "runtime_version_arn": arn,
        }
        if phase == "restore":
            self._record(now_ms, report_json.restore_start(now_ms, **about))
            return
        kind = self._spec.initialization_type
        self._record(
            now_ms, report_json.init_start(now_ms, **about, phase=phase, initialization_type=kind)
        )

    def init_done(self, now_ms: int, init_ms: float, phase: Phase) -> None:
        self._init_ended(now_ms, init_ms, phase, "success", None)

    def init_failed(self, now_ms: int, init_ms: float, failure: Failure, phase: Phase) -> None:
        self._init_ended(now_ms, init_ms, phase, failure.status, error_only(failure))

    def _init_ended(
        self, now_ms: int, init_ms: float, phase: Phase, status: str, error_type: str | None
    ) -> None:
        how: dict[str, Any] = {"status": status, "error_type": error_type}
        if phase == "restore":
            self._record(now_ms, report_json.restore_runtime_done(now_ms, **how))
            self._record(now_ms, report_json.restore_report(now_ms, init_ms, **how))
            return
        how |= {
            "phase": phase,
            "initialization_type": self._spec.initialization_type,
        }
        self._record(now_ms, report_json.init_runtime_done(now_ms, **how))
        self._record(now_ms, report_json.init_report(now_ms, init_ms, **how))

    def start(self, now_ms: int, request_id: str, trace: InvocationTrace | None = None) -> None:
        about = (self._spec.version, tracing_of(trace), self._spec.tenant_id)
        self._record(now_ms, report_json.start(now_ms, request_id, *about))

    def extension(
        self, now_ms: int, name: str, state: str, events: Sequence[str], error_type: str | None
    ) -> None:
        self._record(now_ms, report_json.extension(now_ms, name, state, events, error_type))

    def runtime_done(self, now_ms: int, ending: Ending) -> None:
        status = status_of(ending)
        done = report_json.runtime_done(
            now_ms,
            ending.request_id,
            duration_ms=ending.duration_ms,
            produced_bytes=ending.produced_bytes,
            status=status,
            error_type=ending.error_type,
            tracing=tracing_of(ending.trace),
            tenant_id=self._spec.tenant_id,
        )
        self._record(now_ms, done)

    def reported(self, now_ms: int, ending: Ending) -> None:
        reported = report_json.report(
            now_ms,
            ending.request_id,
            duration_ms=ending.duration_ms,
            memory_mib=self._spec.memory_mib,
            max_memory_mib=ending.max_memory_mib,
            init_ms=ending.init_ms,
            status=status_of(ending),
            error_type=ending.error_type,
            restore=ending.restore,
            tracing=tracing_of(ending.trace),
            tenant_id=self._spec.tenant_id,
        )
        self._record(now_ms, reported)


def open_log(spec: EnvironmentSpec, sink: LogSink, stream: str) -> EnvironmentLog:
    """The log of one environment, in the format its function is configured with."""
    kind = JsonEnvironmentLog if spec.log_format == "JSON" else EnvironmentLog
    return kind(spec, sink, stream)


def ids_of(trace: InvocationTrace | None) -> tuple[str, str] | None:
    """What ``REPORT`` says of a traced invocation."""
    return None if trace is None else (trace.trace_id, trace.segment_id)


def tracing_of(trace: InvocationTrace | None) -> report_json.Tracing | None:
    """What records say of a traced invocation."""
    return None if trace is None else (trace.segment_id, trace.header)


def status_of(ending: Ending) -> str:
    """``success``, or what went wrong."""
    return ending.status or ("error" if ending.function_error else "success")


def error_only(failure: Failure) -> str | None:
    """AWS: a type stands with the status ``error`` only."""
    return failure.error_type if failure.status == "error" else None
