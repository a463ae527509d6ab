"""The runtime client's way from its start to an answer, gone before any fork, with nobody at the other end.

Python 3.11 and later rewrite bytecode as it gets warm, and much is made when it is first used. Done here,
the pages it lies on stay shared; done in each child, each copies them. What is called is the client's inner
life: where it has changed nothing is rehearsed, and everything is put back as it was.
"""

import logging
import os
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from typing import Any

from lambent.node.zygote import runtime_client, variables

STARTS, _EVENTS = 16, 2
_MODULE = "lambent_rehearsed"
SOURCE = "import json\n\n\ndef handler(event, context):\n    return {'n': event['n']}\n"
"""Of the module that is imported; it lies in the directory that :func:`rehearse` is given."""
_EVENT = (
    b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
    b"Lambda-Runtime-Aws-Request-Id: 00000000-0000-0000-0000-000000000000\r\n"
    b"Lambda-Runtime-Deadline-Ms: 0\r\nLambda-Runtime-Invoked-Function-Arn: arn\r\n"
    b'content-length: 23\r\n\r\n{"n": 1, "list": ["a"]}'
)
_ACCEPTED = b"HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n"
_ENVIRON = {
    "_HANDLER": f"{_MODULE}.handler",
    "_LAMBDA_TELEMETRY_LOG_FD": "",
    "AWS_LAMBDA_RUNTIME_API": "127.0.0.1:9001",
    "AWS_REGION": "us-east-1",
    "AWS_XRAY_CONTEXT_MISSING": "LOG_ERROR",
    "LANG": "en_US.UTF-8",
    "TZ": ":UTC",
}


class _OverError(BaseException):
    """No further event comes."""


class _Nowhere:
    """Between the client and what talks to the Runtime API, where all answers are there before it asks."""

    def __init__(self) -> None:
        self._left = _EVENTS
        self._node, runtime = socket.socketpair()
        self._node.sendall(b"".join([_EVENT, *[_ACCEPTED + _EVENT] * (_EVENTS - 1)]))
        runtime_client.client.begin(_ENVIRON)
        runtime_client.client.converse(runtime.detach())

    def next(self) -> tuple[bytes, dict[str, Any]]:
        """Some events, then the end."""
        if not self._left:
            raise _OverError
        self._left -= 1
        return runtime_client.client.next()

    def post_invocation_result(self, *given: Any) -> None:
        """Nobody reads it."""
        runtime_client.client.post_invocation_result(*given)

    def close(self) -> None:
        """Hangs up."""
        runtime_client.client.forget()
        self._node.close()


def file_in(directory: str) -> str:
    """Where the module lies."""
    return f"{directory}/{_MODULE}.py"


def rehearse(
    main: Callable[[list[str]], None],
    directory: str,
    more: Callable[[], None],
    starts: int = STARTS,
) -> None:
    """Starts the client ``main`` over and over, each time with ``more`` before it."""
    for _ in range(starts):
        with suppress(Exception), _everything_kept(directory):
            client = sys.modules["awslambdaric.lambda_runtime_client"]
            log = os.open(os.devnull, os.O_WRONLY)
            variables.replace({**_ENVIRON, "_LAMBDA_TELEMETRY_LOG_FD": str(log)})
            sys.path.insert(0, directory)
            more()
            with suppress(_OverError), closing(_Nowhere()) as vars(client)["runtime_client"]:
                main(["bootstrap", _ENVIRON["_HANDLER"]])


@contextmanager
def _everything_kept(directory: str) -> Iterator[None]:
    """Whatever the client changes for good is afterwards as it was."""
    client: Any = sys.modules["awslambdaric.lambda_runtime_client"]
    bootstrap: Any = sys.modules["awslambdaric.bootstrap"]
    logger = logging.getLogger()
    streams, environ, path = (sys.stdout, sys.stderr), dict(os.environ), list(sys.path)
    handlers, level, transport = list(logger.handlers), logger.level, client.runtime_client
    converter = logging.Formatter.converter
    known = {
        name: vars(bootstrap).get(name) for name in vars(bootstrap) if name.startswith("_GLOBAL")
    }
    try:
        yield
    finally:
        sys.stdout, sys.stderr = streams
        variables.replace(environ)
        sys.path[:] = path
        for handler in set(logger.handlers) - set(handlers):
            logger.removeHandler(handler)
            handler.close()
        logger.setLevel(level)
        logging.Formatter.converter = converter
        client.runtime_client = transport
        vars(bootstrap).update(known)
        sys.modules.pop(_MODULE, None)
        # What is known of all other directories is for children to use.
        sys.path_importer_cache.pop(directory, None)
