"""Whether the disk has room for another message, with a reserve so that what is there can still go."""

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

RESERVE_BYTES: Final = 32 * 1024 * 1024
"""POLICY: left free for receiving and deleting, which write too: the log, and rows that change."""
_LOOK_AGAIN_S: Final = 0.1
_LOOK_AGAIN_BYTES: Final = 2 * 1024 * 1024


class Room:
    """Looks at the file system at most every 100 ms, or when 2 MiB were taken since.

    ``reusable_bytes`` says what is free within the file.
    """

    def __init__(
        self,
        path: Path,
        reserve_bytes: int = RESERVE_BYTES,
        clock_s: Callable[[], float] = time.monotonic,
        reusable_bytes: Callable[[], int] = lambda: 0,
    ) -> None:
        self._path = path
        self._reserve_bytes = reserve_bytes
        self._clock_s = clock_s
        self._reusable_bytes = reusable_bytes
        self._looked_at_s = float("-inf")
        self._taken_bytes = 0
        self._is_enough = True

    def take(self, size_bytes: int) -> bool:
        """Whether that much may be written."""
        self._taken_bytes += size_bytes
        now_s = self._clock_s()
        if now_s - self._looked_at_s >= _LOOK_AGAIN_S or self._taken_bytes > _LOOK_AGAIN_BYTES:
            found = os.statvfs(self._path)
            free_bytes = found.f_bavail * found.f_frsize
            self._is_enough = self._fits(free_bytes, size_bytes)
            self._looked_at_s, self._taken_bytes = now_s, 0
        return self._is_enough

    def _fits(self, free_bytes: int, size_bytes: int) -> bool:
        """The file does not shrink when messages go: room within it counts, beside half the reserve."""
        wanted_bytes = self._reserve_bytes + size_bytes
        if free_bytes >= wanted_bytes:
            return True
        if free_bytes < self._reserve_bytes // 2:
            return False
        return free_bytes + self._reusable_bytes() >= wanted_bytes
