"""Writing an initialised function down: it stands still, CRIU works in its namespaces (see ``launcher.py``)."""

import asyncio
import json
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path

from lambent.node.checkpoints.criu import LAUNCHER, SOURCE, Criu, complaints
from lambent.node.checkpoints.sandbox import CheckpointSandbox
from lambent.node.linux import syscalls as sys_
from lambent.node.linux.procfs import pids_by_namespace
from lambent.node.sandbox.contract import SandboxError

_DEADLINE_S = 60.0
_STILL_S = 2.0
_LOOK_EVERY_S = 0.005
_NAMESPACES = (
    sys_.CLONE_NEWNS | sys_.CLONE_NEWNET | sys_.CLONE_NEWIPC | sys_.CLONE_NEWUTS | sys_.CLONE_NEWPID
)


async def write_down(sandbox: CheckpointSandbox, criu: Criu, keeper: int, tmp_mib: int) -> None:
    """Leaves the images in the sandbox's directory, which is the user's ``keeper`` then; the process stands still.

    Raises SandboxError.
    """
    await _hold_still(sandbox)
    loop = asyncio.get_running_loop()
    order = {
        "program": criu.program,
        "tools": str(criu.tools),
        "images": str(sandbox.images),
        "pid": sandbox.pid,
        "pid_there": pids_by_namespace(sandbox.pid)[-1],
        "namespaces": _NAMESPACES,
        "uid": sandbox.uid,
        "tmp_mib": tmp_mib,
    }
    arguments = ["-I", "-S", str(LAUNCHER), str(SOURCE), "dump", json.dumps(order)]
    process = await asyncio.create_subprocess_exec(
        sys.executable, *arguments, stdin=asyncio.subprocess.DEVNULL, start_new_session=True
    )
    try:
        async with asyncio.timeout(_DEADLINE_S):
            status = await process.wait()
    except BaseException as error:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
        if isinstance(error, TimeoutError):
            raise SandboxError("CRIU took too long to write the function down") from error
        raise
    if status:
        said = await loop.run_in_executor(None, _last_words, sandbox.images)
        raise SandboxError(
            "SnapStart: CRIU cannot write the initialised function down: "
            f"{said or 'it does not say why'}"
        )
    await loop.run_in_executor(None, _hand_over, sandbox.images, keeper)


async def _hold_still(sandbox: CheckpointSandbox) -> None:
    """Nobody but the program's one process is there, and from now on nobody can be.

    Else what CRIU works with inside it – code of its own, in the function's memory – could be changed meanwhile by
    a process that CRIU does not stop.
    """
    loop = asyncio.get_running_loop()
    sandbox.freeze()
    end = loop.time() + _STILL_S
    while not sandbox.cgroup.is_frozen():
        if loop.time() > end:
            raise SandboxError("the initialised function does not stand still")
        await asyncio.sleep(_LOOK_EVERY_S)
    if sandbox.cgroup.pids() != {sandbox.pid}:
        raise SandboxError(
            "SnapStart: the initialisation left processes running, which cannot be part of a snapshot here; "
            "start them in a hook after being restored"
        )
    sandbox.cgroup.forbid_forks()
    sandbox.thaw()


def _last_words(images: Path) -> str:
    try:
        return complaints((images / "dump.log").read_text(errors="replace"))
    except OSError:
        return ""


def _hand_over(images: Path, keeper: int) -> None:
    for file in images.iterdir():
        os.chown(file, keeper, keeper, follow_symlinks=False)
    os.chown(images, keeper, keeper)
