"""Restoring a function that was written down into an empty environment, and looking at what is there then."""

import asyncio
import os
import socket
import sys
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from typing import Any

from lambent.node.checkpoints.criu import Criu, complaints
from lambent.node.checkpoints.ended import ended
from lambent.node.checkpoints.sandbox import RestoredSandbox
from lambent.node.linux import syscalls as sys_
from lambent.node.linux.joined import check_powerless, check_restored
from lambent.node.linux.network_namespace import open_namespace
from lambent.node.sandbox import ways
from lambent.node.sandbox.birth import open_outputs
from lambent.node.sandbox.contract import SandboxError
from lambent.node.sandbox.shells import Shell, open_shell
from lambent.node.sandbox.template_sandbox import pid_of
from lambent.node.sandbox.templates import Room
from lambent.node.sandbox.zygote_client import ZygoteClient
from lambent.node.zygote.root import FIRST_UID

_KEEPER_UID = FIRST_UID + 50_000_000
"""POLICY: who reads images, the root of the user namespaces that are restored in: nobody's, of no file else."""
_RESTORE_DEADLINE_S = 10.0
_FIRST_PID = 30_000
"""CRIU counts from here: what is restored keeps its ids, which are lower."""
_MOST_LOG_BYTES = 65536
_READABLE = 0o604
"""CRIU opens by name what it is given, as its user."""
_CREDENTIALS_BYTES = 12


@dataclass(frozen=True, slots=True)
class Restoring:
    """``ports``: what environments listen at."""

    room: Room
    criu: Criu
    ports: list[int]

    async def revive(
        self,
        restored: RestoredSandbox,
        slot: int,
        zygote: ZygoteClient,
        rest: Mapping[str, Any],
        lent: ExitStack,
        kept: ExitStack,
    ) -> None:
        """``rest`` is what makes an environment the function's.

        ``lent`` closes what others have a copy of, ``kept`` what is the environment's if all goes well. Raises
        SandboxError, and OSError.
        """
        shell = await self._make_shell(zygote, restored.template.uid, rest)
        shell.join(kept)
        lent.callback(os.close, shell.pidfd)
        restored.runtime_api, restored.endpoint = shell.runtime_api, shell.endpoint
        control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        kept.callback(control.close)
        control.setblocking(False)
        control.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        with theirs:
            pid = await self._run_criu(restored, shell, zygote, theirs, control, lent, kept)
        await self._connect(slot, pid, zygote)
        restored.adopt(pid, shell.lifeline)
        restored.listen_to(control)

    async def _make_shell(self, zygote: ZygoteClient, uid: int, rest: Mapping[str, Any]) -> Shell:
        request = {
            **rest,
            "ports": self.ports,
            "hostname": "lambda",
            "network": ways.loopback_only(),
            "uid": uid,
            "keeper": keeper_of(uid),
            "first_pid": _FIRST_PID,
        }
        namespace = open_namespace(os.getpid(), "pid")
        try:
            return await open_shell(zygote, request, [namespace])
        finally:
            os.close(namespace)

    async def _run_criu(
        self,
        restored: RestoredSandbox,
        shell: Shell,
        zygote: ZygoteClient,
        theirs: socket.socket,
        control: socket.socket,
        lent: ExitStack,
        kept: ExitStack,
    ) -> int:
        """The pid of what it restored. Raises SandboxError, and OSError where that is not what it is to be."""
        criu, template = self.criu, restored.template
        outputs, children = open_outputs(restored, extensions=False)
        for fd in outputs:
            kept.callback(os.close, fd)
        orders, restored.orders = os.pipe2(os.O_CLOEXEC)
        kept.callback(os.close, restored.orders)
        os.fchmod(orders, _READABLE)
        images = os.open(template.images, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        log = os.memfd_create("criu", os.MFD_CLOEXEC)
        tools = sys_.clone_mount(str(criu.tools))
        for fd in (*children, orders, images, log, tools):
            lent.callback(os.close, fd)
        request = {"program": criu.program, "pipes": template.pipes, "uid": template.uid}
        cgroup = restored.cgroup
        fds = [theirs.fileno(), shell.pidfd, images, tools, children[0], children[1], orders, log]
        maker = await zygote.start({"revive": request}, [*fds, cgroup.v2_fd, *cgroup.v1_task_fds])
        theirs.close()
        await ended(maker, _RESTORE_DEADLINE_S)
        program = await _joined(control)
        if await ended(program, _RESTORE_DEADLINE_S):
            template.retire()  # it is initialised again when it is needed next
            said = complaints(os.pread(log, _MOST_LOG_BYTES, 0).decode(errors="replace"))
            said = said or _read(control) or "it does not say why"
            raise SandboxError(f"CRIU could not restore the environment: {said}")
        pids = cgroup.pids()
        if len(pids) != 1:
            raise SandboxError("the restored program ended")
        pid = pids.pop()
        check_restored(pid, pid_of(shell.pidfd), template.uid)
        check_powerless({pid})
        return pid

    async def _connect(self, slot: int, pid: int, zygote: ZygoteClient) -> None:
        """Only now: CRIU, which has the network's capabilities, cannot have given itself another's address."""
        way = self.room.way(slot)
        if way["make"]:
            wanted = {name: way[name] for name in ("make", "pid_at", "configure")}
            wanted |= {"pid": pid, "count": way["configure_count"]}
            await zygote.start({"connect": wanted}, ())


def keeper_of(uid: int) -> int:
    """Each function has one, as it has a user."""
    return _KEEPER_UID + uid - FIRST_UID


async def _joined(control: socket.socket) -> int:
    """The pid of whoever is about to be CRIU: the kernel's word. Raises SandboxError."""
    loop = asyncio.get_running_loop()
    readable = loop.create_future()
    loop.add_reader(control, _set, readable)
    try:
        async with asyncio.timeout(_RESTORE_DEADLINE_S):
            await readable
    except TimeoutError as error:
        raise SandboxError("the environment did not set itself up in time") from error
    finally:
        loop.remove_reader(control)
    data, ancillary, _, _ = control.recvmsg(4096, socket.CMSG_SPACE(_CREDENTIALS_BYTES))
    for level, kind, content in ancillary:
        if data == b"joined" and level == socket.SOL_SOCKET and kind == socket.SCM_CREDENTIALS:
            return int.from_bytes(content[:4], sys.byteorder)
    raise SandboxError(data.decode(errors="replace") or "the environment died while it started")


def _set(future: "asyncio.Future[None]") -> None:
    if not future.done():
        future.set_result(None)


def _read(control: socket.socket) -> str:
    with suppress(BlockingIOError):
        return control.recv(4096).decode(errors="replace")
    return ""
