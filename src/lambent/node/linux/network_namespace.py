"""Sockets of another network: a socket stays where it was made."""

import os
import socket

from lambent.node.linux import syscalls as sys_


def socket_in(pid: int) -> socket.socket:
    """An unconnected TCP socket in the network namespace of a process, made in some microseconds.

    Needs CAP_SYS_ADMIN; the calling thread alone goes there, and is back when this returns. Raises OSError.
    """
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        there = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        try:
            sys_.setns(there, sys_.CLONE_NEWNET)
        finally:
            os.close(there)
        try:
            return socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        finally:
            sys_.setns(home, sys_.CLONE_NEWNET)
    finally:
        os.close(home)


def open_namespace(pid: int, kind: str) -> int:
    """A namespace of a process, ``net`` or ``pid`` for example, by descriptor. Raises OSError."""
    return os.open(f"/proc/{pid}/ns/{kind}", os.O_RDONLY | os.O_CLOEXEC)
