"""The runtime client's way from its start to an answer, gone before any fork, with nobody at the other end.

Python 3.11 and later rewrite bytecode as it gets warm, and much is made when it is first used. Done here,
the pages it lies on stay shared; done in each child, each copies them. What is called is the client's inner
life: where it has changed nothing is rehearsed, and everything is put back as it was.
"""

import json
import logging
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from lambent.node.zygote import variables

STARTS, _EVENTS = 16, 2
_MODULE = "lambent_rehearsed"
SOURCE = "import json\n\n\ndef handler(event, context):\n    return {'n': event['n']}\n"
"""Of the module that is imported; it lies in the directory that :func:`rehearse` is given."""
_HEADERS = {
    "Lambda-Runtime-Aws-Request-Id": "00000000-0000-0000-0000-000000000000",
    "Lambda-Runtime-Deadline-Ms": "0",
    "Lambda-Runtime-Invoked-Function-Arn": "arn",
    "Content-Type": "application/json",
}
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
    """In place of the module through which the client talks to the Runtime API."""

    def __init__(self) -> None:
        self._left = _EVENTS

    def next(self) -> tuple[bytes, dict[str, str]]:
        """Some events, then the end."""
        if not self._left:
            raise _OverError
        self._left -= 1
        return json.dumps({"n": 1, "list": ["a"]}).encode(), dict(_HEADERS)

    def post_invocation_result(self, *_: object) -> None:
        """Where an answer would go."""


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
            vars(client)["runtime_client"] = _Nowhere()
            log = os.open(os.devnull, os.O_WRONLY)
            variables.replace({**_ENVIRON, "_LAMBDA_TELEMETRY_LOG_FD": str(log)})
            sys.path.insert(0, directory)
            more()
            with suppress(_OverError):
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
