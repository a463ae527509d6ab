"""Which environment takes which event: one pool per version, decided without I/O.

Contract (property-tested):
1. Nothing is assigned twice: an environment has one event, an event one environment.
2. Never more starts than events that wait beyond those about to be served.
3. Deciding twice without a change in between yields nothing the second time.
4. The most recently used idle environment is taken first, so that the others can age and go.
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

    @property
    def live(self) -> int:
        """Environments that exist or are on their way."""
        return len(self.idle) + len(self.busy) + len(self.finishing) + self.starting + self.retrying

    def request(self, waiter: WaiterT) -> list[Effect[EnvironmentT, WaiterT]]:
        """An event came."""
        self.waiting.append(waiter)
        return self._decide(len(self.finishing))

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
        else:
            self.starting -= 1
        if self.retired and not self.waiting:
            self.busy.add(environment)
            return [Stop(environment)]
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

    def gone(self, environment: EnvironmentT) -> list[Effect[EnvironmentT, WaiterT]]:
        """An environment that had been ready ended."""
        self.busy.discard(environment)
        self.finishing.discard(environment)
        if environment in self.idle:
            self.idle.remove(environment)
        return self._decide(len(self.finishing))

    def failed(self) -> WaiterT | None:
        """An environment never became ready. Returns the event that is to hear of it, if any waits."""
        self.starting -= 1
        return self.waiting.popleft() if self.waiting else None

    def retry(self) -> None:
        """Initialisation is run again for the event that :meth:`failed` gave, and for no other."""
        self.retrying += 1

    def retried(self, environment: EnvironmentT) -> None:
        """It worked: the environment is busy with that event."""
        self.retrying -= 1
        self.busy.add(environment)

    def retry_failed(self) -> None:
        """It did not: the event hears of it, and no other environment is tried."""
        self.retrying -= 1

    def evict(self) -> list[Effect[EnvironmentT, WaiterT]]:
        """Gives up the environment idle for longest."""
        if not self.idle:
            return []
        environment = self.idle.pop(0)
        self.busy.add(environment)
        return [Stop(environment)]

    def retire(self) -> list[Effect[EnvironmentT, WaiterT]]:
        """The version is no more: idle environments go now, the others when they are done."""
        self.retired = True
        effects: list[Effect[EnvironmentT, WaiterT]] = []
        while self.idle:
            effects += self.evict()
        return effects

    def revive(self) -> None:
        """The version may run again: its environments are kept as before."""
        self.retired = False

    def _decide(self, counted_on: int) -> list[Effect[EnvironmentT, WaiterT]]:
        effects: list[Effect[EnvironmentT, WaiterT]] = []
        while self.idle and self.waiting:
            environment = self.idle.pop()
            self.busy.add(environment)
            effects.append(Deliver(environment, self.waiting.popleft()))
        missing = len(self.waiting) - self.starting - counted_on
        if missing > 0:
            self.starting += missing
            effects.append(Start(missing))
        return effects
