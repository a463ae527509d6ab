"""Which functions a waiting JVM can become (ADR 27): those that set nothing it has read by then.

What runs in it is ``Waiting.java``.
"""

import zipfile
from collections.abc import Iterable, Sequence

from lambent.node.java.runtimes import JAR, JavaRuntime

LIBRARY = "lib/liblambent.so"
"""What :mod:`lambent.node.java.system_calls` writes, in the prepared runtime."""
_SNAP_START = "lambent/runtime/SnapStart.class"
_READ_AT_START = (
    "AWS_LAMBDA_",  # the wrapper script among them
    "CLASSPATH",
    "GLIBC_TUNABLES",
    "JAVA_",
    "JDK_",
    "LANGUAGE",
    "LC_",
    "LD_",
    "MALLOC_",
    "TZDIR",
    "_JAVA_",
)
"""How variables begin that the C library and the JVM read when they start."""


def can_wait(java: JavaRuntime, names: Iterable[str]) -> bool:
    """Whether a function with variables of these names may be a JVM that was started without them."""
    has_library = (java.runtime_dir / LIBRARY).is_file()
    return has_library and not any(name.startswith(_READ_AT_START) for name in names)


def knows_snap_start(java: JavaRuntime) -> bool:
    """Whether it was prepared with a client that can be written down; an earlier release's cannot."""
    try:
        with zipfile.ZipFile(java.runtime_dir / JAR) as jar:
            return _SNAP_START in jar.namelist()
    except (OSError, zipfile.BadZipFile):
        return False


def waiting_command(command: Sequence[str]) -> list[str]:
    """The same JVM as ``command`` starts, with the same flags, to wait.

    It is started in ``/var/task``, empty as that is, because its class path is relative to there; and from its
    jar, whose manifest opens what it has to change.
    """
    at = command.index("-cp")
    java, *flags = command[:at]
    there = ["/bin/sh", "-c", 'cd /var/task && exec "$0" "$@"']
    return [*there, java, *flags, "-jar", command[at + 1]]
