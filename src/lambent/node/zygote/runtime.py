"""Loading AWS's runtime client ahead of the fork, and running it after.

Nothing of a function is ever loaded here: one zygote serves every function of its interpreter.
"""

import contextlib
import gc
import importlib
import os
import random
import sys

_PLATFORM_PACKAGE = "lambent"
_AHEAD = (
    "awslambdaric.bootstrap", "awslambdaric.__main__", "awslambdaric.lambda_runtime_hooks_runner",
    "http.client", "simplejson", "ctypes", "fcntl", "resource", "socket", "traceback", "uuid",
)  # fmt: skip
_SDK = ("boto3", "boto3.session", "botocore.session", "botocore.client", "botocore.httpsession")


def preload(paths: "list[str]") -> "frozenset[str]":
    """Imports the runtime client and boto3 from ``paths``.

    Returns the modules only the SDK brought in, which :func:`forget_shadowed` may take back.
    """
    sys.path[:0] = paths
    for name in _AHEAD:
        importlib.import_module(name)
    before = set(sys.modules)
    for name in _SDK:
        # A host whose boto3 cannot be imported still runs functions that do not need it.
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    gc.collect()
    gc.freeze()
    return frozenset(set(sys.modules) - before)


def forget_shadowed(ahead: "frozenset[str]", search: "list[str]") -> bool:
    """Takes the preloaded SDK out of ``sys.modules`` when the function brings any part of its own.

    AWS searches ``/var/task`` and ``/opt/python`` before its runtime's packages, so a function's copy
    (of boto3, or a file called ``calendar.py``) wins; a module loaded ahead must not change that.
    """
    top = {name.partition(".")[0] for name in ahead}
    brought: set[str] = set()
    for directory in search:
        with contextlib.suppress(OSError):
            brought.update(entry.partition(".")[0] for entry in os.listdir(directory))
    if not top & brought:
        return False
    for name in ahead:
        sys.modules.pop(name, None)
    return True


def run(environ: "dict[str, str]", search: "list[str]", ahead: "frozenset[str]") -> None:
    """Becomes the function's runtime: returns only when that ends."""
    os.environ.clear()
    os.environ.update(environ)
    sys.path[:0] = search
    sys.dont_write_bytecode = True
    random.seed()
    forget_shadowed(ahead, search)
    for name in [n for n in sys.modules if n.partition(".")[0] == _PLATFORM_PACKAGE]:
        del sys.modules[name]
    main = importlib.import_module("awslambdaric.__main__").main
    gc.enable()
    main(["bootstrap", environ["_HANDLER"]])
