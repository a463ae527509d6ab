"""The Runtime API over a socket that is there from the start, as awslambdaric's C++ extension speaks it over TCP.

Contract:
1. What is sent, printed and raised is what the extension sends, prints and raises.
   Source: aws/aws-lambda-python-runtime-interface-client, ``runtime_client.cpp``, and recordings of 4.2.2.
2. A response leaves together with the request for the next event, and its acceptance is read with that event:
   nothing happens between the two. Where something may (much is to be freed, a thread is started, somebody's own
   code is in awslambdaric's place), and where it may be refused for its size, it is sent and waited for.
"""

import os
import select
import socket
import time
from _thread import get_ident
from collections.abc import Callable
from contextlib import suppress
from typing import Any

_ROOT = "/2018-06-01/runtime/invocation/"
_MAX_TOGETHER_BYTES = 32 * 1024
"""POLICY: what leaves together fits into a socket's buffer, and nothing so small is refused for its size."""
_RECEIVE_BYTES = 64 * 1024
TYPES = ("application/json", "application/unknown")
"""What awslambdaric's own marshaller says of a result."""
_NAMES = {
    "lambda-runtime-aws-request-id": "Lambda-Runtime-Aws-Request-Id",
    "lambda-runtime-trace-id": "Lambda-Runtime-Trace-Id",
    "lambda-runtime-invoked-function-arn": "Lambda-Runtime-Invoked-Function-Arn",
    "lambda-runtime-deadline-ms": "Lambda-Runtime-Deadline-Ms",
    "lambda-runtime-client-context": "Lambda-Runtime-Client-Context",
    "content-type": "Content-Type",
    "lambda-runtime-cognito-identity": "Lambda-Runtime-Cognito-Identity",
    "lambda-runtime-aws-tenant-id": "Lambda-Runtime-Aws-Tenant-Id",
    "lambda-runtime-invocation-id": "Lambda-Runtime-Invocation-Id",
}
_ABSENT: "dict[str, Any]" = {
    **dict.fromkeys(_NAMES.values()),
    "Lambda-Runtime-Invoked-Function-Arn": "",
    "Lambda-Runtime-Deadline-Ms": 0,
}


_NO_SIGNAL = getattr(socket, "MSG_NOSIGNAL", 0)
"""A function may have given the signal its default meaning, which is the end. macOS has no such flag."""


class NotSentError(Exception):
    """The socket is gone, and nothing of a request has left."""


class Conversation:
    """With the node, over ``fd``. ``host``: what the Runtime API is called; ``user_agent``: who asks there.

    ``is_direct``: whether awslambdaric's own code is all that runs between an answer and the request for the next
    event. Used by one thread at a time.
    """

    def __init__(self, fd: int, host: str, user_agent: str, is_direct: Callable[[], bool]) -> None:
        self._socket = socket.socket(fileno=fd)
        self._socket.settimeout(None)
        # The length is last: all before it is the same each time, and known to who reads it.
        self._readable = select.poll()
        self._readable.register(fd, select.POLLIN)
        self._is_direct = is_direct
        self._inode = os.fstat(fd).st_ino
        self._lines = f"HTTP/1.1\r\nHost: {host}\r\nAccept: */*\r\n"
        self._agent = f"User-Agent: {user_agent}\r\n"
        self._next = f"GET {_ROOT}next {self._lines}{self._agent}\r\n".encode()
        self._unsent = b""
        self._kind = ""
        self._received = b""
        self._asker = 0
        self._event_bytes = 0
        self.request_id: str | None = None

    def next(self) -> "tuple[bytes, dict[str, Any]]":
        """Sends what waits to be sent, and returns the next event when there is one.

        Raises NotSentError and RuntimeError.
        """
        unsent, self._unsent = self._unsent, b""
        self._asker = get_ident()
        self._send(unsent + self._next)
        if unsent:
            self._hear_accepted()
        status, head, body = self._receive("Failed to get next")
        if not 200 <= status <= 299:
            _say(f"Failed to get next invocation. Http Response code: {status}")
            raise RuntimeError("Failed to get next")
        found = _ABSENT.copy()
        for line in head.split("\r\n"):
            name, _, value = line.partition(": ")
            known = _NAMES.get(name.lower())
            if known is not None and value:
                found[known] = value
        found["Lambda-Runtime-Deadline-Ms"] = int(found["Lambda-Runtime-Deadline-Ms"])
        self.request_id = found["Lambda-Runtime-Aws-Request-Id"]
        self._event_bytes = len(body)
        return body, found

    def post(self, kind: str, content_type: str, more: str, body: bytes) -> bool:
        """A ``response`` or an ``error``; False where it leaves with the next request.

        ``more``: header lines. Raises NotSentError and RuntimeError.
        """
        head = (
            f"POST {_ROOT}{self.request_id}/{kind} {self._lines}content-type: {content_type}\r\n"
            f"{more}{self._agent}content-length: {len(body)}\r\n\r\n"
        )
        request = head.encode() + body
        self._kind, self.request_id = kind, None
        together = len(request) + self._event_bytes <= _MAX_TOGETHER_BYTES
        if together and self._asker == get_ident() and self._is_direct():
            self._unsent = request
            return False
        self._send(request)
        self._hear_accepted()
        return True

    def _hear_accepted(self) -> None:
        failure = f"Failed to post invocation {self._kind}"
        status, _, body = self._receive(failure)
        if not 200 <= status <= 299:
            text = body.decode(errors="replace")
            _say(f"Failed to post handler success response. Http response code: {status}. {text}")
            raise RuntimeError(failure)

    def _send(self, data: bytes) -> None:
        try:
            sent = self._socket.send(data, _NO_SIGNAL)
        except OSError as error:
            raise NotSentError from error
        if sent < len(data):
            self._socket.sendall(memoryview(data)[sent:], _NO_SIGNAL)

    def _receive(self, failure: str) -> "tuple[int, str, bytes]":
        """Status, head and body of one answer. Raises RuntimeError where the node has hung up."""
        data, self._received = self._received, b""
        while (end := data.find(b"\r\n\r\n")) < 0:
            # Who waits in recv is woken when the node reads what was sent, too, and sleeps on.
            self._readable.poll()
            data += self._more(_RECEIVE_BYTES, 0, failure)
        head, body_at = data[:end].decode(), end + 4
        rest_at = body_at + int(head[head.rindex(":") + 1 :])  # the length is last here too
        missing = rest_at - len(data)
        if missing <= 0:
            self._received = data[rest_at:]
            return int(head[9:12]), head, data[body_at:rest_at]
        pieces = [data[body_at:]]
        while missing:
            pieces.append(self._more(missing, socket.MSG_WAITALL, failure))
            missing -= len(pieces[-1])
        return int(head[9:12]), head, b"".join(pieces)

    def _more(self, size_bytes: int, flags: int, failure: str) -> bytes:
        try:
            data = self._socket.recv(size_bytes, flags)
        except OSError:
            data = b""
        if not data:
            _say("Failed to get next invocation. No Response from endpoint")
            raise RuntimeError(failure)
        return data

    def close(self) -> None:
        """Hangs up, unless the function had, and may have something else there."""
        fd = self._socket.detach()
        with suppress(OSError):
            if os.fstat(fd).st_ino == self._inode:
                os.close(fd)


def _say(text: str) -> None:
    """As the extension does, to standard output."""
    now_ms = time.time_ns() // 1_000_000
    with suppress(OSError):
        os.write(1, f"[ERROR] [{now_ms}] LAMBDA_RUNTIME {text}\n".encode())
