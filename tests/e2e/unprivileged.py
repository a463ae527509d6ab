"""An ordinary user's platform on a machine of its own: a network namespace, made by root, with a world outside."""

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import lambent
from lambent.node.linux import syscalls as sys_

UID = 60_000 + os.getpid() % 5_000
"""Nobody's, and another one for each process of a test run."""
_LAUNCH = """
import os, sys
from lambent.node.linux import syscalls as sys_
namespace, uid, directory, *command = sys.argv[1:]
sys_.setns(int(namespace), sys_.CLONE_NEWNET)
sys_.unshare(sys_.CLONE_NEWNS)
sys_.mount("none", "/", "", sys_.MS_REC | sys_.MS_PRIVATE)
tun = directory + "/tun"
if not os.path.exists(tun):
    os.mknod(tun, 0o20666, os.makedev(10, 200))
os.chmod(tun, 0o666)  # as udev makes it
os.makedirs("/dev/net", exist_ok=True)
if not os.path.exists("/dev/net/tun"):
    open("/dev/net/tun", "w").close()
sys_.mount(tun, "/dev/net/tun", "", sys_.MS_BIND)
sys_.mount(directory + "/resolv.conf", "/etc/resolv.conf", "", sys_.MS_BIND)
os.setgroups([])
os.setresgid(*[int(uid)] * 3)
os.setresuid(*[int(uid)] * 3)
os.execv(command[0], command)
"""
_UP = "import sys; from lambent.cli.main import main; sys.argv[0] = 'lambent'; main()"


@contextmanager
def visiting(namespace: int) -> Iterator[None]:
    """This thread is in that network namespace."""
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    sys_.setns(namespace, sys_.CLONE_NEWNET)
    try:
        yield
    finally:
        sys_.setns(home, sys_.CLONE_NEWNET)
        os.close(home)


def find_interpreter() -> str | None:
    """One of this version that an ordinary user may execute, and that finds this package."""
    check = f"import sys, lambent; assert sys.version_info[:2] == {sys.version_info[:2]!r}"
    for path in (sys.executable, "/usr/bin/python3", "/usr/local/bin/python3"):
        try:
            done = subprocess.run(
                [path, "-c", check], user=UID, group=UID, extra_groups=[], env=environment(""),
                cwd="/", timeout=20, capture_output=True, check=False,
            )  # fmt: skip
        except OSError:
            continue
        if done.returncode == 0:
            return path
    return None


def environment(path: str) -> dict[str, str]:
    """Of a process that imports what this one does. ``path``: where it finds programs."""
    source = str(Path(lambent.__file__).parents[1])
    packages = [entry for entry in sys.path if entry.endswith("-packages")]
    return {"PYTHONPATH": ":".join([source, *packages]), "PATH": path, "HOME": "/nonexistent"}


def command(
    interpreter: str, namespace: int, directory: Path, options: Sequence[str]
) -> Sequence[str]:
    """What root starts so that ``lambent up`` runs there as :data:`UID`.

    ``directory`` is that user's, and has a ``resolv.conf``; ``namespace`` a descriptor the process inherits.
    """
    up = [interpreter, "-c", _UP, "up", *options]
    return [sys.executable, "-c", _LAUNCH, str(namespace), str(UID), str(directory), *up]
