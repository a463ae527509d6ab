"""Appending log events on the invocation path: a buffer in memory and a thread that writes it out.

1. ``append`` takes about a microsecond and never waits for the disk.
2. What was appended before :meth:`LogWriter.flush` is called is on disk, or gone by rule 3, when it
   returns.
3. Memory is bounded: when the disk cannot keep up, the oldest events go, and a line in their stream
   says how many (of at most 10,000 streams).
4. Up to :data:`FLUSH_INTERVAL_S` of events is lost if the process is killed: never configuration.
"""

import asyncio
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from typing import Final

from lambent.store.log_blocks import EVENT_OVERHEAD_BYTES, LogStore, NewBlock, StreamKey

FLUSH_INTERVAL_S: Final = 0.2
"""POLICY: events wait this long for company in a block."""
BATCH_BYTES: Final = 4 * 1024 * 1024
"""POLICY: a batch is written at this size even before the interval is over."""
MAX_BUFFERED_BYTES: Final = 64 * 1024 * 1024
"""POLICY: beyond this the oldest batch is dropped."""
MAX_STORED_BYTES: Final = 1024 * 1024 * 1024
"""POLICY: beyond this the oldest blocks are dropped."""
MAX_EVENT_BYTES: Final = 1_048_576 - EVENT_OVERHEAD_BYTES
"""AWS: an event is at most 1 MB, its 26 bytes of overhead included. Source: PutLogEvents."""
_UPKEEP_INTERVAL_S: Final = 60.0
_RETRY_INTERVAL_S: Final = 1.0
_BESIDE_S: Final = 0.05
"""POLICY: of the interval, longer than most invocations take."""
_MEMORY_PER_EVENT: Final = 128  # two list slots and two objects, beside the message's own bytes
_LOSSES_REMEMBERED: Final = 10_000
_CUT_MARK: Final = b" [cut]"


class _Batch:
    """Events by stream: (timestamps, messages)."""

    __slots__ = ("size", "streams")

    def __init__(self) -> None:
        self.streams: dict[StreamKey, tuple[list[int], list[bytes]]] = {}
        self.size = 0


class LogWriter:
    """The one writer of log events. ``append*`` and ``flush`` may be called from any thread."""

    def __init__(
        self,
        store: LogStore,
        now_ms: Callable[[], int],
        *,
        max_buffered_bytes: int = MAX_BUFFERED_BYTES,
        max_stored_bytes: int = MAX_STORED_BYTES,
        batch_bytes: int = BATCH_BYTES,
    ) -> None:
        self._store = store
        self._now_ms = now_ms
        self._max_buffered_bytes = max_buffered_bytes
        self._max_stored_bytes = max_stored_bytes
        self._batch_bytes = batch_bytes
        self._lock = threading.Lock()  # the buffers; held for microseconds
        self._write_lock = threading.Lock()  # one flush at a time
        self._open = _Batch()
        self._full: deque[_Batch] = deque()
        self._full_bytes = 0
        self._dropped: dict[StreamKey, int] = {}
        self._wake = threading.Event()
        self._hurry = threading.Event()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def append(
        self,
        account_id: str,
        region: str,
        group: str,
        stream: str,
        timestamp_ms: int,
        message: bytes,
    ) -> None:
        """Add one event; group and stream come into being with it. Too long is cut and marked."""
        size = len(message)
        if size > MAX_EVENT_BYTES:
            message = _cut(message)
            size = len(message)
        key = (account_id, region, group, stream)
        with self._lock:
            batch = self._open
            stamps, messages = batch.streams.get(key) or self._new_buffer(batch, key)
            stamps.append(timestamp_ms)
            messages.append(message)
            batch.size += size + _MEMORY_PER_EVENT
            if batch.size >= self._batch_bytes:
                self._seal()

    def append_many(
        self,
        account_id: str,
        region: str,
        group: str,
        stream: str,
        events: Iterable[tuple[int, bytes]],
    ) -> None:
        """Add events (Unix ms, message) of one stream, in their order."""
        for timestamp_ms, message in events:
            self.append(account_id, region, group, stream, timestamp_ms, message)

    @property
    def buffered_bytes(self) -> int:
        """Memory held by events not yet written."""
        with self._lock:
            return self._full_bytes + self._open.size

    def start(self) -> None:
        """Start the thread that writes in the background."""
        self._stop.clear()
        self._thread = threading.Thread(target=self._run, name="log-writer", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop the thread and write what is left. Raises ``sqlite3.Error`` if that fails."""
        self._stop.set()
        self._wake.set()
        self._hurry.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        self.flush()

    def flush(self) -> None:
        """Write everything appended so far.

        Raises ``sqlite3.Error`` when the disk refuses; the events are kept for the next try.
        """
        with self._write_lock:
            with self._lock:
                self._seal()
                pending = len(self._full) or bool(self._dropped)
            for _ in range(pending):
                if not self._write_oldest():
                    break
            self._store.trim(self._max_stored_bytes)

    def discard(self) -> None:
        """Forget what is buffered."""
        with self._write_lock, self._lock:
            self._open = _Batch()
            self._full.clear()
            self._full_bytes = 0
            self._dropped.clear()

    def _new_buffer(self, batch: _Batch, key: StreamKey) -> tuple[list[int], list[bytes]]:
        if not batch.streams:
            self._wake_soon()
        batch.size += _MEMORY_PER_EVENT
        buffer: tuple[list[int], list[bytes]] = ([], [])
        batch.streams[key] = buffer
        return buffer

    def _wake_soon(self) -> None:
        """Not at once: the thread would take the interpreter from an invocation that is about to be answered."""
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            self._wake.set()
        else:
            loop.call_later(_BESIDE_S, self._wake.set)

    def _seal(self) -> None:
        """Close the open batch; drop the oldest ones if memory is over its bound. Locked."""
        if self._open.streams:
            self._full.append(self._open)
            self._full_bytes += self._open.size
            self._open = _Batch()
        while self._full_bytes > self._max_buffered_bytes and self._full:
            self._drop(self._full.popleft())
        if self._full_bytes >= self._batch_bytes:
            self._hurry.set()
            self._wake.set()

    def _drop(self, batch: _Batch) -> None:
        self._full_bytes -= batch.size
        for key, (stamps, _) in batch.streams.items():
            if key in self._dropped or len(self._dropped) < _LOSSES_REMEMBERED:
                self._dropped[key] = self._dropped.get(key, 0) + len(stamps)

    def _write_oldest(self) -> bool:
        """Write one batch, and the losses as lines; False when there is none left."""
        with self._lock:
            batch = self._full.popleft() if self._full else None
            dropped, self._dropped = self._dropped, {}
        now_ms = self._now_ms()
        blocks = [NewBlock(key, [now_ms], [_loss(count)]) for key, count in dropped.items()]
        if batch is not None:
            blocks += [NewBlock(key, *buffer) for key, buffer in batch.streams.items()]
        try:
            self._store.write(blocks, now_ms)
        except BaseException:
            self._put_back(batch, dropped)
            raise
        if batch is not None:
            with self._lock:
                self._full_bytes -= batch.size
        return batch is not None

    def _put_back(self, batch: _Batch | None, dropped: dict[StreamKey, int]) -> None:
        with self._lock:
            if batch is not None:
                self._full.appendleft(batch)
            for key, count in dropped.items():
                self._dropped[key] = self._dropped.get(key, 0) + count

    def _run(self) -> None:
        upkeep_at = time.monotonic()
        while not self._stop.is_set():
            self._wake.wait(max(0.0, upkeep_at - time.monotonic()))
            try:
                if self._wake.is_set():
                    self._hurry.wait(FLUSH_INTERVAL_S - _BESIDE_S)
                    self._wake.clear()
                    self._hurry.clear()
                    self.flush()
                if time.monotonic() >= upkeep_at:
                    upkeep_at = time.monotonic() + _UPKEEP_INTERVAL_S
                    self._store.expire(self._now_ms())
            except sqlite3.Error:
                # The events are back in the buffer, whose bound drops and counts the oldest;
                # whoever reads meets the error itself.
                self._wake.set()
                self._stop.wait(_RETRY_INTERVAL_S)


def _cut(message: bytes) -> bytes:
    return message[: MAX_EVENT_BYTES - len(_CUT_MARK)] + _CUT_MARK


def _loss(count: int) -> bytes:
    return f"[lambent] {count} log events were dropped: the disk could not keep up\n".encode()
