"""Which environment takes which event: one pool per version, decided without I/O.

Contract (property-tested):
1. Nothing is assigned twice: an environment has one event, an event one environment.
2. Never more starts than events that wait beyond those about to be served.
3. Deciding twice without a change in between yields nothing the second time.
4. The most recently used idle environment is taken first, so that the others can age and go.
5. A pool that keeps N environments (provisioned concurrency) has N or is starting what lacks, never more; those
   that failed to start are tried again when :meth:`Pool.refill` says so, and no event starts any.
"""

from collections import deque
from dataclasses import dataclass
from typing import Generic, TypeVar

EnvironmentT = TypeVar("EnvironmentT")
WaiterT = TypeVar("WaiterT")


@dataclass(frozen=True, slots=True)
class Deliver(Generic[EnvironmentT, WaiterT]):
    """Hand this event to this environment."""

    environment: EnvironmentT
    waiter: WaiterT


@dataclass(frozen=True, slots=True)
class Start:
    """Start that many more environments."""

    count: int


@dataclass(frozen=True, slots=True)
class Stop(Generic[EnvironmentT]):
    """Stop this idle environment."""

    environment: EnvironmentT


Effect = Deliver[EnvironmentT, WaiterT] | Start | Stop[EnvironmentT]


class Pool(Generic[EnvironmentT, WaiterT]):
    """The environments of one version and the events waiting for one. Methods return what to do.

    ``finishing`` environments have answered and are a moment from being ready: an event would rather
    wait for one than start another, unless :meth:`lose_patience` says it took too long.
    """

    def __init__(self) -> None:
        self.idle: list[EnvironmentT] = []
        self.busy: set[EnvironmentT] = set()
        self.finishing: set[EnvironmentT] = set()
        self.waiting: deque[WaiterT] = deque()
        self.starting = 0
        self.retrying = 0
        self.retired = False
        self.kept: int | None = None
        self.failed_starts = 0
        self._ending: set[EnvironmentT] = set()

    @property
    def live(self) -> int:
        """Environments that exist or are on their way."""
        return len(self.idle) + len(self.busy) + len(self.finishing) + self.starting + self.retrying

    def request(self, waiter: WaiterT) -> list[Effect[EnvironmentT, WaiterT]]:
        """An event came."""
        self.waiting.append(waiter)
        return self._decide(len(self.finishing))

    def take_idle(self) -> EnvironmentT | None:
        """An event came that need not wait: the environment it is to be given, busy from now on.

        None where it has to wait (:meth:`request`). The same environment that ``request`` would deliver to.
        """
        if not self.idle or self.waiting:
            return None
        environment = self.idle.pop()
        self.busy.add(environment)
        return environment

    def withdraw(self, waiter: WaiterT) -> None:
        """An event waits no longer."""
        if waiter in self.waiting:
            self.waiting.remove(waiter)

    def lose_patience(self) -> list[Effect[EnvironmentT, WaiterT]]:
        """Finishing environments are taking long: do not count on them."""
        return self._decide(0)

    def ready(self, environment: EnvironmentT) -> list[Effect[EnvironmentT, WaiterT]]:
        """A new environment, or one that finished, waits for an event."""
        if environment in self.finishing:
            self.finishing.discard(environment)
            if self.kept is None and not self.waiting and not self.retired:
                self.idle.append(environment)
                return []  # as below: nothing waits, and nothing is kept
        else:
            self.starting -= 1
        is_surplus = self.kept is not None and self._surplus() >= 0  # beside this one
        if (self.retired or is_surplus) and not self.waiting:
            return [self._stop(environment)]
        self.idle.append(environment)
        return self._decide(len(self.finishing))

    def responded(self, environment: EnvironmentT) -> None:
        """An environment answered; it is busy until it is ready."""
        if environment in self.busy:
            self.busy.discard(environment)
            self.finishing.add(environment)

    def leaving(self, environment: EnvironmentT) -> None:
        """An idle environment's runtime hung up: it takes no event, and will be gone."""
        if environment in self.idle:
            self.idle.remove(environment)
            self.busy.add(environment)
            self._ending.add(environment)

    def gone(self, environment: EnvironmentT) -> list[Effect[EnvironmentT, WaiterT]]:
        """An environment that had been ready ended."""
        self.busy.discard(environment)
        self.finishing.discard(environment)
        self._ending.discard(environment)
        if environment in self.idle:
            self.idle.remove(environment)
        return self._decide(len(self.finishing))

    def failed(self) -> WaiterT | None:
        """An environment never became ready. Returns the event that is to hear of it, if any waits."""
        self.starting -= 1
        if self.kept is not None:
            self.failed_starts += 1
            if len(self.waiting) <= self.starting + len(self.finishing):
                return None  # others will serve what waits
        return self.waiting.popleft() if self.waiting else None

    def retry(self) -> None:
        """Initialisation is run again for the event that :meth:`failed` gave, and for no other."""
        self.retrying += 1

    def retried(self, environment: EnvironmentT) -> None:
        """It worked: the environment is busy with that event."""
        self.retrying -= 1
        self.busy.add(environment)

    def retry_failed(self) -> None:
        """It did not: the event hears of it, and no other environment is tried.

        One that was to be kept counts as failed, also where ``keep`` began counting anew meanwhile.
        """
        self.retrying -= 1
        if self.kept is not None and not self.retired:
            self.failed_starts += max(0, -self._surplus() - self.failed_starts)

    def evict(self, environment: EnvironmentT | None = None) -> list[Effect[EnvironmentT, WaiterT]]:
        """Gives up that idle environment, or the one idle for longest; none of those that are kept."""
        if not self.idle or (self.kept is not None and self._surplus() <= 0):
            return []
        if environment is None:
            environment = self.idle[0]
        elif environment not in self.idle:
            return []
        self.idle.remove(environment)
        return [self._stop(environment)]

    def retire(self) -> list[Effect[EnvironmentT, WaiterT]]:
        """The version is no more: idle environments go now, the others when they are done."""
        self.retired = True
        effects: list[Effect[EnvironmentT, WaiterT]] = []
        while self.idle:
            effects.append(self._stop(self.idle.pop(0)))
        return effects

    def revive(self) -> None:
        """The version may run again: its environments are kept as before."""
        self.retired = False

    # Provisioned concurrency

    def keep(self, count: int) -> list[Effect[EnvironmentT, WaiterT]]:
        """Has ``count`` environments initialised from now on, whatever comes; those too many go when idle."""
        self.kept, self.failed_starts = count, 0
        effects: list[Effect[EnvironmentT, WaiterT]] = []
        while self.idle and self._surplus() > 0:
            effects.append(self._stop(self.idle.pop(0)))
        return effects + self._decide(len(self.finishing))

    def refill(self) -> list[Effect[EnvironmentT, WaiterT]]:
        """Tries again what failed to start."""
        self.failed_starts = 0
        return self._decide(len(self.finishing))

    @property
    def can_take(self) -> bool:
        """Whether an event would be served by an environment that is kept, at once or in a moment."""
        return not self.retired and len(self.idle) + len(self.finishing) > len(self.waiting)

    @property
    def serving(self) -> int:
        """Environments that have an event."""
        return len(self.busy) - len(self._ending)

    @property
    def staying(self) -> int:
        """Environments that exist or are on their way, less those that are ending."""
        return self.live - len(self._ending)

    def _surplus(self) -> int:
        """How many more there are than are kept; none where nothing is kept."""
        return 0 if self.kept is None else self.staying - self.kept

    def _stop(self, environment: EnvironmentT) -> Stop[EnvironmentT]:
        self.busy.add(environment)
        self._ending.add(environment)
        return Stop(environment)

    def _missing(self, counted_on: int) -> int:
        if self.kept is None:
            return len(self.waiting) - self.starting - counted_on
        return 0 if self.retired else -self._surplus() - self.failed_starts

    def _decide(self, counted_on: int) -> list[Effect[EnvironmentT, WaiterT]]:
        effects: list[Effect[EnvironmentT, WaiterT]] = []
        while self.idle and self.waiting:
            environment = self.idle.pop()
            self.busy.add(environment)
            effects.append(Deliver(environment, self.waiting.popleft()))
        missing = self._missing(counted_on)
        if missing > 0:
            self.starting += missing
            effects.append(Start(missing))
        return effects
