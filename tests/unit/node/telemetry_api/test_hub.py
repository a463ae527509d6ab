"""Events reach listeners in portions, whatever the listeners do."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from lambent.node.telemetry_api import subscriber
from lambent.node.telemetry_api.hub import MAX_EARLY_EVENTS, Hub
from lambent.node.telemetry_api.records import platform_event
from lambent.node.telemetry_api.subscription import Subscription
from lambent.testing.host import open_descriptors
from lambent.testing.loop import on_loop, turns, until


class Listener:
    """A listener that answers with ``answer`` (None: never) and remembers what it was sent."""

    def __init__(self, answer: bytes | None = b"HTTP/1.1 200 OK\r\n\r\n") -> None:
        self.answer = answer
        self.posts: list[list[Any]] = []
        self.port = 0

    @property
    def events(self) -> list[Any]:
        """All events so far, in order."""
        return [event for post in self.posts for event in post]

    @asynccontextmanager
    async def open(self) -> AsyncIterator["Listener"]:
        """Listens on a free port."""
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            await server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            length = int(head.partition("Content-Length: ")[2].partition("\r\n")[0])
            self.posts.append(json.loads(await reader.readexactly(length)))
            if self.answer is None:
                await reader.read()
            else:
                writer.write(self.answer)
        finally:
            writer.close()


async def connect() -> socket.socket:
    """This network's."""
    return socket.socket()


def subscription(listener: Listener, **changes: Any) -> Subscription:
    """All types, 25 ms."""
    settings: dict[str, Any] = {
        "schema_version": "2022-12-13",
        "types": ("platform", "function", "extension"),
        "port": listener.port,
        "path": "/",
        "host": "sandbox",
        "timeout_s": 0.025,
    }
    return Subscription(**settings | changes)


def record(number: int) -> bytes:
    """A record of the platform."""
    return platform_event(0, "start", {"n": number})


def numbers(events: list[Any]) -> list[int]:
    """Which records they are; dropped ones as minus how many."""
    return [e["record"].get("n", -e["record"].get("droppedRecords", 0)) for e in events]


@on_loop
async def test_what_is_subscribed_arrives_in_order_and_in_portions() -> None:
    """Events from before the subscription too; lines as text, or as the object they are; nothing else."""
    async with Listener().open() as listener:
        hub = Hub(connect, embeds_json=True)
        hub.platform(record(1))
        hub.subscribe("a", subscription(listener, types=("platform", "function")))
        hub.line("function", 1_000, b'{"a": 1}\n')
        hub.line("function", 1_000, b"text\n")
        hub.line("function", 1_000, b'{"a": \n')
        hub.line("extension", 1_000, b"not subscribed\n")
        await until(lambda: len(listener.posts) == 1)
        assert [e["record"] for e in listener.events] == [{"n": 1}, {"a": 1}, "text", '{"a": ']
        assert listener.events[1]["time"] == "1970-01-01T00:00:01.000Z"
        hub.close()


@on_loop
async def test_a_full_portion_goes_at_once() -> None:
    """However long the time-out is."""
    async with Listener().open() as listener:
        hub = Hub(connect)
        hub.subscribe("a", subscription(listener, timeout_s=30.0, max_items=3))
        for number in range(3):
            hub.platform(record(number))
        await until(lambda: numbers(listener.events) == [0, 1, 2])
        hub.platform(record(3))
        hub.flush()
        await until(lambda: numbers(listener.events) == [0, 1, 2, 3])
        hub.close()


@on_loop
async def test_a_listener_that_never_answers_costs_its_own_events_only(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Given up after a time; what is beyond the bounds is dropped and told; the other one gets everything."""
    monkeypatch.setattr(subscriber, "POST_DEADLINE_S", 0.1)
    async with Listener(None).open() as silent, Listener().open() as good:
        hub = Hub(connect)
        hub.subscribe("silent", subscription(silent, max_items=10))
        hub.subscribe("good", subscription(good, max_items=1_000))
        for number in range(50):
            hub.platform(record(number))
        await until(lambda: len(good.events) == 50)
        silent.answer = b"HTTP/1.1 200 OK\r\n\r\n"
        await until(lambda: any(n < 0 for n in numbers(silent.events)))
        told = [n for n in numbers(silent.events) if n < 0]
        assert sum(told) < -10
        hub.close()
        await turns()


@pytest.mark.parametrize("answer", [b"HTTP/1.1 500 No\r\n\r\n", b"nonsense\r\n\r\n", b""])
@on_loop
async def test_errors_are_tried_again_then_told(
    answer: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A listener that answers with an error, with no HTTP, or not at all, is asked three times."""
    monkeypatch.setattr(subscriber, "_PAUSE_S", 0.001)
    async with Listener(answer).open() as listener:
        hub = Hub(connect)
        hub.subscribe("a", subscription(listener))
        hub.platform(record(1))
        await until(lambda: len(listener.posts) >= 3)
        listener.answer = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n"
        await until(lambda: listener.posts[-1][0]["type"] == "platform.logsDropped")
        assert numbers(listener.posts[-1]) == [-1]
        hub.close()
        await turns()


@on_loop
async def test_nothing_is_sent_to_a_frozen_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Frozen in the middle of a POST its deadline stands still; what comes meanwhile goes at the thaw."""
    monkeypatch.setattr(subscriber, "POST_DEADLINE_S", 0.05)
    async with Listener(None).open() as listener:
        hub = Hub(connect)
        hub.subscribe("a", subscription(listener))
        hub.platform(record(1))
        await until(lambda: len(listener.posts) == 1)
        hub.pause()
        hub.platform(record(2))
        hub.flush()
        await asyncio.sleep(0.1)
        assert numbers(listener.events) == [1]
        listener.answer = b"HTTP/1.1 200 OK\r\n\r\n"
        hub.resume()
        await until(lambda: 2 in numbers(listener.events))
        hub.close()
        await turns()


@on_loop
async def test_early_events_are_bounded_and_end_with_registration() -> None:
    """What is kept for subscribers to come is bounded; a second subscription takes the first one's place."""
    async with Listener().open() as listener:
        hub = Hub(connect)
        for number in range(MAX_EARLY_EVENTS + 10):
            hub.platform(record(number))
        hub.subscribe("a", subscription(listener, timeout_s=30.0))
        hub.subscribe("a", subscription(listener))
        await until(lambda: len(listener.events) == MAX_EARLY_EVENTS)
        hub.close_subscribing()
        hub.subscribe("b", subscription(listener))
        await turns()
        hub.flush()
        hub.close()
        assert len(listener.events) == MAX_EARLY_EVENTS


@on_loop
async def test_nothing_is_left() -> None:
    """A hub that is closed in the middle of a delivery keeps no descriptor."""
    before = open_descriptors()
    async with Listener(None).open() as listener:
        hub = Hub(connect)
        hub.subscribe("a", subscription(listener))
        hub.platform(record(1))
        await until(lambda: len(listener.posts) == 1)
        hub.close()
        hub.platform(record(2))
        await turns()
    await until(lambda: open_descriptors() == before)
