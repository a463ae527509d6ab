"""Messages of a dead-letter queue, read: what each form says, and that none can be too strange."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from lambent.cli.dead_letters import mark_duplicates, read

FUNCTION = "arn:aws:lambda:us-east-1:000000000000:function:f:live"


def message(body: str, sent_at_ms: int = 1, **attributes: str) -> dict[str, Any]:
    """As ReceiveMessage gives it."""
    return {
        "MessageId": f"m{sent_at_ms}",
        "ReceiptHandle": "h",
        "Body": body,
        "Attributes": {"SentTimestamp": str(sent_at_ms)},
        "MessageAttributes": {
            k: {"DataType": "String", "StringValue": v} for k, v in attributes.items()
        },
    }


def record(payload: str, **context: Any) -> str:
    """A record whose payload is that text."""
    context = {"requestId": "r", "functionArn": FUNCTION, "approximateInvokeCount": 3} | context
    return f'{{"version":"1.0","requestContext":{json.dumps(context)},"requestPayload":{payload}}}'


def test_a_record_names_its_function_and_keeps_its_event() -> None:
    """The event is byte for byte what it was: numbers keep their form, spaces stay."""
    letter = read(message(record('{"n": 1.10,  "big": 12345678901234567890123}')))
    assert (letter.kind, letter.function_arn, letter.request_id, letter.attempts) == (
        "record", FUNCTION, "r", 3,
    )  # fmt: skip
    assert letter.event == b'{"n": 1.10,  "big": 12345678901234567890123}'


def test_a_record_without_payloads_has_nothing_to_replay() -> None:
    """AWS leaves them out of records that are too large for SNS; such a batch's record has none either."""
    body = json.dumps({"requestContext": {"requestId": "r", "functionArn": FUNCTION}})
    assert read(message(body)).event is None


def test_a_dead_letter_is_its_event() -> None:
    """The body is the event; attributes say the rest, and no function."""
    letter = read(message("[1]", RequestID="r", ErrorCode="200", ErrorMessage="no"))
    assert (letter.kind, letter.event, letter.request_id) == ("dead letter", b"[1]", "r")
    assert (letter.error, letter.function_arn) == ("no", "")


def test_what_sns_wrapped_is_found() -> None:
    """A dead letter and a record that came by a topic, which wraps both."""
    attributes = {
        name: {"Type": "String", "Value": name}
        for name in ("RequestID", "ErrorCode", "ErrorMessage")
    }
    wrapped = {"Type": "Notification", "TopicArn": "t", "Message": "[1]"}
    letter = read(message(json.dumps(wrapped | {"MessageAttributes": attributes})))
    assert (letter.kind, letter.event, letter.request_id) == ("dead letter", b"[1]", "RequestID")
    letter = read(message(json.dumps(wrapped | {"Message": record("[1]")})))
    assert (letter.kind, letter.event, letter.function_arn) == ("record", b"[1]", FUNCTION)


def test_later_ones_of_a_request_id_are_duplicates() -> None:
    """By the time they were sent; messages without a request id are none of each other."""
    letters = [read(message(record("1"), at)) for at in (3, 1, 2)]
    letters += [read(message("x", at)) for at in (4, 5)]
    marked = mark_duplicates(letters)
    assert [(x.sent_at_ms, x.is_duplicate) for x in marked] == [
        (1, False), (2, True), (3, True), (4, False), (5, False),
    ]  # fmt: skip


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(["requestContext", "requestId", "functionArn", "Type", "Message",
                         "TopicArn", "MessageAttributes", "responsePayload", "Value"]),
        inner, max_size=4,
    ),
    max_leaves=12,
)  # fmt: skip


@given(values.map(json.dumps) | st.text())
def test_anything_can_be_read(body: str) -> None:
    """A queue may hold anything; reading never fails."""
    assert read(message(body)).message_id == "m1"


def test_deeply_nested_bodies_are_messages() -> None:
    """What is nested too deeply to be read is a message like any other."""
    assert read(message("[" * 100_000)).kind == "message"
    assert read(message('{"requestContext":' + "[" * 100_000)).kind == "message"
