"""The node's side of a zygote."""

import asyncio

import pytest

from lambent.node.runtimes import find_interpreters
from lambent.node.sandbox.zygote_client import ZygoteClient
from lambent.testing.host import descendants, open_descriptors
from lambent.testing.loop import on_loop


@on_loop
async def test_a_start_nobody_waits_for_leaves_nothing() -> None:
    """A platform that stops while another interpreter's zygote gets warm ends it, and closes its socket."""
    loop = asyncio.get_running_loop()
    await loop.run_in_executor(None, int)  # what the loop itself opens once is open
    descriptors, processes = open_descriptors(), descendants()
    opening = loop.create_task(ZygoteClient(find_interpreters()[0]).open({}))
    await asyncio.sleep(0)
    assert descendants() != processes
    opening.cancel()
    with pytest.raises(asyncio.CancelledError):
        await opening
    assert descendants() <= processes
    assert open_descriptors() == descriptors
