"""What becomes of a batch of a queue: invoked, held where there is no room, deleted or left.

1. A batch that is throttled is held and tried again, until the visibility timeout of its messages is over.
2. What was handled is deleted; what failed is left to the visibility timeout.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Final

from lambent.model.errors import AwsError
from lambent.observe.mapping_metrics import MappingCounts
from lambent.sources.backoff import Backoff
from lambent.sources.batch import choose_trace, make_event
from lambent.sources.contract import CALL_FAILED, OK, Functions, problem
from lambent.sources.failures import reported_failures, split_failed
from lambent.sources.queue_contract import Counters, QueueMessage, QueueSettings, QueueSource
from lambent.sources.ready import ReadyBatches
from lambent.sources.scaling import Concurrency
from lambent.sources.tasks import log_failure

_SAFETY_S: Final = 1.0
"""Before the visibility timeout: a batch is not begun that could not even start in time."""
_log = logging.getLogger("lambent.sources")


class QueueInvoker:
    """Lives on the loop. ``on_change`` is called when there may be room for more."""

    def __init__(
        self,
        settings: QueueSettings,
        queue: QueueSource,
        functions: Functions,
        report: Callable[[str], None],
        ready: ReadyBatches,
        scaling: Concurrency,
        counts: MappingCounts,
        on_change: Callable[[], None],
    ) -> None:
        self.running: set[asyncio.Task[None]] = set()
        self.held = 0
        """Batches that met a throttle and wait."""
        self.beginning = 0
        """Invocations that are not counted as running yet."""
        self.stopping = False
        self.counters = Counters()
        self._settings = settings
        self._queue = queue
        self._functions = functions
        self._report = report
        self._ready = ready
        self._scaling = scaling
        self._counts = counts
        self._on_change = on_change

    def begin(self, batch: list[QueueMessage]) -> None:
        """Handles a batch in a task of its own."""
        self.beginning += 1
        task = asyncio.get_running_loop().create_task(self._handle(batch))
        self.running.add(task)
        task.add_done_callback(lambda task: self._handled(task, batch))

    def _handled(self, task: "asyncio.Task[None]", batch: list[QueueMessage]) -> None:
        self.running.discard(task)
        self._ready.ended(batch)
        self._on_change()
        log_failure(task)

    async def _handle(self, batch: list[QueueMessage]) -> None:
        try:
            answer = await self._invoke(batch)
        except AwsError as error:  # nothing ran, and trying again would not help
            self._failed(batch, problem(error))
            return
        if answer is None:
            self._ready.stop_groups(batch)
            return
        self.counters.invoked += 1
        self._counts.invoked_event_count += len(batch)
        payload, function_error = answer
        failed: frozenset[str] | None = frozenset()
        if function_error is not None:
            failed = None
        elif self._settings.reports_failures:
            failed = reported_failures(payload, {message.message_id for message in batch})
        if failed is None:
            self._failed(batch, CALL_FAILED)
            return
        done, left = split_failed(batch, failed, ordered=self._settings.fifo)
        await self.delete(done)
        if left:
            self.counters.retried += 1
            self._counts.failed_invoke_event_count += len(left)
            self._ready.stop_groups(left)
        self._report(OK)

    def _failed(self, batch: list[QueueMessage], result: str) -> None:
        """The whole batch is left to the visibility timeout."""
        self._ready.stop_groups(batch)
        self.counters.retried += 1
        self._counts.failed_invoke_event_count += len(batch)
        self._scaling.failed()
        self._report(result)

    async def _invoke(self, batch: list[QueueMessage]) -> tuple[bytes, str | None] | None:
        """The function's answer and error; None when there was no room for it in time."""
        self.beginning -= 1
        payload = make_event(batch)
        trace = choose_trace(message.trace for message in batch)
        backoff, until_s = Backoff(0.1, 5.0), None
        held = 0
        try:
            while True:
                try:
                    result = await self._functions.invoke(
                        self._settings.function_arn, payload, trace_id=trace
                    )
                except AwsError as error:
                    if not _passes_by(error):
                        raise
                    self.held += 1 - held
                    held = 1
                    self._scaling.throttled()
                    self._report(problem(error))
                    if until_s is None:
                        until_s = await self._held_until_s(batch)
                else:
                    return result.payload, result.function_error
                wait_s = backoff.next_s()
                if self.stopping or _now_s() + wait_s > until_s:
                    await self._give_up(batch)
                    return None
                await asyncio.sleep(wait_s)
        finally:
            self.held -= held

    async def _held_until_s(self, batch: list[QueueMessage]) -> float:
        try:
            visibility_s = await self._queue.visibility_timeout_s()
        except AwsError:
            visibility_s = 0.0
        return min(message.received_s for message in batch) + visibility_s - _SAFETY_S

    async def _give_up(self, batch: list[QueueMessage]) -> None:
        if self.stopping:
            await self.give_back(batch)
        else:
            self.counters.given_up += 1

    # The queue

    async def delete(self, messages: Sequence[QueueMessage]) -> None:
        """Three times, then the messages come again: at least once is what is promised."""
        if not messages:
            return
        for wait_s in (0.1, 0.5, None):
            try:
                await self._queue.delete(messages)
            except AwsError as error:
                if wait_s is None:
                    self._report(problem(error))
                    return
                await asyncio.sleep(wait_s)
            else:
                self._counts.deleted_event_count += len(messages)
                return

    async def give_back(self, messages: Sequence[QueueMessage]) -> None:
        """Makes them visible at once."""
        try:
            if messages:
                await self._queue.release(messages)
        except AwsError as error:
            _log.warning("messages come back only after their visibility timeout: %s", error)


def _now_s() -> float:
    return asyncio.get_running_loop().time()


def _passes_by(error: AwsError) -> bool:
    """Whether the same invocation may go well a moment later: throttled, being updated, our own fault."""
    return error.status in {409, 429} or error.status >= 500
