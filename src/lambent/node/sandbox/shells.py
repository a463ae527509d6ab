"""Empty environments for forks of a template to join, as the node holds them; how they are made is in
:mod:`lambent.node.zygote.shell`.

A shell is nobody's until it is joined, knows nothing of the slot it will be in, and holds little of the machine.
"""

import asyncio
import os
import secrets
import select
import socket
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from typing import Any

from lambent.node.linux.network_namespace import open_namespace
from lambent.node.sandbox import ways
from lambent.node.sandbox.birth import receive_fds
from lambent.node.sandbox.contract import SandboxError
from lambent.node.sandbox.template_sandbox import TemplateSandbox
from lambent.node.sandbox.zygote_client import ZygoteClient

SHELL_BYTES = 600_000
"""What one holds, all of it the kernel's but for two pages."""
_FIRST_PID, _LAST_PID = 300, 30_000


class Shell:
    """One of them: its listening sockets, its pid 1 by descriptor, and what keeps that alive."""

    def __init__(
        self, api: socket.socket, endpoint: socket.socket, pidfd: int, lifeline: int
    ) -> None:
        self.runtime_api, self.endpoint = api, endpoint
        self.pidfd, self.lifeline = pidfd, lifeline
        loop = asyncio.get_running_loop()
        self.exited: asyncio.Future[None] = loop.create_future()
        """Whether pid 1 ended, until it is joined."""
        loop.add_reader(pidfd, self._on_exit)

    @property
    def is_alive(self) -> bool:
        """Whether pid 1 is there this moment; that it ended is heard of only later."""
        look = select.poll()
        look.register(self.pidfd, select.POLLIN)
        return not look.poll(0)

    def own_bytes(self) -> int:
        """No group counts it."""
        return 0

    def join(self, kept: ExitStack) -> None:
        """It is somebody's; ``kept`` closes what is that one's now: all but ``pidfd``."""
        asyncio.get_running_loop().remove_reader(self.pidfd)
        kept.callback(self.runtime_api.close)
        kept.callback(self.endpoint.close)
        kept.callback(os.close, self.lifeline)

    def discard(self) -> None:
        """Nobody joins it any more."""
        with ExitStack() as kept:
            self.join(kept)
            os.close(self.pidfd)

    def _on_exit(self) -> None:
        asyncio.get_running_loop().remove_reader(self.pidfd)
        if not self.exited.done():
            self.exited.set_result(None)


async def make_shell(
    zygote: ZygoteClient, template: TemplateSandbox, rest: Mapping[str, Any], ports: list[int]
) -> Shell:
    """One that can be joined. Raises SandboxError."""
    with ExitStack() as lent:
        try:
            namespaces = _open_namespaces(template, lent)
        except OSError as error:
            raise SandboxError(f"the template ended: {error}") from error
        request = {
            **rest,
            "ports": ports,
            "hostname": "lambda",
            "network": ways.loopback_only(),
            "uid": template.uid,
            "first_pid": _FIRST_PID + secrets.randbelow(_LAST_PID - _FIRST_PID),
        }
        return await open_shell(zygote, request, namespaces)


async def open_shell(
    zygote: ZygoteClient, request: Mapping[str, Any], namespaces: list[int]
) -> Shell:
    """One as ``request`` says, below ``namespaces``. Raises SandboxError."""
    with ExitStack() as lent, ExitStack() as kept:
        lifeline_child, lifeline = os.pipe2(os.O_CLOEXEC)
        lent.callback(os.close, lifeline_child)
        kept.callback(os.close, lifeline)
        control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        control.setblocking(False)
        lent.callback(control.close)
        with theirs:
            fds = (theirs.fileno(), lifeline_child, *namespaces)
            await zygote.start({"shell": request}, fds)
        api, endpoint = (socket.socket(fileno=fd) for fd in await receive_fds(control, 2))
        kept.callback(api.close)
        kept.callback(endpoint.close)
        (pidfd,) = await receive_fds(control, 1)
        kept.callback(os.close, pidfd)
        with suppress(SandboxError):  # it is closed when pid 1 is what it is to be
            await receive_fds(control, 1)
        shell = Shell(api, endpoint, pidfd, lifeline)
        kept.pop_all()
        return shell


def _open_namespaces(template: TemplateSandbox, lent: ExitStack) -> list[int]:
    """What a shell has to be made below: the template's pid namespace; without root its user namespace, too."""
    found = []
    for kind in ("pid", "user") if template.is_rootless else ("pid",):
        found.append(open_namespace(template.pid, kind))
        lent.callback(os.close, found[-1])
    return found
