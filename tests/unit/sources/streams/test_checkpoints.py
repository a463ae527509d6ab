"""Checkpoints: what a restart, another factor, a full disk and a mapping that is gone leave of them."""

import asyncio
from pathlib import Path

from lambent.model.errors import ClientFault
from lambent.sources.checkpoints import Checkpoint, Checkpoints, Opened, Sending, sweep
from lambent.sources.stream_source import TRIM_HORIZON, Position, PositionKind
from lambent.sources.tumbling import Window
from lambent.store.queues.contract import StoreFullError
from lambent.store.queues.sqlite import SqliteQueueStore
from lambent.testing.loop import on_loop
from lambent.testing.queue_store import FakeQueueStore
from lambent.testing.stream_bench import DESTINATION_ARN, FakeOutlet, StreamBench
from lambent.testing.streams import FakeFunctions, FakeStream
from lambent.testing.virtual_time import in_virtual_time

AT_SEVEN = Checkpoint(Position(PositionKind.AT_SEQUENCE_NUMBER, "7"), 4, {2: 9})


@on_loop
async def test_what_is_saved_is_there_after_a_restart(tmp_path: Path) -> None:
    """On disk: checkpoints and windows as they were saved, and nothing of other mappings."""
    store = SqliteQueueStore(tmp_path / "queues.db")
    await store.open()
    saved = Checkpoints("one", store, FakeOutlet())
    assert await saved.load() is None
    fresh = {"s1": Checkpoint(TRIM_HORIZON), "s2": Checkpoint(TRIM_HORIZON)}
    await saved.open(Opened("stream", fresh))
    await Checkpoints("one-more", store, FakeOutlet()).open(Opened("", {"s3": AT_SEVEN}))
    window = Window(60, 60, b'{"a":"\xc3\xa4"}')
    await saved.save("s1", AT_SEVEN, {0: window, 1: None})
    await store.close()
    store = SqliteQueueStore(tmp_path / "queues.db")
    await store.open()
    again = Checkpoints("one", store, FakeOutlet())
    assert await again.load() == Opened("stream", {"s1": AT_SEVEN, "s2": Checkpoint(TRIM_HORIZON)})
    assert await again.windows("s1") == {0: window}
    await again.save("s1", AT_SEVEN, {0: None})
    assert await again.windows("s1") == {}
    await again.forget_shards(["s2"])
    assert await again.load() == Opened("stream", {"s1": AT_SEVEN})
    await store.close()


@on_loop
async def test_a_sweep_takes_what_is_left_of_mappings_that_are_gone() -> None:
    """Only theirs: checkpoints, windows, and that they were opened."""
    store = FakeQueueStore()
    for uuid in ("gone", "there"):
        checkpoints = Checkpoints(uuid, store, FakeOutlet())
        await checkpoints.open(Opened("", {"s1": AT_SEVEN}))
        await checkpoints.save("s1", AT_SEVEN, {0: Window(0, 60)})
    assert await sweep(store, {"there"}) == 3
    assert await Checkpoints("gone", store, FakeOutlet()).load() is None
    there = Checkpoints("there", store, FakeOutlet())
    assert await there.load() == Opened("", {"s1": AT_SEVEN})
    assert await there.windows("s1") == {0: Window(0, 60)}
    assert await sweep(store, {"there"}) == 0


@on_loop
async def test_a_refusing_destination_does_not_undo_the_checkpoint() -> None:
    """The batch is gone, as on AWS, and the refusal is told."""
    outlet = FakeOutlet(refusal=ClientFault("AccessDenied", "no"))
    checkpoints = Checkpoints("one", FakeQueueStore(), outlet)
    await checkpoints.open(Opened("", {}))
    sending = Sending(DESTINATION_ARN, None, 0)  # type: ignore[arg-type]
    assert await checkpoints.save("s1", AT_SEVEN, {}, sending) is outlet.refusal
    assert await checkpoints.load() == Opened("", {"s1": AT_SEVEN})


@in_virtual_time
async def test_another_factor_goes_on_at_the_lowest_unfinished_record() -> None:
    """A mapping whose ParallelizationFactor was changed loses nothing."""
    stream = FakeStream()
    for number in range(40):
        stream.put(f"k{number % 8}", str(number))
    hang = asyncio.Event()

    async def handle(event: dict[str, object]) -> None:
        if "'k0'" in str(event):
            await hang.wait()

    bench = StreamBench(stream, FakeFunctions(handle), BatchSize=1, ParallelizationFactor=8)
    bench.start()
    await asyncio.sleep(5)
    await bench.stop(0)
    bench.settings["ParallelizationFactor"] = 3
    hang.set()
    bench.start()
    await asyncio.sleep(10)
    await bench.stop()
    seen = [batch[0] for batch in bench.functions.batches]
    assert all(seen.count(f"k{number}") >= 5 for number in range(8))


@in_virtual_time
async def test_a_batch_does_not_begin_before_the_checkpoint_of_the_one_before() -> None:
    """While the disk is full nothing goes on, and nothing is handled twice once it is not."""
    stream = FakeStream()
    for key in "abc":
        stream.put(key)

    class Store(FakeQueueStore):
        refuses = False

        async def run(self, work):  # type: ignore[no-untyped-def]
            if self.refuses:
                raise StoreFullError
            return await super().run(work)

    store = Store()

    def handle(event: dict[str, object]) -> None:
        store.refuses = "'a'" in str(event)

    bench = StreamBench(stream, FakeFunctions(handle), store=store, BatchSize=1)
    bench.start()
    await asyncio.sleep(100)
    assert bench.functions.batches == [["a"]]
    assert "checkpoint" in bench.results[-1]
    store.refuses = False
    await asyncio.sleep(100)
    await bench.stop()
    assert bench.functions.batches == [["a"], ["b"], ["c"]]


@in_virtual_time
async def test_shards_that_expired_are_forgotten() -> None:
    """The checkpoints of a stream do not grow with every shard it ever had."""
    stream = FakeStream()
    bench = StreamBench(stream, FakeFunctions())
    bench.start()
    for _ in range(5):
        await asyncio.sleep(10)
        stream.split(0)
        del stream.shards[next(iter(stream.shards))]
    await asyncio.sleep(200)
    await bench.stop()
    checkpoints = Checkpoints(bench.mapping().uuid, bench.store, bench.outlet)
    opened = await checkpoints.load()
    assert opened is not None
    assert opened.checkpoints.keys() <= stream.shards.keys()


@in_virtual_time
async def test_a_stream_made_again_under_its_name_is_read_from_its_start() -> None:
    """Sequence numbers of the old one mean nothing in it, whether it was made again before or after a restart."""
    stream = FakeStream()
    bench = StreamBench(stream, FakeFunctions())
    for key in "abc":
        stream.put(key)
    bench.start()
    await asyncio.sleep(5)
    stream.make_again()
    stream.put("d")
    await asyncio.sleep(100)
    assert bench.functions.batches == [["a", "b", "c"], ["d"]]
    await bench.stop()
    stream.make_again()
    stream.put("e")
    bench.start()
    await asyncio.sleep(5)
    await bench.stop()
    assert bench.functions.batches[2:] == [["e"]]
