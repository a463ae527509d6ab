"""An ordinary user's platform on a machine of its own: a network namespace, made by root, with a world outside."""

import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from tests.e2e.conftest import START_DEADLINE_S, Platform, free_port, poll
from tests.e2e.outside import OUTSIDE, World, make_outside

import lambent
from lambent.node.linux import links
from lambent.node.linux import syscalls as sys_
from lambent.node.linux.netlink import NETLINK_ROUTE, Netlink

UID = 60_000 + os.getpid() % 5_000
"""Nobody's, and another one for each process of a test run."""
_LAUNCH = """
import os, sys
from lambent.node.linux import syscalls as sys_
namespace, uid, directory, cgroup, *command = sys.argv[1:]
if cgroup:
    with open(cgroup + "/cgroup.procs", "w") as file:
        file.write("0")
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


@dataclass
class Laptop:
    """A machine of its own: a network namespace with a world outside, and a user's directory."""

    namespace: int
    directory: Path
    world: World
    interpreter: str
    started: list[Platform] = field(default_factory=list)

    def start(self, tool: str, *options: str, cgroup: Path | None = None) -> Platform:
        """An ordinary user's platform that finds that tool and no other; to be called :func:`visiting`."""
        number = len(self.started)
        programs, data = self.directory / f"bin{number}", self.directory / f"data{number}"
        programs.mkdir()
        if path := shutil.which(tool):
            (programs / tool).symlink_to(path)
        data.mkdir()
        os.chown(data, UID, UID)
        log = self.directory / f"log{number}"
        port = free_port()
        given = ["--port", str(port), "--data", str(data), "--sandbox", "namespaces", *options]
        place = [str(self.namespace), str(UID), str(self.directory), str(cgroup or "")]
        up = [self.interpreter, "-c", _UP, "up", *given]
        with log.open("ab") as output:
            process = subprocess.Popen(
                [sys.executable, "-c", _LAUNCH, *place, *up],
                stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd="/",
                env=environment(str(programs)), pass_fds=[self.namespace], start_new_session=True,
            )  # fmt: skip
        one = Platform(data, port, process, log)
        self.started.append(one)
        one.health = poll(one._ask, START_DEADLINE_S, "the platform to be healthy")
        return one


@contextmanager
def make_laptop() -> Iterator[Laptop]:
    """Skips where it cannot be made; its platforms must stop without a complaint."""
    if os.geteuid() != 0:
        pytest.skip("making another network takes root")
    interpreter = find_interpreter()
    if interpreter is None:
        pytest.skip("no interpreter that another user may execute finds this package")
    made: list[int] = []

    def make() -> None:
        sys_.unshare(sys_.CLONE_NEWNET)
        made.append(os.open("/proc/thread-self/ns/net", os.O_RDONLY))
        inside = Netlink(NETLINK_ROUTE)
        inside.request("lo", [links.bring_up()])
        inside.close()

    thread = threading.Thread(target=make)
    thread.start()
    thread.join()
    with tempfile.TemporaryDirectory(prefix="lambent-e2e-") as name:
        directory = Path(name)
        directory.chmod(0o755)
        (directory / "resolv.conf").write_text(f"nameserver {OUTSIDE}\n")
        with visiting(made[0]), make_outside() as world:
            laptop = Laptop(made[0], directory, world, interpreter)
            yield laptop
            for one in laptop.started:
                one.stop()
                assert "Traceback" not in one.log.read_text(), one.log.read_text()
    os.close(made[0])


@contextmanager
def delegated() -> Iterator[Path | None]:
    """A cgroup of v2 that is :data:`UID`'s, as systemd delegates one: where to start; None without v2."""
    mounted = (line.split() for line in Path("/proc/mounts").read_text().splitlines())
    root = next((Path(words[1]) for words in mounted if words[2] == "cgroup2"), None)
    if root is None:
        yield None
        return
    group = root / f"lambent-e2e-{UID}"
    start = group / "start"
    for one in (group, start):
        one.mkdir()
        for file in (
            one,
            *(one / f"cgroup.{what}" for what in ("procs", "threads", "subtree_control")),
        ):
            os.chown(file, UID, UID)
    yield start
    for one in sorted((path for path in group.rglob("*") if path.is_dir()), reverse=True):
        one.rmdir()
    group.rmdir()
