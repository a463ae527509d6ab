"""Functions that try to leave: the host's files, processes, kernel interfaces and other functions."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.usefixtures("isolated")

# Each body is the text of ``attempt(event)``; what it returns, or the error it raises, is the answer.
HEAD = """
import ctypes, errno, os, signal, socket, subprocess, sys
libc = ctypes.CDLL(None, use_errno=True)

def call(name, *arguments):
    if getattr(libc, name)(*arguments) == -1:
        return errno.errorcode[ctypes.get_errno()]
    return "allowed"

def handler(event, context):
    with open("/proc/self/status") as status:
        filters = int(status.read().partition("Seccomp_filters:")[2].split()[0])
    try:
        return attempt(event), filters
    except OSError as error:
        return errno.errorcode.get(error.errno, str(error)), filters
    except ValueError:  # what setrlimit makes of EPERM
        return "EPERM", filters
"""


@pytest.fixture(params=["deploy_anew", "deploy_on_cell"])
def attempt(
    request: pytest.FixtureRequest, platform: Any, bystander: Callable[[], None]
) -> Callable[..., Any]:
    """What an attempt from inside a function gives; another function answers right after.

    In an environment that was started for it, and in one that had been made ahead.
    """
    make = request.getfixturevalue(request.param)
    is_loaded = not platform.health["sandbox"]["isolation"]["user"]

    def run(body: str, event: Any = None, **settings: Any) -> Any:
        lines = "\n".join(f"    {line}" for line in body.strip("\n").splitlines())
        source = f"{HEAD}\ndef attempt(event):\n{lines}\n"
        function = make({"app.py": source}, **({"Timeout": 15} | settings))
        answer = function(event)
        assert answer.error is None, answer.payload
        bystander()
        found, filters = answer.payload
        assert not is_loaded or filters == (2 if request.param == "deploy_on_cell" else 1)
        return found

    return run


def test_the_hosts_files_are_not_there(attempt: Callable[..., Any], platform: Any) -> None:
    """Neither the data directory nor home directories, logs or secrets of the host can be read."""
    paths = [
        str(platform.data_dir), str(platform.data_dir / "code"), str(Path.home() / ".bash_history"),
        str(Path(__file__)), "/etc/shadow", "/etc/ssh", "/root/.ssh", "/var/log", "/var/lib", "/run/systemd",
        "/proc/kcore", "/dev/mem", "/dev/vda", "/dev/kmsg", "/sys/kernel", "/sys/fs/cgroup/memory",
        "/proc/1/environ", "/proc/1/root/etc", "/proc/1/cwd", "/proc/1/fd", "/.lambent/code", "/.lambent/proc",
        "/boot", "/mnt", "/media", "/srv",
    ]  # fmt: skip
    read = attempt(
        """
        def readable(path):
            try:
                return bool(os.listdir(path)) if os.path.isdir(path) else bool(open(path, "rb").read(16))
            except OSError:
                return False
        return [path for path in event if readable(path)]
        """.replace("\n        ", "\n"),
        paths,
    )
    assert read == []


def test_only_what_is_needed_stands_in_the_root(attempt: Callable[..., Any]) -> None:
    """The root holds the system, the code and the layers; home directories hold no one's files."""
    found = attempt("""
listing = {"": os.listdir("/")}
for name in ("root", "home", "mnt", "run", "sys", "var", "etc", "dev"):
    try: listing[name] = os.listdir("/" + name)
    except OSError: listing[name] = None
listing["mounts"] = open("/proc/self/mounts").read()
return listing
""")
    expected = {
        "bin",
        "dev",
        "etc",
        "home",
        "lib",
        "mnt",
        "opt",
        "proc",
        "root",
        "run",
        "sbin",
        "sys",
        "tmp",
        "usr",
        "var",
    }
    assert set(found[""]) - expected <= {"lib32", "lib64", "libx32", ".lambent"}
    assert set(found["root"] or []) <= {".pyenv", ".local"}, "no more than an interpreter's way"
    assert set(found["var"]) == {"task", "runtime", "lang", "node_modules"}
    assert not {"passwd-", "shadow", "sudoers", "hostname", "machine-id"} & set(found["etc"])
    assert set(found["dev"]) <= {
        "null",
        "zero",
        "full",
        "random",
        "urandom",
        "fd",
        "stdin",
        "stdout",
        "stderr",
    }


def test_no_process_of_the_host_is_seen(attempt: Callable[..., Any], platform: Any) -> None:
    """/proc shows the function's own processes, and none of the host's by any number."""
    seen = attempt("""
own = {os.getpid(), os.getppid(), 1}
numbers = {int(n) for n in os.listdir("/proc") if n.isdigit()}
hidden = [n for n in range(1, 70000) if n not in own and os.path.exists(f"/proc/{n}/status")]
return {"numbers": sorted(numbers), "me": os.getpid(), "hidden": hidden, "parent": os.getppid()}
""")
    assert seen["numbers"] == [seen["me"]]
    assert seen["hidden"] == []
    assert seen["parent"] in {0, 1}, "without root pid 1 is the parent"
    assert platform.pid not in seen["numbers"]


@pytest.mark.parametrize(
    ("what", "body"),
    [
        ("ptrace", "return call('ptrace', 16, 1, 0, 0)"),
        ("mount", "return call('mount', b'tmpfs', b'/tmp', b'tmpfs', 0, None)"),
        ("umount", "return call('umount2', b'/var/task', 2)"),
        ("unshare user", "return call('unshare', 0x10000000)"),
        ("unshare mount", "return call('unshare', 0x20000)"),
        ("clone user", "return call('syscall', 56, 0x10000000 | 17, 0, 0, 0, 0)"),
        ("clone3", "return call('syscall', 435, 0, 0)"),
        ("setns", "return call('setns', os.open('/proc/self/ns/net', os.O_RDONLY), 0)"),
        ("keyctl", "return call('syscall', 250, 0, -3, 0)"),
        ("add_key", "return call('syscall', 248, b'user', b'k', b'v', 1, -3)"),
        ("bpf", "return call('syscall', 321, 0, 0, 0)"),
        ("perf", "return call('syscall', 298, 0, 0, -1, -1, 0)"),
        ("io_uring", "return call('syscall', 425, 1, 0)"),
        ("userfaultfd", "return call('syscall', 323, 0)"),
        ("open by handle", "return call('syscall', 304, 0, 0, 0)"),
        ("chroot", "return call('chroot', b'/tmp')"),
        ("pivot_root", "return call('syscall', 155, b'/tmp', b'/tmp')"),
        ("reboot", "return call('reboot', 0x1234567)"),
        ("sethostname", "return call('sethostname', b'evil', 4)"),
        ("settimeofday", "return call('settimeofday', ctypes.create_string_buffer(16), None)"),
        ("init_module", "return call('syscall', 175, 0, 0, b'')"),
        ("raw socket", "socket.socket(socket.AF_INET, socket.SOCK_RAW, 1); return 'allowed'"),
        ("packet socket", "socket.socket(17, socket.SOCK_RAW); return 'allowed'"),
        ("vsock", "socket.socket(40, socket.SOCK_STREAM); return 'allowed'"),
        ("alg socket", "socket.socket(38, socket.SOCK_SEQPACKET); return 'allowed'"),
        ("setuid 0", "os.setuid(0); return 'allowed'"),
        ("setuid neighbour", "os.setuid(os.getuid() + 1); return 'allowed'"),
        ("setgid 0", "os.setgid(0); return 'allowed'"),
        ("setgroups", "os.setgroups([0]); return 'allowed'"),
        ("mknod", "os.mknod('/tmp/sda', 0o60600, 8 << 8); return 'allowed'"),
        ("nice", "os.nice(-5); return 'allowed'"),
        ("realtime", "os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1)); return 'allowed'"),
        ("more files", "import resource as r; r.setrlimit(r.RLIMIT_NOFILE, (4096, 4096)); return 'allowed'"),
        ("environment of pid 1", "return open('/proc/1/environ').read() or 'allowed'"),
        ("root of pid 1", "return os.listdir('/proc/1/root') or 'allowed'"),
        ("write to /", "open('/evil', 'w'); return 'allowed'"),
        ("write to the code", "open('/var/task/app.py', 'a'); return 'allowed'"),
        ("write to layers", "open('/opt/evil', 'w'); return 'allowed'"),
        ("write to the runtime", "open('/var/runtime/evil.py', 'w'); return 'allowed'"),
        ("write to /usr", "open('/usr/evil', 'w'); return 'allowed'"),
        ("write to /etc", "open('/etc/passwd', 'a'); return 'allowed'"),
        ("remove the code", "os.remove('/var/task/app.py'); return 'allowed'"),
        ("write a cgroup", "open('/sys/fs/cgroup/cgroup.procs', 'w'); return 'allowed'"),
        ("write a sysctl", "open('/proc/sys/kernel/hostname', 'w').write('x'); return 'allowed'"),
        ("sysrq", "open('/proc/sysrq-trigger', 'w').write('b'); return 'allowed'"),
    ],
)  # fmt: skip
def test_denied(attempt: Callable[..., Any], what: str, body: str) -> None:
    """What only an administrator of the machine may do is an error to a function."""
    del what
    if os.uname().machine != "x86_64" and "'syscall'" in body:
        pytest.skip("system call numbers of x86_64")
    denied = {
        "EPERM", "EACCES", "EROFS", "ENOSYS", "ENOENT", "EAFNOSUPPORT", "EPROTONOSUPPORT", "ESRCH",
        "ESOCKTNOSUPPORT", "EINVAL",
    }  # fmt: skip
    assert attempt(body) in denied


def test_pid_1_outlives_a_kill(attempt: Callable[..., Any]) -> None:
    """Pid 1, whose end would be the environment's, is another user's or deaf to its own namespace."""
    answer = attempt("""
for number in (9, 15, 19):
    try: os.kill(1, number)
    except PermissionError: pass
return os.path.exists("/proc/self")
""")
    assert answer is True


def test_no_privileges_are_left_or_to_be_had(attempt: Callable[..., Any], platform: Any) -> None:
    """No capability in any set, no new privileges by set-uid programs, a filter on system calls."""
    status = attempt("""
text = subprocess.run(["cat", "/proc/self/status"], capture_output=True, text=True).stdout
return dict(line.split(":\\t", 1) for line in text.splitlines() if ":\\t" in line)
""")
    for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
        assert int(status[name], 16) == 0, name
    assert status["NoNewPrivs"].strip() == "1"
    assert status["Seccomp"].strip() == "2"
    assert len(set(status["Uid"].split())) == 1
    own_namespace = platform.health["sandbox"]["isolation"]["user"]
    assert own_namespace or int(status["Uid"].split()[0]) > 100_000
    assert status["Groups"].strip() == ""


def test_killing_everything_kills_oneself_only(
    deploy: Callable[..., Any], platform: Any, bystander: Callable[[], None]
) -> None:
    """``kill(-1)`` reaches the function's own processes; the platform and others go on."""
    function = deploy("""
        import os, signal
        def handler(event, context):
            if event == "ok": return "fine"
            try: os.kill(-1, signal.SIGKILL)
            except ProcessLookupError: pass  # nobody else there
            os.kill(os.getpid(), signal.SIGKILL)
    """)
    bystander()
    before = platform.get_health()["pid"]
    assert function("kill").payload["errorType"] == "Runtime.ExitError"
    assert function("ok").payload == "fine"
    bystander()
    assert platform.get_health()["pid"] == before


def test_the_network_is_its_own(attempt: Callable[..., Any]) -> None:
    """Nothing of the host's network is reached: no service on its loopback, no abstract socket."""
    names = [
        line.split()[-1] for line in Path("/proc/net/unix").read_text().splitlines()[1:] if "@" in line
    ]  # fmt: skip
    found = attempt(
        """
import os
reached, endpoint = [], int(os.environ["AWS_ENDPOINT_URL"].rpartition(":")[2])
for port in [endpoint, 22, 53, 80, 2024, *range(9000, 9020), *range(32768, 61000, 7)]:
    probe = socket.socket()
    probe.settimeout(.2)
    if probe.connect_ex(("127.0.0.1", port)) == 0 and probe.getsockname() != probe.getpeername():
        reached.append(port)  # TCP connects to itself when the port it was given is the one it dials
    probe.close()
for name in event:
    probe = socket.socket(socket.AF_UNIX)
    if probe.connect_ex("\\0" + name[1:]) == 0: reached.append(name)
    probe.close()
reached += [name for _, name in socket.if_nameindex() if name not in ("lo", "eth0")]
return [endpoint, reached]
""",
        names,
    )
    # The endpoint is its own platform's: the one with stem cells, or the one without.
    endpoint, reached = found
    assert set(reached) <= {9001, endpoint}, "its own Runtime API, and the endpoint"


def test_another_environments_runtime_api_is_out_of_reach(
    deploy: Callable[..., Any], client: Any
) -> None:
    """Two environments at work at once each reach their own Runtime API only."""
    source = """
        import http.client, os, time
        def handler(event, context):
            time.sleep(event.get("wait", 0))
            if "id" not in event: return context.aws_request_id
            connection = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
            path = f"/2018-06-01/runtime/invocation/{event['id']}/response"
            connection.request("POST", path, '"stolen"')
            return connection.getresponse().status
    """
    victim, thief = deploy(source), deploy(source)
    known = victim({}).payload
    assert thief({"id": known}).payload == 400, "an id of another environment is no id here"


def test_links_in_tmp_lead_nowhere(attempt: Callable[..., Any], platform: Any) -> None:
    """Links a function makes in /tmp are followed in its own root only, also while they change."""
    found = attempt(
        """
os.symlink("/", "/tmp/root")
os.symlink(event, "/tmp/data")
os.symlink("/proc/1/root", "/tmp/one")
os.symlink("/tmp/loop", "/tmp/loop")
got = []
for path in ("/tmp/root" + event, "/tmp/data", "/tmp/one/etc", "/tmp/loop", "/tmp/root/../../../" + event):
    try: got.append(os.listdir(path))
    except OSError as error: got.append(errno.errorcode[error.errno])
import threading
stop = []
def swap():
    while not stop:
        for target in ("/proc/1/root", "/var/task"):
            os.symlink(target, "/tmp/new")
            os.rename("/tmp/new", "/tmp/swap")
thread = threading.Thread(target=swap)
thread.start()
for _ in range(3000):
    try:
        if os.path.exists("/tmp/swap/etc/shadow"): got.append("shadow")
    except OSError: pass
stop.append(True)
thread.join()
return got
""",
        str(platform.data_dir),
    )
    assert found == ["ENOENT", "ENOENT", "ENOENT", "ELOOP", "ENOENT"]


def test_files_of_a_function_do_not_outlive_it(
    deploy: Callable[..., Any], platform: Any, bystander: Callable[[], None]
) -> None:
    """What a function wrote is nowhere on the host, and gone with its environment."""
    name = "e2e-trace-of-a-function"
    function = deploy(f"""
        def handler(event, context):
            for path in ("/tmp", "/dev/shm", "/var/tmp", "/run", "/run/lock"):
                try: open(path + "/{name}", "w").write("x")
                except OSError: pass
    """)
    function()
    for place in ("/tmp", "/dev/shm", "/var/tmp", "/run", "/run/lock", str(platform.data_dir)):
        assert not (Path(place) / name).exists()
    bystander()


def test_shared_memory_and_queues_are_its_own(deploy: Callable[..., Any]) -> None:
    """System V objects of one function are not seen by another."""
    source = """
        import ctypes
        libc = ctypes.CDLL(None, use_errno=True)
        def handler(event, context):
            return libc.shmget(0x4c414d42, 4096, event)
    """
    first, second = deploy(source), deploy(source)
    assert first(0o1666).payload >= 0
    assert second(0).payload == -1
