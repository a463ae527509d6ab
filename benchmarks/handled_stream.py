"""What became of the records of a stream that drives a function: an account, drawn up by ``streams_check.py``.

Every attempt is a row that the function had stored before it answered. :meth:`StreamAccount.faults` lists every
promise that was broken:

1. Each record is handled, or given up – once, and after as many failed attempts as configured, or more where it
   was split off a batch – and poison is given up.
2. Of each key no record is handled before those in front of it are handled or given up.
"""

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise

POISON = "!"
"""The last character of a poisonous record's name."""
OK = "ok"
_NEVER = 1 << 63


@dataclass(frozen=True, slots=True, order=True)
class Attempt:
    """One record in one invocation. ``at_ns`` is when the invocation began, ``index`` its place in the batch."""

    at_ns: int
    index: int
    name: str
    outcome: str


@dataclass(slots=True)
class StreamAccount:
    """Of one mapping. Names are ``KEY-NUMBER``; a key's numbers go up from 0, one by one.

    ``given_up`` has the names in what came to the destination; ``kills_ns`` the times of kills in order.
    """

    attempts_each: int
    names: list[str] = field(default_factory=list)
    attempts: list[Attempt] = field(default_factory=list)
    given_up: list[str] = field(default_factory=list)
    kills_ns: list[int] = field(default_factory=list)

    def handled(self) -> dict[str, Attempt]:
        """The first attempt of each name that went well."""
        found: dict[str, Attempt] = {}
        for attempt in sorted(self.attempts):
            if attempt.outcome == OK:
                found.setdefault(attempt.name, attempt)
        return found

    def duplicates(self) -> tuple[int, int]:
        """Records handled once more: after a kill, and without one in between."""
        killed = unkilled = 0
        for attempts in self._by_name().values():
            good = [attempt.at_ns for attempt in attempts if attempt.outcome == OK]
            for before_ns, after_ns in pairwise(good):
                between = bisect_left(self.kills_ns, after_ns) > bisect_left(
                    self.kills_ns, before_ns
                )
                killed += between
                unkilled += not between
        return killed, unkilled

    def faults(self) -> list[str]:
        """Every broken promise."""
        return [*self._fates(), *self._order()]

    def report(self) -> str:
        """One line."""
        killed, unkilled = self.duplicates()
        poison = sum(name.endswith(POISON) for name in self.given_up)
        return (
            f"{len(self.names):,} records, {len(self.handled()):,} handled, {poison:,} poison given up, "
            f"{len(self.given_up) - poison:,} others given up, {killed:,} again after a kill, "
            f"{unkilled:,} again without"
        )

    def _fates(self) -> Iterator[str]:
        handled, gone, tried = self.handled(), Counter(self.given_up), self._by_name()
        for name in self.names:
            if name not in handled and name not in gone:
                yield f"lost {name}"
            if name.endswith(POISON) and name not in gone:
                yield f"{name} is poison and was not given up"
        for name, count in gone.items():
            if count > 1:
                yield f"{name} was given up {count} times"
            failed = sum(attempt.outcome != OK for attempt in tried.get(name, ()))
            if failed < self.attempts_each:
                yield f"{name} was given up after {failed} failed attempts of {self.attempts_each}"

    def _order(self) -> Iterator[str]:
        handled, tried = self.handled(), self._by_name()
        keys: dict[str, list[str]] = defaultdict(list)
        for name in self.names:
            keys[name.rpartition("-")[0]].append(name)
        for names in keys.values():
            done: tuple[int, int] = (0, 0)
            for name in names:
                first = handled.get(name)
                if first is not None:
                    here = (first.at_ns, first.index)
                    if here < done:
                        yield f"{name} was handled before what is in front of it was done with"
                else:
                    last = tried[name][-1] if name in tried else None
                    here = (last.at_ns, last.index) if last else (0, 0)
                done = max(done, here)

    def _by_name(self) -> dict[str, list[Attempt]]:
        found: dict[str, list[Attempt]] = defaultdict(list)
        for attempt in sorted(self.attempts):
            found[attempt.name].append(attempt)
        return found
