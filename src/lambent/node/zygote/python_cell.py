"""A loaded stem cell of Python: a fork that has done all but what is its function's, and waits.

Contract:
1. It has run nothing of any function. Its isolation is final but for one thing, which ends before anything of a
   function's runs: it may mount. Of all capabilities it holds ``CAP_SYS_ADMIN`` alone, over namespaces of which it
   is the only inhabitant, under a filter that lets through nothing of what that allows but two calls.
2. It is told in two messages: where its code and layers lie, as mounts that are nowhere yet; then, when it has its
   limits, its variables, which are the permission to go on. Without the second one nothing of the function runs.
3. It becomes a function as any other fork does (:mod:`lambent.node.zygote.runtime`): what was loaded ahead and is
   shadowed by the function's own is forgotten, the log is set up by its variables, randomness is seeded.
"""

import gc
import json
import os
import socket
import sys
from typing import Any

from lambent.node.linux import syscalls as sys_
from lambent.node.zygote import isolate, runtime
from lambent.node.zygote.root import REHEARSED

TMP_MIB = 512
"""What /tmp is made with, as AWS does where nothing else is said."""
_CODE = "/var/task"
_MAX_MESSAGE_BYTES = 256 * 1024
_TREES = 2
_NOBODYS = "lambent_nobodys"
_STARTS = 2
"""Of a rehearsal in the cell: what the first one does for the first time, the second one finds."""


def become(uid: int) -> None:
    """Its function's user, with nothing left of the zygote's privileges but what it takes to mount."""
    sys_.prctl(sys_.PR_SET_KEEPCAPS, 1)
    isolate.become(uid)
    sys_.keep_capabilities(sys_.CAP_SYS_ADMIN)
    sys_.prctl(sys_.PR_SET_KEEPCAPS, 0)


def wait(
    control: socket.socket, last_filter: bytes, ahead: runtime.Ahead
) -> "tuple[dict[str, Any], runtime.Ahead]":
    """Returns when it may run its function: what :func:`lambent.node.zygote.runtime.run` is called with."""
    _rehearse(ahead)
    ahead = runtime.forget_platform(ahead)
    gc.collect()
    control.send(b"waits")
    begun, trees = _receive(control)
    _mount(trees, begun["tmp_mib"])
    sys_.drop_capabilities()
    sys_.load_seccomp(last_filter)
    sys.path[:0] = begun["search"]
    runtime.forget_shadowed(ahead, begun["search"])
    _look_around(_CODE)
    environ, _ = _receive(control)
    control.close()
    return {"entry": None, "search": [], "environ": environ}, ahead


def _rehearse(ahead: runtime.Ahead) -> None:
    """What is going to be done, as far as it leaves no trace."""
    search = [_CODE, "/opt/python"]
    for _ in range(_STARTS):
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with ours, theirs:
            message = {"search": search, "tmp_mib": TMP_MIB, "environ": dict(os.environ)}
            socket.send_fds(ours, [json.dumps(message).encode()], [ours.fileno()])
            _, fds = _receive(theirs)
            os.close(fds[0])
        runtime.forget_shadowed(ahead, search)
        _look_around(_CODE)
        del sys.path_importer_cache[_CODE]
    runtime.rehearse(ahead, REHEARSED, _STARTS)


def _receive(control: socket.socket) -> "tuple[dict[str, Any], list[int]]":
    """One message, and what came with it. Ends this process where nobody needs it any more."""
    data, trees, _, _ = socket.recv_fds(control, _MAX_MESSAGE_BYTES, _TREES)
    if not data:
        os._exit(0)
    return json.loads(data), trees


def _mount(trees: "list[int]", tmp_mib: int) -> None:
    for tree, target in zip(trees, (_CODE, "/opt"), strict=False):
        sys_.attach_mount(tree, target)
        os.close(tree)
    if tmp_mib != TMP_MIB:
        flags = sys_.MS_REMOUNT | sys_.MS_NOSUID | sys_.MS_NODEV
        sys_.mount("", "/tmp", "", flags, f"size={tmp_mib}m")  # noqa: S108 - inside
    os.chdir(_CODE)


def _look_around(directory: str) -> None:
    """What an import remembers of the directory that it begins with; nothing of it is loaded."""
    for hook in sys.path_hooks:
        try:
            finder: Any = hook(directory)
        except ImportError:
            continue
        finder.find_spec(_NOBODYS)
        sys.path_importer_cache[directory] = finder
        return
