"""Batches that wait: what of a queue may run next, whatever arrives, ends and fails in between."""

from collections import defaultdict
from itertools import groupby

from hypothesis import given
from hypothesis import strategies as st

from lambent.sources.queue_contract import QueueMessage
from lambent.sources.ready import ReadyBatches

SIZE = 4


def message(group: str | None, number: int) -> QueueMessage:
    """A message of a group."""
    return QueueMessage(f"{group}{number}", "", group, b"{}", None, 0.0)


@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("arrive"), st.text("abc", min_size=1, max_size=SIZE)),
            st.tuples(st.just("join"), st.integers(-1, 3)),
            st.tuples(st.just("take"), st.none()),
            st.tuples(st.just("end"), st.booleans()),
        ),
        max_size=40,
    )
)
def test_groups_run_in_order_one_at_a_time(steps: list[tuple[str, object]]) -> None:
    """No group runs twice at once, none overtakes itself, no batch is too large, no message is lost or doubled."""
    ready = ReadyBatches(SIZE, fifo=True)
    arrived: dict[str, list[QueueMessage]] = defaultdict(list)
    running: list[list[QueueMessage]] = []
    numbers = iter(range(1_000))
    for step, given_ in steps:
        if step == "arrive":
            for group, its in groupby(sorted(str(given_))):
                batch = [message(group, next(numbers)) for _ in its]
                arrived[group] += batch
                ready.add([batch])
        elif step == "join":
            ready.join(lambda given_=given_: given_)  # type: ignore[misc]
        elif step == "take" and (taken := ready.take()) is not None:
            assert 1 <= len(taken) <= SIZE
            groups = {each.group_id for each in taken}
            assert all(groups.isdisjoint(each.group_id for each in batch) for batch in running)
            for each in taken:
                assert arrived[str(each.group_id)].pop(0) is each
            running.append(taken)
        elif step == "end" and running:
            ended = running.pop(0)
            ready.ended(ended)
            if given_:
                ready.stop_groups(ended)
                for each in ended:
                    arrived[str(each.group_id)].clear()
    left = ready.clear()
    assert sorted(each.message_id for each in left) == sorted(
        each.message_id for its in arrived.values() for each in its
    )
    assert len(ready) == 0


def test_a_standard_queue_has_no_groups() -> None:
    """What came first runs first, however much runs already; nothing is joined, nothing is dropped."""
    ready = ReadyBatches(SIZE, fifo=False)
    first, second, third = ([message(None, number)] for number in range(3))
    ready.add([first, second, third])
    ready.join(lambda: 1)
    assert ready.take() == first
    ready.stop_groups(first)
    assert (ready.take(), ready.take(), ready.take()) == (second, third, None)


def test_groups_share_a_batch_only_without_room() -> None:
    """With room for both each runs alone; without, they are one batch, and both are blocked until it ends."""
    for room, expected in ((2, [["a0"], ["b0"]]), (1, [["a0", "b0"]])):
        ready = ReadyBatches(SIZE, fifo=True)
        ready.add([[message("a", 0)], [message("b", 0)], [message("a", 1)]])
        ready.join(lambda room=room: room)  # type: ignore[misc]
        taken = []
        while (batch := ready.take()) is not None:
            taken.append(batch)
        assert [[each.message_id for each in batch] for batch in taken] == expected
        ready.ended(taken[0])
        assert [each.message_id for each in ready.take() or ()] == ["a1"]
