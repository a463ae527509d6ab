"""Batches, partial answers, scaling: the pure decisions of event sources."""

import json
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambent.sources.batch import Packer, choose_trace, join_batches, make_event
from lambent.sources.failures import reported_failures, split_failed
from lambent.sources.scaling import GROWTH_PER_S, MAX, START, Scaling

KNOWN = ("a", "b", "c")


@dataclass(frozen=True)
class Record:
    """A record as batches see it."""

    record: bytes
    message_id: str = ""
    group_id: str = ""


@given(st.lists(st.lists(st.integers(0, 60))), st.integers(1, 8), st.integers(20, 100))
def test_batches_lose_nothing_and_stay_within_limits(
    arrivals: list[list[int]], max_records: int, max_bytes: int
) -> None:
    """Every record comes out once and in order; no batch has too many, or is too large unless of one."""
    packer: Packer[Record] = Packer(max_records, max_bytes)
    batches = []
    for sizes in arrivals:
        batches += packer.add(Record(b"1" * size) for size in sizes)
        assert packer.waiting < max_records
    last = packer.take()
    batches += [last] if last else []
    assert [len(each.record) for batch in batches for each in batch] == sum(arrivals, [])  # noqa: RUF017
    for batch in batches:
        assert 1 <= len(batch) <= max_records
        assert len(batch) == 1 or len(make_event(batch)) <= max_bytes


@given(st.lists(st.lists(st.integers(1, 4), min_size=1)), st.integers(4, 10), st.integers(1, 4))
def test_joined_batches_are_few_enough(lots: list[list[int]], max_records: int, most: int) -> None:
    """Batches are joined whole, within the limit, only where they must be; n lots that fit become at most n."""
    lots = [lot for lot in lots if sum(lot) <= max_records]
    names = iter(range(10_000))
    batches = [
        [Record(b"1", group_id=group, message_id=str(number)) for number in range(size)]
        for group, size in ((str(next(names)), size) for lot in lots for size in lot)
    ]
    joined = join_batches(batches, most, max_records)
    if len(batches) <= most:
        assert joined == batches
    else:
        assert len(joined) <= len(lots)
    assert all(1 <= len(batch) <= max_records for batch in joined)
    for batch in batches:
        (home,) = (each for each in joined if batch[0] in each)
        start = home.index(batch[0])
        assert home[start : start + len(batch)] == batch
    assert sum(map(len, joined)) == sum(map(len, batches))


def test_joined_batches_stay_within_the_size_of_an_event() -> None:
    """What would be too large together stays apart."""
    big, small = Record(b"1" * 40), Record(b"2" * 10)
    joined = join_batches([[big], [big], [small]], 1, 10, 80)
    assert joined == [[big, small], [big]]
    assert all(len(make_event(batch)) <= 80 for batch in joined)


def test_an_event_is_json() -> None:
    """Records stand in one list."""
    assert json.loads(make_event([Record(b'{"a":1}'), Record(b"2")])) == {"Records": [{"a": 1}, 2]}


def test_the_trace_of_a_loop_is_chosen() -> None:
    """Of several traces the one that came back most often goes on; without any there is none."""
    first, second = "Root=1;Lineage=3:01bc76f7:1", "Root=2;Lineage=9:01bc76f7:12"
    assert choose_trace([None, "Root=3", first, second]) == second
    assert choose_trace(["Root=3", None]) == "Root=3"
    assert choose_trace([None, None]) is None


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"null",
        b"{}",
        b'{"batchItemFailures": null}',
        b'{"batchItemFailures": []}',
        b'{"x": 1}',
    ],
)
def test_answers_by_which_all_succeeded(answer: bytes) -> None:
    """AWS: empty or null answers and lists are success."""
    assert reported_failures(answer, KNOWN) == frozenset()


@pytest.mark.parametrize(
    "answer",
    [
        b"{",
        b'"fine"',
        b"[]",
        b"7",
        b'{"batchItemFailures": "a"}',
        b'{"batchItemFailures": ["a"]}',
        b'{"batchItemFailures": [{"itemIdentifier": ""}]}',
        b'{"batchItemFailures": [{"itemIdentifier": null}]}',
        b'{"batchItemFailures": [{"itemIdentifier": 1}]}',
        b'{"batchItemFailures": [{"identifier": "a"}]}',
        b'{"batchItemFailures": [{"itemIdentifier": "a"}, {"itemIdentifier": "zzz"}]}',
        b"[" * 100_000,
    ],
)
def test_answers_by_which_all_failed(answer: bytes) -> None:
    """AWS: what is malformed, or names what was not in the batch, fails all of it."""
    assert reported_failures(answer, KNOWN) is None


@given(st.binary(max_size=200))
def test_any_answer_is_understood(answer: bytes) -> None:
    """No bytes make it raise."""
    found = reported_failures(answer, KNOWN)
    assert found is None or found <= set(KNOWN)


@given(st.lists(st.sampled_from("xyz")), st.sets(st.integers(0, 20)), st.booleans())
def test_a_split_keeps_order(groups: list[str], failing: set[int], ordered: bool) -> None:
    """Nothing is lost; what is done was not reported, and in order nothing behind a failure of its group."""
    batch = [Record(b"", str(number), group) for number, group in enumerate(groups)]
    done, left = split_failed(batch, {str(number) for number in failing}, ordered=ordered)
    assert sorted(done + left, key=lambda each: int(each.message_id)) == batch
    assert not {int(each.message_id) for each in done} & failing
    if not ordered:
        assert all(int(each.message_id) in failing for each in left)
    for each in left if ordered else ():
        behind = [one for one in done if one.group_id == each.group_id]
        assert all(int(one.message_id) < int(each.message_id) for one in behind)


def test_scaling_grows_with_the_backlog_alone() -> None:
    """Five at first, 300 more for each minute of backlog, 1,250 at most; idleness counts for nothing."""
    scaling = Scaling(0.0)
    assert scaling.limit == START
    scaling.grow(1000.0, backlog=True)
    assert scaling.limit == START
    scaling.grow(1060.0, backlog=True)
    assert scaling.limit == START + 300
    scaling.grow(2000.0, backlog=False)
    assert scaling.limit == START + 300
    scaling.grow(2001.0, backlog=True)
    scaling.grow(9000.0, backlog=True)
    assert scaling.limit == MAX
    scaling.rest(9001.0)
    assert scaling.limit == START


@given(
    st.lists(
        st.tuples(st.sampled_from(["grow", "rest", "failed", "throttled"]), st.floats(0, 100))
    ),
    st.none() | st.integers(2, 1000),
)
def test_scaling_stays_within_bounds(steps: list[tuple[str, float]], maximum: int | None) -> None:
    """Whatever happens at least one batch may run, never more than MaximumConcurrency or 1,250."""
    now_s, scaling = 0.0, Scaling(0.0, maximum)
    for step, passed_s in steps:
        now_s += passed_s
        before = scaling.limit
        if step == "grow":
            scaling.grow(now_s, backlog=True)
            assert scaling.limit >= before
        elif step == "rest":
            scaling.rest(now_s)
        elif step == "failed":
            scaling.failed()
        else:
            scaling.throttled()
        assert 1 <= scaling.limit <= (maximum or MAX)
    assert GROWTH_PER_S * 60 == 300
