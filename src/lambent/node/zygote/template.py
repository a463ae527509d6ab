"""A template: a runtime that has initialised a function once, and is forked from for every environment after that.

It runs in the function's own process, with no privilege, where AWS's runtime client would wait for its snapshot to
be restored (``restore_next``). Nothing the platform relies on for isolation happens here: the function could have
changed every line of it. What a fork joins was made by others (:mod:`lambent.node.zygote.shell`), the platform
is asked for each joining (:func:`lambent.node.linux.seccomp.build_template_filter`), and looks at what joined.

A fork goes through ``os.fork``, so that libraries with threads and locks get ready for it, and then a plain copy:
a process can only be inside a pid namespace from its birth.
"""

import array
import contextlib
import fcntl
import gc
import json
import os
import random
import signal
import socket
import sys
import warnings
from typing import Any

from lambent.node.linux import seccomp
from lambent.node.linux import syscalls as sys_
from lambent.node.zygote import carried, isolate, runtime_client, wakers

_MAX_MESSAGE_BYTES = 256 * 1024
_ORDER_FDS = 16
_JOIN, _STDOUT, _TELEMETRY, _CONTROL, _RUNTIME, _GROUPS = range(6)
"""What comes with an order, by place; the groups to enter are last."""
_SEED_BYTES = 64


def install(control: int) -> None:
    """Has the runtime client wait here for what AWS's has it wait for: being restored.

    ``control``: the descriptor of the socket that orders come by.
    """
    os.set_inheritable(control, False)
    client = sys.modules["awslambdaric.lambda_runtime_client"]
    client.BaseLambdaRuntimeClient.restore_next = lambda _: serve(control)


def serve(control: int) -> None:
    """Forks on order, for as long as the node wants. Returns in each fork, when it is to be used."""
    node = socket.socket(fileno=control)
    gc.collect()
    gc.freeze()  # what is never looked at again is never copied
    node.send(b"snapshot")
    while True:
        data, fds = _receive(node)
        if not data:
            os._exit(0)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of threads, which the function knows it has
                pid = os.fork()
        except OSError as error:
            node.send(f"not-forked {error}".encode())
            continue
        if pid == 0:
            node.close()
            _join(fds)
            return
        for fd in fds:
            os.close(fd)
        try:
            _, status = os.waitpid(pid, 0)
        except ChildProcessError:  # a thread of the function's was there first
            status = 0
        node.send(b"not-forked it ended" if status else b"forked")


def _receive(node: socket.socket) -> "tuple[bytes, list[int]]":
    fds = array.array("i")
    data, ancillary, _, _ = node.recvmsg(
        _MAX_MESSAGE_BYTES, socket.CMSG_SPACE(_ORDER_FDS * fds.itemsize)
    )
    for level, kind, content in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            fds.frombytes(content[: len(content) - len(content) % fds.itemsize])
    return data, list(fds)


def _join(fds: "list[int]") -> None:
    """Becomes an environment's process. Returns in it; ends instead where it cannot be, or is not wanted."""
    try:
        directory = os.getcwd()
        woken_by = wakers.find(set(fds))
        pairs = {fd for first, second, _ in woken_by.pairs for fd in (first, second)}
        luggage = carried.pack({*fds, *pairs})
        sys_.setns(fds[_JOIN], seccomp.JOIN_FLAGS)
        if sys_.fork_copy():
            os._exit(0)
        sys_.drop_capabilities_bounding()
        sys_.drop_capabilities()
        isolate.enter_cgroups(fds[_GROUPS:])
        os.setsid()
        os.chdir(directory)
        control = _connect(fds)
        carried.unpack(luggage)
        wakers.renew(woken_by)
        control.send(b"joined")
        data = control.recv(_MAX_MESSAGE_BYTES)
        control.close()
    except BaseException:  # whatever it was, nothing of the function may run on
        os._exit(1)
    if not data:
        os._exit(0)
    _wake(json.loads(data))


def _connect(fds: "list[int]") -> socket.socket:
    os.close(fds[_JOIN])
    for source, target in (
        (fds[_STDOUT], 1),
        (fds[_STDOUT], 2),
        (fds[_TELEMETRY], isolate.TELEMETRY_FD),
    ):
        os.dup2(source, target)
    os.set_inheritable(isolate.TELEMETRY_FD, False)
    # The function may have something of its own where a runtime has this else.
    runtime_fd = fcntl.fcntl(fds[_RUNTIME], fcntl.F_DUPFD_CLOEXEC, runtime_client.FD)
    runtime_client.client.converse(runtime_fd)
    for fd in (fds[_STDOUT], fds[_TELEMETRY], fds[_RUNTIME], *fds[_GROUPS:]):
        os.close(fd)
    return socket.socket(fileno=fds[_CONTROL])


def _wake(order: "dict[str, Any]") -> None:
    """What must not be the same in two environments is made anew."""
    os.environ.update(order["environ"])
    random.seed()
    numpy = sys.modules.get("numpy.random")
    if numpy is not None:
        with contextlib.suppress(Exception):
            numpy.seed(int.from_bytes(os.urandom(4), "little"))
    ssl = sys.modules.get("ssl")
    if ssl is not None:
        with contextlib.suppress(Exception):
            ssl.RAND_add(os.urandom(_SEED_BYTES), float(_SEED_BYTES))
    signal.set_wakeup_fd(-1)
