"""observe.frames: log events out of whatever bytes a function writes."""

import itertools
import os

from awslambdaric.bootstrap import FramedTelemetryLogSink
from hypothesis import given
from hypothesis import strategies as st

from lambent.observe.frames import MAX_MESSAGE_BYTES, FrameDecoder, LineSplitter

NOW_MS = 1_760_000_000_000


def decoder(max_bytes: int = MAX_MESSAGE_BYTES) -> FrameDecoder:
    return FrameDecoder(now_ms=lambda: NOW_MS, max_bytes=max_bytes)


def frame(message: bytes, at_us: int = NOW_MS * 1000, kind: int = 0xA55A0003) -> bytes:
    return (
        kind.to_bytes(4, "big")
        + len(message).to_bytes(4, "big")
        + at_us.to_bytes(8, "big")
        + message
    )


def cut(data: bytes, places: list[int]) -> list[bytes]:
    ends = sorted({place % (len(data) + 1) for place in places} | {0, len(data)})
    return [data[a:b] for a, b in itertools.pairwise(ends)]


piece = st.one_of(
    st.binary(max_size=40),
    st.builds(frame, st.binary(max_size=40)),
    st.sampled_from([b"\xa5", b"\xa5\x5a", b"\xa5\x5a\x00", b"line\n", b"a\rb\r\n", b"\n"]),
)
noise = st.lists(piece, max_size=12).map(b"".join)
places = st.lists(st.integers(0, 2000), max_size=10)


def test_frames_become_events_with_their_time() -> None:
    """Every frame type is one event, newlines and all, with its own timestamp in ms."""
    data = frame(b"one\ntwo\n", at_us=NOW_MS * 1000 + 1999) + frame(b"{}\n", kind=0xA55A0016)
    assert decoder().feed(data) == [(NOW_MS + 1, b"one\ntwo\n"), (NOW_MS, b"{}\n")]


def test_awslambdarics_own_sink_is_understood() -> None:
    """What awslambdaric's FramedTelemetryLogSink writes comes out as it went in."""
    reader, writer = os.pipe()
    with FramedTelemetryLogSink(writer) as sink:
        sink.log("[INFO]\thällo\n")
        sink.log_error(["[ERROR] ValueError: x", "Traceback"])
    data = os.read(reader, 65536)
    os.close(reader)
    events = FrameDecoder().feed(data)
    assert [message for _, message in events] == [
        "[INFO]\thällo\n".encode(),
        b"[ERROR] ValueError: x\nTraceback",
    ]


def test_garbage_is_text_and_the_next_frame_is_found() -> None:
    """Bytes that are no frame come out as lines, and decoding goes on at the next frame."""
    data = b"plain\nhalf\xa5\x5a" + frame(b"framed") + b"after"
    splitter = decoder()
    assert splitter.feed(data) == [
        (NOW_MS, b"plain\n"),
        (NOW_MS, b"half\xa5\x5a"),
        (NOW_MS, b"framed"),
    ]
    assert splitter.flush() == [(NOW_MS, b"after")]
    assert splitter.flush() == []


def test_an_unbelievable_time_is_replaced() -> None:
    """A timestamp CloudWatch would refuse becomes the time of arrival."""
    for at_us in (0, 2**64 - 1):
        assert decoder().feed(frame(b"x", at_us=at_us)) == [(NOW_MS, b"x")]


def test_a_too_long_message_is_cut_and_says_so() -> None:
    """A message beyond the bound keeps its beginning and names its size; the next one is whole."""
    data = frame(b"x" * 50 + b"\n") + frame(b"next")
    assert decoder(max_bytes=10).feed(data) == [
        (NOW_MS, b"x" * 10 + b" [cut: 51 bytes, 10 kept]\n"),
        (NOW_MS, b"next"),
    ]


@given(noise, places)
def test_chunking_does_not_change_frames(data: bytes, at: list[int]) -> None:
    """Any chunking of any bytes gives the same events, without an error."""
    whole = decoder(max_bytes=24)
    expected = whole.feed(data) + whole.flush()
    parts = decoder(max_bytes=24)
    events = [event for chunk in cut(data, at) for event in parts.feed(chunk)]
    assert events + parts.flush() == expected


@given(noise, places)
def test_frame_buffers_are_bounded(data: bytes, at: list[int]) -> None:
    """However the bytes come, what is held back stays below a message, a line and a header."""
    parts = decoder(max_bytes=24)
    for chunk in cut(data, at):
        parts.feed(chunk)
        assert parts.pending_bytes <= 24 + 24 + 16


def test_a_frame_that_claims_4_gib_holds_no_more_than_the_bound() -> None:
    """A hostile length costs no memory: the bytes beyond the bound are counted, not kept."""
    parts = decoder()
    parts.feed(0xA55A0003.to_bytes(4, "big") + b"\xff" * 4 + bytes(8))
    for _ in range(20):
        assert parts.feed(b"x" * 65536) == []
    assert parts.pending_bytes == MAX_MESSAGE_BYTES


def test_lines_keep_their_newline_and_wait_for_it() -> None:
    """A line is an event when its newline is there; the rest waits for flush."""
    lines = LineSplitter()
    assert lines.feed(b"one\n\ntw") == [b"one\n", b"\n"]
    assert lines.feed(b"o\r\nthree") == [b"two\n"]
    assert lines.flush() == [b"three"]
    assert lines.flush() == []


def test_carriage_returns_keep_a_record_together() -> None:
    """awslambdaric's multi-line error on stdout is one event with newlines inside."""
    assert LineSplitter().feed(b"[ERROR] x\rTraceback\r  File\n") == [
        b"[ERROR] x\nTraceback\n  File\n"
    ]


@given(noise, places)
def test_chunking_does_not_change_lines(data: bytes, at: list[int]) -> None:
    """Any chunking gives the same lines, none longer than the bound, and no byte is lost."""
    whole = LineSplitter(max_bytes=7)
    expected = whole.feed(data) + whole.flush()
    parts = LineSplitter(max_bytes=7)
    lines: list[bytes] = []
    for chunk in cut(data, at):
        lines += parts.feed(chunk)
        assert parts.pending_bytes <= 7
    lines += parts.flush()
    assert lines == expected
    assert all(len(line) <= 8 for line in lines)
    if b"\r" not in data:
        assert b"".join(lines) == data


def test_an_endless_line_is_split_at_the_bound() -> None:
    """A megabyte without a newline, in small parts, comes out in pieces of the bound."""
    lines, out = LineSplitter(), 0
    for _ in range(1024):
        out += len(lines.feed(b"x" * 1024))
    assert out == 3
    assert lines.flush() == [b"x" * MAX_MESSAGE_BYTES]
