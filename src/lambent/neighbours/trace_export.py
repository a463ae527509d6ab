"""Segments on their way to whoever serves X-Ray: batched, bounded, and off the invocation path.

1. :meth:`TraceExport.put` never waits. Above ``MAX_HELD`` segments a new one is dropped.
2. A batch that its receiver does not take is dropped too, not tried again: tracing never holds anything up.
3. What is dropped is counted (``lambent_trace_segments_dropped_total``), as is what arrived.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Container, Mapping
from contextlib import suppress
from typing import Any, Final, Protocol

from lambent.model.errors import AwsError
from lambent.neighbours.moto_process import moto_serves
from lambent.observe.trace_metrics import TraceMetrics

MAX_HELD: Final = 10_000
"""POLICY: about 10 MB of documents."""
BATCH: Final = 50
"""AWS's daemon sends so many in one PutTraceSegments."""
FLUSH_S: Final = 0.5
CLOSE_DEADLINE_S: Final = 3.0
_CALL_DEADLINE_S: Final = 60.0
_log = logging.getLogger("lambent.neighbours")


class XRay(Protocol):
    """:class:`lambent.neighbours.api.NeighbourApi`."""

    async def call(
        self,
        service: str,
        operation: str,
        parameters: Mapping[str, Any],
        *,
        account_id: str,
        region: str,
        deadline_s: float = ...,
    ) -> Any: ...


class TraceExport:
    """Is a :class:`lambent.invoke.tracing.SegmentSink`. Lives on the loop's thread."""

    def __init__(self, api: XRay, metrics: TraceMetrics) -> None:
        self._api = api
        self._metrics = metrics
        self._held: deque[tuple[str, str, str]] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._sending: asyncio.Task[None] | None = None
        self._closed = False
        self._has_warned = False

    def put(self, account_id: str, region: str, document: str) -> None:
        """Takes a segment."""
        if self._closed or len(self._held) >= MAX_HELD:
            self._metrics.dropped += 1
            return
        self._held.append((account_id, region, document))
        if self._timer is None and self._sending is None:
            self._timer = asyncio.get_running_loop().call_later(FLUSH_S, self._flush)

    def _flush(self) -> None:
        self._timer = None
        self._sending = asyncio.get_running_loop().create_task(self._send_all())

    async def _send_all(self) -> None:
        """Sends what is there, and what comes meanwhile."""
        try:
            while self._held:
                await self._send(*self._next_batch())
        finally:
            self._sending = None

    def _next_batch(self) -> tuple[str, str, list[str]]:
        """Up to ``BATCH`` segments from the front that are of one account and region."""
        account_id, region, document = self._held.popleft()
        batch = [document]
        while self._held and len(batch) < BATCH and self._held[0][:2] == (account_id, region):
            batch.append(self._held.popleft()[2])
        return account_id, region, batch

    async def _send(self, account_id: str, region: str, batch: list[str]) -> None:
        refused = len(batch)
        try:
            answer = await self._api.call(
                "xray",
                "PutTraceSegments",
                {"TraceSegmentDocuments": batch},
                account_id=account_id,
                region=region,
                deadline_s=_CALL_DEADLINE_S,
            )
            refused = min(refused, len(answer.get("UnprocessedTraceSegments") or ()))
        except AwsError as error:
            if not self._has_warned:
                self._has_warned = True
                _log.warning("X-Ray segments are dropped: %s", error.message)
        finally:
            self._metrics.dropped += refused
            self._metrics.sent += len(batch) - refused

    async def close(self) -> None:
        """Sends what is held, for so long as the deadline lets it."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
            self._flush()
        sending = self._sending
        if sending is not None:
            _, pending = await asyncio.wait([sending], timeout=CLOSE_DEADLINE_S)
            if pending:
                sending.cancel()
                with suppress(asyncio.CancelledError):
                    await sending
        self._metrics.dropped += len(self._held)
        self._held.clear()


def tracing_missing(embedded: bool, endpoints: Container[str]) -> str | None:
    """Why nobody would take segments; None where the embedded neighbour does, or a real endpoint."""
    if "xray" in endpoints or (embedded and moto_serves("xray")):
        return None
    return (
        "without an X-Ray endpoint (the embedded neighbour, `pip install lambent[neighbours]`, or "
        "`lambent up --neighbour xray=URL`)"
    )
