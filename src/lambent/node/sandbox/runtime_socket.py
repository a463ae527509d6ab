"""The socket that a Python runtime has from its start, to speak the Runtime API over; see ADR 35."""

import socket


def open_runtime_socket() -> tuple[int, int]:
    """Our end, which never blocks, and the runtime's, by descriptor."""
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    return ours.detach(), theirs.detach()
