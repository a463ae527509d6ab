"""How many environments wait prepared, from what was wanted lately. Pure: the clock and the memory are arguments.

1. What is made ahead is made in pauses. So what a kind could have used is what was started of it between two of
   them: its *burst*. The greatest burst counts whole for :data:`WHOLE_S`, then less and less, and after
   :data:`KEEP_S` not at all. A platform that is fresh knows of none.
2. A kind in use has its base number, whatever was wanted; never more than its greatest.
3. What all have beyond their bases stays within ``spare_bytes`` and ``spare_places``; the kind used last has its
   share first.
4. Nothing is made and given back in turns: what waits is given up for memory only when it is a quarter beyond
   what would be made (:data:`SLACK`).
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

PAUSE_S = 0.1
"""POLICY: how long nothing must have been started before anything is made ahead."""
AT_ONCE_S = 1.0
"""POLICY: starts that never pause are counted by the second: so many are used before any is remade."""
WHOLE_S = 300.0
KEEP_S = 600.0
"""POLICY: as long as an idle environment is kept; from then on to twice that, ever less."""
MOST = 128
"""POLICY: of a kind. A hundred at once is what a machine of two cores answers in the time that people notice."""
SLACK = 1.25


class Demand:
    """What was wanted at once of one kind, lately. ``now_s`` never goes back."""

    def __init__(self) -> None:
        self._bursts: deque[tuple[float, int]] = deque()
        """When it was over and its size, the oldest first; whatever is older and not greater is forgotten."""
        self._begun_s = self._last_s = float("-inf")

    def started(self, now_s: float) -> None:
        """One more was started."""
        is_over = now_s - self._last_s >= PAUSE_S or now_s - self._begun_s >= AT_ONCE_S
        size = 1
        if is_over or not self._bursts:
            self._begun_s = now_s
        else:
            size += self._bursts.pop()[1]
        self._last_s = now_s
        size = min(size, MOST)
        while self._bursts and self._bursts[-1][1] <= size:
            self._bursts.pop()
        self._bursts.append((now_s, size))

    def wanted(self, now_s: float) -> int:
        """How many the next burst may want."""
        while self._bursts and now_s - self._bursts[0][0] >= KEEP_S:
            self._bursts.popleft()
        return max((ceil(size * _weight(now_s - at_s)) for at_s, size in self._bursts), default=0)


def _weight(age_s: float) -> float:
    return min(1.0, max(0.0, (KEEP_S - age_s) / (KEEP_S - WHOLE_S)))


@dataclass(frozen=True, slots=True)
class Wish:
    """Of one kind: ``base`` at least, ``most`` at most, ``wanted`` if it can be; one holds ``bytes_each``."""

    base: int
    most: int
    wanted: int
    bytes_each: int

    @property
    def number(self) -> int:
        """As many as there would be with all the memory in the world."""
        return min(self.most, max(self.base, self.wanted))


@dataclass(frozen=True, slots=True)
class Number:
    """What is made up to, and what is kept of that which is there already."""

    make: int
    keep: int


def share_out(wishes: Sequence[Wish], spare_bytes: int, spare_places: int) -> list[Number]:
    """The number of each, in the order of ``wishes``: the one used last comes first.

    ``spare_bytes``, ``spare_places``: what all of them together may have beyond their bases.
    """
    made = _share_out(wishes, spare_bytes, spare_places)
    kept = _share_out(wishes, int(spare_bytes * SLACK), spare_places)
    return [Number(make, max(make, keep)) for make, keep in zip(made, kept, strict=True)]


def _share_out(wishes: Sequence[Wish], spare_bytes: int, spare_places: int) -> list[int]:
    numbers = []
    for wish in wishes:
        base = min(wish.base, wish.most)
        more = min(wish.number - base, spare_places, spare_bytes // max(1, wish.bytes_each))
        spare_places -= more
        spare_bytes -= more * wish.bytes_each
        numbers.append(base + more)
    return numbers
