"""A response on its way in pieces: the node writes them, whoever answers the caller reads them.

Contract:
1. What is held is bounded: above ``HELD_BYTES`` :meth:`ResponsePipe.write` says so, and the runtime's connection
   is not read until ``on_writable``. One read of that connection may come on top.
2. The pieces end when the invocation does: :func:`stream_result` closes the pipe then, whatever came of it.
3. A caller that leaves (:meth:`ResponsePipe.discard`) never holds the function up: AWS lets it go on to its end.

Lives on the loop's thread.
"""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from lambent.model.invocation import InvocationResult

HELD_BYTES = 128 * 1024
"""POLICY: enough to keep a fast caller busy while the runtime writes on."""


class ResponsePipe:
    """See the module. Is the :class:`lambent.model.invocation.ResponseSink` of one invocation."""

    def __init__(self) -> None:
        self.begun = False
        self.content_type = ""
        self.executed_version = ""
        self.on_writable: Callable[[], None] | None = None
        self._pieces: list[bytes] = []
        self._held_bytes = 0
        self._closed = False
        self._discarding = False
        self._waiting: asyncio.Future[None] | None = None

    # The node's side

    def begin(self, content_type: str, executed_version: str) -> None:
        """The response begins: pieces follow."""
        self.begun = True
        self.content_type = content_type
        self.executed_version = executed_version
        self._wake()

    def write(self, data: bytes) -> bool:
        """Takes a piece; False when that is enough until ``on_writable``."""
        if self._discarding or self._closed:
            return True
        self._pieces.append(data)
        self._held_bytes += len(data)
        self._wake()
        return self._held_bytes <= HELD_BYTES

    # The caller's side

    async def wait_begun(self) -> bool:
        """Whether the response comes in pieces; False once the invocation ended without any."""
        while not self.begun and not self._closed:
            await self._change()
        return self.begun

    async def read(self) -> bytes:
        """What has come since, at least a byte; nothing at the end."""
        while not self._pieces and not self._closed:
            await self._change()
        data = self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)
        self._pieces.clear()
        was_full, self._held_bytes = self._held_bytes > HELD_BYTES, 0
        if was_full:
            self._let_on()
        return data

    def discard(self) -> None:
        """Nobody reads any more: what still comes is thrown away."""
        self._discarding = True
        self._pieces.clear()
        self._held_bytes = 0
        self._let_on()

    def close(self) -> None:
        """Nothing more comes."""
        self._closed = True
        self._wake()

    async def _change(self) -> None:
        self._waiting = asyncio.get_running_loop().create_future()
        await self._waiting

    def _wake(self) -> None:
        waiting, self._waiting = self._waiting, None
        if waiting is not None and not waiting.done():
            waiting.set_result(None)

    def _let_on(self) -> None:
        on_writable, self.on_writable = self.on_writable, None
        if on_writable is not None:
            on_writable()


def stream_result(
    pipe: ResponsePipe, invocation: Coroutine[Any, Any, InvocationResult]
) -> "asyncio.Task[InvocationResult]":
    """Runs an invocation that writes to ``pipe``; the pipe is closed when it ends.

    Who calls it reads the pipe to its end and awaits the task, also when nobody listens any more.
    """
    task = asyncio.get_running_loop().create_task(invocation)
    task.add_done_callback(lambda _: pipe.close())
    return task
