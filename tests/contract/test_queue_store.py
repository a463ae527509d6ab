"""Every queue store keeps the contract of ``lambent.store.queues.contract``."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from lambent.store.queues.contract import (
    DEDUPLICATION_MS,
    Counts,
    Message,
    NewMessage,
    QueueStore,
    Receipt,
    Sent,
    StoreFullError,
    Transaction,
)
from lambent.store.queues.sqlite import SqliteQueueStore
from lambent.testing.loop import on_loop
from lambent.testing.queue_store import FakeQueueStore

Opener = Callable[[Path], AbstractAsyncContextManager[QueueStore]]


@asynccontextmanager
async def _fake(path: Path) -> AsyncIterator[QueueStore]:
    yield FakeQueueStore()


@asynccontextmanager
async def _sqlite(path: Path) -> AsyncIterator[QueueStore]:
    store = SqliteQueueStore(path / "queues.db")
    await store.open()
    try:
        yield store
    finally:
        await store.close()


OPENERS: dict[str, Opener] = {"fake": _fake, "sqlite": _sqlite}


@pytest.fixture(params=sorted(OPENERS))
def opener(request: pytest.FixtureRequest) -> Opener:
    """How to open one of the implementations."""
    return OPENERS[request.param]


def new(number: int, **more: Any) -> NewMessage:
    """A message told from others by its number."""
    return NewMessage(f"m{number}", b"%d" % number, **more)


def bodies(messages: list[Message]) -> list[int]:
    """The numbers of messages made by :func:`new`."""
    return [int(message.body) for message in messages]


async def a_queue(store: QueueStore, key: str = "q", *, fifo: bool = False) -> int:
    """A new queue's id."""
    queue = await store.run(lambda tx: tx.create_queue(key, fifo=fifo, document="{}"))
    return queue.queue_id


class _RefusedError(Exception):
    """What a failing work raises."""


def _after(act: Callable[[Transaction], Any]) -> Callable[[Transaction], None]:
    """Work that acts and then fails."""

    def work(tx: Transaction) -> None:
        act(tx)
        raise _RefusedError

    return work


@on_loop
async def _queues(opener: Opener, path: Path) -> None:
    async with opener(path) as store:
        for key in ("b/2", "a/1", "b/1", "b/3"):
            await a_queue(store, key)
        with pytest.raises(ValueError):
            await store.run(lambda tx: tx.create_queue("b/2", fifo=True, document="{}"))
        found = await store.run(lambda tx: tx.find_queue("b/2"))
        assert found is not None
        assert (found.key, found.fifo, found.document) == ("b/2", False, "{}")
        listed = await store.run(lambda tx: tx.list_queues("b/", "b/1", 1))
        assert listed == [found]
        listed = await store.run(lambda tx: tx.list_queues("b/", None, 10))
        assert [queue.key for queue in listed] == ["b/1", "b/2", "b/3"]
        await store.run(lambda tx: tx.set_document(found.queue_id, '{"a":1}'))
        assert await store.run(lambda tx: tx.find_queue("b/2")) == replace(
            found, document='{"a":1}'
        )
        await store.run(lambda tx: tx.delete_queue(found.queue_id))
        assert await store.run(lambda tx: tx.find_queue("b/2")) is None
        again = await a_queue(store, "b/2")
        assert again != found.queue_id


def test_queues_are_found_listed_and_replaced(opener: Opener, tmp_path: Path) -> None:
    """A key names one queue; lists go by key; a queue made again under a key is another queue."""
    _queues(opener, tmp_path)


UNKNOWN: dict[str, Callable[[Transaction], Any]] = {
    "send": lambda tx: tx.send(99, [new(1)], 1),
    "receive": lambda tx: tx.receive(99, 1, 1, 2),
    "find": lambda tx: tx.find(99, 1),
    "browse": lambda tx: tx.browse(99, 0, 1),
    "delete": lambda tx: tx.delete(99, Receipt(1, 1)),
    "change_visibility": lambda tx: tx.change_visibility(99, Receipt(1, 1), 1, 1),
    "update_attributes": lambda tx: tx.update_attributes(99, Receipt(1, 1), "{}"),
    "move": lambda tx: tx.move(99, 1, 98, 1),
    "purge": lambda tx: tx.purge(99),
    "expire": lambda tx: tx.expire(99, 1, 1),
    "release": lambda tx: tx.release(99),
    "count": lambda tx: tx.count(99, 1),
    "oldest_sent_at_ms": lambda tx: tx.oldest_sent_at_ms(99),
    "next_visible_at_ms": lambda tx: tx.next_visible_at_ms(99, 1),
    "set_document": lambda tx: tx.set_document(99, "{}"),
    "delete_queue": lambda tx: tx.delete_queue(99),
}


@pytest.mark.parametrize("operation", sorted(UNKNOWN))
def test_an_unknown_queue_is_a_key_error(opener: Opener, tmp_path: Path, operation: str) -> None:
    """No operation takes the id of a queue that is not there."""

    @on_loop
    async def check() -> None:
        async with opener(tmp_path) as store:
            with pytest.raises(KeyError):
                await store.run(UNKNOWN[operation])

    check()


def _put(kind: str, key: str, document: str, tx: Transaction) -> None:
    tx.put_record(kind, key, document)


def test_records_are_kept_by_kind_and_key(opener: Opener, tmp_path: Path) -> None:
    """A record is put, replaced, listed by key within its kind, and deleted once."""

    @on_loop
    async def check() -> None:
        async with opener(tmp_path) as store:
            for kind, key, document in (("a", "x/2", "1"), ("a", "x/1", "2"), ("b", "x/1", "3")):
                await store.run(partial(_put, kind, key, document))
            await store.run(lambda tx: tx.put_record("a", "x/2", "4"))
            listed = await store.run(lambda tx: tx.list_records("a", "x/", None, 9))
            assert listed == [("x/1", "2"), ("x/2", "4")]
            assert await store.run(lambda tx: tx.list_records("a", "x/", "x/1", 9)) == listed[1:]
            assert await store.run(lambda tx: tx.list_records("a", "y", None, 9)) == []
            assert await store.run(lambda tx: tx.find_record("b", "x/1")) == "3"
            assert await store.run(lambda tx: tx.delete_record("b", "x/1"))
            assert not await store.run(lambda tx: tx.delete_record("b", "x/1"))
            assert await store.run(lambda tx: tx.find_record("b", "x/1")) is None

    check()


def test_a_failing_work_is_undone_alone(opener: Opener, tmp_path: Path) -> None:
    """Of works that come together those that raise leave nothing, and the others all of theirs."""

    @on_loop
    async def check() -> None:
        async with opener(tmp_path) as store:
            queue_id = await a_queue(store, fifo=True)

            def send(number: int) -> Callable[[Transaction], Any]:
                return lambda tx: tx.send(queue_id, [new(number, group_id="g")], number)

            works = [send(n) if n % 3 else _after(send(n)) for n in range(1, 31)]
            answers = await asyncio.gather(*map(store.run, works), return_exceptions=True)
            for number, answer in enumerate(answers, start=1):
                assert isinstance(answer, _RefusedError) == (number % 3 == 0)
            kept = await store.run(lambda tx: tx.browse(queue_id, 0, 99))
            assert bodies(kept) == [n for n in range(1, 31) if n % 3]
            assert await store.run(lambda tx: tx.count(queue_id, 99)) == Counts(20, 0, 0)
            made = _after(lambda tx: tx.create_queue("r", fifo=False, document="{}"))
            with pytest.raises(_RefusedError):
                await store.run(made)
            assert await store.run(lambda tx: tx.find_queue("r")) is None

    check()


def test_arrivals_are_told_after_the_commit(opener: Opener, tmp_path: Path) -> None:
    """Each way in which a message becomes visible is told; what waits or fails is not; ended is ended."""

    @on_loop
    async def check() -> None:
        async with opener(tmp_path) as store:
            q, r = await a_queue(store), await a_queue(store, "r")
            told: list[int] = []
            end = store.subscribe(told.extend)

            async def tells(work: Callable[[Transaction], Any]) -> set[int]:
                told.clear()
                with contextlib.suppress(_RefusedError):
                    await store.run(work)
                await asyncio.sleep(0)
                return set(told)

            assert await tells(lambda tx: tx.send(q, [new(1)], 10)) == {q}
            assert await tells(lambda tx: tx.send(q, [new(2, visible_at_ms=99)], 10)) == set()
            assert await tells(_after(lambda tx: tx.send(q, [new(3)], 10))) == set()
            (held,) = await store.run(lambda tx: tx.receive(q, 9, 10, 20))
            assert await tells(lambda tx: tx.change_visibility(q, held.receipt, 30, 11)) == set()
            assert await tells(lambda tx: tx.change_visibility(q, held.receipt, 12, 12)) == {q}
            await store.run(lambda tx: tx.receive(q, 9, 12, 20))
            assert await tells(lambda tx: tx.release(q)) == {q}
            assert await tells(lambda tx: tx.move(q, held.sequence, r, 13)) == {r}
            end()
            end()
            assert await tells(lambda tx: tx.send(q, [new(4)], 14)) == set()

    check()


def test_a_deleted_head_lets_its_group_arrive(opener: Opener, tmp_path: Path) -> None:
    """Who waits for a FIFO queue hears of it when what held a group is deleted."""

    @on_loop
    async def check() -> None:
        async with opener(tmp_path) as store:
            q = await a_queue(store, fifo=True)
            await store.run(lambda tx: tx.send(q, [new(n, group_id="g") for n in (1, 2)], 1))
            (first,) = await store.run(lambda tx: tx.receive(q, 1, 1, 50))
            told: list[int] = []
            store.subscribe(told.extend)
            await store.run(lambda tx: tx.delete(q, first.receipt))
            await asyncio.sleep(0)
            assert told == [q]
            assert bodies(await store.run(lambda tx: tx.receive(q, 1, 1, 50))) == [2]

    check()


def test_a_returned_message_is_not_overtaken_for_ever(opener: Opener, tmp_path: Path) -> None:
    """What became visible first is received first, whatever was sent since."""

    @on_loop
    async def check() -> None:
        async with opener(tmp_path) as store:
            q = await a_queue(store)
            await store.run(lambda tx: tx.send(q, [new(1)], 100))
            await store.run(lambda tx: tx.receive(q, 1, 100, 200))
            await store.run(lambda tx: tx.send(q, [new(2)], 300))
            assert bodies(await store.run(lambda tx: tx.receive(q, 2, 300, 400))) == [1, 2]

    check()


def test_large_bodies_and_odd_texts_come_back_as_they_were(opener: Opener, tmp_path: Path) -> None:
    """A body of 1 MiB of any bytes, and any text in the rest, is what is received and moved."""

    @on_loop
    async def check() -> None:
        async with opener(tmp_path) as store:
            q, r = await a_queue(store, fifo=True), await a_queue(store, "r", fifo=True)
            body, text = bytes(range(256)) * 4096, "ü\x00\U0001f600'\";--"
            message = NewMessage(text, body, text, 0, text, text)
            await store.run(lambda tx: tx.send(q, [message], 1))
            (got,) = await store.run(lambda tx: tx.receive(q, 1, 1, 9))
            assert (got.message_id, got.body, got.attributes, got.group_id) == (
                text,
                body,
                text,
                text,
            )
            await store.run(lambda tx: tx.move(q, got.sequence, r, 2))
            assert await store.run(lambda tx: tx.browse(q, 0, 9)) == []
            (there,) = await store.run(lambda tx: tx.receive(r, 1, 2, 9))
            assert (there.message_id, there.body, there.group_id) == (text, body, text)

    check()


def test_cleared_is_empty(opener: Opener, tmp_path: Path) -> None:
    """Nothing is left of queues, messages, keys seen and records; new queues work."""

    @on_loop
    async def check() -> None:
        async with opener(tmp_path) as store:
            message = new(1, deduplication_key="k")
            for _ in range(2):
                q = await a_queue(store)
                (sent,) = await store.run(lambda tx, q=q: tx.send(q, [message], 1))  # type: ignore[misc]
                assert not sent.duplicate
                await store.run(lambda tx: tx.put_record("a", "b", "c"))
                await store.clear()
                assert await store.run(lambda tx: tx.list_queues("", None, 9)) == []
                assert await store.run(lambda tx: tx.find_record("a", "b")) is None

    check()


def test_impossible_receipts_hold_nothing(opener: Opener, tmp_path: Path) -> None:
    """Numbers that no receipt has, however large, are a message that is not there."""

    @on_loop
    async def check() -> None:
        async with opener(tmp_path) as store:
            q = await a_queue(store)
            for number in (-1, 0, 2**63, 2**80):
                for receipt in (Receipt(number, 1), Receipt(1, number)):
                    found = await store.run(partial(_try_receipt, q, receipt))
                    assert found == (False, False, False, None, None)

    check()


def _try_receipt(q: int, receipt: Receipt, tx: Transaction) -> tuple[Any, ...]:
    return (
        tx.delete(q, receipt),
        tx.change_visibility(q, receipt, 5, 1),
        tx.update_attributes(q, receipt, "{}"),
        tx.find(q, receipt.sequence),
        tx.move(q, receipt.sequence, q, 1),
    )


@on_loop
async def test_the_fake_store_can_be_full() -> None:
    """Sends are refused with nothing stored while it is full; receiving and deleting go on."""
    store = FakeQueueStore()
    q = await a_queue(store)
    await store.run(lambda tx: tx.send(q, [new(1)], 1))
    store.full = True
    with pytest.raises(StoreFullError):
        await store.run(lambda tx: tx.send(q, [new(2)], 1))
    (message,) = await store.run(lambda tx: tx.receive(q, 9, 1, 5))
    assert await store.run(lambda tx: tx.delete(q, message.receipt))


# The state machine: every operation in any order, against lists.


class _Model:
    """One queue as a list of its messages by sequence, and what was sent under which key."""

    def __init__(self, *, fifo: bool) -> None:
        self.fifo = fifo
        self.messages: list[Message] = []
        self.seen: dict[str, tuple[int, Sent]] = {}

    def group(self, message: Message) -> list[Message]:
        return [m for m in self.messages if m.group_id == message.group_id]

    def available(self, now_ms: int) -> list[Message]:
        """What may be received now, by when it became visible."""
        ready = []
        for message in self.messages:
            group = self.group(message)
            before = group[: group.index(message) + 1]
            blocked = self.fifo and (
                any(m.visible_at_ms > now_ms for m in before)
                or any(m.visible_at_ms > now_ms for m in group if m.receives)
            )
            if message.visible_at_ms <= now_ms and not blocked:
                ready.append(message)
        return sorted(ready, key=lambda m: (m.visible_at_ms, m.sequence))

    def swap(self, old: Message, fresh: Message) -> None:
        self.messages[self.messages.index(old)] = fresh


class QueueMachine(RuleBasedStateMachine):
    """Four queues, each beside its model; ``open_store`` and ``path`` are given by the test."""

    open_store: Opener
    path: Path

    @initialize()
    def start(self) -> None:
        self.runner = asyncio.Runner()
        self.context = type(self).open_store(Path(mkdtemp(dir=self.path)))
        self.store = self.runner.run(self.context.__aenter__())
        self.now_ms, self.number = 1_000, 0
        self.models: dict[int, _Model] = {}
        self.receipts: list[tuple[int, Receipt]] = []
        for key, fifo in (("a", False), ("b", False), ("c", True), ("d", True)):
            queue_id = self.runner.run(a_queue(self.store, key, fifo=fifo))
            self.models[queue_id] = _Model(fifo=fifo)

    def teardown(self) -> None:
        if hasattr(self, "runner"):
            self.runner.run(self.context.__aexit__(None, None, None))
            self.runner.close()

    def do(self, work: Callable[[Transaction], Any]) -> Any:
        return self.runner.run(self.store.run(work))

    def choose(self, index: int) -> tuple[int, _Model]:
        return list(self.models.items())[index]

    @rule(ms=st.sampled_from([1, 3, 10, DEDUPLICATION_MS - 7, DEDUPLICATION_MS]))
    def wait(self, ms: int) -> None:
        self.now_ms += ms

    @rule(
        index=st.integers(0, 3),
        news=st.lists(
            st.tuples(
                st.sampled_from("xyz"),
                st.sampled_from([0, 0, 0, 2, 8]),
                st.sampled_from([None, None, "k", "l"]),
            ),
            max_size=6,
        ),
        fails=st.booleans(),
    )
    def send(self, index: int, news: list[tuple[str, int, str | None]], fails: bool) -> None:
        queue_id, model = self.choose(index)
        messages = []
        for group, delay_ms, key in news:
            self.number += 1
            visible_at_ms = self.now_ms + delay_ms if delay_ms else 0
            messages.append(
                new(
                    self.number,
                    group_id=group,
                    visible_at_ms=visible_at_ms,
                    deduplication_key=key,
                )
            )
        act = lambda tx: tx.send(queue_id, messages, self.now_ms)  # noqa: E731
        if fails:
            with pytest.raises(_RefusedError):
                self.do(_after(act))
            return
        sents = self.do(act)
        assert len(sents) == len(messages)
        for message, sent in zip(messages, sents, strict=True):
            self._sent(model, message, sent)

    def _sent(self, model: _Model, message: NewMessage, sent: Sent) -> None:
        key = message.deduplication_key
        if key in model.seen and self.now_ms - model.seen[key][0] < DEDUPLICATION_MS:
            first = model.seen[key][1]
            assert sent == Sent(first.message_id, first.sequence, duplicate=True)
            return
        assert (sent.message_id, sent.duplicate) == (message.message_id, False)
        assert all(m.sequence < sent.sequence for m in model.messages)
        if key is not None:
            model.seen[key] = (self.now_ms, sent)
        model.messages.append(
            Message(
                sent.sequence,
                message.message_id,
                message.body,
                message.attributes,
                message.group_id,
                self.now_ms,
                None,
                max(message.visible_at_ms, self.now_ms),
                0,
            )
        )

    @rule(index=st.integers(0, 3), limit=st.integers(1, 5), hold_ms=st.sampled_from([0, 1, 5, 30]))
    def receive(self, index: int, limit: int, hold_ms: int) -> None:
        queue_id, model = self.choose(index)
        available = model.available(self.now_ms)
        until_ms = self.now_ms + hold_ms
        received = self.do(lambda tx: tx.receive(queue_id, limit, self.now_ms, until_ms))
        sequences = [message.sequence for message in received]
        assert len(received) == min(limit, len(available))
        if model.fifo:
            for message in available:
                group = [m.sequence for m in model.group(message) if m in available]
                taken = [s for s in sequences if s in group]
                assert taken == group[: len(taken)]
        else:
            assert sequences == [m.sequence for m in available[:limit]]
        by_sequence = {message.sequence: message for message in available}
        for message in received:
            old = by_sequence[message.sequence]
            first_ms = old.first_received_at_ms
            expected = replace(
                old,
                receives=old.receives + 1,
                visible_at_ms=until_ms,
                first_received_at_ms=self.now_ms if first_ms is None else first_ms,
            )
            assert message == expected
            model.swap(old, expected)
            self.receipts.append((queue_id, message.receipt))

    def _held(self, queue_id: int, receipt: Receipt) -> Message | None:
        found = [m for m in self.models[queue_id].messages if m.receipt == receipt]
        return found[0] if found else None

    def _pick(self, data: st.DataObject) -> tuple[int, Receipt, Message | None] | None:
        if not self.receipts:
            return None
        queue_id, receipt = data.draw(st.sampled_from(self.receipts))
        return queue_id, receipt, self._held(queue_id, receipt)

    @rule(data=st.data())
    def delete(self, data: st.DataObject) -> None:
        if picked := self._pick(data):
            queue_id, receipt, held = picked
            assert self.do(lambda tx: tx.delete(queue_id, receipt)) == (held is not None)
            if held:
                self.models[queue_id].messages.remove(held)

    @rule(data=st.data(), ms=st.sampled_from([-5, 0, 2, 20]))
    def change_visibility(self, data: st.DataObject, ms: int) -> None:
        if picked := self._pick(data):
            queue_id, receipt, held = picked
            until_ms = self.now_ms + ms
            changed = self.do(
                lambda tx: tx.change_visibility(queue_id, receipt, until_ms, self.now_ms)
            )
            assert changed == (held is not None and held.visible_at_ms > self.now_ms)
            if changed and held:
                later = replace(held, visible_at_ms=max(until_ms, self.now_ms))
                self.models[queue_id].swap(held, later)

    @rule(data=st.data())
    def update_attributes(self, data: st.DataObject) -> None:
        if picked := self._pick(data):
            queue_id, receipt, held = picked
            text = f'"{self.number}"'
            changed = self.do(lambda tx: tx.update_attributes(queue_id, receipt, text))
            assert changed == (held is not None)
            if held:
                self.models[queue_id].swap(held, replace(held, attributes=text))

    @rule(index=st.integers(0, 3), to=st.integers(0, 3), nth=st.integers(0, 9))
    def move(self, index: int, to: int, nth: int) -> None:
        queue_id, model = self.choose(index)
        to_id, target = self.choose(to)
        assert self.do(lambda tx: tx.move(queue_id, 2**62, to_id, self.now_ms)) is None
        if nth >= len(model.messages):
            return
        old = model.messages[nth]
        sent = self.do(lambda tx: tx.move(queue_id, old.sequence, to_id, self.now_ms))
        assert (sent.message_id, sent.duplicate) == (old.message_id, False)
        model.messages.remove(old)
        target.messages.append(
            replace(
                old,
                sequence=sent.sequence,
                receives=0,
                first_received_at_ms=None,
                visible_at_ms=self.now_ms,
            )
        )

    @rule(index=st.integers(0, 3), age_ms=st.sampled_from([0, 5, 100]), limit=st.integers(1, 3))
    def expire(self, index: int, age_ms: int, limit: int) -> None:
        queue_id, model = self.choose(index)
        before_ms = self.now_ms - age_ms
        old = [m for m in model.messages if m.sent_at_ms < before_ms]
        gone = self.do(lambda tx: tx.expire(queue_id, before_ms, limit))
        assert gone == min(limit, len(old))
        left = {m.sequence for m in self.do(lambda tx: tx.browse(queue_id, 0, 1_000))}
        missing = [m for m in model.messages if m.sequence not in left]
        assert len(missing) == gone
        assert all(m in old for m in missing)
        model.messages = [m for m in model.messages if m.sequence in left]

    @rule(index=st.integers(0, 3))
    def release(self, index: int) -> None:
        queue_id, model = self.choose(index)
        held = [m for m in model.messages if m.receives and m.visible_at_ms != m.sent_at_ms]
        assert self.do(lambda tx: tx.release(queue_id)) == len(held)
        for message in held:
            model.swap(message, replace(message, visible_at_ms=message.sent_at_ms))

    @rule(index=st.integers(0, 3))
    def purge(self, index: int) -> None:
        queue_id, model = self.choose(index)
        self.do(lambda tx: tx.purge(queue_id))
        model.messages.clear()

    def _look(self, queue_id: int, tx: Transaction) -> tuple[Any, ...]:
        return (
            tx.count(queue_id, self.now_ms),
            tx.browse(queue_id, 0, 1_000),
            tx.oldest_sent_at_ms(queue_id),
            tx.next_visible_at_ms(queue_id, self.now_ms),
            [tx.find(queue_id, m.sequence) for m in self.models[queue_id].messages],
        )

    @invariant()
    def is_as_the_model_says(self) -> None:
        for queue_id, model in getattr(self, "models", {}).items():
            counts, kept, oldest, following, some = self.do(partial(self._look, queue_id))
            assert kept == some == model.messages
            hidden = [m for m in kept if m.visible_at_ms > self.now_ms]
            held = sum(1 for m in hidden if m.receives)
            assert counts == Counts(len(kept) - len(hidden), held, len(hidden) - held)
            assert oldest == min((m.sent_at_ms for m in kept), default=None)
            assert following == min((m.visible_at_ms for m in hidden), default=None)


def test_any_history_is_as_the_model_says(opener: Opener, tmp_path: Path) -> None:
    """Whatever is done in whatever order, the store answers and holds what plain lists would."""

    class Machine(QueueMachine):
        open_store = staticmethod(opener)
        path = tmp_path

    run_state_machine_as_test(
        Machine, settings=settings(max_examples=60, stateful_step_count=40, deadline=None)
    )
