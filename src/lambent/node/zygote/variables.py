"""The environment variables of a child: all at once, in place of the zygote's.

``os.environ`` goes through four calls of Python for each variable, most of them never run before in a child; all
that they touch is on pages that it shares with the zygote.
"""

import os

from lambent.node.linux import syscalls as sys_


def replace(environ: "dict[str, str]") -> None:
    """From here on these are this process's variables, for Python and C alike."""
    known = getattr(os.environ, "_data", None)
    if not isinstance(known, dict):  # another Python's
        os.environ.clear()
        os.environ.update(environ)
        return
    sys_.clear_environ()
    known.clear()
    for name, value in environ.items():
        key, text = (
            name.encode("utf-8", "surrogateescape"),
            value.encode("utf-8", "surrogateescape"),
        )
        os.putenv(key, text)
        known[key] = text
