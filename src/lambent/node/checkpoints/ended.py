"""Waiting for processes that are this one's children, but were forked by another."""

import asyncio
import os
import signal
from contextlib import suppress


async def ended(pid: int, deadline_s: float) -> int:
    """How a child ended: wait(2)'s code, negative for a signal. One that takes longer is killed, and reaped.

    Raises TimeoutError then.
    """
    loop = asyncio.get_running_loop()
    pidfd = os.pidfd_open(pid)
    done = loop.create_future()
    loop.add_reader(pidfd, _set, done)
    try:
        async with asyncio.timeout(deadline_s):
            await done
    except BaseException:
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(pidfd, signal.SIGKILL)
        loop.run_in_executor(None, _reap, pid)
        raise
    finally:
        loop.remove_reader(pidfd)
        os.close(pidfd)
    info = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG)  # noqa: ASYNC222 - it has ended
    if info is None:
        return 255
    return info.si_status if info.si_code == os.CLD_EXITED else -info.si_status


def _set(future: "asyncio.Future[None]") -> None:
    if not future.done():
        future.set_result(None)


def _reap(pid: int) -> None:
    with suppress(ChildProcessError):
        os.waitpid(pid, 0)
