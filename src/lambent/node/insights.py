"""Lambda Insights for one environment: what each invocation used, read where the extension would read it."""

from collections.abc import Callable

from lambent.model.invocation import EnvironmentSpec
from lambent.node.environment_log import Ending, LogSink
from lambent.node.linux.usage import Usage
from lambent.observe import insights
from lambent.observe.report import billed_ms


class Insights:
    """Writes a record after each invocation. ``read_usage`` gives None when the environment is gone."""

    def __init__(
        self,
        spec: EnvironmentSpec,
        stream: str,
        sink: LogSink,
        read_usage: Callable[[], Usage | None],
    ) -> None:
        self._spec = spec
        self._stream = f"{spec.function_name}/{stream}"
        self._sink = sink
        self._read_usage = read_usage
        self._before: Usage | None = None
        self._trace_id = ""

    def begin(self, trace_header: str | None) -> None:
        """An invocation begins."""
        self._before = self._read_usage()
        self._trace_id = _root_of(trace_header or "")

    def end(self, now_ms: int, ending: Ending) -> None:
        """It is over; where the environment went with it, what is read of it is left out."""
        spec = self._spec
        billed = billed_ms(ending.duration_ms, ending.init_ms)
        first = ending.init_ms is not None
        members = {
            "function_name": spec.function_name,
            "version": spec.version,
            "request_id": ending.request_id,
            "trace_id": self._trace_id or None,
            "duration": round(ending.duration_ms),
            "billed_duration": billed,
            "billed_mb_ms": billed * spec.memory_mib,
            "cold_start": True if first else None,
            "init_duration": round(ending.init_ms) if ending.init_ms is not None else None,
            **insights.memory(ending.max_memory_mib, spec.memory_mib),
            **_used(self._before, self._read_usage()),
            "timeout": True if ending.status == "timeout" else None,
            "shutdown_reason": "Timeout" if ending.status == "timeout" else None,
        }
        line = insights.performance(now_ms, members)
        place = (spec.account_id, spec.region, insights.LOG_GROUP, self._stream)
        self._sink.append(*place, now_ms, line)


def _used(before: Usage | None, after: Usage | None) -> dict[str, int | None]:
    if before is None or after is None:
        return {}
    user = insights.added(before.cpu_user_ms, after.cpu_user_ms)
    system = insights.added(before.cpu_system_ms, after.cpu_system_ms)
    rx_bytes = insights.added(before.rx_bytes, after.rx_bytes)
    tx_bytes = insights.added(before.tx_bytes, after.tx_bytes)
    return {
        "cpu_user_time": user,
        "cpu_system_time": system,
        "cpu_total_time": insights.total(user, system),
        "rx_bytes": rx_bytes,
        "tx_bytes": tx_bytes,
        "total_network": insights.total(rx_bytes, tx_bytes),
        "threads_max": after.threads,
        "fd_use": after.open_files,
        "fd_max": after.max_open_files,
        "tmp_free": after.tmp_free_bytes,
        "tmp_max": after.tmp_bytes,
    }


def _root_of(header: str) -> str:
    """``1-5faae118-…`` of ``Root=1-5faae118-…;Parent=…``."""
    for part in header.split(";"):
        name, _, value = part.strip().partition("=")
        if name == "Root":
            return value
    return ""
