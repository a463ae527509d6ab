"""Functions of Python on loaded stem cells: forks that did all but what is theirs before they were known."""

from collections.abc import Callable
from typing import Any

import pytest

pytestmark = pytest.mark.usefixtures("cells")

_BORN = """
def on_cell():
    with open("/proc/self/status") as status:
        return "Seccomp_filters:\\t2" in status.read()
"""
_LOOK = """
import ctypes, gc, json, locale, logging, os, resource, signal, socket, sys, threading, time
libc = ctypes.CDLL(None, use_errno=True)
OWN = ("TOKEN", "KEY", "TRACE_ID", "LOG_STREAM", "FUNCTION_NAME", "LOG_GROUP", "INVOKED", "ENDPOINT")
KEPT = ("Cap", "NoNew", "Groups", "Sig", "Shd", "Threads", "Umask", "TracerPid", "Seccomp:", "Cpus")
PLACES = ("/", "/tmp", "/opt", "/var", "/var/task", "/dev", "/etc", "/.lambent", "/mnt")
at_import = {"modules": sorted(sys.modules), "threads": threading.active_count()}

def env(pairs):
    return sorted((k, "" if any(o in k for o in OWN) else v) for k, v in pairs)

def c_environ():
    block = ctypes.POINTER(ctypes.c_char_p).in_dll(libc, "environ")
    found, n = [], 0
    while block[n]:
        found.append(block[n].decode().split("=", 1))
        n += 1
    return env(found)

def lines(name):
    with open("/proc/self/" + name) as file:
        return file.read().replace(str(os.getuid()), "UID").splitlines()

def process():
    numbers = sorted(int(n) for n in os.listdir("/proc/self/fd"))
    controls = {"dumpable": 3, "keepcaps": 7, "securebits": 27, "no_new_privs": 39, "slack": 30}
    dies = ctypes.c_int()
    libc.prctl(2, ctypes.byref(dies), 0, 0, 0)
    return {
        "status": [l for l in lines("status") if l.startswith(KEPT) and not l.startswith("SigQ")],
        "mounts": sorted(" ".join(l.split()[1:4]) for l in lines("mounts")), "numbers": numbers,
        "fds": [os.readlink(f"/proc/self/fd/{n}").split(":")[0] for n in numbers if n < 4],
        "controls": {k: libc.prctl(n, 0, 0, 0, 0) for k, n in controls.items()}, "dies": dies.value,
        "limits": [resource.getrlimit(n) for n in range(16)], "cwd": os.getcwd(), "nice": os.nice(0),
        "signals": [str(signal.getsignal(n)).split(" at ")[0] for n in signal.valid_signals()],
        "processes": len(os.listdir("/proc")),
        "leads": [os.getpgid(0) == os.getpid(), os.getsid(0) == os.getpid()],
        "host": [socket.gethostname(), sorted(name for _, name in socket.if_nameindex())],
        "places": {p: sorted(os.listdir(p)) for p in PLACES}, "tmp": os.statvfs("/tmp").f_blocks * 4096,
        "tmp_mode": [os.stat("/tmp").st_mode, os.stat("/tmp").st_uid == os.getuid()],
    }

def interpreter():
    return {
        "env": env(os.environ.items()), "c_environ": c_environ(), "argv": sys.argv, "path": sys.path,
        "at_import": at_import, "flags": str(sys.flags), "bytecode": sys.dont_write_bytecode,
        "loaders": sorted(sys.path_importer_cache), "hooks": [type(h).__name__ for h in sys.meta_path],
        "stdout": [type(sys.stdout).__name__, type(sys.stdout.stream).__name__, sys.stdout.encoding],
        "gc": [gc.isenabled(), gc.get_threshold(), gc.get_debug()], "switch": sys.getswitchinterval(),
        "locale": [locale.getlocale(), sys.getfilesystemencoding(), sys.getrecursionlimit()],
        "time": [time.tzname, time.timezone, time.localtime(0)[:6]],
    }

def log():
    handlers = logging.getLogger().handlers
    return {
        "handlers": [[type(h).__name__, h.level, type(h.formatter).__name__] for h in handlers],
        "filters": [[type(f).__name__ for f in h.filters] for h in handlers], "file": logging.__file__,
        "format": [getattr(h.formatter, "_fmt", "") for h in handlers], "made": len(logging._handlerList),
        "level": logging.getLogger().level, "converter": logging.Formatter.converter.__name__,
    }

def handler(event, context):
    seen = process() | interpreter() | log() | {"context": sorted(vars(context))}
    logging.debug("not shown"), logging.warning("said")
    return {"seen": json.loads(json.dumps(seen, default=str)), "on_cell": on_cell()}
"""


@pytest.fixture
def cells(platform: Any, isolated: None) -> None:
    """Skips where there are none."""
    del isolated
    if platform.health["sandbox"]["isolation"]["user"]:
        pytest.skip("without root cells stop halfway")


@pytest.mark.parametrize("log_format", ["Text", "JSON"])
def test_a_function_on_a_cell_finds_what_it_would_have_found(
    deploy_on_cell: Callable[..., Any], deploy_anew: Callable[..., Any], log_format: str
) -> None:
    """Variables, modules, descriptors, mounts, signals, limits, the log: all is as in a fork of its own."""
    settings: dict[str, Any] = {
        "Environment": {"Variables": {"OWN_NAME": "ä€", "TZ": "Asia/Tokyo"}},
        "EphemeralStorage": {"Size": 640},
        "MemorySize": 333,
        "Timeout": 20,
    }
    if log_format == "JSON":
        settings["LoggingConfig"] = {"LogFormat": "JSON", "ApplicationLogLevel": "WARN"}
    started = deploy_anew(_LOOK + _BORN, **settings)({}).payload
    assert started["on_cell"] is False, started
    answer = deploy_on_cell(_LOOK + _BORN, **settings)({})
    assert answer.payload["on_cell"] is True
    seen, wanted = answer.payload["seen"], started["seen"]
    assert {name: (seen[name], wanted[name]) for name in seen if seen[name] != wanted[name]} == {}
    assert "not shown" not in answer.log
    assert "said" in answer.log
    assert "nit Duration" in answer.log or "initDurationMs" in answer.log


def test_what_a_function_brings_of_its_own_is_its_own(
    deploy_on_cell: Callable[..., Any], client: Any, zip_of: Callable[..., bytes]
) -> None:
    """A module in the code or in a layer that the cell had loaded already is the function's, as on AWS."""
    own = (
        _BORN
        + """
import calendar, sys
def handler(event, context):
    return [on_cell(), calendar.WHOSE, len([n for n in sys.modules if n.startswith("botocore")])]
"""
    )
    files = {"app.py": own, "calendar.py": "WHOSE = 'the function'"}
    assert deploy_on_cell(files)({}).payload == [True, "the function", 0]
    layer = client.publish_layer_version(
        LayerName="own-boto3", Content={"ZipFile": zip_of({"python/boto3/__init__.py": ""})}
    )
    source = (
        _BORN
        + """
import boto3
def handler(event, context):
    return [on_cell(), boto3.__file__]
"""
    )
    layered = deploy_on_cell(source, Layers=[layer["LayerVersionArn"]])
    assert layered({}).payload == [True, "/opt/python/boto3/__init__.py"]


def test_nothing_random_is_shared(deploy_on_cell: Callable[..., Any]) -> None:
    """Two functions on cells of one fork server draw other numbers, of every source there is."""
    source = _BORN + """
import os, random, secrets, ssl, tempfile, uuid
def handler(event, context):
    names = tempfile._RandomNameSequence()
    drawn = [random.random(), random.Random().random(), secrets.token_hex(8), str(uuid.uuid4()), next(names)]
    return [on_cell(), *drawn, ssl.RAND_bytes(8).hex(), os.urandom(8).hex()]
"""  # fmt: skip
    first, second = deploy_on_cell(source)({}).payload, deploy_on_cell(source)({}).payload
    assert first[0] is second[0] is True
    assert not set(first[1:]) & set(second[1:])


def test_what_fails_at_initialisation_says_so_on_a_cell(deploy_on_cell: Callable[..., Any]) -> None:
    """A handler that cannot be loaded, one that ends the process, one whose module raises: AWS's errors."""
    missing = deploy_on_cell("", Handler="gone.handler")({})
    assert missing.payload["errorType"] == "Runtime.ImportModuleError"
    assert deploy_on_cell("raise ValueError('at load')")({}).payload["errorType"] == "ValueError"
    assert deploy_on_cell("import os; os._exit(7)")({}).payload["errorType"] == "Runtime.ExitError"
