"""Loading AWS's runtime client ahead of the fork, and running it after.

Nothing of a function is ever loaded here: one zygote serves every function of its interpreter.
"""

import contextlib
import gc
import importlib
import os
import random
import sys
from collections.abc import Callable
from typing import NamedTuple

from lambent.node.zygote import heap, rehearsal, runtime_client, variables

_PLATFORM_PACKAGE = "lambent"
_AHEAD = (
    "awslambdaric.lambda_literals",
    "awslambdaric.lambda_runtime_hooks_runner",
    "http.client",
    "socket",
    "traceback",
    "uuid",
)
_SDK = ("boto3", "boto3.session", "botocore.session", "botocore.client", "botocore.httpsession")


_hidden: "list[object]" = []
"""The platform's modules in a child: to take them apart would cost it 50 pages, and nobody finds them here."""


class Ahead(NamedTuple):
    """What was loaded ahead. A child must not walk these lists without need: every name it touches

    copies a page that it shares with the zygote (walking them all cost 3 MB an environment).
    """

    extra: "tuple[str, ...]"
    """Modules a runtime of AWS's would not have loaded yet; :func:`forget_shadowed` may take them back."""
    extra_tops: "frozenset[str]"
    """Their top-level names."""
    platform: "tuple[str, ...]"
    """The platform's own modules, which no function is to see."""
    main: "Callable[[list[str]], None]"
    """The runtime client's entry point."""


def load_client(paths: "list[str]") -> Ahead:
    """Imports the runtime client from ``paths``, and nothing ahead of need."""
    sys.path[:0] = paths
    runtime_client.install(paths)
    main = importlib.import_module("awslambdaric.__main__").main
    platform = tuple(n for n in sys.modules if n.partition(".")[0] == _PLATFORM_PACKAGE)
    return Ahead((), frozenset(), platform, main)


def preload(paths: "list[str]", rehearsed: str) -> Ahead:
    """Imports the runtime client, the SDK and what they need later on from ``paths``, for a fork to have."""
    pipe = _ask_fresh_interpreter(paths)
    client = load_client(paths)
    for name in (*_AHEAD, *_SDK):
        # A host whose boto3 cannot be imported still runs functions that do not need it.
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    usual = _read_all(pipe).split()
    extra = tuple(set(sys.modules) - set(usual) - set(client.platform)) if usual else ()
    tops = frozenset(name.partition(".")[0] for name in extra)
    client = client._replace(extra=extra, extra_tops=tops)

    rehearse(client, rehearsed)
    gc.collect()
    heap.fill_holes()
    gc.freeze()
    return client


def rehearse(ahead: Ahead, directory: str, starts: int = rehearsal.STARTS) -> None:
    """Goes the way of :func:`run`, as far as it leaves no trace, with the module in ``directory``."""

    def prepare() -> None:
        random.seed()
        forget_shadowed(ahead, [directory])

    rehearsal.rehearse(ahead.main, directory, prepare, starts)


def forget_platform(ahead: Ahead) -> Ahead:
    """No function is to see the platform's own modules. What is left for :func:`run` to know."""
    for name in ahead.platform:
        _hidden.append(sys.modules.pop(name, None))
    return ahead._replace(platform=())


def preload_nothing() -> Ahead:
    """For a zygote that runs no function, and makes what they run in alone."""
    gc.collect()
    heap.fill_holes()
    gc.freeze()
    return Ahead((), frozenset(), (), lambda _: None)


def _ask_fresh_interpreter(paths: "list[str]") -> int:
    """Which modules a runtime has loaded when it looks for the handler: a pipe that will tell.

    It differs from one Python to the next, so it is asked, while this process does its own imports.
    """
    reader, writer = os.pipe()
    code = (
        "import sys; sys.path[:0] = sys.argv[1:]; import awslambdaric.__main__; print(*sys.modules)"
    )
    arguments = [sys.executable, "-I", "-S", "-X", "utf8", "-c", code, *paths]
    actions = [(os.POSIX_SPAWN_DUP2, writer, 1)]
    os.posix_spawn(sys.executable, arguments, os.environ, file_actions=actions)
    os.close(writer)
    return reader


def _read_all(fd: int) -> str:
    with open(fd) as file:
        return file.read()


def forget_shadowed(ahead: Ahead, search: "list[str]") -> bool:
    """Takes what was loaded ahead out of ``sys.modules`` when the function brings any part of its own.

    AWS searches ``/var/task`` and ``/opt/python`` before its runtime's packages, so a function's copy
    (of boto3, or a file called ``calendar.py``) wins; a module loaded ahead must not change that.
    """
    for directory in search:
        with contextlib.suppress(OSError):
            for entry in os.listdir(directory):
                if entry.partition(".")[0] in ahead.extra_tops:
                    for name in ahead.extra:
                        sys.modules.pop(name, None)
                    return True
    return False


def run(environ: "dict[str, str]", search: "list[str]", ahead: Ahead, runtime_fd: int = -1) -> None:
    """Becomes the function's runtime: returns only when that ends.

    ``runtime_fd``: the socket that the Runtime API is spoken over; without one it is asked over TCP.
    """
    variables.replace(environ)
    sys.path[:0] = search
    sys.dont_write_bytecode = True
    random.seed()
    forget_shadowed(ahead, search)
    for name in ahead.platform:
        _hidden.append(sys.modules.pop(name, None))
    if environ.get("AWS_LAMBDA_LOG_FORMAT") or environ.get("AWS_LAMBDA_LOG_LEVEL"):
        # It read them when it was imported, for nobody in particular. The module stays the same
        # object, so its entry point finds what is read now.
        importlib.reload(sys.modules["awslambdaric.bootstrap"])
    runtime_client.client.begin(environ)
    if runtime_fd >= 0:
        runtime_client.client.converse(runtime_fd)
    ahead.main(["bootstrap", environ["_HANDLER"]])
