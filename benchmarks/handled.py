"""What became of the messages of a queue that drives a function: an account, drawn up by ``sqs_check.py``.

Every attempt is a row that the function had stored before it answered (``Attempt``). A message counts as
handled by its first attempt that went well. :meth:`Account.faults` lists every promise that was broken:

1. What was acknowledged is handled, or a dead letter after ``max_receives`` attempts; no dead letter comes twice.
2. Poison is a dead letter, and nothing else is but what failed as often.
3. Each receive is one attempt: no number is handled twice, none is left out but by a kill at that very time.
4. ``ordered``: in a group no message is handled before those in front of it are handled or given up.
"""

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

POISON = "!"
"""The last character of a poisonous message's name."""
OK = "ok"


@dataclass(frozen=True, slots=True, order=True)
class Attempt:
    """One message in one invocation. ``at_ns`` is when the invocation began, ``index`` its place in the batch."""

    at_ns: int
    index: int
    name: str
    message_id: str
    receive: int
    outcome: str


@dataclass(slots=True)
class Account:
    """One queue's. Names are ``GROUP-NUMBER``; a group's numbers go up from 0, one by one.

    ``dead`` has the names of the dead letters, ``kills_ns`` the times of kills in order.
    """

    title: str
    max_receives: int
    ordered: bool = False
    acknowledged: set[str] = field(default_factory=set)
    attempts: list[Attempt] = field(default_factory=list)
    dead: list[str] = field(default_factory=list)
    kills_ns: list[int] = field(default_factory=list)

    def handled(self) -> dict[str, Attempt]:
        """The first attempt of each name that went well."""
        found: dict[str, Attempt] = {}
        for attempt in sorted(self.attempts):
            if attempt.outcome == OK:
                found.setdefault(attempt.name, attempt)
        return found

    def duplicates(self) -> tuple[int, int]:
        """Messages handled once more: after a kill, and without one in between."""
        killed = unkilled = 0
        for attempts in self._by_message().values():
            good = [attempt.at_ns for attempt in attempts if attempt.outcome == OK]
            for before_ns, after_ns in pairwise(good):
                if self._kills(before_ns, after_ns):
                    killed += 1
                else:
                    unkilled += 1
        return killed, unkilled

    def bystanders(self) -> set[str]:
        """Dead letters that are no poison: they failed as often by chance, or behind poison of their group."""
        return {name for name in self.dead if not name.endswith(POISON)}

    def faults(self) -> list[str]:
        """Every broken promise."""
        found = [*self._lost(), *self._letters(), *self._receives()]
        if self.ordered:
            found += self._order()
        return [f"{self.title}: {fault}" for fault in found]

    def report(self) -> str:
        """One line."""
        killed, unkilled = self.duplicates()
        poison = sum(name.endswith(POISON) for name in self.dead)
        return (
            f"{self.title:<20}{len(self.acknowledged):>8,} acknowledged{len(self.handled()):>8,} handled"
            f"{poison:>6,} poison dead{len(self.bystanders()):>5,} others dead"
            f"{killed:>6,} again after a kill{unkilled:>5,} again without"
        )

    def _lost(self) -> Iterator[str]:
        known = self.handled().keys() | set(self.dead)
        for name in sorted(self.acknowledged - known):
            yield f"lost {name}"

    def _letters(self) -> Iterator[str]:
        for name, count in Counter(self.dead).items():
            if count > 1:
                yield f"{name} is a dead letter {count} times"
        for name in sorted(self.acknowledged - set(self.dead)):
            if name.endswith(POISON):
                yield f"{name} is poison and no dead letter"

    def _receives(self) -> Iterator[str]:
        dead = set(self.dead)
        copies: dict[str, set[str]] = defaultdict(set)
        for message_id, attempts in self._by_message().items():
            name = attempts[0].name
            copies[name].add(message_id)
            numbers = [attempt.receive for attempt in attempts]
            if len(set(numbers)) < len(numbers):
                yield f"{name}: one receive was handled twice: {numbers}"
            if numbers[-1] > self.max_receives or numbers != sorted(numbers):
                yield f"{name}: receives {numbers} of {self.max_receives}"
            yield from self._left_out(attempts, dead=name in dead)
            good_ns = [attempt.at_ns for attempt in attempts if attempt.outcome == OK]
            if name in dead and good_ns and not self._kills(good_ns[-1], 1 << 63):
                yield f"{name} was handled, and is a dead letter"
        for name, ids in copies.items():
            if len(ids) > 1:
                yield f"{name} was stored {len(ids)} times"
        for name in sorted(dead - copies.keys()):
            if len(self.kills_ns) < self.max_receives:
                yield f"{name} is a dead letter without an attempt"

    def _left_out(self, attempts: Sequence[Attempt], *, dead: bool) -> Iterator[str]:
        """Receives without an attempt, of which there may be one for each kill between its neighbours."""
        edges = [(0, 0), *((each.receive, each.at_ns) for each in attempts)]
        if dead:
            edges.append((self.max_receives + 1, 1 << 63))
        for (number, at_ns), (following, until_ns) in pairwise(edges):
            missing = following - number - 1
            if missing > self._kills(at_ns, until_ns):
                yield f"{attempts[0].name}: {missing} receives without an attempt after {number}"

    def _order(self) -> Iterator[str]:
        """A name handled while one in front of it was not, and was tried (or handled) later."""
        handled = self.handled()
        last: dict[str, Attempt] = {}
        for attempt in sorted(self.attempts):
            last[attempt.name] = attempt
        groups: dict[str, list[tuple[int, str]]] = defaultdict(list)
        for name in last:
            group, number = place(name)
            groups[group].append((number, name))
        for members in groups.values():
            front: Attempt | None = None
            for _, name in sorted(members):
                first = handled.get(name)
                if first is not None and front is not None and first < front:
                    yield f"{name} was handled before {front.name} was done with"
                done = first if first is not None else last[name]
                front = done if front is None else max(front, done)

    def _by_message(self) -> dict[str, list[Attempt]]:
        found: dict[str, list[Attempt]] = defaultdict(list)
        for attempt in sorted(self.attempts):
            found[attempt.message_id].append(attempt)
        return found

    def _kills(self, after_ns: int, before_ns: int) -> int:
        return bisect_left(self.kills_ns, before_ns) - bisect_left(self.kills_ns, after_ns)


def place(name: str) -> tuple[str, int]:
    """Group and number."""
    group, _, number = name.removesuffix(POISON).rpartition("-")
    return group, int(number)
