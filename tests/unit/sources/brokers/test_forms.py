"""Messages of Kafka and RabbitMQ as functions get them, and what functions say of them."""

import base64
import json
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lambent.patterns.records import KAFKA, MQ, compile_filters
from lambent.sources.kafka.contract import KafkaMessage
from lambent.sources.kafka.form import KafkaForm, make_record, stream_record
from lambent.sources.rabbitmq import form as rabbit
from lambent.sources.rabbitmq.contract import RabbitMessage, RabbitProperties
from lambent.sources.stream_failures import Piece
from lambent.sources.stream_settings import StreamSettings
from lambent.sources.stream_source import TRIM_HORIZON

GOLDEN = Path(__file__).parents[5] / "shared" / "golden" / "events"
ARN = "arn:aws:kafka:us-west-2:012345678901:cluster/ExampleMSKCluster/e9f754c6-d29a-4430-a7db-958a19fd2c54-4"
EVERYTHING = compile_filters([], KAFKA)
SETTINGS = StreamSettings("f", "", TRIM_HORIZON, 10, 0, 1, None, None, False, True, 0, "")
headers = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary()
    | st.datetimes() | st.decimals() | st.binary().map(bytearray),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=8,
)  # fmt: skip


def golden(name: str) -> Any:
    """A recorded event; skips where there are none."""
    path = GOLDEN / name
    if not path.exists():
        pytest.skip("the golden events are not here")
    return json.loads(path.read_text())


def records(*offsets: int) -> list[Any]:
    """Encoded records at these offsets."""
    return [
        stream_record(KafkaMessage(0, n, 1_000 * n, 0, None, b"v"), "t", EVERYTHING, 0.0)
        for n in offsets
    ]


def test_kafka_s_event_is_aws_s() -> None:
    """The recorded event is what comes of its messages."""
    recorded = golden("kafka-event.json")
    [(place, [record])] = recorded["records"].items()
    text = base64.b64decode(record["key"])
    header = bytes(byte % 256 for byte in record["headers"][0]["headerKey"])
    message = KafkaMessage(0, 0, record["timestamp"], 0, text, text, (("headerKey", header),))
    form = KafkaForm("AWSKafkaTopic", recorded["bootstrapServers"].split(","), ARN)
    event = form.event(place, [stream_record(message, "AWSKafkaTopic", EVERYTHING, 0.0)])
    assert json.loads(event) == recorded


def test_what_a_kafka_message_has_not_is_left_out() -> None:
    """No key, no value (a tombstone), no time: none of them is made up."""
    record = make_record(KafkaMessage(3, 7, -1, None, None, None), "t")
    assert record == {
        "topic": "t",
        "partition": 3,
        "offset": 7,
        "timestamp": -1,
        "timestampType": "NO_TIMESTAMP_TYPE",
        "headers": [],
    }
    assert (
        stream_record(KafkaMessage(3, 7, -1, None, None, None), "t", EVERYTHING, 5.0).arrived_s == 5
    )


@given(st.integers(min_value=1, max_value=50), st.binary(max_size=50))
def test_the_frame_is_counted(count: int, value: bytes) -> None:
    """An event is never larger than its records, a comma for each, and the frame."""
    form = KafkaForm("t", ["h:1"])
    made = [
        stream_record(KafkaMessage(0, n, 0, 1, value, value), "t", EVERYTHING, 0.0)
        for n in range(count)
    ]
    event = form.event("t-0", made)
    assert len(event) <= sum(len(each.record) + 1 for each in made) + form.frame_bytes
    assert len(json.loads(event)["records"]["t-0"]) == count


@pytest.mark.parametrize(
    ("pattern", "keeps"),
    [
        ({"value": {"n": [1]}}, True),
        ({"value": {"n": [2]}}, False),
        ({"key": ["eu"]}, True),
        ({"partition": [0], "topic": ["t"]}, True),
        ({"value": ["words"]}, False),
    ],
)
def test_filters_read_what_was_sent(pattern: Any, keeps: bool) -> None:
    """Value and key are decoded; a plain pattern does not match JSON."""
    message = KafkaMessage(0, 0, 0, 0, b"eu", b'{"n": 1}')
    compiled = compile_filters([json.dumps(pattern)], KAFKA)
    assert stream_record(message, "t", compiled, 0.0).wanted is keeps


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (b"", frozenset()),
        (b"null", frozenset()),
        (b"{}", frozenset()),
        (b'{"batchItemFailures": null}', frozenset()),
        (b'{"batchItemFailures": []}', frozenset()),
        (
            b'{"batchItemFailures": [{"itemIdentifier": {"partition": "t-0", "offset": 5}}]}',
            frozenset({"5"}),
        ),
        (b'{"batchItemFailures": [{"itemIdentifier": {"partition": "t-1", "offset": 5}}]}', None),
        (b'{"batchItemFailures": [{"itemIdentifier": {"partition": "t-0", "offset": 9}}]}', None),
        (b'{"batchItemFailures": [{"itemIdentifier": {"partition": "t-0"}}]}', None),
        (b'{"batchItemFailures": [{"itemIdentifier": "5"}]}', None),
        (b'{"batchItemFailures": {}}', None),
        (b"[1]", None),
        (b"{", None),
    ],
)
def test_reports_of_kafka_name_partition_and_offset(answer: bytes, expected: Any) -> None:
    """Nothing is a success; anything that is not of the batch fails the whole of it."""
    assert KafkaForm("t", ["h:1"]).reported("t-0", answer, {"5", "6"}) == expected


@given(st.binary())
def test_no_report_breaks_the_poller(answer: bytes) -> None:
    """Whatever a function answers, it is a report or a failure."""
    found = KafkaForm("t", ["h:1"]).reported("t-0", answer, {"5"})
    assert found is None or found <= {"5"}


def test_a_destination_is_told_the_offsets() -> None:
    """KafkaBatchInfo has AWS's members; without an ARN there is none in it."""
    form = KafkaForm("t", ["h:1", "h:2"])
    name, info = form.batch_info(Piece(tuple(records(4, 5))), SETTINGS, "t-0")
    assert name == "KafkaBatchInfo"
    assert info.pop("payloadSize") == len(form.event("t-0", records(4, 5)))
    assert info == {
        "batchSize": 2,
        "bootstrapServers": "h:1,h:2",
        "recordsInfo": {
            "t-0": {
                "firstRecordOffset": "4",
                "lastRecordOffset": "5",
                "firstRecordTimestamp": "1970-01-01T00:00:04.000Z",
                "lastRecordTimestamp": "1970-01-01T00:00:05.000Z",
            }
        },
    }


def test_rabbitmq_s_event_is_aws_s() -> None:
    """The recorded event is what comes of its message, but for bodySize, which the recording has wrong."""
    recorded = golden("rabbitmq-event.json")
    [(place, [record])] = recorded["rmqMessagesByQueue"].items()
    queue, host = place.split("::")
    message = RabbitMessage(
        1,
        base64.b64decode(record["data"]),
        RabbitProperties(
            content_type="text/plain",
            headers={"header1": "value1", "header2": b"value2", "numberInHeader": 10},
            delivery_mode=1,
            priority=34,
            expiration="60000",
            timestamp=datetime(1970, 1, 1, 0, 33, 41, tzinfo=UTC),
            user_id="AIDACKCEVSQ6C2EXAMPLE",
        ),
        redelivered=False,
    )
    made = rabbit.encoded(message, compile_filters([], MQ))
    assert made is not None
    event = json.loads(rabbit.RabbitForm(recorded["eventSourceArn"], queue, host).event([made]))
    shown = event["rmqMessagesByQueue"][place][0]
    assert shown["basicProperties"].pop("bodySize") == len(message.body)
    del record["basicProperties"]["bodySize"]
    assert event == recorded


@settings(max_examples=40)
@given(st.dictionaries(st.text(), headers, max_size=3))
def test_every_header_can_be_shown(values: dict[str, Any]) -> None:
    """Whatever a producer puts into headers becomes JSON."""
    message = RabbitMessage(1, b"", RabbitProperties(headers=values), redelivered=True)
    made = rabbit.encoded(message, compile_filters([], MQ))
    assert made is not None
    shown = json.loads(made)["basicProperties"]["headers"]
    assert shown.keys() == json.loads(json.dumps(values, default=str)).keys()


def test_headers_have_java_s_forms() -> None:
    """Strings are objects with signed bytes; times are in words, in UTC; what nests too deep is left out."""
    east = timezone(timedelta(hours=2))
    assert rabbit.header("é") == {"bytes": [-61, -87]}
    assert rabbit.header(bytearray(b"\xff\x01")) == [-1, 1]
    assert rabbit.header(Decimal("1.5")) == 1.5
    assert (
        rabbit.header(datetime(2026, 11, 21, 14, 5, 9, tzinfo=east)) == "Nov 21, 2026, 12:05:09 PM"
    )
    deep: Any = 1
    for _ in range(100):
        deep = [deep]
    assert "null" in json.dumps(rabbit.header(deep))
