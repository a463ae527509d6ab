"""The pool's four rules, held through any order of events."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from lambent.invoke.assignment import Deliver, Effect, Pool, Start, Stop

Effects = list[Effect[int, str]]


class PoolRules(RuleBasedStateMachine):
    """A pool beside a model that knows where each environment and each event must be."""

    def __init__(self) -> None:
        super().__init__()
        self.pool: Pool[int, str] = Pool()
        self.made = self.asked = self.starting = 0
        self.retrying: list[str] = []
        self.idle: list[int] = []
        self.working: dict[int, str] = {}
        self.finishing: set[int] = set()
        self.ending: set[int] = set()
        self.waiting: list[str] = []
        self.retired = False

    def carry_out(self, effects: Effects, counted_on: int | None = None) -> None:
        """Checks each effect against the rules, and does it."""
        for effect in effects:
            match effect:
                case Deliver(environment, waiter):
                    assert environment == self.idle.pop(), "rule 4: the last used one goes first"
                    assert waiter == self.waiting.pop(0), "first come, first served"
                    self.working[environment] = waiter
                case Stop(environment):
                    self.idle.remove(environment)
                    self.ending.add(environment)
                case Start(count):
                    expected = len(self.finishing) if counted_on is None else counted_on
                    assert not self.idle, "nothing starts while an environment is idle"
                    assert count == len(self.waiting) - self.starting - expected, "rule 2"
                    assert count > 0
                    self.starting += count

    @rule()
    def request(self) -> None:
        """An event comes."""
        self.asked += 1
        self.waiting.append(f"event {self.asked}")
        self.carry_out(self.pool.request(self.waiting[-1]))

    @precondition(lambda self: self.starting)
    @rule()
    def start_succeeds(self) -> None:
        """An environment is ready for the first time."""
        self.starting -= 1
        self.made += 1
        self.idle.append(self.made)
        self.carry_out(self.pool.ready(self.made))

    @precondition(lambda self: self.starting)
    @rule()
    def start_fails(self) -> None:
        """An environment never gets ready: one waiting event hears of it, or none waits."""
        self.starting -= 1
        told = self.pool.failed()
        assert told == (self.waiting.pop(0) if self.waiting else None)
        if told is not None:
            self.retrying.append(told)
            self.pool.retry()

    @precondition(lambda self: self.retrying)
    @rule()
    def retry_succeeds(self) -> None:
        """Initialisation worked inside the invocation: that environment has that event."""
        self.made += 1
        self.working[self.made] = self.retrying.pop(0)
        self.pool.retried(self.made)

    @precondition(lambda self: self.retrying)
    @rule()
    def retry_fails(self) -> None:
        """It failed again: the event is answered, nothing else changes."""
        self.retrying.pop(0)
        self.pool.retry_failed()

    @rule()
    def take_idle(self) -> None:
        """An event that need not wait gets the environment used last; with none idle nothing changes."""
        taken = self.pool.take_idle()
        assert taken == (self.idle[-1] if self.idle else None)
        if taken is not None:
            self.idle.remove(taken)
            self.asked += 1
            self.working[taken] = f"event {self.asked}"

    @precondition(lambda self: self.working)
    @rule(data=st.data())
    def respond(self, data: st.DataObject) -> None:
        """A busy environment answers."""
        environment = data.draw(st.sampled_from(sorted(self.working)))
        del self.working[environment]
        self.finishing.add(environment)
        self.pool.responded(environment)

    @precondition(lambda self: self.finishing)
    @rule(data=st.data())
    def finish(self, data: st.DataObject) -> None:
        """An environment that answered asks for the next event."""
        environment = data.draw(st.sampled_from(sorted(self.finishing)))
        self.finishing.remove(environment)
        self.idle.append(environment)
        self.carry_out(self.pool.ready(environment))

    @precondition(lambda self: self.idle or self.working or self.finishing or self.ending)
    @rule(data=st.data())
    def end(self, data: st.DataObject) -> None:
        """Any environment ends."""
        everyone = [*self.idle, *self.working, *self.finishing, *self.ending]
        environment = data.draw(st.sampled_from(sorted(everyone)))
        self.working.pop(environment, None)
        self.finishing.discard(environment)
        self.ending.discard(environment)
        if environment in self.idle:
            self.idle.remove(environment)
        self.carry_out(self.pool.gone(environment))

    @precondition(lambda self: self.idle)
    @rule(data=st.data())
    def leave(self, data: st.DataObject) -> None:
        """An idle environment's runtime hangs up: no event may go there any more."""
        environment = data.draw(st.sampled_from(self.idle))
        self.idle.remove(environment)
        self.ending.add(environment)
        self.pool.leaving(environment)

    @rule()
    def evict(self) -> None:
        """Room is needed: the environment idle for longest goes."""
        effects = self.pool.evict()
        assert effects == [Stop(e) for e in self.idle[:1]]
        self.carry_out(effects)

    @precondition(lambda self: not self.retired)
    @rule()
    def retire(self) -> None:
        """The version is no more."""
        self.retired = True
        self.carry_out(self.pool.retire())
        assert not self.idle

    @precondition(lambda self: self.retired)
    @rule()
    def revive(self) -> None:
        """The version may run again."""
        self.retired = False
        self.pool.revive()

    @rule()
    def lose_patience(self) -> None:
        """Finishing environments are no longer counted on."""
        self.carry_out(self.pool.lose_patience(), counted_on=0)

    @precondition(lambda self: self.waiting)
    @rule(data=st.data())
    def withdraw(self, data: st.DataObject) -> None:
        """An event waits no longer; to withdraw it again does nothing."""
        waiter = data.draw(st.sampled_from(self.waiting))
        self.waiting.remove(waiter)
        self.pool.withdraw(waiter)
        self.pool.withdraw(waiter)

    @invariant()
    def agrees_with_the_model(self) -> None:
        """Rule 1: every environment and every event is in exactly one place, the one it should be."""
        pool = self.pool
        assert pool.idle == self.idle
        assert pool.busy == set(self.working) | self.ending
        assert pool.finishing == self.finishing
        assert list(pool.waiting) == self.waiting
        assert pool.starting == self.starting
        everyone = len(self.idle) + len(self.working) + len(self.ending) + len(self.finishing)
        assert pool.live == everyone + self.starting + len(self.retrying)
        assert not (self.idle and self.waiting), "nobody waits beside an idle environment"
        assert not (self.retired and self.idle), "a retired version keeps nothing idle"

    @invariant()
    def deciding_twice_yields_nothing(self) -> None:
        """Rule 3."""
        assert self.pool._decide(len(self.pool.finishing)) == []


PoolRules.TestCase.settings = settings(max_examples=80, stateful_step_count=40, deadline=None)
TestPoolRules = PoolRules.TestCase
