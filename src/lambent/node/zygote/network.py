"""What a child does to be connected: loopback always, and an interface of its own where there is a way out.

A zygote with a way out lives in the network namespace between the host and its children (see
:mod:`lambent.node.sandbox.network`), and only there can a child put its interface on the way.

The node has written the messages: a child sends bytes. Whatever it computed itself would copy pages that
it shares with the zygote (building the messages here cost 0.3 MB an environment).
"""

import os
import socket
import struct
from typing import NamedTuple

from lambent.node.linux import syscalls as sys_

_NETLINK_ROUTE = 0
_DEADLINE_S = 5.0
_RECEIVE_BYTES = 8192
_ERROR = struct.Struct("=IHHIIi")
"""Header and errno of an answer."""


class Way(NamedTuple):
    """Datagrams as hex, and how many messages are in each. ``make`` is "" where there is only loopback.

    ``make`` is sent from the namespace between, with this process's id at ``pid_at``; ``configure`` inside.
    """

    make: str
    pid_at: int
    configure: str
    configure_count: int


def connect(way: Way) -> None:
    """This process's network, in a namespace of its own; with a way out, one it makes now.

    Raises OSError.
    """
    if way.make:
        between = open_socket()
        sys_.unshare(sys_.CLONE_NEWNET)
        message = bytearray.fromhex(way.make)
        struct.pack_into("=I", message, way.pid_at, os.getpid())
        exchange(between, message, 1)
    exchange(open_socket(), bytes.fromhex(way.configure), way.configure_count)


def open_socket() -> socket.socket:
    """A netlink socket of the network this process is in."""
    made = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_ROUTE)
    made.settimeout(_DEADLINE_S)
    return made


def exchange(netlink: socket.socket, data: "bytes | bytearray", count: int) -> None:
    """Sends, and waits for an acknowledgement of each message: one datagram each. Closes the socket."""
    with netlink:
        netlink.send(data)
        for _ in range(count):
            number = -_ERROR.unpack_from(netlink.recv(_RECEIVE_BYTES))[5]
            if number:
                raise OSError(number, f"network: {os.strerror(number)}")
