"""Receipt handles, digests, and what is kept with a message: there and back, and nothing else passes."""

import base64
import hashlib
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambent.model.errors import AwsError
from lambent.model.outgoing import Attribute
from lambent.services.sqs.checksums import md5_of_attributes
from lambent.services.sqs.message_attributes import check_text
from lambent.services.sqs.receipts import Handle, Receipts
from lambent.services.sqs.stored import Stored, parse_stored

U64, U32 = st.integers(0, 2**64 - 1), st.integers(0, 2**32 - 1)
HANDLES = st.builds(Handle, U64, U64, U32, U64)
RECEIPTS = Receipts(b"s" * 32)
ATTRIBUTES = st.dictionaries(
    st.text(min_size=1, max_size=8),
    st.builds(
        Attribute, st.sampled_from(["String", "Number.int", "Binary"]), st.text(min_size=1) | st.binary(min_size=1)
    ),
    max_size=4,
)  # fmt: skip


@given(HANDLES)
def test_a_handle_is_read_as_it_was_written(handle: Handle) -> None:
    """By the queue it is of."""
    assert RECEIPTS.parse(RECEIPTS.format(handle), handle.queue_id) == handle


@given(HANDLES, U64)
def test_a_handle_is_of_no_use_elsewhere(handle: Handle, queue_id: int) -> None:
    """Not for another queue, not under another secret."""
    text = RECEIPTS.format(handle)
    if queue_id != handle.queue_id:
        with pytest.raises(AwsError):
            RECEIPTS.parse(text, queue_id)
    with pytest.raises(AwsError):
        Receipts(b"t" * 32).parse(text, handle.queue_id)


@given(HANDLES, st.integers(0, 41), st.integers(1, 255))
def test_an_altered_handle_is_refused(handle: Handle, at: int, flip: int) -> None:
    """Whichever byte it is."""
    raw = bytearray(base64.b64decode(RECEIPTS.format(handle)))
    raw[at] ^= flip
    with pytest.raises(AwsError) as raised:
        RECEIPTS.parse(base64.b64encode(raw).decode(), handle.queue_id)
    assert raised.value.code == "ReceiptHandleIsInvalid"


@given(st.text())
def test_no_text_is_a_handle_by_chance(text: str) -> None:
    """Anything is refused, nothing fails."""
    with pytest.raises(AwsError):
        RECEIPTS.parse(text, 1)


@given(
    st.builds(
        Stored,
        st.text(),
        ATTRIBUTES,
        st.none() | st.text(min_size=1),
        st.none() | st.text(min_size=1),
        st.none() | st.text(min_size=1),
        st.none() | st.text(min_size=1),
        st.integers(0, 2**31),
    )
)
def test_what_is_kept_with_a_message_comes_back(stored: Stored) -> None:
    """Texts, bytes and types as they were."""
    assert parse_stored(stored.format()) == stored


@given(ATTRIBUTES)
def test_digests_are_as_the_developer_guide_says(attributes: dict[str, Attribute]) -> None:
    """Sorted by name; of each name, type, kind and value with their lengths."""
    encoded = b""
    for name, attribute in sorted(attributes.items()):
        value = attribute.value
        raw = value if isinstance(value, bytes) else value.encode()
        for part in (name.encode(), attribute.data_type.encode()):
            encoded += struct.pack(">I", len(part)) + part
        kind = 2 if isinstance(value, bytes) else 1
        encoded += bytes([kind]) + struct.pack(">I", len(raw)) + raw
    assert md5_of_attributes(attributes) == hashlib.md5(encoded).hexdigest()


@given(st.text(st.characters(codec="utf-8")))
def test_texts_are_what_xml_can_hold(text: str) -> None:
    """#x9, #xA, #xD, #x20 to #xD7FF, #xE000 to #xFFFD, and everything above."""
    allowed = all(
        c in "\t\n\r" or "\x20" <= c <= "\ud7ff" or "\ue000" <= c <= "\ufffd" or c >= "\U00010000"
        for c in text
    )
    if allowed:
        check_text(text)
    else:
        with pytest.raises(AwsError):
            check_text(text)
