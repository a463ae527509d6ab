"""How many events of one function are worked on at once: grows while it goes well, yields to a full platform.

Pure. AWS says no more than that it "reduces the rate at which it reads events from the queue" when it is
throttled; so all of this is POLICY.
"""

FIRST_SIZE = 5
MAX_SIZE = 1_000
BATCH = 32
"""How many events are taken from the store at once, each with up to 1 MB."""
GROWTH_MS = 1_000
PATIENCE_MS = 100
FIRST_PAUSE_MS = 100
LAST_PAUSE_MS = 5_000


class Window:
    """One function's events in flight.

    1. Without a reservation a function takes at most half of what is free beside what it has: another one's
       events, and synchronous calls, always find room. A reservation is the function's own.
    2. Each processed event that had to wait for its turn lets one more be in flight: where none waits, more
       environments would be started for nothing. A window no more than doubles in a second (AWS grows
       by 1,000 environments in ten); a throttle halves it and makes a pause.
    3. Where nothing is free and nothing in flight, one event is tried, so that it is throttled as on AWS
       and grows old.
    """

    __slots__ = (
        "_ceiling",
        "_ceiling_until_ms",
        "claimed",
        "in_flight",
        "pause_ms",
        "paused_until_ms",
        "size",
    )

    def __init__(self) -> None:
        self.size = FIRST_SIZE
        self.in_flight = 0
        self.claimed = 0
        self.pause_ms = 0
        self.paused_until_ms = 0
        self._ceiling = 0
        self._ceiling_until_ms = 0

    def room(self, now_ms: int, free: int, reserved: int | None) -> int:
        """How many more may be taken now. ``free``: executions that could start, for what is claimed too."""
        if now_ms < self.paused_until_ms:
            return 0
        if reserved == 0:
            return BATCH - self.in_flight
        begun = self.in_flight - self.claimed
        share = (begun + free + 1) // 2 if reserved is None else begun + free
        more = min(self.size, share) - self.in_flight
        if more <= 0 and not self.in_flight:
            return 1
        return max(0, min(more, BATCH))

    def claim(self, count: int) -> None:
        """That many are being taken; a negative count gives back what was not there."""
        self.in_flight += count
        self.claimed += count

    def begin(self) -> None:
        """One of those taken is on its way to the function, and counted there."""
        self.claimed -= 1

    def end(self) -> None:
        """One is no longer in flight."""
        self.in_flight -= 1

    def processed(self, now_ms: int, waited_ms: int) -> None:
        """An event reached the function, so long after it was accepted."""
        self.resume()
        if waited_ms < PATIENCE_MS:
            return
        if now_ms >= self._ceiling_until_ms:
            self._ceiling = min(2 * self.size, MAX_SIZE)
            self._ceiling_until_ms = now_ms + GROWTH_MS
        if self.size < self._ceiling:
            self.size += 1

    def throttled(self, now_ms: int) -> None:
        """An event found no room."""
        self.size = max(1, self.size // 2)
        self.pause_ms = min(max(2 * self.pause_ms, FIRST_PAUSE_MS), LAST_PAUSE_MS)
        self.paused_until_ms = now_ms + self.pause_ms

    def resume(self) -> None:
        """There may be room again."""
        self.pause_ms = self.paused_until_ms = 0
