"""Programs of an outbound network without root, each in a process of its own.

``hold``: makes a user namespace of this user's, and in it the network namespaces of
:mod:`lambent.node.sandbox.user_network`; hands descriptors of them over, and stays where the tool for the way
out can attach, as a program that waits for the node to hang up. ``become``: another program, which ends when the
node does.
"""

import os
import signal
import socket
import sys

from lambent.node.linux import syscalls as sys_
from lambent.node.linux.netlink import NETLINK_NETFILTER, NETLINK_ROUTE
from lambent.node.zygote import rootless, signals

_WAITING = ("/bin/cat", "/usr/bin/cat")


def hold(node: socket.socket) -> None:
    """Sends ``held`` with the descriptors of :func:`_make`, otherwise the reason why not. Never returns."""
    try:
        fds = _make()
    except OSError as error:
        node.send(str(error).encode())
        os._exit(1)
    socket.send_fds(node, [b"held"], fds)
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(node.fileno(), 0)
    os.dup2(null, 1)
    os.closerange(3, 65536)
    sys_.prctl(sys_.PR_SET_NO_NEW_PRIVS, 1)
    sys_.drop_capabilities_bounding()
    sys_.drop_capabilities()
    program = next(filter(os.path.exists, _WAITING))
    os.execve(program, ["cat"], {})  # noqa: S606 - no shell is wanted


def _make() -> "list[int]":
    """The user namespace, the network between; sockets: the gateway's routes and filter, routes between."""
    rootless.enter_user_namespace(0)
    user = os.open("/proc/self/ns/user", os.O_RDONLY)
    sys_.unshare(sys_.CLONE_NEWNET)
    gateway = os.open("/proc/self/ns/net", os.O_RDONLY)
    _set("ip_forward", "1")
    _set("icmp_ratelimit", "0")  # every refusal is told: nobody waits for a timeout
    sockets = [_open_netlink(NETLINK_ROUTE), _open_netlink(NETLINK_NETFILTER)]
    sys_.unshare(sys_.CLONE_NEWNET)
    between = os.open("/proc/self/ns/net", os.O_RDONLY)
    sockets.append(_open_netlink(NETLINK_ROUTE))
    sys_.setns(gateway, sys_.CLONE_NEWNET)
    return [user, between, *sockets]


def _set(name: str, value: str) -> None:
    with open(f"/proc/sys/net/ipv4/{name}", "w") as file:
        file.write(value)


def _open_netlink(protocol: int) -> int:
    return socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, protocol).detach()


def become(node_pid: int, command: "list[str]") -> None:
    """Executes that program. Never returns."""
    for number in (
        signal.SIGPIPE,
        signal.SIGXFSZ,
    ):  # which Python ignores; pasta ends where they are ignored
        signal.signal(number, signal.SIG_DFL)
    if os.getppid() == node_pid:
        os.execve(command[0], command, {"PATH": os.defpath})  # noqa: S606 - no shell is wanted
    os._exit(1)


def main() -> None:
    """``hold`` with the node's socket as descriptor 0; or ``become``, the node's pid, and a command."""
    sys_.prctl(sys_.PR_SET_PDEATHSIG, signal.SIGKILL)
    signals.restore()
    what, *rest = sys.argv[1:]
    if what == "hold":
        hold(socket.socket(fileno=os.dup(0)))
    become(int(rest[0]), rest[1:])
