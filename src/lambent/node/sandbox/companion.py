"""A process beside the platform that ends with it, however that ends."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

_BOOT = (
    "import sys; sys.path.insert(0, sys.argv.pop()); "
    "from lambent.node.zygote.keeper import main; sys.path.pop(0); main()"
)
_WORDS_BYTES = 2000
"""POLICY: of what it prints, the end is kept."""


class Companion:
    """``what``: see :func:`lambent.node.zygote.keeper.main`. ``stdin``: a descriptor, or none.

    To be made on the loop's thread, which lasts: the kernel ends the process with the thread that started it.
    Raises OSError.
    """

    def __init__(self, what: Sequence[str], stdin: int = subprocess.DEVNULL) -> None:
        reader, writer = os.pipe2(os.O_CLOEXEC)
        os.set_blocking(reader, False)
        self._output, self._printed = reader, b""
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", "-X", "utf8", "-c", _BOOT, *what, _source()],
                stdin=stdin,
                stdout=subprocess.DEVNULL,
                stderr=writer,
                env={},
                cwd="/",
                start_new_session=True,
            )
        except OSError:
            os.close(reader)
            raise
        finally:
            os.close(writer)
        loop = asyncio.get_running_loop()
        self.pid = self._process.pid
        self.exited: asyncio.Future[None] = loop.create_future()
        """Done when it has ended, whoever ended it."""
        self._pidfd = os.pidfd_open(self.pid)
        loop.add_reader(self._output, self._read)
        loop.add_reader(self._pidfd, self._on_exit)

    @property
    def words(self) -> str:
        """The last it printed."""
        return " ".join(self._printed.decode(errors="replace").split())

    async def close(self) -> None:
        """Ends it."""
        with suppress(ProcessLookupError):
            self._process.kill()
        await asyncio.shield(self.exited)

    def _read(self) -> None:
        with suppress(BlockingIOError):
            data = os.read(self._output, 65536)
            self._printed = (self._printed + data)[-_WORDS_BYTES:]
            if not data:
                asyncio.get_running_loop().remove_reader(self._output)

    def _on_exit(self) -> None:
        self._read()
        loop = asyncio.get_running_loop()
        for fd in (self._output, self._pidfd):
            loop.remove_reader(fd)
            os.close(fd)
        self._process.wait()
        self.exited.set_result(None)


def _source() -> str:
    return str(Path(__file__).parents[3])
