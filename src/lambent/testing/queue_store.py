"""A queue store in memory, for tests: the contract of ``store.queues.contract`` and nothing lasting."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TypeVar

from lambent.store.queues.contract import (
    DEDUPLICATION_MS,
    Counts,
    Message,
    NewMessage,
    OnArrival,
    Queue,
    Receipt,
    Sent,
    StoreFullError,
    Transaction,
)

T = TypeVar("T")


@dataclass(slots=True)
class _Content:
    """A queue and what is in it; ``seen`` is (when, the first one's answer) by deduplication key."""

    queue: Queue
    messages: dict[int, Message] = field(default_factory=dict)
    seen: dict[str, tuple[int, Sent]] = field(default_factory=dict)

    def copy(self) -> "_Content":
        return _Content(self.queue, dict(self.messages), dict(self.seen))


@dataclass(slots=True)
class _State:
    queues: dict[int, _Content] = field(default_factory=dict)
    records: dict[tuple[str, str], str] = field(default_factory=dict)


class FakeQueueStore:
    """Runs each work at once, on the loop. ``full`` makes every send raise StoreFullError."""

    def __init__(self) -> None:
        self.full = False
        self._state = _State()
        self._last_id = 0
        self._listeners: list[OnArrival] = []

    async def run(self, work: Callable[[Transaction], T]) -> T:
        """See :class:`lambent.store.queues.contract.QueueStore`."""
        tx = _FakeTransaction(
            _State(dict(self._state.queues), dict(self._state.records)),
            self._new_id,
            full=self.full,
        )
        answer = work(tx)
        self._state = tx.state
        if tx.arrivals:
            for listener in tuple(self._listeners):
                listener(frozenset(tx.arrivals))
        return answer

    def subscribe(self, on_arrival: OnArrival) -> Callable[[], None]:
        """See :class:`lambent.store.queues.contract.QueueStore`."""
        self._listeners.append(on_arrival)

        def end() -> None:
            with suppress(ValueError):
                self._listeners.remove(on_arrival)

        return end

    async def clear(self) -> None:
        """See :class:`lambent.store.queues.contract.QueueStore`."""
        self._state = _State()

    def _new_id(self) -> int:
        self._last_id += 1
        return self._last_id


class _FakeTransaction:
    """Works on a copy of the state; a queue's content is copied when it is first changed."""

    def __init__(self, state: _State, new_id: Callable[[], int], *, full: bool) -> None:
        self.state = state
        self.arrivals: set[int] = set()
        self._new_id = new_id
        self._full = full
        self._own: set[int] = set()

    def create_queue(self, key: str, *, fifo: bool, document: str) -> Queue:
        if self.find_queue(key) is not None:
            raise ValueError(key)
        queue = Queue(self._new_id(), key, fifo, document)
        self.state.queues[queue.queue_id] = _Content(queue)
        return queue

    def find_queue(self, key: str) -> Queue | None:
        return next((c.queue for c in self.state.queues.values() if c.queue.key == key), None)

    def list_queues(self, prefix: str, after: str | None, limit: int) -> list[Queue]:
        queues = sorted((c.queue for c in self.state.queues.values()), key=lambda q: q.key)
        return [q for q in queues if q.key.startswith(prefix) and q.key > (after or "")][:limit]

    def set_document(self, queue_id: int, document: str) -> None:
        content = self._changing(queue_id)
        content.queue = replace(content.queue, document=document)

    def delete_queue(self, queue_id: int) -> None:
        del self.state.queues[queue_id]

    def send(self, queue_id: int, messages: Sequence[NewMessage], now_ms: int) -> list[Sent]:
        content = self._changing(queue_id)
        if self._full:
            raise StoreFullError
        return [self._send(content, message, now_ms) for message in messages]

    def _send(self, content: _Content, new: NewMessage, now_ms: int) -> Sent:
        key = new.deduplication_key
        if key is not None and key in content.seen:
            seen_at_ms, first = content.seen[key]
            if now_ms - seen_at_ms < DEDUPLICATION_MS:
                return replace(first, duplicate=True)
        visible_at_ms = max(new.visible_at_ms, now_ms)
        sequence = self._new_id()
        content.messages[sequence] = Message(
            sequence,
            new.message_id,
            new.body,
            new.attributes,
            new.group_id,
            now_ms,
            None,
            visible_at_ms,
            0,
        )
        sent = Sent(new.message_id, sequence, duplicate=False)
        if key is not None:
            content.seen[key] = (now_ms, sent)
        if visible_at_ms <= now_ms:
            self.arrivals.add(content.queue.queue_id)
        return sent

    def receive(self, queue_id: int, limit: int, now_ms: int, visible_at_ms: int) -> list[Message]:
        content = self._changing(queue_id)
        candidates = _fifo(content, now_ms) if content.queue.fifo else _standard(content, now_ms)
        received = []
        for message in list(candidates)[: max(limit, 0)]:
            taken = replace(
                message,
                visible_at_ms=max(visible_at_ms, now_ms),
                receives=message.receives + 1,
                first_received_at_ms=now_ms
                if message.first_received_at_ms is None
                else message.first_received_at_ms,
            )
            content.messages[taken.sequence] = taken
            received.append(taken)
        return received

    def find(self, queue_id: int, sequence: int) -> Message | None:
        return self.state.queues[queue_id].messages.get(sequence)

    def browse(self, queue_id: int, after_sequence: int, limit: int) -> list[Message]:
        messages = self.state.queues[queue_id].messages
        return [messages[n] for n in sorted(messages) if n > after_sequence][:limit]

    def delete(self, queue_id: int, receipt: Receipt) -> bool:
        if self._held(queue_id, receipt) is None:
            return False
        self._remove(queue_id, receipt.sequence)
        return True

    def change_visibility(
        self, queue_id: int, receipt: Receipt, visible_at_ms: int, now_ms: int
    ) -> bool:
        message = self._held(queue_id, receipt)
        if message is None or message.visible_at_ms <= now_ms:
            return False
        if visible_at_ms <= now_ms:
            self.arrivals.add(queue_id)
        changed = replace(message, visible_at_ms=max(visible_at_ms, now_ms))
        self._changing(queue_id).messages[message.sequence] = changed
        return True

    def update_attributes(self, queue_id: int, receipt: Receipt, attributes: str) -> bool:
        message = self._held(queue_id, receipt)
        if message is None:
            return False
        changed = replace(message, attributes=attributes)
        self._changing(queue_id).messages[message.sequence] = changed
        return True

    def move(self, queue_id: int, sequence: int, to_queue_id: int, now_ms: int) -> Sent | None:
        target = self._changing(to_queue_id)
        message = self.find(queue_id, sequence)
        if message is None:
            return None
        self._remove(queue_id, sequence)
        moved = replace(
            message,
            sequence=self._new_id(),
            visible_at_ms=now_ms,
            receives=0,
            first_received_at_ms=None,
        )
        target.messages[moved.sequence] = moved
        self.arrivals.add(to_queue_id)
        return Sent(moved.message_id, moved.sequence, duplicate=False)

    def purge(self, queue_id: int) -> None:
        self._changing(queue_id).messages.clear()

    def expire(self, queue_id: int, sent_before_ms: int, limit: int) -> int:
        messages = self._changing(queue_id).messages
        old = [n for n, m in sorted(messages.items()) if m.sent_at_ms < sent_before_ms][:limit]
        for sequence in old:
            self._remove(queue_id, sequence)
        return len(old)

    def release(self, queue_id: int) -> int:
        content = self._changing(queue_id)
        held = [m for m in content.messages.values() if m.receives and _is_held(m)]
        for message in held:
            content.messages[message.sequence] = replace(message, visible_at_ms=message.sent_at_ms)
        if held:
            self.arrivals.add(queue_id)
        return len(held)

    def count(self, queue_id: int, now_ms: int) -> Counts:
        messages = self.state.queues[queue_id].messages.values()
        hidden = [m for m in messages if m.visible_at_ms > now_ms]
        in_flight = sum(1 for m in hidden if m.receives)
        return Counts(len(messages) - len(hidden), in_flight, len(hidden) - in_flight)

    def oldest_sent_at_ms(self, queue_id: int) -> int | None:
        messages = self.state.queues[queue_id].messages.values()
        return min((m.sent_at_ms for m in messages), default=None)

    def next_visible_at_ms(self, queue_id: int, now_ms: int) -> int | None:
        messages = self.state.queues[queue_id].messages.values()
        return min((m.visible_at_ms for m in messages if m.visible_at_ms > now_ms), default=None)

    def put_record(self, kind: str, key: str, document: str) -> None:
        self.state.records[kind, key] = document

    def find_record(self, kind: str, key: str) -> str | None:
        return self.state.records.get((kind, key))

    def list_records(
        self, kind: str, prefix: str, after: str | None, limit: int
    ) -> list[tuple[str, str]]:
        found = sorted((k, d) for (of, k), d in self.state.records.items() if of == kind)
        return [(k, d) for k, d in found if k.startswith(prefix) and k > (after or "")][:limit]

    def delete_record(self, kind: str, key: str) -> bool:
        return self.state.records.pop((kind, key), None) is not None

    def _changing(self, queue_id: int) -> _Content:
        if queue_id not in self._own:
            self.state.queues[queue_id] = self.state.queues[queue_id].copy()
            self._own.add(queue_id)
        return self.state.queues[queue_id]

    def _held(self, queue_id: int, receipt: Receipt) -> Message | None:
        message = self.find(queue_id, receipt.sequence)
        return message if message and message.receipt == receipt and message.receives else None

    def _remove(self, queue_id: int, sequence: int) -> None:
        """What is behind the removed one in its group may be available now."""
        content = self._changing(queue_id)
        del content.messages[sequence]
        if content.queue.fifo and content.messages:
            self.arrivals.add(queue_id)


def _is_held(message: Message) -> bool:
    return message.visible_at_ms != message.sent_at_ms


def _standard(content: _Content, now_ms: int) -> Iterator[Message]:
    ready = [m for m in content.messages.values() if m.visible_at_ms <= now_ms]
    return iter(sorted(ready, key=lambda m: (m.visible_at_ms, m.sequence)))


def _fifo(content: _Content, now_ms: int) -> Iterator[Message]:
    """Group by group: those before the first one that is delayed, unless one of them is held."""
    groups: dict[str, list[Message]] = {}
    for _, message in sorted(content.messages.items()):
        groups.setdefault(message.group_id or "", []).append(message)
    for messages in groups.values():
        if any(m.receives and m.visible_at_ms > now_ms for m in messages):
            continue
        for message in messages:
            if message.visible_at_ms > now_ms:
                break
            yield message
