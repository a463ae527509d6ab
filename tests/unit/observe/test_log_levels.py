"""observe.log_levels: which events of a function a level lets through."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambent.observe.frames import FrameDecoder
from lambent.observe.log_levels import RANKS, LevelFilter, line_rank

NOW_MS = 1_700_000_000_000
FRAMES = {"DEBUG": 0x0A, "INFO": 0x0E, "WARN": 0x12, "ERROR": 0x16, "FATAL": 0x1A}


def frame(kind: int, message: bytes) -> bytes:
    """A telemetry frame whose type ends with ``kind``."""
    head = b"\xa5\x5a\x00" + bytes([kind]) + len(message).to_bytes(4, "big")
    return head + (NOW_MS * 1000).to_bytes(8, "big") + message


@pytest.mark.parametrize(
    ("line", "level"),
    [
        (b"plain text\n", "INFO"),
        (b'{"level": "debug", "msg": "m"}\n', "DEBUG"),
        (b'{"level": "TRACE"}', "TRACE"),
        (b'{"level": "Warning"}', "WARN"),
        (b'{"level": "critical"}', "FATAL"),
        (b'{"level": "loud"}', "INFO"),
        (b'{"level": 40}', "INFO"),
        (b'{"msg": "m"}', "INFO"),
        (b'{"level": "error"', "INFO"),
        (b'{"a":' * 100_000, "INFO"),
    ],
)
def test_a_line_tells_its_level_as_json(line: bytes, level: str) -> None:
    """A JSON object is what its ``level`` says, in any case; all else is INFO."""
    assert line_rank(line) == RANKS[level]


@given(st.sampled_from(sorted(RANKS)), st.lists(st.sampled_from(sorted(FRAMES))), st.integers(0, 1))
def test_frames_are_kept_by_their_type(level: str, written: list[str], text: int) -> None:
    """Of frames in JSON or text exactly those of the level and above come out, whatever they say."""
    data = b"".join(frame(FRAMES[name] + text, name.encode()) for name in written)
    events = FrameDecoder(lambda: NOW_MS, levels=LevelFilter(level)).feed(data)
    kept = [name.encode() for name in written if RANKS[name] >= RANKS[level]]
    assert events == [(NOW_MS, message) for message in kept]


def test_what_tells_no_level_is_read_as_a_line() -> None:
    """A frame without a level, text between frames and an unfinished frame are all INFO, unless they say."""
    data = frame(0x02, b'{"level":"ERROR"}') + b"between\n" + frame(0x03, b"text")
    data += frame(0x16, b"unfinished")[:-1]
    decoder = FrameDecoder(lambda: NOW_MS, levels=LevelFilter("WARN"))
    events = decoder.feed(data) + decoder.flush()
    assert [message for _, message in events] == [b'{"level":"ERROR"}', b"unfinishe"]
    decoder = FrameDecoder(lambda: NOW_MS, levels=LevelFilter("INFO"))
    assert len(decoder.feed(data) + decoder.flush()) == 4
