"""Kafka and RabbitMQ under exact control: one topic with its consumer group, one queue, in memory.

Their time is the running loop's. What they are told to raise, they raise; what they are told to give to others,
they do.
"""

import asyncio
import json
from collections import deque
from collections.abc import Callable, Collection, Mapping
from typing import Any

from lambent.model.errors import AwsError
from lambent.model.invocation import InvocationResult
from lambent.sources.kafka.contract import Assignee, KafkaAccess, KafkaMessage
from lambent.sources.rabbitmq.contract import RabbitAccess, RabbitMessage, RabbitProperties
from lambent.testing.streams import unix_s

_FETCH_WAIT_S = 30.0


class FakeKafka:
    """A cluster with one topic. ``offsets`` are the group's; ``commits`` all of them, in order."""

    def __init__(self, partitions: int = 1) -> None:
        self.messages: dict[int, list[KafkaMessage]] = {each: [] for each in range(partitions)}
        self.first: dict[int, int] = dict.fromkeys(self.messages, 0)
        self.offsets: dict[int, int] = {}
        self.commits: list[tuple[int, int]] = []
        self.accesses: list[KafkaAccess] = []
        self.failures: dict[str, list[AwsError]] = {}
        """Operation → what its next calls raise."""
        self.member: FakeTopic | None = None
        self.arrived = asyncio.Event()

    def put(self, *values: str, partition: int = 0, age_s: float = 0.0, **more: Any) -> None:
        """Messages, in order."""
        there = self.messages[partition]
        for value in values:
            when_ms = round((unix_s() - age_s) * 1000)
            message = {"key": None, "value": value.encode()} | more
            there.append(
                KafkaMessage(partition, self.first[partition] + len(there), when_ms, 0, **message)
            )
        self.arrived.set()

    def trim(self, partition: int, offset: int) -> None:
        """What comes before is kept no more."""
        there = self.messages[partition]
        self.messages[partition] = [each for each in there if each.offset >= offset]
        self.first[partition] = offset

    def fail(self, operation: str, error: AwsError, times: int = 1) -> None:
        """The next calls of an operation raise."""
        self.failures.setdefault(operation, []).extend([error] * times)

    def open(self, access: KafkaAccess, topic: str, group: str) -> "FakeTopic":
        """Is an :data:`~lambent.sources.kafka.contract.OpenTopic`."""
        del topic, group
        self.accesses.append(access)
        return FakeTopic(self)

    async def take_away(self, *partitions: int) -> None:
        """The group gives partitions to another member."""
        await self._joined().revoked(partitions)

    async def give(self, *partitions: int) -> None:
        """The group gives partitions to this member."""
        await self._joined().assigned(partitions)

    def _joined(self) -> Assignee:
        if self.member is None:
            raise RuntimeError("there is no member")
        return self.member.assignee


class FakeTopic:
    """Is a :class:`~lambent.sources.kafka.contract.KafkaTopic`: a member that gets every partition."""

    def __init__(self, cluster: FakeKafka) -> None:
        self._cluster = cluster
        self.assignee: Assignee

    async def start(self, assignee: Assignee) -> None:
        """See the protocol."""
        self._raise("start")
        self.assignee = assignee
        self._cluster.member = self
        await self._cluster.give(*self._cluster.messages)

    async def stop(self) -> None:
        """See the protocol."""
        self._cluster.member = None

    async def check(self) -> None:
        """See the protocol."""
        self._raise("check")

    async def committed(self) -> Mapping[int, int | None]:
        """See the protocol."""
        self._raise("committed")
        return {each: self._cluster.offsets.get(each) for each in self._cluster.messages}

    async def first_offsets(self, partitions: Collection[int]) -> Mapping[int, int]:
        """See the protocol."""
        return {each: self._cluster.first[each] for each in partitions}

    async def end_offsets(self, partitions: Collection[int]) -> Mapping[int, int]:
        """See the protocol."""
        return {each: self._end(each) for each in partitions}

    async def offsets_at(self, unix_ms: int, partitions: Collection[int]) -> Mapping[int, int]:
        """See the protocol."""
        found = {}
        for each in partitions:
            later = (m.offset for m in self._cluster.messages[each] if m.timestamp_ms >= unix_ms)
            found[each] = next(later, self._end(each))
        return found

    async def fetch(self, partition: int, offset: int, limit: int) -> list[KafkaMessage]:
        """See the protocol."""
        self._raise("fetch")
        end_s = asyncio.get_running_loop().time() + _FETCH_WAIT_S
        while True:
            there = self._cluster.messages[partition]
            found = [each for each in there if each.offset >= offset][:limit]
            left_s = end_s - asyncio.get_running_loop().time()
            if found or left_s <= 0:
                return found
            self._cluster.arrived.clear()
            try:
                async with asyncio.timeout(left_s):
                    await self._cluster.arrived.wait()
            except TimeoutError:
                return []

    async def commit(self, partition: int, offset: int) -> None:
        """See the protocol."""
        self._raise("commit")
        self._cluster.offsets[partition] = offset
        self._cluster.commits.append((partition, offset))

    def end_of(self, partition: int) -> int | None:
        """See the protocol."""
        return self._end(partition)

    def _end(self, partition: int) -> int:
        return self._cluster.first[partition] + len(self._cluster.messages[partition])

    def _raise(self, operation: str) -> None:
        failing = self._cluster.failures.get(operation)
        if failing:
            raise failing.pop(0)


class FakeRabbit:
    """A broker with one queue, for one consumer. ``accesses`` are those it was opened with."""

    def __init__(self) -> None:
        self.ready: deque[RabbitMessage] = deque()
        self.held: dict[int, RabbitMessage] = {}
        self.dead: list[bytes] = []
        self.acked: list[bytes] = []
        self.accesses: list[RabbitAccess] = []
        self.failures: list[AwsError] = []
        self.consumer: FakeRabbitQueue | None = None
        self._tags = 0

    def put(self, *bodies: str | bytes) -> None:
        """Messages, in order."""
        for body in bodies:
            data = body.encode() if isinstance(body, str) else body
            self.ready.append(RabbitMessage(0, data, RabbitProperties(), redelivered=False))
        self.push()

    def open(self, access: RabbitAccess, queue: str, prefetch: int) -> "FakeRabbitQueue":
        """Is an :data:`~lambent.sources.rabbitmq.contract.OpenQueue`."""
        del queue
        self.accesses.append(access)
        return FakeRabbitQueue(self, prefetch)

    def cut(self) -> None:
        """The connection breaks: what is unacknowledged goes back."""
        consumer, self.consumer = self.consumer, None
        self.send_back(max(self.held, default=0))
        if consumer is not None:
            consumer.broken()

    def push(self) -> None:
        """Delivers what may be delivered."""
        while self.consumer is not None and self.ready and self.consumer.has_room:
            self._tags += 1
            old = self.ready.popleft()
            message = RabbitMessage(self._tags, old.body, old.properties, old.redelivered)
            self.held[self._tags] = message
            self.consumer.deliver(message)

    def send_back(self, tag: int) -> None:
        """What is held up to a tag is ready again, where it was, and marked."""
        for each in sorted((each for each in self.held if each <= tag), reverse=True):
            old = self.held.pop(each)
            self.ready.appendleft(RabbitMessage(0, old.body, old.properties, redelivered=True))


class FakeRabbitQueue:
    """Is a :class:`~lambent.sources.rabbitmq.contract.RabbitQueue`."""

    def __init__(self, broker: FakeRabbit, prefetch: int) -> None:
        self._broker = broker
        self._prefetch = prefetch
        self._flows = True
        self.deliver: Callable[[RabbitMessage], None]
        self.broken: Callable[[], None]

    @property
    def has_room(self) -> bool:
        """Whether another message may be delivered."""
        return self._flows and len(self._broker.held) < self._prefetch

    async def open(
        self, deliver: Callable[[RabbitMessage], None], broken: Callable[[], None]
    ) -> None:
        """See the protocol."""
        if self._broker.failures:
            raise self._broker.failures.pop(0)
        self.deliver, self.broken = deliver, broken
        self._broker.consumer = self
        self._broker.push()

    async def close(self) -> None:
        """See the protocol."""
        self._broker.consumer = None
        self._broker.send_back(max(self._broker.held, default=0))

    async def flow(self, *, on: bool) -> None:
        """See the protocol."""
        self._flows = on
        self._broker.push()

    async def ack(self, tag: int, *, up_to: bool) -> None:
        """See the protocol."""
        tags = [each for each in sorted(self._broker.held) if each == tag or (up_to and each < tag)]
        if tag not in tags:
            raise RuntimeError("a broker closes the channel of an unknown tag")
        self._broker.acked += [self._broker.held.pop(each).body for each in tags]
        self._broker.push()

    async def requeue(self, tag: int) -> None:
        """See the protocol."""
        self._broker.send_back(tag)
        self._broker.push()

    async def reject(self, tag: int) -> None:
        """See the protocol."""
        self._broker.dead.append(self._broker.held.pop(tag).body)
        self._broker.push()

    async def waiting(self) -> int:
        """See the protocol."""
        return len(self._broker.ready)


class ScriptedFunctions:
    """Is a :class:`~lambent.sources.contract.Functions`. ``answer`` gets each event, and gives or raises."""

    def __init__(self, answer: Callable[[Any], Any] = lambda _: None) -> None:
        self.answer = answer
        self.events: list[Any] = []
        self.seconds = 0.0
        """What an invocation takes."""

    async def invoke(
        self, function_arn: str, payload: bytes, *, trace_id: str | None = None
    ) -> InvocationResult:
        """See the protocol: ``ValueError`` is a function's own error."""
        del function_arn, trace_id
        event = json.loads(payload)
        self.events.append(event)
        await asyncio.sleep(self.seconds)
        try:
            answer = self.answer(event)
        except ValueError as error:
            return InvocationResult(str(error).encode(), "1", "Unhandled")
        return InvocationResult(json.dumps(answer).encode(), "1")

    def room(self, function_arn: str) -> int:
        """See the protocol."""
        del function_arn
        return 1000
