"""How often a shard at its tip is polled: as AWS polls while records come, less often when none do. Pure.

AWS: "Lambda polls shards for records at a base rate of once per second" (Kinesis), and four times a second
(DynamoDB streams).
"""

from typing import Final

KINESIS_S: Final = 1.0
DYNAMODB_S: Final = 0.25
READ_ON_S: Final = 0.2
"""AWS: five reads a second of one shard; also what it is read at while there is more."""
LONGEST_S: Final = 5.0
QUIET_AFTER_S: Final = 300.0
IDLE_LONGEST_S: Final = 15.0
IDLE_AFTER_S: Final = 3600.0
"""POLICY: of a stream that others may write to: what came last is so long ago."""
TOLD_LONGEST_S: Final = 30.0
TOLD_QUIET_AFTER_S: Final = 10.0
"""POLICY: of one that is written to through the platform only: a write is told, this is for what is not."""


class PollPace:
    """Of one shard. ``told``: writes are told (see :meth:`woken`). ``steady``: it is never polled less often.

    Times are any clock's seconds.
    """

    def __init__(self, base_s: float, now_s: float, *, told: bool, steady: bool = False) -> None:
        self._base_s = base_s
        self._told = told
        self._steady = steady
        self._active_s = now_s
        self._wait_s = base_s

    def next_s(self, now_s: float, *, found: bool, more: bool) -> float:
        """How long to wait after a read that found something, or not; ``more`` is there already."""
        if found or more:
            self.woken(now_s)
            return READ_ON_S if more else self._base_s
        self._wait_s = max(self._base_s, min(self._longest_s(now_s), self._wait_s * 2))
        return self._wait_s

    def _longest_s(self, now_s: float) -> float:
        quiet_s = now_s - self._active_s
        if self._steady or quiet_s < (TOLD_QUIET_AFTER_S if self._told else QUIET_AFTER_S):
            return self._base_s
        if self._told:
            return TOLD_LONGEST_S
        return LONGEST_S if quiet_s < IDLE_AFTER_S else IDLE_LONGEST_S

    def woken(self, now_s: float) -> None:
        """Something may have been written."""
        self._active_s, self._wait_s = now_s, self._base_s
