"""Sending an answer in pieces at the client's pace."""

import asyncio
from collections.abc import Callable

from lambent.http1.exchange import Exchange

STALL_DEADLINE_S = 300.0
"""POLICY: a client that takes nothing at all for that long is cut off."""


class Outflow:
    """One answer in pieces. ``on_leave`` is called once when the client is gone, or cut off.

    After that everything written goes nowhere; nothing is raised.
    """

    def __init__(
        self,
        exchange: Exchange,
        on_leave: Callable[[], None],
        stall_deadline_s: float = STALL_DEADLINE_S,
    ) -> None:
        self._exchange = exchange
        self._on_leave = on_leave
        self._stall_deadline_s = stall_deadline_s
        self._writable = asyncio.Event()
        exchange.on_disconnect = self._leave
        exchange.on_writable = self._writable.set
        if exchange.gone:
            self._leave()

    def begin(self, status: int, head: bytes) -> None:
        """The head: ready header lines, each ending in CRLF."""
        self._exchange.begin(status, head)

    async def write(self, data: bytes) -> None:
        """Sends a piece, and waits while the client is behind."""
        if self._exchange.gone:
            return
        self._writable.clear()
        if self._exchange.write(data):
            return
        try:
            async with asyncio.timeout(self._stall_deadline_s):
                await self._writable.wait()
        except TimeoutError:
            self._exchange.cut()
            self._leave()

    def _leave(self) -> None:
        self._writable.set()
        self._exchange.on_disconnect = None
        self._on_leave()
