"""Who may run how often at once: reservations are each function's own, the rest is shared."""

from timeit import timeit

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from lambent.invoke.counting import Counting
from lambent.model.errors import ClientFault

LIMIT = 6
PLACES = [("1", "us-east-1"), ("1", "eu-west-1"), ("2", "us-east-1")]
FUNCTIONS = [(*place, name) for place in PLACES for name in "fgh"]
functions = st.sampled_from(FUNCTIONS)
Function = tuple[str, str, str]


class CountingRules(RuleBasedStateMachine):
    """Counting beside a model that adds everything up anew each time."""

    def __init__(self) -> None:
        super().__init__()
        self.counting = Counting(LIMIT)
        self.running: dict[Function, int] = dict.fromkeys(FUNCTIONS, 0)
        self.on_provisioned: dict[Function, int] = dict.fromkeys(FUNCTIONS, 0)
        self.reserved: dict[Function, int] = {}
        self.provisioned: dict[Function, int] = dict.fromkeys(FUNCTIONS, 0)

    def unreserved_running(self, place: tuple[str, ...]) -> int:
        """Executions of a place's functions that have no reservation, but those on provisioned ones."""
        return sum(
            n - self.on_provisioned[f]
            for f, n in self.running.items()
            if f[:2] == place and f not in self.reserved
        )

    def room(self, function: Function) -> int:
        """How many more executions a function may have."""
        if function in self.reserved:
            return self.reserved[function] - self.running[function]
        place = function[:2]
        taken = sum(self.reserved.get(f, self.provisioned[f]) for f in FUNCTIONS if f[:2] == place)
        return LIMIT - taken - self.unreserved_running(place)

    @rule(function=functions)
    def acquire(self, function: Function) -> None:
        """An event comes: it runs exactly when there is room, or is refused with the reason."""
        if self.room(function) > 0:
            self.counting.acquire(*function)
            self.running[function] += 1
            return
        with pytest.raises(ClientFault) as refused:
            self.counting.acquire(*function)
        own = "ReservedFunction" if function in self.reserved else ""
        reason = f"{own}ConcurrentInvocationLimitExceeded"
        fault = refused.value
        assert (fault.code, fault.status) == ("TooManyRequestsException", 429)
        assert (fault.message, fault.fields) == (
            "Rate Exceeded.",
            {"Type": "User", "Reason": reason},
        )

    @rule(function=functions)
    def acquire_provisioned(self, function: Function) -> None:
        """An event comes for a provisioned environment: only a reservation that is used up refuses it."""
        if function in self.reserved and self.room(function) <= 0:
            with pytest.raises(ClientFault):
                self.counting.acquire(*function, provisioned=True)
            return
        self.counting.acquire(*function, provisioned=True)
        self.running[function] += 1
        self.on_provisioned[function] += 1

    @precondition(lambda self: any(self.running.values()))
    @rule(data=st.data())
    def release(self, data: st.DataObject) -> None:
        """An execution ends."""
        ways = [(f, True) for f, n in self.on_provisioned.items() if n]
        ways += [(f, False) for f, n in self.running.items() if n > self.on_provisioned[f]]
        function, provisioned = data.draw(st.sampled_from(ways))
        self.counting.release(*function, provisioned=provisioned)
        self.running[function] -= 1
        self.on_provisioned[function] -= provisioned

    @rule(function=functions, executions=st.integers(0, LIMIT))
    def provision(self, function: Function, executions: int) -> None:
        """A function's provisioned concurrency is set, whatever runs at that moment."""
        self.counting.provision(*function, executions)
        self.provisioned[function] = executions

    @rule(function=functions, executions=st.none() | st.integers(0, LIMIT))
    def reserve(self, function: Function, executions: int | None) -> None:
        """A reservation is made, changed or given up, whatever runs at that moment."""
        self.counting.reserve(*function, executions)
        self.reserved.pop(function, None)
        if executions is not None:
            self.reserved[function] = executions

    @invariant()
    def agrees_with_the_model(self) -> None:
        """Each function and each place have the executions they should."""
        for function, running in self.running.items():
            assert self.counting.in_use(*function) == running
        for place in PLACES:
            assert self.counting.unreserved_in_use(*place) == self.unreserved_running(place)


CountingRules.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
TestCountingRules = CountingRules.TestCase


def test_what_is_reserved_is_there_whatever_others_do() -> None:
    """With the shared part used up by others, a function still gets all of its own, and no more."""
    counting = Counting(10)
    counting.reserve("1", "us-east-1", "mine", 4)
    for _ in range(6):
        counting.acquire("1", "us-east-1", "other")
    with pytest.raises(ClientFault, match=r"Rate Exceeded\."):
        counting.acquire("1", "us-east-1", "other")
    for _ in range(4):
        counting.acquire("1", "us-east-1", "mine")
    with pytest.raises(ClientFault, match=r"Rate Exceeded\."):
        counting.acquire("1", "us-east-1", "mine")


def test_a_function_that_runs_no_more_takes_no_memory() -> None:
    """Names of functions are forgotten when their last execution ends."""
    counting = Counting(10)
    for number in range(100):
        counting.acquire("1", "us-east-1", f"f{number}")
        counting.release("1", "us-east-1", f"f{number}")
    assert not counting._running


def test_counting_costs_less_than_three_microseconds() -> None:
    """An execution is counted in and out by a few look-ups: best of several runs."""
    counting = Counting(1000)
    for number in range(500):
        counting.reserve("1", "us-east-1", f"other{number}", 1)

    def once() -> None:
        counting.acquire("1", "us-east-1", "f")
        counting.release("1", "us-east-1", "f")

    assert min(timeit(once, number=2_000) for _ in range(20)) / 2_000 < 3e-6
