"""What waits in a lane, and when a batch of it is due.

1. A batch is taken when it is full, when its batching window is over, or when the shard has ended.
2. Of a tumbling window all records come before its final piece; that is due when a record of a later window
   waits, or when everything that arrived before the window's end has been read.
"""

import asyncio

from lambent.sources.batch import MAX_EVENT_BYTES
from lambent.sources.stream_batch import LaneQueue, batch_end
from lambent.sources.stream_failures import Piece
from lambent.sources.stream_form import RECORDS
from lambent.sources.stream_settings import StreamSettings
from lambent.sources.stream_source import StreamRecord
from lambent.sources.tumbling import Window, record_room, window_at

Taken = tuple[Piece, Window | None]
"""A batch, and the window it belongs to."""


class LaneIntake:
    """Lives on the loop; ``added_bytes`` is of all records there ever were."""

    def __init__(self, settings: StreamSettings, frame_bytes: int = RECORDS.frame_bytes) -> None:
        self.waiting = LaneQueue()
        self.added_bytes = 0
        self._settings = settings
        self._room = MAX_EVENT_BYTES - frame_bytes
        self._changed = asyncio.Event()
        self._ended = False
        self._caught_up_s = float("-inf")

    def add(self, records: list[StreamRecord]) -> None:
        """Records, in order, behind those that wait."""
        if records:
            self.waiting.add(records, self._now_s())
            self.added_bytes += sum(len(record.record) for record in records)
            self._changed.set()

    def caught_up(self, unix_s: float) -> None:
        """Everything that arrived until then was added."""
        self._caught_up_s = unix_s
        if self._settings.tumbling_s:
            self._changed.set()

    def end(self) -> None:
        """Nothing more will be added."""
        self._ended = True
        self._changed.set()

    def wake(self) -> None:
        """Has it look around: it may be time to stop."""
        self._changed.set()

    async def take(self, window: Window | None, stopping: asyncio.Event) -> Taken | None:
        """Waits for the next batch. ``window`` is the open one. None when there will be none."""
        while not stopping.is_set():
            self._changed.clear()
            if window is not None and self._is_over(window):
                return Piece((), final=True), window
            wait_s = None
            if self.waiting:
                taken, wait_s = self._take(window)
                if taken is not None:
                    return taken
            elif self._ended and window is None:
                return None
            await self._wait(wait_s)
        return None

    def _is_over(self, window: Window) -> bool:
        if self.waiting:
            return self.waiting.first.arrived_s >= window.end_s
        return self._ended or self._caught_up_s >= window.end_s

    def _take(self, window: Window | None) -> tuple[Taken | None, float]:
        """What is due, else how many seconds that is away."""
        settings = self._settings
        before_s, room = None, self._room
        if settings.tumbling_s:
            window = window or window_at(self.waiting.first.arrived_s, settings.tumbling_s)
            before_s, room = window.end_s, record_room(window, MAX_EVENT_BYTES)
        count, full = batch_end(self.waiting, settings.batch_size, room, before_s)
        wait_s = self.waiting.since_s + settings.window_s - self._now_s()
        if not full and wait_s > 0 and not self._ended:
            return None, wait_s
        return (Piece(self.waiting.take(count)), window), 0.0

    async def _wait(self, seconds: float | None) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._changed.wait()
        except TimeoutError:
            return

    @staticmethod
    def _now_s() -> float:
        return asyncio.get_running_loop().time()
