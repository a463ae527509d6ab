"""neighbours.trace_export: segments reach who serves X-Ray, or are dropped and counted."""

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from lambent.model.errors import PlatformFault
from lambent.neighbours import trace_export
from lambent.neighbours.trace_export import BATCH, MAX_HELD, TraceExport, tracing_missing
from lambent.observe.trace_metrics import TraceMetrics
from lambent.testing.loop import on_loop, until


class XRay:
    """Takes segments; ``answers`` come first, an exception is raised."""

    def __init__(self, *answers: Any) -> None:
        self.calls: list[tuple[str, str, list[str]]] = []
        self.answers = list(answers)
        self.gate = asyncio.Event()
        self.gate.set()

    async def call(
        self, service: str, operation: str, parameters: Mapping[str, Any], **more: Any
    ) -> Any:
        """Is the API."""
        assert (service, operation) == ("xray", "PutTraceSegments")
        await self.gate.wait()
        documents = list(parameters["TraceSegmentDocuments"])
        self.calls.append((more["account_id"], more["region"], documents))
        answer = self.answers.pop(0) if self.answers else {}
        if isinstance(answer, Exception):
            raise answer
        return answer


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """No waiting for a batch to fill."""
    monkeypatch.setattr(trace_export, "FLUSH_S", 0.0)


@on_loop
async def test_segments_come_in_batches_of_their_account_and_region() -> None:
    """In order, at most fifty in a call, and never two accounts in one."""
    api, metrics = XRay(), TraceMetrics()
    export = TraceExport(api, metrics)
    for n in range(BATCH + 1):
        export.put("1", "r", str(n))
    export.put("2", "r", "x")
    await until(lambda: metrics.sent == BATCH + 2)
    assert [(a, r, len(d)) for a, r, d in api.calls] == [
        ("1", "r", BATCH),
        ("1", "r", 1),
        ("2", "r", 1),
    ]
    export.put("1", "r", "later")
    await until(lambda: metrics.sent == BATCH + 3)
    await export.close()
    assert metrics.dropped == 0


@on_loop
async def test_what_is_not_taken_is_counted() -> None:
    """A failure drops its batch, a refusal of one segment that one; what comes later arrives."""
    failure = PlatformFault("no", "ServiceUnavailable", 503)
    api, metrics = XRay(failure, {"UnprocessedTraceSegments": [{"Id": "x"}]}), TraceMetrics()
    export = TraceExport(api, metrics)
    for n in range(BATCH + 2):
        export.put("1", "r", str(n))
    await until(lambda: len(api.calls) == 2)
    await export.close()
    assert (metrics.sent, metrics.dropped) == (1, BATCH + 1)


@on_loop
async def test_what_is_held_is_bounded_and_closing_has_a_deadline(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Beyond the bound a segment is dropped; what a receiver that hangs did not take is dropped at the end."""
    monkeypatch.setattr(trace_export, "CLOSE_DEADLINE_S", 0.01)
    api, metrics = XRay(), TraceMetrics()
    api.gate.clear()
    export = TraceExport(api, metrics)
    for _ in range(MAX_HELD + 5):
        export.put("1", "r", "{}")
    assert metrics.dropped == 5
    await export.close()
    assert (metrics.sent, metrics.dropped) == (0, MAX_HELD + 5)
    export.put("1", "r", "{}")
    assert metrics.dropped == MAX_HELD + 6


def test_who_takes_segments() -> None:
    """A real endpoint does; without one and without the embedded neighbour nobody."""
    assert tracing_missing(False, {"xray": "https://x"}) is None
    assert "X-Ray endpoint" in (tracing_missing(False, {"s3": "https://x"}) or "")
    assert "\nlambent_trace_segments_dropped_total 0" in "\n" + "\n".join(TraceMetrics().lines())
