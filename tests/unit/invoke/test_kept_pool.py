"""A pool that keeps a number of environments: rule 5, held through any order of events."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from lambent.invoke.assignment import Deliver, Effect, Pool, Start, Stop


class KeptPoolRules(RuleBasedStateMachine):
    """A pool that keeps beside a model of who is where."""

    def __init__(self) -> None:
        super().__init__()
        self.pool: Pool[int, str] = Pool()
        self.kept = self.made = self.asked = self.starting = self.failed = 0
        self.retrying: list[str] = []
        self.idle: set[int] = set()
        self.working: dict[int, str] = {}
        self.finishing: set[int] = set()
        self.ending: set[int] = set()
        self.waiting: list[str] = []
        self.carry_out(self.pool.keep(0))

    @property
    def there(self) -> int:
        """Environments that are there to stay, or on their way."""
        return (
            len(self.idle)
            + len(self.working)
            + len(self.finishing)
            + self.starting
            + len(self.retrying)
        )

    def carry_out(self, effects: list[Effect[int, str]]) -> None:
        """Does each effect, checking that it may be."""
        for effect in effects:
            match effect:
                case Deliver(environment, waiter):
                    self.idle.remove(environment)
                    assert waiter == self.waiting.pop(0)
                    self.working[environment] = waiter
                case Stop(environment):
                    assert self.there > self.kept, "what is kept is not stopped"
                    self.idle.discard(environment)
                    self.ending.add(environment)
                case Start(count):
                    self.starting += count
                    assert self.there + self.failed <= self.kept, "never more than are kept"

    @rule(count=st.integers(0, 4))
    def keep(self, count: int) -> None:
        """The number changes."""
        self.kept, self.failed = count, 0
        self.carry_out(self.pool.keep(count))

    @rule()
    def refill(self) -> None:
        """What failed is tried again."""
        self.failed = 0
        self.carry_out(self.pool.refill())

    @precondition(lambda self: len(self.idle) + len(self.finishing) > len(self.waiting))
    @rule()
    def request(self) -> None:
        """An event comes that may be taken."""
        assert self.pool.can_take
        self.asked += 1
        self.waiting.append(f"event {self.asked}")
        self.carry_out(self.pool.request(self.waiting[-1]))

    @precondition(lambda self: self.starting)
    @rule()
    def start_succeeds(self) -> None:
        """An environment is initialised."""
        self.starting -= 1
        self.made += 1
        self.arrive(self.made)

    @precondition(lambda self: self.finishing)
    @rule(data=st.data())
    def finish(self, data: st.DataObject) -> None:
        """An environment that answered is ready again."""
        environment = data.draw(st.sampled_from(sorted(self.finishing)))
        self.finishing.remove(environment)
        self.arrive(environment)

    def arrive(self, environment: int) -> None:
        self.idle.add(environment)
        self.carry_out(self.pool.ready(environment))

    @precondition(lambda self: self.starting)
    @rule()
    def start_fails(self) -> None:
        """An initialisation fails; an event hears of it only when nobody else would serve it."""
        self.starting -= 1
        self.failed += 1
        told = self.pool.failed()
        others = self.starting + len(self.finishing)
        assert (told is None) == (len(self.waiting) <= others)
        if told is not None:
            assert told == self.waiting.pop(0)
            self.retrying.append(told)
            self.pool.retry()

    @precondition(lambda self: self.retrying)
    @rule()
    def retry_ends(self) -> None:
        """The second initialisation fails as well: it is a failure even if the number changed meanwhile."""
        self.retrying.pop(0)
        self.failed = max(self.failed, self.kept - self.there)
        self.pool.retry_failed()

    @precondition(lambda self: self.working)
    @rule(data=st.data())
    def respond(self, data: st.DataObject) -> None:
        """A busy environment answers."""
        environment = data.draw(st.sampled_from(sorted(self.working)))
        del self.working[environment]
        self.finishing.add(environment)
        self.pool.responded(environment)

    @precondition(lambda self: self.idle or self.working or self.finishing or self.ending)
    @rule(data=st.data())
    def end(self, data: st.DataObject) -> None:
        """Any environment ends; one that was kept is replaced."""
        everyone = [*self.idle, *self.working, *self.finishing, *self.ending]
        environment = data.draw(st.sampled_from(sorted(everyone)))
        self.idle.discard(environment)
        self.working.pop(environment, None)
        self.finishing.discard(environment)
        self.ending.discard(environment)
        self.carry_out(self.pool.gone(environment))
        assert self.there + self.failed >= self.kept

    @rule()
    def evict(self) -> None:
        """Room is needed: none of those that are kept goes."""
        self.carry_out(self.pool.evict())

    @rule()
    def lose_patience(self) -> None:
        """That an environment takes long starts no other."""
        assert not any(isinstance(e, Start) for e in self.pool.lose_patience())

    @invariant()
    def agrees_with_the_model(self) -> None:
        """Everybody is where they should be, and deciding again changes nothing."""
        assert not self.idle or self.there <= self.kept, "what is too much goes when it is idle"
        assert set(self.pool.idle) == self.idle
        assert self.pool.finishing == self.finishing
        assert self.pool.serving == len(self.working)
        assert (self.pool.starting, self.pool.failed_starts) == (self.starting, self.failed)
        assert list(self.pool.waiting) == self.waiting
        assert self.pool._decide(len(self.pool.finishing)) == []


KeptPoolRules.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
TestKeptPoolRules = KeptPoolRules.TestCase
