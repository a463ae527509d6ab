"""Event stream messages: read by botocore as we write them, and nothing damaged is taken."""

from contextlib import suppress

import pytest
from botocore.eventstream import EventStreamBuffer
from hypothesis import given
from hypothesis import strategies as st

from lambent.wire.event_stream import (
    MAX_PAYLOAD_BYTES,
    EventStreamError,
    Message,
    decode_messages,
    encode_event,
    encode_message,
)

names = st.text(min_size=1, max_size=20)
messages = st.builds(
    Message,
    st.dictionaries(names, st.text(max_size=50), max_size=5),
    st.binary(max_size=300),
)


@given(st.lists(messages, max_size=5))
def test_botocore_reads_what_we_write(sent: list[Message]) -> None:
    """Headers and payload of every message reach a real client's parser."""
    buffer = EventStreamBuffer()
    buffer.add_data(b"".join(map(encode_message, sent)))
    assert [Message(e.headers, e.payload) for e in buffer] == sent


@given(st.lists(messages, max_size=5))
def test_we_read_what_we_write(sent: list[Message]) -> None:
    """Decoding is the inverse of encoding."""
    assert list(decode_messages(b"".join(map(encode_message, sent)))) == sent


@given(messages, st.data())
def test_a_damaged_message_is_never_taken(message: Message, data: st.DataObject) -> None:
    """One changed byte anywhere is seen."""
    encoded = bytearray(encode_message(message))
    at = data.draw(st.integers(0, len(encoded) - 1))
    encoded[at] ^= data.draw(st.integers(1, 255))
    with pytest.raises(EventStreamError):
        list(decode_messages(bytes(encoded)))


@given(messages, st.integers(1, 1000))
def test_a_cut_message_is_never_taken(message: Message, cut: int) -> None:
    """What ends too early is an error, not an end."""
    encoded = encode_message(message)
    with pytest.raises(EventStreamError):
        list(decode_messages(encoded[: max(1, len(encoded) - cut)]))


@given(st.binary(max_size=200))
def test_arbitrary_bytes_raise_one_error(data: bytes) -> None:
    """Whatever comes, only EventStreamError is raised."""
    with suppress(EventStreamError):
        list(decode_messages(data))


def test_an_event_says_what_it_is() -> None:
    """The three headers every client reads."""
    (message,) = decode_messages(encode_event("PayloadChunk", "application/octet-stream", b"x"))
    assert message.headers == {
        ":event-type": "PayloadChunk",
        ":content-type": "application/octet-stream",
        ":message-type": "event",
    }


def test_too_large_a_payload_is_refused() -> None:
    """No message is longer than its readers allow."""
    with pytest.raises(ValueError, match="too large"):
        encode_event("PayloadChunk", "application/octet-stream", bytes(MAX_PAYLOAD_BYTES + 1))
