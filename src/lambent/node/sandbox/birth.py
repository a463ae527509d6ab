"""The birth of an environment: the descriptors it and the node talk by, the fork, and its sockets."""

import asyncio
import os
import socket
from collections.abc import Mapping, Sequence
from typing import Any

from lambent.node.linux.cgroups import Cgroup
from lambent.node.sandbox.contract import SandboxError
from lambent.node.sandbox.namespace_sandbox import NamespaceSandbox
from lambent.node.sandbox.prepared_networks import PreparedNetwork
from lambent.node.sandbox.runtime_socket import open_runtime_socket
from lambent.node.sandbox.zygote_client import ZygoteClient

_SETUP_DEADLINE_S = 10.0
_WRITABLE = 0o622


async def bear(
    sandbox: NamespaceSandbox,
    zygote: ZygoteClient,
    request: Mapping[str, Any],
    cgroup: Cgroup,
    more: Sequence[int] = (),
    prepared: PreparedNetwork | None = None,
) -> None:
    """Forks, and waits for the child's sockets. ``more``: descriptors the zygote gets behind all others.

    With a ``prepared`` network the sockets are there already; it is the environment's, or given back, afterwards.

    Raises SandboxError. A sandbox that has a ``pid`` then is ended, and gives everything back by itself; one that
    has none may have a child in its cgroup all the same, which nobody heard of.
    """
    control, control_child = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    control.setblocking(False)
    lifeline_child, lifeline = os.pipe2(os.O_CLOEXEC)
    outputs, children = open_outputs(sandbox, extensions=bool(request["extensions"]))
    cgroup_fds = [cgroup.v2_fd] if cgroup.v2_fd >= 0 else []
    fds = [control_child.fileno(), children[0], children[1], lifeline_child, children[2]]
    try:
        fds += [*cgroup_fds, *cgroup.v1_task_fds, *children[3:], *more]
        if prepared is not None:
            fds.append(prepared.namespace)
        pid = await zygote.start({**request, "prepared": prepared is not None}, fds)
    except BaseException:
        if prepared is not None:
            prepared.discard()
        control.close()
        for fd in (*outputs, lifeline):
            os.close(fd)
        raise
    finally:
        control_child.close()
        for fd in (lifeline_child, *children):
            os.close(fd)
        cgroup.close_birth_fds()
    sandbox.adopt(pid, lifeline)
    try:
        if prepared is not None:
            os.close(prepared.namespace)
            sandbox.runtime_api, sandbox.endpoint = prepared.sockets
        else:
            sandbox.runtime_api, sandbox.endpoint = await _receive_sockets(control)
        sandbox.listen_to(control)
    except BaseException:
        control.close()
        sandbox.kill()
        for fd in outputs:
            os.close(fd)
        raise


def open_outputs(sandbox: NamespaceSandbox, *, extensions: bool) -> tuple[list[int], list[int]]:
    """Pipes for stdout, telemetry and – where there are any – extensions, with the runtime's socket third.

    Our ends, and the child's.
    """
    ours, children = [], []
    for _ in range(3 if extensions else 2):
        reader, writer = os.pipe2(os.O_CLOEXEC)
        os.set_blocking(reader, False)
        # Its user may open what it has by name: /dev/stdout, and /proc/self/fd/3 (Java knows no other way).
        os.fchmod(writer, _WRITABLE)
        ours.append(reader)
        children.append(writer)
    for pipe, fd in zip((ours, children), open_runtime_socket(), strict=True):
        pipe.insert(2, fd)
    sandbox.stdout_fd, sandbox.telemetry_fd, sandbox.runtime_fd = ours[:3]
    if extensions:
        sandbox.extension_fd = ours[3]
    return ours, children


async def _receive_sockets(control: socket.socket) -> tuple[socket.socket, socket.socket]:
    """The child's two listening sockets; raises SandboxError with its words when it failed."""
    runtime_api, endpoint = (socket.socket(fileno=fd) for fd in await receive_fds(control, 2))
    return runtime_api, endpoint


async def receive_fds(control: socket.socket, count: int) -> list[int]:
    """The descriptors that come with one message; raises SandboxError with its words where they do not."""
    loop = asyncio.get_running_loop()
    readable = loop.create_future()

    def on_readable() -> None:
        loop.remove_reader(control)
        if not readable.done():
            readable.set_result(None)

    loop.add_reader(control, on_readable)
    try:
        async with asyncio.timeout(_SETUP_DEADLINE_S):
            await readable
    except TimeoutError as error:
        raise SandboxError("the environment did not set itself up in time") from error
    finally:
        loop.remove_reader(control)
    data, fds, _, _ = socket.recv_fds(control, 4096, count)
    if len(fds) != count:
        raise SandboxError(data.decode(errors="replace") or "the environment died while it started")
    return fds
