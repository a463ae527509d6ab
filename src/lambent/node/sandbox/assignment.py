"""The node's end of a loaded stem cell: how it is noticed that it waits, and told what it is to be.

What its program has to do for it is in ADR 27; what the zygote does in :mod:`lambent.node.zygote.assignment`.
"""

import asyncio
import fcntl
import json
import os
from collections.abc import Mapping

_PAGE_BYTES = 4096
MESSAGE_MAX_BYTES = 65536 - _PAGE_BYTES
"""What a pipe takes without being read, whatever becomes of its first page."""


class Assignment:
    """Of one cell. ``waits`` resolves when its program waits (true), or when that will never be (false)."""

    def __init__(self) -> None:
        self.waits: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self.namespace = self.writer = -1

    def take(self, namespace: int, writer: int) -> None:
        """What the cell offers: its mount namespace, and the way to its standard input.

        A pipe of one page, full, can be written to again when it has been read: then the program waits.
        """
        if self.waits.done():  # it ended before that was heard of
            os.close(namespace)
            os.close(writer)
            return
        self.namespace, self.writer = namespace, writer
        try:
            for fd in (namespace, writer):
                os.set_inheritable(fd, False)
            os.set_blocking(writer, False)
            fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, _PAGE_BYTES)
            os.write(writer, b" " * _PAGE_BYTES)
        except OSError:
            self.close()
        else:
            asyncio.get_running_loop().add_writer(writer, self._on_writable)

    def _on_writable(self) -> None:
        asyncio.get_running_loop().remove_writer(self.writer)
        try:
            fcntl.fcntl(self.writer, fcntl.F_SETPIPE_SZ, MESSAGE_MAX_BYTES + _PAGE_BYTES)
            os.write(self.writer, b" ")
        except OSError:  # nobody reads any more
            self.close()
        else:
            self.waits.set_result(True)

    def say(self, environ: Mapping[str, str]) -> None:
        """Writes what the program is to be; it reads that, and goes on when nobody holds the pipe any more.

        Raises OSError where it cannot be said as a whole; the cell is of no use then.
        """
        message = json.dumps({"environ": environ}).encode()
        if len(message) > MESSAGE_MAX_BYTES:
            raise BlockingIOError("a longer message than a pipe takes")
        if os.write(self.writer, message) != len(message):
            raise BlockingIOError("the message was not taken as a whole")

    def close(self) -> None:
        """Lets go of both; may be called again."""
        if self.writer >= 0:
            asyncio.get_running_loop().remove_writer(self.writer)
            os.close(self.writer)
            os.close(self.namespace)
            self.namespace = self.writer = -1
        if not self.waits.done():
            self.waits.set_result(False)
