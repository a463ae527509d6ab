"""Which versions are kept initialised, and how often each is."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from lambent.model.errors import PlatformFault
from lambent.model.invocation import EnvironmentSpec
from lambent.node.sandbox.contract import ExitStatus, Sandbox, SandboxError, Template
from lambent.node.snapshot import Snapshot, SnapshotError
from lambent.node.snapshots import Snapshots
from lambent.testing.node import make_spec


@dataclass(eq=False)
class FakeTemplate:
    """Ends when it is retired."""

    exited: "asyncio.Future[ExitStatus]"
    is_retired: bool = False

    def own_bytes(self) -> int:
        return 30 << 20

    def retire(self) -> None:
        self.is_retired = True
        if not self.exited.done():
            self.exited.set_result(ExitStatus(signal=9))


@dataclass(eq=False)
class FakeSnapshot:
    """What the registry asks of one."""

    spec: EnvironmentSpec
    template: FakeTemplate
    used_s: float = 0.0
    forks: int = 0
    init_s: float = 0.5

    @property
    def is_live(self) -> bool:
        return not self.template.is_retired

    def use(self, _: Sandbox) -> None:
        self.forks += 1


@dataclass
class Host:
    """Begins snapshots, one after the other, and restores from them."""

    begun: list[FakeSnapshot] = field(default_factory=list)
    restored: list[Template] = field(default_factory=list)
    prepared: list[Template] = field(default_factory=list)
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    forking: asyncio.Event = field(default_factory=asyncio.Event)
    failure: Exception | None = None

    def __post_init__(self) -> None:
        self.forking.set()

    async def begin(self, _: Any, spec: EnvironmentSpec) -> Snapshot:
        future: asyncio.Future[ExitStatus] = asyncio.get_running_loop().create_future()
        made = FakeSnapshot(spec, FakeTemplate(future), used_s=len(self.begun))
        self.begun.append(made)
        await self.gate.wait()
        if self.failure is not None:
            raise self.failure
        return cast("Snapshot", made)

    async def start_template(self, launch: Any) -> Template:
        raise NotImplementedError

    async def restore(self, template: Template, environ: Mapping[str, str]) -> Sandbox:
        await self.forking.wait()
        self.restored.append(template)
        return cast("Sandbox", object())

    def prepare(self, template: Template) -> None:
        self.prepared.append(template)


def registry(host: Host, most: int = 8) -> Snapshots:
    return Snapshots(host, host.begin, most)


def test_however_many_ask_a_version_is_initialised_once() -> None:
    """At the same time, and later; each environment is restored from that one."""

    async def run() -> None:
        host = Host()
        snapshots = registry(host)
        asked = [asyncio.ensure_future(snapshots.restore(make_spec(), {})) for _ in range(5)]
        await asyncio.sleep(0)
        host.gate.set()
        await asyncio.gather(*asked)
        await snapshots.restore(make_spec(), {})
        assert len(host.begun) == 1
        assert len(host.restored) == 6
        assert len(host.prepared) == 1

    asyncio.run(run())


def test_one_whose_template_died_is_initialised_again() -> None:
    """The next environment gets a new one."""

    async def run() -> None:
        host = Host()
        host.gate.set()
        snapshots = registry(host)
        await snapshots.restore(make_spec(), {})
        host.begun[0].template.retire()
        await snapshots.restore(make_spec(), {})
        assert [id(t) for t in host.restored] == [id(made.template) for made in host.begun]
        assert snapshots.count() == 1

    asyncio.run(run())


def test_a_failure_is_told_to_all_and_tried_again_by_the_next() -> None:
    """The function's own to who makes a version, the host's to who wants an environment."""

    async def run() -> None:
        host = Host(failure=SnapshotError(cast("Any", type("F", (), {"message": "no"})())))
        host.gate.set()
        snapshots = registry(host)
        with pytest.raises(SnapshotError):
            await snapshots.make(make_spec())
        with pytest.raises(SandboxError, match="made again"):
            await snapshots.restore(make_spec(), {})
        host.failure = None
        await snapshots.make(make_spec())
        assert len(host.begun) == 3

    asyncio.run(run())


def test_a_version_that_is_no_more_has_none() -> None:
    """Retired when it is there, and as soon as it is when it is on its way."""

    async def run() -> None:
        host = Host()
        snapshots = registry(host)
        on_its_way = asyncio.ensure_future(snapshots.make(make_spec("a")))
        await asyncio.sleep(0)
        snapshots.retire(lambda _: False)
        host.gate.set()
        await on_its_way
        await snapshots.make(make_spec("b"))
        snapshots.retire(lambda spec: spec.function_name != "b")
        assert [made.is_live for made in host.begun] == [False, False]
        assert snapshots.count() == 0

    asyncio.run(run())


def test_room_is_made_by_what_was_not_used_for_longest() -> None:
    """Not by what environments live of."""

    async def run() -> None:
        host = Host()
        host.gate.set()
        snapshots = registry(host, most=2)
        await snapshots.restore(make_spec("used"), {})
        await snapshots.make(make_spec("idle"))
        await snapshots.make(make_spec("new"))
        live = {made.spec.function_name for made in host.begun if made.is_live}
        assert live == {"used", "new"}

    asyncio.run(run())


def test_closing_ends_what_is_there_and_what_is_on_its_way() -> None:
    """Nobody waits for a template that never comes."""

    async def run() -> None:
        host = Host()
        snapshots = registry(host)
        host.gate.set()
        await snapshots.make(make_spec("a"))
        host.gate.clear()
        waiting = asyncio.ensure_future(snapshots.make(make_spec("b")))
        await asyncio.sleep(0)
        await snapshots.close()
        await asyncio.wait([waiting], timeout=1)
        assert waiting.cancelled()
        assert not host.begun[0].is_live

    asyncio.run(run())


def test_one_can_be_given_up() -> None:
    """Not while one is forked of it; the next environment has it made again."""

    async def run() -> None:
        host = Host()
        snapshots = registry(host)
        on_its_way = asyncio.ensure_future(snapshots.make(make_spec(memory_mib=256)))
        await asyncio.sleep(0)
        (state,) = snapshots.states().values()
        assert (state.is_made, state.is_used, state.held_bytes) == (False, True, 256 << 20)
        host.gate.set()
        await on_its_way
        key = make_spec().key
        assert snapshots.states()[key].held_bytes == 30 << 20
        host.forking.clear()
        restoring = asyncio.ensure_future(snapshots.restore(make_spec(), {}))
        await asyncio.sleep(0)
        snapshots.give_up(key)
        assert host.begun[0].is_live
        host.forking.set()
        await restoring
        snapshots.give_up(key)
        assert not host.begun[0].is_live
        assert snapshots.states() == {}
        await snapshots.restore(make_spec(), {})
        assert [made.is_live for made in host.begun] == [False, True]

    asyncio.run(run())


def test_what_is_published_without_memory_for_it_is_refused() -> None:
    """Nothing is begun; a version that is initialised already needs no more."""

    async def run() -> None:
        host = Host()
        host.gate.set()
        snapshots = registry(host)
        await snapshots.make(make_spec("there"))
        snapshots.has_room = lambda _, more_mib: more_mib == 0
        await snapshots.make(make_spec("there"))
        with pytest.raises(PlatformFault, match="--max-memory"):
            await snapshots.make(make_spec("another"))
        assert len(host.begun) == 1
        await snapshots.restore(make_spec("another"), {})
        snapshots.has_room = lambda *_: False
        await snapshots.restore(make_spec("another"), {})
        with pytest.raises(PlatformFault, match="--max-memory"):  # it left no memory for its fork
            await snapshots.restore(make_spec("third"), {})
        assert len(host.restored) == 2

    asyncio.run(run())
