"""An event queue over fakes: time stands still until it is moved, functions answer as tests tell them."""

import asyncio
import json
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from lambent.invoke.counting import Counting
from lambent.invoke.event_clock import Handle
from lambent.invoke.event_handling import EventHandler
from lambent.invoke.event_queue import EventQueue
from lambent.invoke.outlets import LambdaOutlet, Outlets
from lambent.model.errors import ClientFault, not_found
from lambent.model.event_invoke import EventInvokeConfig
from lambent.model.function_name import FunctionName
from lambent.model.invocation import InvocationResult, Target
from lambent.model.outgoing import Outgoing
from lambent.observe.metrics import FunctionMetrics, Metrics
from lambent.store.queues.contract import Message, NewMessage, Transaction
from lambent.testing.loop import turns
from lambent.testing.node import make_spec
from lambent.testing.queue_store import FakeQueueStore

ACCOUNT, REGION = "000000000000", "us-east-1"
QUEUE_ARN = f"arn:aws:sqs:{REGION}:{ACCOUNT}:"
START_MS = 1_800_000_000_000
Answer = Callable[[str], Any]


@dataclass(order=True)
class Timer:
    """A callback and when it is due."""

    when_ms: int
    number: int
    callback: Callable[[], None] = field(compare=False)
    cancelled: bool = field(default=False, compare=False)

    def cancel(self) -> None:
        self.cancelled = True


class FakeClock:
    """Stands still until it is advanced; timers ring in order on the way."""

    def __init__(self) -> None:
        self.now = START_MS
        self.timers: list[Timer] = []

    def now_ms(self) -> int:
        return self.now

    def call_at(self, when_ms: int, callback: Callable[[], None]) -> Handle:
        timer = Timer(max(when_ms, self.now), len(self.timers), callback)
        self.timers.append(timer)
        return timer

    def next_at(self) -> int | None:
        """When the next timer rings."""
        return min((t.when_ms for t in self.timers if not t.cancelled), default=None)

    async def advance(self, by_ms: int) -> None:
        """Moves on, ringing what is due; the loop gets its turns after each."""
        end = self.now + by_ms
        while (when := self.next_at()) is not None and when <= end:
            self.now = max(self.now, when)
            timer = min(t for t in self.timers if not t.cancelled)
            self.timers.remove(timer)
            timer.callback()
            await turns(20)
        self.now = end
        await turns(20)


class QueueOutlet:
    """Queues by the last word of their ARN, in the same store; ``gone`` ones refuse."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, Outgoing]] = []
        self.gone = False

    def put(self, tx: Transaction, target_arn: str, outgoing: Outgoing, now_ms: int) -> None:
        """See the protocol."""
        if self.gone:
            raise not_found("no such queue")
        key = f"sqs/{target_arn.rpartition(':')[2]}"
        queue = tx.find_queue(key) or tx.create_queue(key, fifo=False, document="{}")
        tx.send(queue.queue_id, [NewMessage("m", outgoing.body)], now_ms)
        self.sent.append((target_arn, outgoing))


class EventPlace:
    """Functions of any name in ``targets``, whose invocations end as ``answers`` say."""

    def __init__(self, *names: str, limit: int = 1_000, time_scale: int = 1) -> None:
        self.clock = FakeClock()
        self.store = FakeQueueStore()
        self.metrics = Metrics()
        self.counting = Counting(limit)
        self.outlet = QueueOutlet()
        self.queues: dict[int, str] = {}
        self.targets: dict[str, Target] = {}
        for name in names:
            self.configure(name)
        self.answers: dict[str, Answer] = defaultdict(lambda: lambda _: None)
        self.invoked: list[tuple[str, str]] = []
        self.traces: list[str | None] = []
        self.running: dict[str, int] = defaultdict(int)
        self.peak: dict[str, int] = defaultdict(int)
        self.time_scale = time_scale
        self.events = self.make()

    def make(self) -> EventQueue:
        """Another event queue on the same store, as after a restart."""
        lambdas = LambdaOutlet(self.find, lambda *_: None, self.queues)
        outlets = self.outlets = Outlets({"sqs": self.outlet, "lambda": lambdas})
        handler = EventHandler(
            *(self.store, self, self, self.counting, outlets, self.metrics, self.clock.now_ms),
            time_scale=self.time_scale,
            store_pause_s=0.0,
        )
        return EventQueue(
            *(self.store, handler, self, self.counting, self.metrics, self.clock, self.queues)
        )

    def configure(self, name: str, dead_letters: str = "", **config: Any) -> None:
        """A function, with an event invoke config and a dead-letter queue."""
        arn = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{name}"
        target = Target(arn, make_spec(name, dead_letter_arn=dead_letters))
        self.targets[name] = replace(target, event_invoke_config=EventInvokeConfig(**config))

    def find(self, function: FunctionName) -> Target:
        return self.resolve(function.account_id, function.region, function.name, function.qualifier)

    def resolve(self, account_id: str, region: str, name: str, qualifier: str | None) -> Target:
        """Is its own directory. A qualifier is there when ``NAME:QUALIFIER`` is configured."""
        whole = name if qualifier is None else f"{name}:{qualifier}"
        if whole not in self.targets:
            raise not_found(f"Function not found: {whole}")
        target = self.targets[whole]
        return replace(target, primary=replace(target.primary, function_name=name))

    async def invoke(
        self, account_id: str, region: str, name: str, qualifier: str | None, payload: bytes,
        *, request_id: str | None = None, client_context: str | None = None,
        trace_id: str | None = None, tenant_id: str | None = None,
    ) -> InvocationResult:  # fmt: skip
        """Is its own frontend: counts, and does what the function's answer says.

        None is a success, a string a function error, an exception is raised, a future waited for.
        """
        assert request_id is not None
        self.counting.acquire(account_id, region, name)
        self.running[name] += 1
        self.peak[name] = max(self.peak[name], self.running[name])
        try:
            self.invoked.append((name, request_id))
            self.traces.append(trace_id)
            answer = self.answers[name](request_id)
            if isinstance(answer, asyncio.Future):
                answer = await answer
            if isinstance(answer, Exception):
                raise answer
            if answer is None:
                return InvocationResult(payload, "$LATEST")
            text = json.dumps({"errorMessage": answer, "errorType": "E"})
            return InvocationResult(text.encode(), "$LATEST", "Unhandled")
        finally:
            self.running[name] -= 1
            self.counting.release(account_id, region, name)

    async def accept(
        self, name: str, request_id: str, payload: bytes = b"{}", qualifier: str | None = None
    ) -> None:
        """One event; whatever starts at once has started."""
        await self.events.accept(
            *(ACCOUNT, REGION, name, qualifier, payload), request_id=request_id, trace="Root=1-a-b"
        )
        await turns(20)

    async def preload(self, name: str, count: int) -> None:
        """Events that were accepted by an earlier platform."""
        key = f"events/{ACCOUNT}/{REGION}/{name}"
        new = [NewMessage(f"{name}-{n}", b"{}") for n in range(count)]

        def work(tx: Transaction) -> None:
            queue = tx.create_queue(key, fifo=False, document="{}")
            tx.send(queue.queue_id, new, self.clock.now)

        await self.store.run(work)

    async def waiting(self, name: str) -> list[Message] | None:
        """What is in a function's queue; None where there is no queue."""

        def work(tx: Transaction) -> list[Message] | None:
            queue = tx.find_queue(f"events/{ACCOUNT}/{REGION}/{name}")
            return None if queue is None else tx.browse(queue.queue_id, 0, 10_000)

        return await self.store.run(work)

    def counts(self, name: str) -> FunctionMetrics:
        """What was counted of a function."""
        return self.metrics.of(ACCOUNT, REGION, name)

    def records(self) -> list[Any]:
        """What was sent on, as JSON."""
        return [json.loads(outgoing.body) for _, outgoing in self.outlet.sent]


def throttle() -> ClientFault:
    """AWS's 429."""
    return ClientFault("TooManyRequestsException", "Rate Exceeded.", 429)


@pytest.fixture
def event_place() -> type[EventPlace]:
    """Makes places; as many as a test likes."""
    return EventPlace


@pytest.fixture(name="throttle")
def throttle_fixture() -> Callable[[], ClientFault]:
    """Makes 429s."""
    return throttle
