"""A function's output: in order, never waited for, bounded, and no descriptor kept."""

import os
import time
from collections.abc import Callable

import pytest

from lambent.node.capture import MAX_INVOCATION_BYTES, Capture
from lambent.testing.host import open_descriptors
from lambent.testing.loop import on_loop, turns, until


def frame(message: bytes) -> bytes:
    """A telemetry frame as awslambdaric writes it."""
    head = b"\xa5\x5a\x00\x03" + len(message).to_bytes(4, "big")
    return head + (time.time_ns() // 1000).to_bytes(8, "big") + message


class Pipes:
    """Both pipes of an environment, and the events a capture made of them."""

    def __init__(self) -> None:
        stdout, self.stdout = os.pipe()
        telemetry, self.telemetry = os.pipe()
        for fd in (stdout, telemetry, self.stdout, self.telemetry):
            os.set_blocking(fd, False)
        self.events: list[bytes] = []
        self.capture = Capture(stdout, telemetry, lambda _, message: self.events.append(message))

    def close(self) -> None:
        self.capture.close()
        os.close(self.stdout)
        os.close(self.telemetry)


@pytest.fixture
def open_pipes() -> Callable[[], Pipes]:
    return Pipes


@on_loop
async def test_lines_and_frames_become_events(open_pipes: Callable[[], Pipes]) -> None:
    """What is written to either pipe arrives without anyone asking, each in its order."""
    pipes = open_pipes()
    os.write(pipes.stdout, b"one\ntwo\n")
    os.write(pipes.telemetry, frame(b"three\nfour\n") + frame(b"five\n"))
    await until(lambda: len(pipes.events) == 4)
    assert set(pipes.events) == {b"one\n", b"two\n", b"three\nfour\n", b"five\n"}
    assert pipes.events.index(b"one\n") < pipes.events.index(b"two\n")
    assert pipes.events.index(b"three\nfour\n") < pipes.events.index(b"five\n")
    pipes.close()


@on_loop
async def test_draining_takes_what_is_there_at_once(open_pipes: Callable[[], Pipes]) -> None:
    """``drain`` needs no turn of the loop; an unfinished line waits for its rest."""
    pipes = open_pipes()
    os.write(pipes.stdout, b"whole\nhal")
    pipes.capture.drain()
    assert pipes.events == [b"whole\n"]
    os.write(pipes.stdout, b"f\n")
    pipes.capture.drain()
    assert pipes.events == [b"whole\n", b"half\n"]
    pipes.close()


@on_loop
async def test_draining_ends_while_a_function_writes_on() -> None:
    """``drain`` takes what was there when it was called, though each event brings another line."""
    stdout, writer = os.pipe()
    telemetry, other = os.pipe()
    os.set_blocking(stdout, False)
    os.set_blocking(telemetry, False)
    events: list[bytes] = []

    def answer(_: int, message: bytes) -> None:
        events.append(message)
        os.write(writer, b"more\n")

    capture = Capture(stdout, telemetry, answer)
    os.write(writer, b"first\n")
    capture.drain()
    assert events == [b"first\n"]
    capture.drain()
    assert events == [b"first\n", b"more\n"]
    capture.close()
    os.close(writer)
    os.close(other)


@on_loop
async def test_finishing_hands_over_what_is_unfinished(open_pipes: Callable[[], Pipes]) -> None:
    """When nothing more can come, a line without its end and half a frame are events too."""
    pipes = open_pipes()
    os.write(pipes.stdout, b"no newline")
    os.write(pipes.telemetry, frame(b"half a frame")[:-6])
    pipes.capture.finish()
    assert pipes.events == [b"no newline", b"half a"]
    pipes.capture.finish()
    assert len(pipes.events) == 2
    pipes.close()


def flood(pipes: Pipes, fd: int, data: bytes) -> None:
    """Writes it all, draining whenever the pipe is full."""
    while data:
        try:
            data = data[os.write(fd, data) :]
        except BlockingIOError:
            pipes.capture.drain()
    pipes.capture.drain()


@on_loop
async def test_a_flood_is_cut_and_says_so(open_pipes: Callable[[], Pipes]) -> None:
    """Beyond its budget an invocation's log is dropped, once with a notice; the next one has it all."""
    pipes = open_pipes()
    line = b"x" * 999 + b"\n"
    flood(pipes, pipes.stdout, line * (MAX_INVOCATION_BYTES // len(line) + 500))
    notices = [e for e in pipes.events if e.startswith(b"[lambent] ")]
    assert len(notices) == 1
    assert pipes.events[-1] == notices[0]
    counted = sum(len(event) + 26 for event in pipes.events)
    assert abs(counted - MAX_INVOCATION_BYTES) < 128 * 1024
    pipes.events.clear()
    pipes.capture.begin()
    os.write(pipes.stdout, b"next\n")
    pipes.capture.drain()
    assert pipes.events == [b"next\n"]
    pipes.close()


@on_loop
async def test_a_cut_in_a_frame_does_not_eat_the_next_invocation(
    open_pipes: Callable[[], Pipes],
) -> None:
    """Where the cut falls inside a frame or a line, the next invocation's first events are whole."""
    pipes = open_pipes()
    flood(pipes, pipes.telemetry, frame(b"y" * (MAX_INVOCATION_BYTES + 500_000)))
    flood(pipes, pipes.stdout, b"dropped")
    pipes.events.clear()
    pipes.capture.begin()
    os.write(pipes.telemetry, frame(b"first\n") + frame(b"second\n"))
    os.write(pipes.stdout, b"third\n")
    pipes.capture.drain()
    assert pipes.events == [b"third\n", b"first\n", b"second\n"]
    pipes.close()


@on_loop
async def test_closed_pipes_are_quiet_and_nothing_stays_open(
    open_pipes: Callable[[], Pipes],
) -> None:
    """The writers' end is no busy loop; ``close`` may be called twice and gives both descriptors back."""
    before = open_descriptors()
    pipes = open_pipes()
    os.write(pipes.stdout, b"last words")
    os.close(pipes.stdout)
    os.close(pipes.telemetry)
    await turns(20)
    pipes.capture.close()
    pipes.capture.close()
    pipes.capture.drain()
    assert pipes.events == [b"last words"]
    assert open_descriptors() == before
