"""The environment variables of a child: all at once, in place of the zygote's.

``os.environ`` goes through four calls of Python for each variable, most of them never run before in a child; all
that they touch is on pages that it shares with the zygote.
"""

import os
import sys

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
    encoding = sys.getfilesystemencoding()  # os.environ reads them so
    for name, value in environ.items():
        key = name.encode(encoding, "surrogateescape")
        text = value.encode(encoding, "surrogateescape")
        os.putenv(key, text)
        known[key] = text
