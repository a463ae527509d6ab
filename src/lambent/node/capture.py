"""A function's output: two pipes, or three with extensions, read without ever waiting, turned into log events.

The order is kept because reading happens in one place: whenever a pipe has something, and once more
just before ``END`` — the runtime has written its lines before it answers, so nothing is waited for.
"""

import asyncio
import fcntl
import os
import select
import struct
import termios
import time
from collections.abc import Callable
from contextlib import suppress

from lambent.observe.frames import FrameDecoder, LineSplitter
from lambent.observe.log_levels import LevelFilter

_CHUNK_BYTES = 64 * 1024
_TURN_BYTES = 16 * 1024
"""POLICY: read at most this much in one go, so that one function's flood never holds up the others."""
_EVENT_BYTES = 26
"""AWS: what CloudWatch Logs counts for each event besides its message. Source: PutLogEvents."""
MAX_INVOCATION_BYTES = 16 * 1024 * 1024
"""POLICY: what one invocation may log; AWS throttles instead of saying so."""
_CUT = b"[lambent] this invocation wrote more than 16 MiB of log; the rest is dropped\n"

Sink = Callable[[int, bytes], None]


class Capture:
    """Reads the pipes of one environment and hands each event to ``sink(unix_ms, message)``.

    ``levels`` leaves out what of the function's is not grave enough. What extensions print (``extension_fd``; -1
    for none) goes to ``extension_sink``. Both may be set anew at any time. Owns the descriptors: they are closed
    at :meth:`close`.
    """

    def __init__(
        self,
        stdout_fd: int,
        telemetry_fd: int,
        sink: Sink,
        levels: LevelFilter | None = None,
        extension_fd: int = -1,
    ) -> None:
        self.sink = self.extension_sink = sink
        self._lines = LineSplitter()
        self._extension_lines = LineSplitter()
        self._frames = FrameDecoder(levels=levels)
        self._levels = levels
        self._budget_bytes = MAX_INVOCATION_BYTES
        self._open = True
        self._pipes = [(stdout_fd, self._take_stdout), (telemetry_fd, self._take_telemetry)]
        if extension_fd >= 0:
            self._pipes.append((extension_fd, self._take_extension))
        self._take_of = dict(self._pipes)
        # Asks for all pipes at once: at the end of most invocations there is nothing in any.
        self._poll = select.poll()
        loop = asyncio.get_running_loop()
        for fd, take in self._pipes:
            self._poll.register(fd, select.POLLIN)
            loop.add_reader(fd, self._on_readable, fd, take)

    def begin(self) -> None:
        """A new invocation: it has the whole budget again."""
        self._budget_bytes = MAX_INVOCATION_BYTES

    def _on_readable(self, fd: int, take: Callable[[bytes], None]) -> None:
        if not self._read(fd, take, 1, _TURN_BYTES):
            asyncio.get_running_loop().remove_reader(fd)

    def _read(
        self, fd: int, take: Callable[[bytes], None], wanted_bytes: int, chunk_bytes: int
    ) -> bool:
        """Reads chunks until it has what is wanted, or nothing is there; False at the end of the pipe."""
        while wanted_bytes > 0:
            try:
                data = os.read(fd, chunk_bytes)
            except BlockingIOError:
                return True
            if not data:
                return False
            wanted_bytes -= len(data)
            self._spend(data, take)
        return True

    def _spend(self, data: bytes, take: Callable[[bytes], None]) -> None:
        if self._budget_bytes <= 0:
            return
        self._budget_bytes -= len(data) + _EVENT_BYTES * data.count(b"\n")
        take(data)
        if self._budget_bytes <= 0:
            # What follows is dropped, so nothing may wait for it: the next invocation begins afresh.
            self._flush()
            self.sink(_now_ms(), _CUT)

    def _take_stdout(self, data: bytes) -> None:
        self._give_lines(self._lines.feed(data))

    def _give_lines(self, lines: list[bytes]) -> None:
        now_ms, levels = _now_ms(), self._levels
        for line in lines:
            if levels is None or levels.keeps_line(line):
                self.sink(now_ms, line)

    def _take_telemetry(self, data: bytes) -> None:
        for timestamp_ms, message in self._frames.feed(data):
            self.sink(timestamp_ms, message)

    def _take_extension(self, data: bytes) -> None:
        self._give_extension_lines(self._extension_lines.feed(data))

    def _give_extension_lines(self, lines: list[bytes]) -> None:
        for line in lines:
            self.extension_sink(_now_ms(), line)

    def drain(self) -> None:
        """Takes all that was written so far, not what a function goes on writing meanwhile;

        an unfinished line is left for its rest.
        """
        if self._open:
            for fd, _ in self._poll.poll(0):
                self._read(fd, self._take_of[fd], _waiting_bytes(fd), _CHUNK_BYTES)

    def finish(self) -> None:
        """Drains, and hands over unfinished lines as they are: nothing more belongs to them."""
        self.drain()
        self._flush()

    def _flush(self) -> None:
        self._give_lines(self._lines.flush())
        self._give_extension_lines(self._extension_lines.flush())
        for timestamp_ms, message in self._frames.flush():
            self.sink(timestamp_ms, message)

    def close(self) -> None:
        """Finishes and gives the descriptors back."""
        if not self._open:
            return
        self.finish()
        self._open = False
        loop = asyncio.get_running_loop()
        for fd, _ in self._pipes:
            loop.remove_reader(fd)
            with suppress(OSError):
                os.close(fd)


def _waiting_bytes(fd: int) -> int:
    """How much is in the pipe now."""
    answer = fcntl.ioctl(fd, termios.FIONREAD, b"\0" * 4)
    return int(struct.unpack("i", answer)[0])


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
