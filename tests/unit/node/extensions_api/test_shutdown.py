"""The Shutdown phase: in order, within its limits, over once."""

import asyncio

import pytest

from lambent.node.extensions_api import shutdown
from lambent.node.extensions_api.registry import Registry
from lambent.node.extensions_api.shutdown import Shutdown
from lambent.testing.loop import on_loop, turns, until


class Phase:
    """A Shutdown phase of an environment with one external extension (or an internal one), and what it does."""

    def __init__(self, *events: str, is_external: bool = True) -> None:
        self.done: list[str] = []
        self.registry = Registry(["e"] if is_external else [])
        self.extension = self.registry.register("e", events)
        self.phase = Shutdown(self, self.registry, lambda: self.done.append("over"))

    def terminate_runtime(self) -> None:
        self.done.append("term")

    def kill_runtime(self) -> None:
        self.done.append("kill")

    def extension_exits(self) -> None:
        """Its process ended."""
        self.extension.is_alive = False
        self.phase.extension_exited()


@on_loop
async def test_the_runtime_first_then_extensions() -> None:
    """SIGTERM, then SHUTDOWN, and over as soon as who heard of it has ended; once."""
    it = Phase("SHUTDOWN")
    it.phase.begin("spindown", runtime_is_alive=True)
    assert it.done == ["term"]
    it.phase.runtime_exited()
    assert it.done == ["term"]
    it.extension_exits()
    it.extension_exits()
    assert it.done == ["term", "over"]


@on_loop
async def test_who_does_not_hear_of_the_end_is_not_waited_for() -> None:
    """Without a subscription to SHUTDOWN it is over with the runtime."""
    it = Phase("INVOKE")
    it.phase.begin("spindown", runtime_is_alive=True)
    it.phase.runtime_exited()
    assert it.done == ["term", "over"]


@on_loop
async def test_a_runtime_that_is_gone_has_no_share(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a failure the extensions hear at once; one that stays is over at the limit."""
    monkeypatch.setattr(shutdown, "EXTERNAL_LIMIT_S", 0.02)
    it = Phase("SHUTDOWN")
    it.phase.begin("failure", runtime_is_alive=False)
    assert it.done == []
    await until(lambda: it.done == ["over"])


@on_loop
async def test_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    """A runtime that ignores SIGTERM is killed, and the extensions' turn comes; internal ones have its time."""
    monkeypatch.setattr(shutdown, "RUNTIME_LIMIT_S", 0.01)
    it = Phase("SHUTDOWN")
    it.phase.begin("timeout", runtime_is_alive=True)
    await until(lambda: it.done == ["term", "kill"])
    it.extension_exits()
    assert it.done == ["term", "kill", "over"]
    monkeypatch.setattr(shutdown, "INTERNAL_LIMIT_S", 0.01)
    inner = Phase("INVOKE", is_external=False)
    inner.phase.begin("spindown", runtime_is_alive=True)
    await until(lambda: inner.done == ["term", "over"])


@on_loop
async def test_closed_it_does_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment went first: no timer fires."""
    monkeypatch.setattr(shutdown, "EXTERNAL_LIMIT_S", 0.0)
    it = Phase("SHUTDOWN")
    it.phase.begin("spindown", runtime_is_alive=True)
    it.phase.close()
    await asyncio.sleep(0)
    await turns()
    assert it.done == ["term"]
