"""The pipe between a runtime that writes and a caller that reads."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambent.invoke.streaming import HELD_BYTES, ResponsePipe, stream_result
from lambent.model.invocation import InvocationResult
from lambent.testing.loop import on_loop, turns

RESULT = InvocationResult(b"", "1")


@given(st.lists(st.tuples(st.binary(min_size=1, max_size=50), st.booleans())))
def test_what_is_written_is_read(pieces: list[tuple[bytes, bool]]) -> None:
    """In order, each byte once, however writing and reading take turns."""

    async def run() -> bytes:
        pipe, read = ResponsePipe(), b""
        pipe.begin("text/plain", "1")
        for piece, then_read in pieces:
            pipe.write(piece)
            if then_read:
                read += await pipe.read()
        pipe.close()
        while more := await pipe.read():
            read += more
        return read

    assert asyncio.run(run()) == b"".join(piece for piece, _ in pieces)


@on_loop
async def test_it_is_full_until_it_is_read() -> None:
    """``write`` says so, and whoever writes is called once when there is room."""
    pipe, calls = ResponsePipe(), []
    assert pipe.write(bytes(HELD_BYTES))
    assert not pipe.write(b"x")
    pipe.on_writable = lambda: calls.append(1)
    assert len(await pipe.read()) == HELD_BYTES + 1
    assert calls == [1]
    assert pipe.write(b"x")


@on_loop
async def test_nobody_is_held_up_by_a_reader_that_left() -> None:
    """What is held goes, who waits goes on, and what comes is thrown away."""
    pipe, calls = ResponsePipe(), []
    pipe.write(bytes(HELD_BYTES + 1))
    pipe.on_writable = lambda: calls.append(1)
    pipe.discard()
    assert calls == [1]
    assert all(pipe.write(bytes(HELD_BYTES)) for _ in range(9))
    pipe.close()
    assert await pipe.read() == b""


@on_loop
async def test_a_reader_waits_for_the_next_piece() -> None:
    """``read`` comes back with it, and with nothing at the end."""
    pipe = ResponsePipe()
    for change, expected in ((lambda: pipe.write(b"a"), b"a"), (pipe.close, b"")):
        reading = asyncio.ensure_future(pipe.read())
        await turns(3)
        assert not reading.done()
        change()
        assert await reading == expected


@on_loop
@pytest.mark.parametrize("begins", [True, False])
async def test_the_pipe_ends_with_its_invocation(begins: bool) -> None:
    """Whether pieces come is known when the first can, or when none can any more."""
    pipe = ResponsePipe()
    go = asyncio.Event()

    async def invoke() -> InvocationResult:
        await go.wait()
        if begins:
            pipe.begin("text/plain", "1")
            pipe.write(b"late")
        return RESULT

    running = stream_result(pipe, invoke())
    begun = asyncio.ensure_future(pipe.wait_begun())
    await turns(3)
    assert not begun.done()
    go.set()
    assert await begun is begins
    assert await pipe.read() == (b"late" if begins else b"")
    assert (await pipe.read(), await running) == (b"", RESULT)


@on_loop
async def test_an_invocation_that_raises_ends_the_pipe_too() -> None:
    """The reader sees the end, and the error where it asks for the result."""
    pipe = ResponsePipe()

    async def invoke() -> InvocationResult:
        raise LookupError

    running = stream_result(pipe, invoke())
    assert await pipe.wait_begun() is False
    with pytest.raises(LookupError):
        await running
