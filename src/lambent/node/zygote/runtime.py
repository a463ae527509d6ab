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

_PLATFORM_PACKAGE = "lambent"
_AHEAD = (
    "awslambdaric.bootstrap", "awslambdaric.__main__", "awslambdaric.lambda_runtime_hooks_runner",
    "http.client", "simplejson", "ctypes", "fcntl", "resource", "socket", "traceback", "uuid",
)  # fmt: skip
_SDK = ("boto3", "boto3.session", "botocore.session", "botocore.client", "botocore.httpsession")


class Ahead(NamedTuple):
    """What was loaded ahead. A child must not walk these lists without need: every name it touches

    copies a page that it shares with the zygote (walking them all cost 3 MB an environment).
    """

    sdk: "tuple[str, ...]"
    """Modules only the SDK brought in; :func:`forget_shadowed` may take them back."""
    sdk_tops: "frozenset[str]"
    """Their top-level names."""
    platform: "tuple[str, ...]"
    """The platform's own modules, which no function is to see."""
    main: "Callable[[list[str]], None]"
    """The runtime client's entry point."""


def preload(paths: "list[str]", sdk_modules: "tuple[str, ...]" = _SDK) -> Ahead:
    """Imports the runtime client, and the SDK's modules, from ``paths``."""
    sys.path[:0] = paths
    for name in _AHEAD:
        importlib.import_module(name)
    before = set(sys.modules)
    for name in sdk_modules:
        # A host whose boto3 cannot be imported still runs functions that do not need it.
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    main = importlib.import_module("awslambdaric.__main__").main
    sdk = tuple(set(sys.modules) - before) if sdk_modules else ()
    tops = frozenset(name.partition(".")[0] for name in sdk)
    platform = tuple(n for n in sys.modules if n.partition(".")[0] == _PLATFORM_PACKAGE)
    gc.collect()
    gc.freeze()
    return Ahead(sdk, tops, platform, main)


def forget_shadowed(ahead: Ahead, search: "list[str]") -> bool:
    """Takes the preloaded SDK out of ``sys.modules`` when the function brings any part of its own.

    AWS searches ``/var/task`` and ``/opt/python`` before its runtime's packages, so a function's copy
    (of boto3, or a file called ``calendar.py``) wins; a module loaded ahead must not change that.
    """
    for directory in search:
        with contextlib.suppress(OSError):
            for entry in os.listdir(directory):
                if entry.partition(".")[0] in ahead.sdk_tops:
                    for name in ahead.sdk:
                        sys.modules.pop(name, None)
                    return True
    return False


def run(environ: "dict[str, str]", search: "list[str]", ahead: Ahead) -> None:
    """Becomes the function's runtime: returns only when that ends."""
    os.environ.clear()
    os.environ.update(environ)
    sys.path[:0] = search
    sys.dont_write_bytecode = True
    random.seed()
    forget_shadowed(ahead, search)
    for name in ahead.platform:
        sys.modules.pop(name, None)
    ahead.main(["bootstrap", environ["_HANDLER"]])
