"""The pure parts of streams: lanes, batches, what becomes of a failed batch, windows, shapes of records."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambent.sources import dynamodb, kinesis
from lambent.sources.checkpoints import Checkpoint
from lambent.sources.stream_batch import LaneQueue, batch_end, choose_lane
from lambent.sources.stream_failures import Piece, decide, lowest_failed, split_by_age
from lambent.sources.stream_source import Position, PositionKind, StreamRecord
from lambent.sources.tumbling import Window, next_state, window_at, window_event

GOLDEN = Path(__file__).parents[5] / "shared" / "golden" / "events"


def records(count: int, size: int = 10) -> tuple[StreamRecord, ...]:
    """Records that arrived one each second."""
    return tuple(
        StreamRecord(n, str(n), f"k{n % 3}", float(n), b"x" * size) for n in range(1, count + 1)
    )


@given(st.text(), st.integers(1, 10))
def test_a_key_has_one_lane(key: str, factor: int) -> None:
    """A lane is within the factor, and the same whenever it is asked for."""
    assert 0 <= choose_lane(key, factor) < factor
    assert choose_lane(key, factor) == choose_lane(key, factor)


def test_lanes_are_the_same_in_every_process() -> None:
    """Checkpoints name lanes: the hash is pinned."""
    spread = {choose_lane(f"key-{n}", 10) for n in range(200)}
    assert spread == set(range(10))
    assert [choose_lane(key, 10) for key in ("a", "b", "c")] == LANES_OF_A_B_C


LANES_OF_A_B_C = [3, 3, 5]


@given(
    st.lists(st.integers(0, 50), max_size=60),
    st.integers(1, 10),
    st.integers(1, 120),
    st.lists(st.integers(1, 7), min_size=1),
)
def test_batches_keep_every_record_in_order(
    sizes: list[int], max_records: int, max_bytes: int, chunks: list[int]
) -> None:
    """However records arrive: all come out once, in order, within both limits unless one alone is larger."""
    there = [StreamRecord(n, str(n), "k", 0.0, b"x" * size) for n, size in enumerate(sizes)]
    taken: list[StreamRecord] = []
    queue, left = LaneQueue(), list(there)
    while left or len(queue):
        for chunk in chunks:
            if left[:chunk]:
                queue.add(left[:chunk], float(len(left)))
            left = left[chunk:]
        count, full = batch_end(queue, max_records, max_bytes)
        since_s = queue.since_s
        batch = queue.take(count)
        assert 1 <= len(batch) <= max_records
        weight = sum(len(each.record) + 1 for each in batch)
        assert weight <= max_bytes or len(batch) == 1
        assert full or not len(queue)
        assert not len(queue) or queue.since_s <= since_s
        taken += batch
    assert taken == there


@st.composite
def functions(draw: st.DrawFn) -> tuple[int, frozenset[int], bool, int | None, bool]:
    """(records, poison, bisects, max_retries, reports)."""
    count = draw(st.integers(1, 24))
    poison = draw(st.frozensets(st.integers(1, count)))
    return (
        count,
        poison,
        draw(st.booleans()),
        draw(st.integers(0, 4)),
        draw(st.booleans()),
    )


@given(functions())
def test_every_batch_ends_and_bisect_gives_up_the_poison_alone(
    case: tuple[int, frozenset[int], bool, int | None, bool],
) -> None:
    """Whatever fails: each record is done or given up once, in order; with bisect just the poison is given up."""
    count, poison, bisects, max_retries, reports = case
    pieces, done, given_up, attempts = [Piece(records(count))], [], [], 0
    while pieces:
        piece = pieces.pop(0)
        attempts += 1
        assert attempts < 500
        failed_at = next((n for n, r in enumerate(piece.records) if r.sequence in poison), None)
        if failed_at is not None and not reports:
            failed_at = 0
        decision = decide(
            replace(piece, invoked=piece.invoked + 1),
            failed_at,
            max_retries=max_retries,
            bisects=bisects,
        )
        done += [record.sequence for record in piece.records[: decision.done]]
        if decision.given_up is not None:
            assert decision.given_up.retries == max_retries
            given_up += [record.sequence for record in decision.given_up.records]
        pieces[:0] = decision.left
    assert sorted(done + given_up) == list(range(1, count + 1))
    assert done == sorted(done)
    assert given_up == sorted(given_up)
    if bisects:
        assert set(given_up) == poison


@given(st.integers(1, 12), st.floats(-1, 14))
def test_age_cuts_off_the_start(count: int, oldest_s: float) -> None:
    """What is older than the limit comes first; together they are the piece."""
    piece = Piece(records(count), invoked=2, retries=1)
    old, fresh = split_by_age(piece, oldest_s)
    parts = [part for part in (old, fresh) if part is not None]
    assert sum((part.records for part in parts), ()) == piece.records
    assert all((part.invoked, part.retries) == (2, 1) for part in parts)
    assert old is None or all(record.arrived_s < oldest_s for record in old.records)
    assert fresh is None or fresh.records[0].arrived_s >= oldest_s


def test_the_lowest_reported_record_counts() -> None:
    """In whichever order a function reports them."""
    there = records(5)
    assert lowest_failed(there, frozenset({"4", "2"})) == 1
    assert lowest_failed(there, frozenset()) is None
    assert lowest_failed(there, None) == 0


@given(st.integers(0, 2**31), st.integers(1, 900))
def test_windows_tile_time(second: int, length_s: int) -> None:
    """Each second is in one window, whose start is a multiple of its length."""
    window = window_at(float(second), length_s)
    assert window.start_s <= second < window.end_s
    assert window.start_s % length_s == 0


@pytest.mark.parametrize("answer", [b"", b"null", b"[]", b"nonsense", b"{}", b'{"state":null}'])
def test_no_state_is_an_empty_one(answer: bytes) -> None:
    """What a function that answers no state gets next."""
    assert next_state(Window(0, 60, b'{"a":1}'), answer).state == b"{}"


@given(
    st.sampled_from(PositionKind),
    st.text("0123456789", max_size=56),
    st.dictionaries(st.integers(0, 9), st.integers(0, 10**56)),
    st.booleans(),
)
def test_checkpoints_come_back_as_they_were(
    kind: PositionKind, value: str, marks: dict[int, int], finished: bool
) -> None:
    """Sequence numbers have 56 digits: none is lost."""
    checkpoint = Checkpoint(Position(kind, value), 10, marks, finished)
    assert Checkpoint.decode(checkpoint.encode()) == checkpoint


def golden(name: str) -> Any:
    """A recorded event."""
    path = GOLDEN / name
    if not path.exists():
        pytest.skip("the recorded events are not there")
    return json.loads(path.read_text())


def test_kinesis_records_are_as_recorded() -> None:
    """Made from what GetRecords would have said of it, a record is the recorded one, member for member."""
    for recorded in golden("kinesis-event.json")["Records"]:
        shown = recorded["kinesis"]
        made = kinesis.make_record(
            {
                "SequenceNumber": shown["sequenceNumber"],
                "PartitionKey": shown["partitionKey"],
                "Data": b"Hello World",
                "ApproximateArrivalTimestamp": datetime.fromtimestamp(
                    shown["approximateArrivalTimestamp"], UTC
                ),
            },
            recorded["eventID"].split(":")[0],
            recorded["eventSourceARN"],
            recorded["invokeIdentityArn"],
        )
        assert made == recorded


def test_dynamodb_records_are_as_recorded() -> None:
    """The same of DynamoDB's; who deleted an item for its age is told in the event's spelling."""
    for recorded in golden("dynamodb-event.json")["Records"]:
        shown = recorded | {
            "dynamodb": recorded["dynamodb"]
            | {"ApproximateCreationDateTime": datetime.fromtimestamp(1480642020, UTC)}
        }
        identity = recorded.get("userIdentity")
        if identity:
            shown["userIdentity"] = {
                "Type": identity["type"],
                "PrincipalId": identity["principalId"],
            }
        assert dynamodb.make_record(shown, recorded["eventSourceARN"]) == recorded


def test_window_events_have_the_recorded_members() -> None:
    """A tumbling window's event has AWS's members, no more and no fewer."""
    recorded = golden("kinesis-time-window-event.json")
    window = Window(1607497440, 120, b'{"1":"state 1","2":"state 2"}')
    record = StreamRecord(1, "1", "1", 0.0, json.dumps(recorded["Records"][0]).encode())
    made = window_event(Piece((record,)), window, recorded["shardId"], recorded["eventSourceARN"])
    assert json.loads(made) == recorded
