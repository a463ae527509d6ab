"""Which stem cells wait, for how long, and what becomes of those that die: with cells that are nothing."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from lambent.node.nodejs.waiting import can_wait
from lambent.node.sandbox.contract import SandboxError
from lambent.node.sandbox.made_ahead import MadeAhead
from lambent.node.sandbox.stem_cells import StemCells
from lambent.node.sandbox.stem_cells_loaded import loaded_kind
from lambent.testing.loop import on_loop, turns, until


class Cell:
    """Knows whether it was discarded, and how often."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.discarded = 0
        self.exited: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def own_bytes(self) -> int:
        """Less than any."""
        return 0

    def discard(self) -> None:
        """Ends it."""
        self.discarded += 1
        if not self.exited.done():
            self.exited.set_result(None)


class Maker:
    """Makes them, or fails where told to."""

    def __init__(self) -> None:
        self.made: list[Cell] = []
        self.fails: Exception | None = None

    async def __call__(self, kind: str) -> Any:
        """One more."""
        await asyncio.sleep(0)
        if self.fails:
            raise self.fails
        self.made.append(Cell(kind))
        return self.made[-1]


def cells_of(make: Callable[[str], Any], count: int = 1, **settings: Any) -> Any:
    """The shelves, of kinds that are their own keys."""
    return StemCells(make, lambda kind: kind, count, **settings)


@on_loop
async def test_a_kind_is_made_when_it_was_asked_for_and_handed_out_once() -> None:
    """The first of a kind finds none; every one that waits is given to one alone."""
    make = Maker()
    cells = cells_of(make, 2)
    assert cells.take("a") is None
    await until(lambda: cells.count() == 2)
    taken = [cells.take("a") for _ in range(3)]
    assert taken == [*make.made, None]
    assert cells.take("b") is None
    cells.close()


@on_loop
async def test_one_that_died_is_discarded_once_and_replaced() -> None:
    """It does not wait to be asked for; nothing is given back twice, also where its kind is forgotten."""
    make = Maker()
    cells = cells_of(make)
    cells.take("a")
    await until(lambda: cells.count() == 1)
    dead = make.made[0]
    dead.exited.set_result(None)
    await until(lambda: cells.count() == 0)
    await until(lambda: cells.count() == 1)
    assert cells.take("a") is make.made[1]
    await until(lambda: cells.count() == 1)
    cells.forget("a")
    cells.close()
    await turns()
    assert [cell.discarded for cell in make.made] == [1, 0, 1]


@on_loop
async def test_a_kind_nobody_asks_for_has_none_any_more() -> None:
    """After ``keep_s`` its cells go; that of a kind in use stays."""
    make = Maker()
    cells = cells_of(make, keep_s=0.4)
    cells.take("old")
    cells.take("new")
    await until(lambda: cells.count() == 2)
    kept = cells.take("new")
    await until(lambda: cells.count() == 2)  # asked for later than the old one by now
    await until(lambda: "old" not in cells._kinds)
    assert [cell.kind for cell in make.made if cell.discarded] == ["old"]
    await until(lambda: not cells._kinds)
    assert [cell for cell in make.made if not cell.discarded] == [kept]
    cells.close()


@on_loop
async def test_there_are_only_so_many_kinds() -> None:
    """The one that was asked for longest ago makes room."""
    make = Maker()
    cells = cells_of(make, most_kinds=2)
    for kind in ("a", "b", "a", "c"):
        cells.take(kind)
    await until(lambda: cells.count() == 2)
    assert sorted(cell.kind for cell in make.made) == ["a", "c"]
    cells.close()
    assert all(cell.discarded == 1 for cell in make.made)


@pytest.mark.parametrize("failure", [SandboxError("no"), OSError("no descriptor is free")])
@on_loop
async def test_what_cannot_be_made_keeps_nobody_waiting(failure: Exception) -> None:
    """Asked for, there is none; it is tried again at the next asking, not for ever."""
    make = Maker()
    make.fails = failure
    cells = cells_of(make)
    cells.take("a")
    await until(lambda: cells._growing is not None and cells._growing.done())
    make.fails = None
    await turns()
    assert (cells.count(), make.made) == (0, [])
    assert cells.take("a") is None
    await until(lambda: cells.count() == 1)
    cells.close()


@on_loop
async def test_a_kind_that_comes_into_use_while_others_are_made_is_made_too() -> None:
    """However long that takes, and whatever the others do."""
    gate, make = asyncio.Event(), Maker()

    async def slow(kind: str) -> Any:
        await gate.wait()
        return await make(kind)

    cells = cells_of(slow)
    cells.take("a")
    await until(lambda: "a" in cells._shelves)
    cells.take("b")
    await until(lambda: cells._timer is None)
    gate.set()
    await until(lambda: cells.count() == 2)
    cells.close()


@on_loop
async def test_what_was_being_made_for_a_forgotten_kind_is_given_back() -> None:
    """Its zygote is gone: another one is made instead. Closed, there are none and none come."""
    gate, make = asyncio.Event(), Maker()

    async def slow(kind: str) -> Any:
        await gate.wait()
        return await make(kind)

    cells = cells_of(slow)
    cells.take("a")
    await until(lambda: "a" in cells._shelves)
    cells.forget("a")
    gate.set()
    await until(lambda: cells.count() == 1)
    assert [cell.discarded for cell in make.made] == [1, 0]
    cells.close()
    assert cells.take("a") is None
    assert [cell.discarded for cell in make.made] == [1, 1]


@on_loop
async def test_a_kind_that_is_no_more_is_dropped() -> None:
    """What waits of it goes, none is made of it, and it stands in nobody's way."""
    make = Maker()
    cells = cells_of(make)
    cells.take("a")
    await until(lambda: cells.count() == 1)
    cells.drop("a")
    cells.drop("never there")
    assert cells.uses() == []
    assert [cell.discarded for cell in make.made] == [1]
    cells.take("b")
    await until(lambda: cells.count() == 1)
    assert [cell.kind for cell in make.made] == ["a", "b"]
    cells.close()


@on_loop
async def test_as_many_wait_as_were_wanted_at_once_while_memory_allows() -> None:
    """Two until it is said what there is to spare; then as many as there were starts; none when it is short."""
    make, ahead = Maker(), MadeAhead()
    cells = cells_of(make, 2, most=10, ahead=ahead)
    for _ in range(12):
        cells.take("a")
    await until(lambda: cells.count() == 2)
    ahead.allow(3 * 3_800_000, 1 << 40)
    await until(lambda: cells.count() == 5)
    ahead.allow(1 << 40, 1 << 40)
    await until(lambda: cells.count() == 10)
    assert ahead.give_back(1 << 40) == 10 * 3_800_000
    await turns()
    assert cells.count() == 0
    ahead.allow(0, 3_800_000)
    await until(lambda: cells.count() == 1)
    cells.close()


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ([], True),
        (["TABLE", "NODE_ENV", "AWS_NODEJS_CONNECTION_REUSE_ENABLED"], True),
        (["NODE_OPTIONS"], False),
        (["TABLE", "AWS_LAMBDA_EXEC_WRAPPER"], False),
        (["UV_THREADPOOL_SIZE"], False),
        (["LC_ALL"], False),
        (["SSL_CERT_FILE"], False),
        (["AWS_LAMBDA_NODEJS_NO_GLOBAL_AWSLAMBDA"], False),
    ],
)
def test_variables_that_only_work_at_the_start_make_it_start(
    names: list[str], expected: bool
) -> None:
    """A process that was started without them cannot become that function."""
    assert can_wait(names) is expected


def test_a_kind_is_what_was_decided_at_the_start() -> None:
    """Another command or another constant variable is another kind; the order of things is none."""
    interpreter: Any = type("Interpreter", (), {"version": "3.11"})()
    rest: dict[str, Any] = {"entry": {"command": ["x", "-m=1"]}, "environ": {"A": "1", "B": "2"}}
    same = {"environ": {"B": "2", "A": "1"}, "entry": {"command": ["x", "-m=1"]}}
    key = loaded_kind(interpreter, rest).key
    assert loaded_kind(interpreter, same).key == key
    for other in ({"entry": {"command": ["x", "-m=2"]}}, {"environ": {"A": "1"}}):
        assert loaded_kind(interpreter, rest | other).key != key
