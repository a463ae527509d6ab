"""How many environments the machine's memory has room for, and what it can do without. Pure.

1. An environment is worth what its next use saves: its initialisation, sooner the less long it has been idle, for
   the memory it holds. The least of init_s / (idle_s x bytes) goes first (hyperbolic caching: Blankstein, Sen and
   Freedman, USENIX ATC 2017).
2. Below ``reserve_bytes`` of available memory as much goes as makes up what lacks: first what was made ahead,
   which costs somebody's next start a moment; then idle environments; last templates that nothing lives of.
3. Below :data:`CRITICAL_SHARE` of the reserve none is started where nothing can go.
4. Where the operator sets ``max_committed_mib``, the configured memory of what is alive, and what templates and
   all that is made ahead really hold, never exceed it.
5. What is kept initialised (provisioned concurrency) is never a candidate.
6. What is made ahead never takes what would have it given back: there is a space between the two
   (:data:`HEADROOM_SHARE`).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

KeyT = TypeVar("KeyT")

RESERVE_SHARE = 0.05
"""POLICY: of the machine's memory, kept for everything that is no environment."""
CRITICAL_SHARE = 0.4
"""POLICY: of the reserve; below it the kernel would soon choose a victim itself."""
AHEAD_SHARE = 1 / 32
"""POLICY: of what could be had beyond the reserve, for what is made ahead beyond a few of each kind: on a machine
of 16 GB 120 environments, on one of 2 GB 13. A guess that was wrong costs no more than that, for some minutes."""
HEADROOM_SHARE = 0.125
"""POLICY: of the reserve, that is left free beyond it by what is made ahead."""
LEAST_ENVIRONMENT_MIB = 128
"""AWS: the least memory of a function. So much of ``max_committed_mib`` is left by what is made ahead."""
_SHORTEST_IDLE_S = 0.001
_MIB = 1024 * 1024

Verdict = Literal["start", "give back", "evict", "end template", "refuse"]
"""What has to happen before another starts; after anything but the first and the last it is asked again."""


@dataclass(frozen=True, slots=True)
class Candidate(Generic[KeyT]):
    """An idle environment, or a template, that may go.

    ``init_s``: what it took to start; ``held_bytes``: what ending it frees.
    """

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
        self,
        would_commit_mib: int,
        available_bytes: int,
        *,
        is_full: bool,
        has_idle: bool,
        ahead_bytes: int = 0,
        has_template: bool = False,
    ) -> Verdict:
        """Whether another may start now, after something went, or not at all.

        ``would_commit_mib``: the configured memory of all that stay and of the new one, and what templates hold.
        ``is_full``: there are as many as there may be; where none is idle that is the node's to refuse, which
        knows its slots. ``ahead_bytes``: what everything made ahead holds. ``has_template``: one could go.
        """
        is_beyond = self.excess_bytes(would_commit_mib, 0) > 0
        is_short = available_bytes < self.reserve_bytes
        is_without_ahead = is_short or self.excess_bytes(would_commit_mib, ahead_bytes) > 0
        if ahead_bytes and is_without_ahead and not is_beyond:
            return "give back"
        if not (is_beyond or is_short or is_full):
            return "start"
        if has_idle:
            return "evict"
        if has_template and (is_beyond or is_short):
            return "end template"
        is_critical = available_bytes < self.reserve_bytes * CRITICAL_SHARE
        return "refuse" if is_beyond or is_critical else "start"

    def excess_bytes(self, committed_mib: int, ahead_bytes: int) -> int:
        """By how much that is more than the operator allows."""
        if self.max_committed_mib is None:
            return 0
        return max(0, (committed_mib - self.max_committed_mib) * _MIB + ahead_bytes)

    def for_ahead(
        self, available_bytes: int, ahead_bytes: int, committed_mib: int
    ) -> tuple[int, int]:
        """What all that is made ahead may hold beyond a few of each kind, and what of memory it may take now."""
        left_bytes = available_bytes - self.reserve_bytes
        free_bytes = left_bytes - int(self.reserve_bytes * HEADROOM_SHARE)
        if self.max_committed_mib is not None:
            allowed_bytes = (self.max_committed_mib - committed_mib) * _MIB - ahead_bytes
            left_bytes = min(left_bytes, allowed_bytes)
            free_bytes = min(free_bytes, allowed_bytes - LEAST_ENVIRONMENT_MIB * _MIB)
        return int(max(0, left_bytes + ahead_bytes) * AHEAD_SHARE), max(0, free_bytes)

    def lacking_bytes(self, available_bytes: int) -> int:
        """How much is to be given back."""
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
