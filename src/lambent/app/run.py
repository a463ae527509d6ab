"""Runs the platform until it is told to stop."""

import asyncio
import signal
from collections.abc import Callable
from contextlib import AsyncExitStack

from lambent.app.host import keep_freed_memory, raise_open_files
from lambent.app.platform import OnReady, Platform
from lambent.settings import Settings


def serve(settings: Settings, on_ready: OnReady) -> None:
    """Runs the platform until SIGINT or SIGTERM; ``on_ready`` gets the health document once.

    Raises PlatformFault or OSError when it cannot start; everything is given back then.
    """
    raise_open_files()
    keep_freed_memory()
    with asyncio.Runner(loop_factory=new_event_loop_factory()) as runner:
        runner.run(_run(settings, on_ready))


def new_event_loop_factory() -> "Callable[[], asyncio.AbstractEventLoop] | None":
    """uvloop's where it is installed."""
    try:
        import uvloop  # noqa: PLC0415 - not everywhere there is one
    except ImportError:
        return None
    return uvloop.new_event_loop


async def _run(settings: Settings, on_ready: OnReady) -> None:
    async with AsyncExitStack() as stack:
        platform = await Platform.open(settings, stack)
        stopped = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stopped.set)
        on_ready(platform.health())
        await stopped.wait()
