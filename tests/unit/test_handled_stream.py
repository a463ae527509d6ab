"""The account of a stream: each kind of broken promise is found, and a clean run has none."""

from dataclasses import replace

import pytest
from benchmarks.handled_stream import Attempt, StreamAccount
from benchmarks.kinesis_server import KinesisServer, index_of, sequence_number


def rows(*attempts: tuple[int, str, str]) -> list[Attempt]:
    """Of (when, names separated by blanks, outcome)."""
    return [
        Attempt(at, index, name, outcome)
        for at, names, outcome in attempts
        for index, name in enumerate(names.split())
    ]


CLEAN = StreamAccount(
    2,
    ["a-0", "a-1!", "a-2", "b-0"],
    rows((1, "a-0", "ok"), (2, "a-1!", "poison"), (3, "a-1!", "poison"), (4, "a-2", "ok"))
    + rows((2, "b-0", "ok"), (9, "b-0", "ok")),
    ["a-1!"],
    [5],
)


def test_a_clean_account_has_no_faults() -> None:
    """Handled or given up after its attempts; one came again, after the kill."""
    assert CLEAN.faults() == []
    assert CLEAN.duplicates() == (1, 0)
    assert replace(CLEAN, kills_ns=[]).duplicates() == (0, 1)
    assert "4 records, 3 handled, 1 poison given up" in CLEAN.report()


@pytest.mark.parametrize(
    ("broken", "fault"),
    [
        (replace(CLEAN, names=[*CLEAN.names, "c-0"]), "lost c-0"),
        (replace(CLEAN, given_up=[]), "a-1! is poison and was not given up"),
        (replace(CLEAN, given_up=["a-1!", "a-1!"]), "a-1! was given up 2 times"),
        (replace(CLEAN, attempts_each=3), "a-1! was given up after 2 failed attempts of 3"),
        (
            replace(CLEAN, attempts=[*CLEAN.attempts, Attempt(2, 0, "a-2", "ok")]),
            "a-2 was handled before what is in front of it was done with",
        ),
    ],
)
def test_every_broken_promise_is_found(broken: StreamAccount, fault: str) -> None:
    """Lost, not given up, given up twice or too early, out of order."""
    assert fault in broken.faults()


def test_the_stream_is_read_from_where_an_iterator_says() -> None:
    """At and after a sequence number, from the start, behind the end; as Kinesis writes it."""
    stream = KinesisServer("s", 1)
    (shard,) = stream.shards.values()
    for text in ("x", "y", "z"):
        shard.put("k", text.encode())
    place = {"ShardId": shard.shard_id, "StartingSequenceNumber": sequence_number(1)}
    read = {}
    for kind in ("TRIM_HORIZON", "AT_SEQUENCE_NUMBER", "AFTER_SEQUENCE_NUMBER", "LATEST"):
        given = place | {"ShardIteratorType": kind}
        _, made = stream.answer("GetShardIterator", given)
        _, answer = stream.answer("GetRecords", {"ShardIterator": made["ShardIterator"]})
        read[kind] = [index_of(record["SequenceNumber"]) for record in answer["Records"]]
    assert list(read.values()) == [[0, 1, 2], [1, 2], [2], []]
    stream._server.server_close()
