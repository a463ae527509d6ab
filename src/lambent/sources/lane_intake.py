"""What waits in a lane, and when a batch of it is due.

1. A batch is taken when it is full, when its batching window is over, or when the shard has ended.
2. Of a tumbling window all records come before its final piece; that is due when a record of a later window
   waits, or when everything that arrived before the window's end has been read.
3. After a restart the pieces that had been tried come first, as they were, once their records have been read, or
   as far as they were read when nothing more can be; all are made anew where they no longer fit into a batch.
"""

import asyncio
from collections import deque
from collections.abc import Iterable

from lambent.sources.batch import MAX_EVENT_BYTES
from lambent.sources.stream_batch import LaneQueue, batch_end
from lambent.sources.stream_failures import Piece
from lambent.sources.stream_form import RECORDS
from lambent.sources.stream_retries import PieceMark, count_up_to
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
        self._tried: deque[PieceMark] = deque()
        self._read_to = -1
        self._crowded = False

    @property
    def tried(self) -> tuple[PieceMark, ...]:
        """What was tried before a restart and waits to be tried on."""
        return tuple(self._tried)

    def restore(self, tried: Iterable[PieceMark]) -> None:
        """What was tried before a restart, in order. Before anything is added."""
        self._tried.extend(tried)

    def read_to(self, sequence: int) -> None:
        """The shard was read up to there, and this lane's records of it were added."""
        self._read_to, self._crowded = sequence, False
        if self._tried:
            self._changed.set()

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
            if self._tried:
                again = self._take_again(window)
                if again is not None:
                    return again
                if self._tried:
                    await self._wait(None)
                    continue
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

    def crowded(self) -> None:
        """Nothing more can be read before records are done: what is there has to do."""
        if self._tried:
            self._crowded = True
            self._changed.set()

    def _take_again(self, window: Window | None) -> Taken | None:
        """The next piece that was tried before a restart; None when it has to wait, or there is none."""
        while self._tried:
            mark = self._tried[0]
            if mark.last is None:
                self._tried.popleft()
                if window is not None:
                    return mark.piece(()), window
                continue
            count = count_up_to(self.waiting, mark.last)
            complete = self._read_to >= mark.last or self._ended
            if not complete and not (self._crowded and count):
                return None
            size = sum(
                len(each.record) + 1 for _, each in zip(range(count), self.waiting, strict=False)
            )
            if count > self._settings.batch_size or (count > 1 and size > self._room):
                self._tried.clear()
                return None
            self._tried.popleft()
            if count:
                if self._settings.tumbling_s:
                    first = self.waiting.first
                    window = window or window_at(first.arrived_s, self._settings.tumbling_s)
                return mark.piece(self.waiting.take(count)), window
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
