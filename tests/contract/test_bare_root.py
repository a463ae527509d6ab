"""What is left, in an environment, of the root it was made in."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lambent.node.zygote.container import IMAGES
from lambent.node.zygote.root import HIDDEN, SHARED
from lambent.testing.loop import on_loop

Open = Callable[..., Any]


def mounts_of(pid: int) -> set[str]:
    """Where something is mounted for a process."""
    return {line.split()[4] for line in Path(f"/proc/{pid}/mountinfo").read_text().splitlines()}


@on_loop
async def test_the_way_to_the_nodes_files_is_no_mount_of_an_environment(open_host: Open) -> None:
    """Neither all functions' code is, nor the host's /proc; its own code, /tmp and /proc are."""
    async with open_host() as host:
        if host.kind in ("fake", "process"):
            pytest.skip("no mounts of its own")
        line = await host.start("echo")
        await line.call(b"1")
        places = mounts_of(line.sandbox.pid)
        assert not places & {f"{HIDDEN}/code", f"{HIDDEN}/proc", IMAGES, SHARED}
        assert {"/var/task", "/tmp", "/proc"} <= places
        line.close()
        line.sandbox.kill()
        await line.exited()
