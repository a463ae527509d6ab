"""An environment's log whose every event is told to the Telemetry API as well.

What ``LogFormat`` and the log levels are makes no difference to the platform's records: subscribers get them all,
as JSON.
"""

from collections.abc import Sequence

from lambent.model.invocation import EnvironmentSpec, InvocationTrace
from lambent.node.environment_log import (
    Ending,
    EnvironmentLog,
    Phase,
    error_only,
    status_of,
    tracing_of,
)
from lambent.node.outcomes import Failure
from lambent.node.telemetry_api.hub import Hub
from lambent.observe import report_json
from lambent.observe.log_levels import LevelFilter


class TelemetryLog(EnvironmentLog):
    """Stands before ``inner``, which goes on as it was."""

    def __init__(self, spec: EnvironmentSpec, inner: EnvironmentLog, hub: Hub) -> None:
        # No pipe, no tail and no format of its own: everything is inner's.
        self._spec = spec
        self._inner = inner
        self._hub = hub
        self.stream = inner.stream
        self.levels: LevelFilter | None = inner.levels

    def _tell(self, record: report_json.Record) -> None:
        self._hub.platform(record.line.rstrip(b"\n"))

    def write(self, timestamp_ms: int, message: bytes) -> None:
        """A line of the function's."""
        self._inner.write(timestamp_ms, message)
        self._hub.line("function", timestamp_ms, message)

    def write_extension(self, timestamp_ms: int, message: bytes) -> None:
        """A line of an extension's."""
        self._inner.write(timestamp_ms, message)
        self._hub.line("extension", timestamp_ms, message)

    def tail(self) -> bytes:
        return self._inner.tail()

    def forget_tail(self) -> None:
        self._inner.forget_tail()

    def notice(self, now_ms: int, message: str) -> None:
        self._inner.notice(now_ms, message)

    def init_start(
        self, now_ms: int, runtime_version: str, phase: Phase, arn: str | None = None
    ) -> None:
        self._inner.init_start(now_ms, runtime_version, phase, arn)
        self.tell_init_start(now_ms, runtime_version, phase, arn)

    def tell_init_start(
        self, now_ms: int, runtime_version: str, phase: Phase, arn: str | None = None
    ) -> None:
        """To subscribers alone: the log has it already."""
        spec = self._spec
        record = report_json.init_start(
            now_ms,
            runtime_version=runtime_version,
            function_name=spec.function_name,
            function_version=spec.version,
            instance_id=self.stream[-32:],
            memory_mib=spec.memory_mib,
            phase=phase,
            runtime_version_arn=arn,
            initialization_type=spec.initialization_type,
        )
        self._tell(record)

    def init_done(self, now_ms: int, init_ms: float, phase: Phase) -> None:
        self._inner.init_done(now_ms, init_ms, phase)
        self._tell_init(now_ms, init_ms, phase, "success", None)

    def init_failed(self, now_ms: int, init_ms: float, failure: Failure, phase: Phase) -> None:
        self._inner.init_failed(now_ms, init_ms, failure, phase)
        self._tell_init(now_ms, init_ms, phase, failure.status, error_only(failure))

    def _tell_init(
        self, now_ms: int, init_ms: float, phase: Phase, status: str, error_type: str | None
    ) -> None:
        kind = self._spec.initialization_type
        done = report_json.init_runtime_done(
            now_ms, phase=phase, status=status, error_type=error_type, initialization_type=kind
        )
        reported = report_json.init_report(
            now_ms,
            init_ms,
            phase=phase,
            status=status,
            error_type=error_type,
            initialization_type=kind,
        )
        self._tell(done)
        self._tell(reported)

    def extension(
        self, now_ms: int, name: str, state: str, events: Sequence[str], error_type: str | None
    ) -> None:
        self._inner.extension(now_ms, name, state, events, error_type)
        self._tell(report_json.extension(now_ms, name, state, events, error_type))

    def start(self, now_ms: int, request_id: str, trace: InvocationTrace | None = None) -> None:
        self._inner.start(now_ms, request_id, trace)
        about = (self._spec.version, tracing_of(trace), self._spec.tenant_id)
        self._tell(report_json.start(now_ms, request_id, *about))

    def runtime_done(self, now_ms: int, ending: Ending) -> None:
        self._inner.runtime_done(now_ms, ending)
        record = report_json.runtime_done(
            now_ms,
            ending.request_id,
            duration_ms=ending.duration_ms,
            produced_bytes=ending.produced_bytes,
            status=status_of(ending),
            error_type=ending.error_type,
            tracing=tracing_of(ending.trace),
            tenant_id=self._spec.tenant_id,
        )
        self._tell(record)

    def reported(self, now_ms: int, ending: Ending) -> None:
        self._inner.reported(now_ms, ending)
        record = report_json.report(
            now_ms,
            ending.request_id,
            duration_ms=ending.duration_ms,
            memory_mib=self._spec.memory_mib,
            max_memory_mib=ending.max_memory_mib,
            init_ms=ending.init_ms,
            status=status_of(ending),
            error_type=ending.error_type,
            tracing=tracing_of(ending.trace),
            tenant_id=self._spec.tenant_id,
        )
        self._tell(record)
