"""How many environments the machine's memory has room for, and which idle one it can do without. Pure.

1. An environment is worth what its next use saves: its initialisation, sooner the less long it has been idle, for
   the memory it holds. The least of init_s / (idle_s x bytes) goes first (hyperbolic caching: Blankstein, Sen and
   Freedman, USENIX ATC 2017).
2. Below ``reserve_bytes`` of available memory idle environments go, as many as make up what lacks.
3. Below :data:`CRITICAL_SHARE` of the reserve none is started where none can go.
4. Where the operator sets ``max_committed_mib``, the configured memory of what is alive never exceeds it.
5. What is kept initialised (provisioned concurrency) is never a candidate.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

KeyT = TypeVar("KeyT")

RESERVE_SHARE = 0.05
"""POLICY: of the machine's memory, kept for everything that is no environment."""
CRITICAL_SHARE = 0.4
"""POLICY: of the reserve; below it the kernel would soon choose a victim itself."""
_SHORTEST_IDLE_S = 0.001

Verdict = Literal["start", "evict", "refuse"]


@dataclass(frozen=True, slots=True)
class Candidate(Generic[KeyT]):
    """An idle environment that may go. ``init_s``: what it took to start; ``held_bytes``: what ending it frees."""

    key: KeyT
    idle_s: float
    init_s: float
    held_bytes: int

    @property
    def worth(self) -> float:
        """What it is good for, in seconds saved a second and byte."""
        return self.init_s / (max(self.idle_s, _SHORTEST_IDLE_S) * max(self.held_bytes, 1))


@dataclass(frozen=True, slots=True)
class Room:
    """The bounds. ``max_committed_mib``: None for as much as really is there."""

    reserve_bytes: int = 0
    max_committed_mib: int | None = None

    def for_one_more(
        self, would_commit_mib: int, available_bytes: int, *, is_full: bool, has_idle: bool
    ) -> Verdict:
        """Whether another may start now, after an idle one was ended, or not at all.

        ``would_commit_mib``: the configured memory of all that stay and of the new one. ``is_full``: there are as
        many as there may be; where none is idle that is the node's to refuse, which knows its slots.
        """
        if self.max_committed_mib is not None and would_commit_mib > self.max_committed_mib:
            return "evict" if has_idle else "refuse"
        if is_full or available_bytes < self.reserve_bytes:
            if has_idle:
                return "evict"
            is_critical = available_bytes < self.reserve_bytes * CRITICAL_SHARE
            return "refuse" if is_critical else "start"
        return "start"

    def lacking_bytes(self, available_bytes: int) -> int:
        """How much idle environments are to give back."""
        return max(0, self.reserve_bytes - available_bytes)


UNBOUNDED = Room()


def least_useful(
    candidates: Iterable[Candidate[KeyT]], lacking_bytes: int = 1
) -> list[Candidate[KeyT]]:
    """Those to end so that ``lacking_bytes`` are freed, least useful first; all where that is not enough."""
    chosen: list[Candidate[KeyT]] = []
    for candidate in sorted(candidates, key=lambda one: (one.worth, -one.idle_s)):
        if lacking_bytes <= 0:
            break
        chosen.append(candidate)
        lacking_bytes -= candidate.held_bytes
    return chosen
