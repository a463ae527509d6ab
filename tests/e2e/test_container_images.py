"""``PackageType`` Image with real images: found, unpacked, run, changed, refused; and what they cannot do."""

import base64
import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
import uuid
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from lambent.testing import images
from lambent.testing.images import BUSYBOX, add_layer, build, change_manifest, digest_of, uri
from lambent.testing.registry import Registry

ROLE = "arn:aws:iam::000000000000:role/e2e"
# Runs what the event says in a shell, and answers with what that printed; both in base64.
SHELL = """\
#!/bin/sh
api=http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime/invocation
echo "shell started with $*"
while :; do
  wget -S -O /tmp/event $api/next 2>/tmp/head || exit 9
  id=$(sed -n 's/.*aws-request-id: //Ip' /tmp/head | tr -d '\\r')
  tr -d '"' < /tmp/event | base64 -d > /tmp/script
  sh /tmp/script > /tmp/printed 2>&1
  wget -q -O /dev/null --post-data "\\"$(base64 /tmp/printed | tr -d '\\n')\\"" $api/$id/response
done
"""
APPLETS = [
    "base64",
    "cat",
    "chmod",
    "chroot",
    "cp",
    "df",
    "dmesg",
    "echo",
    "env",
    "find",
    "grep",
    "head",
    "hostname",
    "id",
    "ln",
    "ls",
    "mkdir",
    "mknod",
    "mount",
    "ping",
    "ps",
    "pwd",
    "readlink",
    "rm",
    "sed",
    "sh",
    "sleep",
    "stat",
    "touch",
    "tr",
    "umount",
    "unshare",
    "wget",
    "whoami",
    "wc",
]


def shell_layers(**more: str | bytes) -> list[dict[str, str | bytes]]:
    """A root file system of busybox and the client above."""
    links = {f"bin/{name}@": "busybox" for name in APPLETS}
    base: dict[str, str | bytes] = {"bin/busybox*": BUSYBOX.read_bytes(), **links}
    return [base, {"client*": SHELL, **more}]


@pytest.fixture(scope="module", autouse=True)
def tools() -> None:
    """Skips where images cannot be made."""
    missing = images.lacking() or ("" if BUSYBOX.exists() else "busybox-static")
    if missing:
        pytest.skip(f"there is no {missing} here: lambent runtimes add images; busybox-static")


@pytest.fixture(scope="module")
def layouts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the images lie."""
    return tmp_path_factory.mktemp("images")


@pytest.fixture(scope="module")
def host(platform: Any, layouts: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A platform that is told of them."""
    running = type(platform).start(
        tmp_path_factory.mktemp("host") / "data", "--images", str(layouts)
    )
    if running.health["sandbox"]["kind"] != "namespaces":
        running.stop()
        pytest.skip("plain processes have no root of their own")
    yield running
    assert running.stop() == 0
    assert "Traceback" not in running.log.read_text(), running.log.read_text()


class Shell:
    """A function that runs scripts."""

    def __init__(self, client: Any, name: str) -> None:
        self.client, self.name = client, name

    def invoke(self, script: str) -> tuple[Any, str | None, str]:
        """Payload, function error, and the tail of the log."""
        event = json.dumps(base64.b64encode(script.encode()).decode())
        answer = self.client.invoke(FunctionName=self.name, Payload=event, LogType="Tail")
        log = base64.b64decode(answer["LogResult"]).decode(errors="replace")
        return json.loads(answer["Payload"].read()), answer.get("FunctionError"), log

    def __call__(self, script: str) -> str:
        """What it printed."""
        payload, error, log = self.invoke(script)
        assert error is None, (payload, log)
        return base64.b64decode(payload).decode(errors="replace").strip()


@pytest.fixture(scope="module")
def client(host: Any) -> Any:
    """boto3's Lambda client of that platform."""
    return host.client("lambda")


@pytest.fixture
def create(client: Any) -> Iterator[Callable[..., Any]]:
    """Creates functions of images, without waiting; they are deleted afterwards."""
    names = []

    def make(image_uri: str, **settings: Any) -> Any:
        names.append(f"image-{uuid.uuid4().hex[:8]}")
        settings = {"Timeout": 20} | settings
        return client.create_function(
            FunctionName=names[-1], Role=ROLE, PackageType="Image", Code={"ImageUri": image_uri}, **settings
        )  # fmt: skip

    yield make
    for name in names:
        try:
            client.delete_function(FunctionName=name)
        except client.exceptions.ResourceNotFoundException:
            continue


@pytest.fixture
def deploy(create: Callable[..., Any], client: Any) -> Callable[..., Shell]:
    """Creates one and waits until it is active."""

    def make(image_uri: str, **settings: Any) -> Shell:
        made = create(image_uri, **settings)
        client.get_waiter("function_active_v2").wait(FunctionName=made["FunctionName"])
        return Shell(client, made["FunctionName"])

    return make


@pytest.fixture(scope="module")
def shell_uri(layouts: Path) -> str:
    """An image that runs scripts, with a nested repository name."""
    build(
        layouts / "team" / "shell", "v1", shell_layers(**{"data/greeting": "hello"}),
        entrypoint=["/bin/sh", "/client"], cmd=["one", "two"], env=["OWN=image", "GREETING=good day"],
        workingdir="/data",
    )  # fmt: skip
    return uri("team/shell")


def test_an_image_is_run_as_it_says(deploy: Callable[..., Shell], shell_uri: str) -> None:
    """ENTRYPOINT with CMD, WORKDIR and ENV are the image's; the function's variables and AWS's come on top."""
    shell = deploy(shell_uri, Environment={"Variables": {"OWN": "function"}}, MemorySize=256)
    payload, error, log = shell.invoke(
        "pwd; cat greeting; echo; tr '\\0' ' ' < /proc/$PPID/cmdline; echo; env"
    )
    assert error is None, payload
    printed = base64.b64decode(payload).decode().splitlines()
    assert printed[:3] == ["/data", "hello", "/bin/sh /client one two "]
    environ = dict(line.split("=", 1) for line in printed[3:])
    assert environ["OWN"] == "function"
    assert environ["GREETING"] == "good day"
    assert environ["AWS_LAMBDA_FUNCTION_NAME"] == shell.name
    assert environ["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"] == "256"
    assert environ["PATH"].startswith("/usr/local/sbin:")
    assert not {"_HANDLER", "LAMBDA_TASK_ROOT", "PYTHONPATH", "AWS_EXECUTION_ENV"} & set(environ)
    assert "INIT_START" not in log
    assert "REPORT RequestId" in log


def test_what_is_run_can_be_changed(
    deploy: Callable[..., Shell], client: Any, shell_uri: str
) -> None:
    """``ImageConfig`` takes the place of what it names, at creation and later; empty, the image's is back."""
    script = "tr '\\0' ' ' < /proc/$PPID/cmdline; pwd"
    config = {"Command": ["three"], "WorkingDirectory": "/bin"}
    shell = deploy(shell_uri, ImageConfig=config)
    assert shell(script) == "/bin/sh /client three /bin"
    changed = {"EntryPoint": ["sh", "/client", "-x"]}
    client.update_function_configuration(FunctionName=shell.name, ImageConfig=changed)
    client.get_waiter("function_updated_v2").wait(FunctionName=shell.name)
    assert shell(script) == "sh /client -x one two /data"
    shown = client.get_function_configuration(FunctionName=shell.name)
    assert shown["ImageConfigResponse"] == {"ImageConfig": changed}
    client.update_function_configuration(FunctionName=shell.name, ImageConfig={})
    client.get_waiter("function_updated_v2").wait(FunctionName=shell.name)
    assert shell(script) == "/bin/sh /client one two /data"


def test_code_is_what_its_digest_says(
    deploy: Callable[..., Shell], client: Any, layouts: Path
) -> None:
    """A tag is looked up when it is given: what it names later is another image, the digest names the old one."""
    layout = layouts / "moving"
    first = build(layout, "v1", shell_layers(n="1"), entrypoint=["sh", "/client"])
    shell = deploy(uri("moving"))
    second = build(layout, "next", shell_layers(n="2"), entrypoint=["sh", "/client"])
    change_manifest(layout, "v1", lambda _: (layout / "blobs/sha256" / second).read_bytes())
    shown = client.get_function(FunctionName=shell.name)
    host = uri("moving").removesuffix(":v1")
    assert shown["Code"]["ResolvedImageUri"] == f"{host}@sha256:{first}"
    assert shown["Configuration"]["CodeSha256"] == first
    version = client.publish_version(FunctionName=shell.name, CodeSha256=first)["Version"]
    updated = client.update_function_code(FunctionName=shell.name, ImageUri=uri("moving"))
    assert (updated["CodeSha256"], updated["LastUpdateStatus"]) == (second, "InProgress")
    client.get_waiter("function_updated_v2").wait(FunctionName=shell.name)
    assert shell("cat /n") == "2"
    assert Shell(client, f"{shell.name}:{version}")("cat /n") == "1"
    by_digest = deploy(f"{host}@sha256:{first}")
    assert by_digest("cat /n") == "1"


def test_the_old_image_serves_until_the_new_one_is_there(
    deploy: Callable[..., Shell], client: Any, layouts: Path
) -> None:
    """An update that fails leaves the function running what it ran, says why, and can be followed by another."""
    build(layouts / "serving", "v1", shell_layers(n="1"), entrypoint=["sh", "/client"])
    shell = deploy(uri("serving"))
    bad = layouts / "serving-bad"
    build(bad, "v1", shell_layers(n="2"), entrypoint=["sh", "/client"])
    change_manifest(bad, "v1", lambda m: m["layers"][0].update(digest="sha256:" + "0" * 64))
    client.update_function_code(FunctionName=shell.name, ImageUri=uri("serving-bad"))
    with pytest.raises(Exception, match="terminal failure"):
        client.get_waiter("function_updated_v2").wait(FunctionName=shell.name)
    assert shell("cat /n") == "1"
    shown = client.get_function_configuration(FunctionName=shell.name)
    assert (shown["State"], shown["LastUpdateStatus"]) == ("Active", "Failed")
    assert shown["LastUpdateStatusReasonCode"] == "ImageDeleted"
    client.update_function_configuration(
        FunctionName=shell.name, Environment={"Variables": {"COUNT": "3"}}
    )
    assert shell("cat /n; echo $COUNT") == "13", "its own settings still count"
    build(layouts / "serving", "v2", shell_layers(n="4"), entrypoint=["sh", "/client"])
    client.update_function_code(FunctionName=shell.name, ImageUri=uri("serving", "v2"))
    client.get_waiter("function_updated_v2").wait(FunctionName=shell.name)
    assert shell("cat /n; echo $COUNT") == "43"


def test_a_later_layer_removes_what_an_earlier_one_brought(
    deploy: Callable[..., Shell], layouts: Path
) -> None:
    """Whiteouts, links and modes are as the image has them."""
    layers = shell_layers(**{"kept": "1", "gone": "2", "link@": "kept"})
    build(layouts / "layers", "v1", [*layers, {"gone-": ""}], entrypoint=["sh", "/client"])
    found = deploy(uri("layers"))("cat /link; ls /gone /.wh.gone 2>&1; stat -c %a:%u /client")
    assert found.splitlines()[0].startswith("1ls: /gone: No such file"), found
    assert found.endswith("755:0")


@pytest.fixture(scope="module")
def c_client(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A static program that is a runtime."""
    program = tmp_path_factory.mktemp("c") / "echo"
    source = Path(__file__).parents[1] / "contract" / "bootstraps" / "echo.c"
    command = ["cc", "-O1", "-static", "-D_GNU_SOURCE", "-o", str(program), str(source)]
    try:
        subprocess.run(command, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("there is no C compiler here that links statically")
    return program.read_bytes()


def test_nothing_but_a_program_is_enough(
    deploy: Callable[..., Shell], client: Any, layouts: Path, c_client: bytes
) -> None:
    """An image from scratch, of one static program: no shell, no /etc, no /tmp of its own."""
    build(layouts / "scratch", "v1", [{"runtime*": c_client}], entrypoint=["/runtime"])
    shell = deploy(uri("scratch"))
    for _ in range(3):
        answer = client.invoke(FunctionName=shell.name, Payload=b'{"a": [1]}')
        assert json.loads(answer["Payload"].read()) == {"a": [1]}


PYTHON_HANDLER = """
import os
def handler(event, context):
    if event == "fail":
        raise ValueError("on purpose")
    print("two\\nlines")
    return [event, context.function_name, context.get_remaining_time_in_millis() > 0, os.getcwd()]
"""
LOADED = """
import runpy, sys, awslambdaric.__main__, awslambdaric.bootstrap, pkgutil, encodings.idna, encodings.utf_8
import importlib, random, uuid, decimal, traceback, linecache, http.client, importlib.metadata
for found in pkgutil.iter_modules(awslambdaric.__path__, "awslambdaric."):
    importlib.import_module(found.name)
print(*{m.__file__ for m in sys.modules.values() if getattr(m, "__file__", None)}, sep="\\n")
"""


def python_layer() -> dict[str, str | bytes]:
    """This interpreter with AWS's client, no more of either than what is loaded, and what they are linked to."""
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    places = {sysconfig.get_paths()["stdlib"]: f"usr/lib/{version}"}
    places |= {path: "var/runtime" for path in sys.path if path.endswith("site-packages")}
    command = [sys.executable, "-c", LOADED]
    loaded = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    binary = os.path.realpath(sys.executable)
    files = {f"usr/bin/{version}*": binary}
    for path in loaded:
        for place in sorted(places, key=len, reverse=True):
            if path.startswith(place + "/"):
                files[places[place] + path.removeprefix(place)] = path
                break
    linked = [binary, *(path for path in loaded if path.endswith(".so"))]
    said = subprocess.run(["ldd", *linked], check=True, capture_output=True, text=True).stdout
    for path in re.findall(r"(/\S+) \(0x", said):
        name = "lib64" if "ld-linux" in path else "usr/lib"
        files[f"{name}/{Path(path).name}*"] = path
    return {inside: Path(path).read_bytes() for inside, path in files.items()}


def test_python_runs_under_awss_client(
    deploy: Callable[..., Shell], client: Any, layouts: Path
) -> None:
    """``python -m awslambdaric app.handler``, as AWS tells to make such images: answers, errors, its log."""
    try:
        layer = python_layer()
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"this interpreter cannot be copied: {error}")
    name = f"python{sys.version_info.major}.{sys.version_info.minor}"
    build(
        layouts / "python", "v1", [layer, {"var/task/app.py": PYTHON_HANDLER}],
        entrypoint=[f"/usr/bin/{name}", "-m", "awslambdaric"], cmd=["app.handler"], workingdir="/var/task",
        env=["PYTHONHOME=/usr", "PYTHONPATH=/var/runtime", "LD_LIBRARY_PATH=/usr/lib", "LANG=C.UTF-8"],
    )  # fmt: skip
    function = deploy(uri("python"), MemorySize=256)
    answer = client.invoke(FunctionName=function.name, Payload=b'{"a": 1}', LogType="Tail")
    payload = json.loads(answer["Payload"].read())
    log = base64.b64decode(answer["LogResult"]).decode()
    assert payload == [{"a": 1}, function.name, True, "/var/task"], (payload, log)
    assert "two\nlines\n" in log
    answer = client.invoke(FunctionName=function.name, Payload=b'"fail"')
    failed = json.loads(answer["Payload"].read())
    assert (failed["errorType"], failed["errorMessage"]) == ("ValueError", "on purpose")
    assert "/var/task/app.py" in failed["stackTrace"][0]


EXTENSION = """\
#!/bin/sh
api=http://$AWS_LAMBDA_RUNTIME_API/2020-01-01/extension
wget -q -S -O /dev/null --header "Lambda-Extension-Name: watcher" --post-data '{"events": ["INVOKE"]}' \
  $api/register 2>/tmp/registered
id=$(sed -n 's/.*extension-identifier: //Ip' /tmp/registered | tr -d '\r')
while wget -q -O /tmp/told --header "Lambda-Extension-Identifier: $id" $api/event/next; do
  echo "watcher was told"
done
"""


def test_extensions_of_the_image_run_beside_it(deploy: Callable[..., Shell], layouts: Path) -> None:
    """The files in ``/opt/extensions`` of an image are started, register, and hear of invocations."""
    layers = shell_layers(**{"opt/extensions/watcher*": EXTENSION})
    build(layouts / "extended", "v1", layers, entrypoint=["sh", "/client"])
    shell = deploy(uri("extended"))
    shell("sleep 0.1")
    _, error, log = shell.invoke("sleep 0.1; cat /tmp/told")
    assert error is None
    assert "watcher was told" in log


@pytest.mark.parametrize(
    ("config", "kind", "reason"),
    [
        ({"EntryPoint": ["/nope"]}, "InvalidEntrypoint", "fork/exec /nope: no such file or directory"),
        ({"EntryPoint": ["/text"]}, "InvalidEntrypoint", "fork/exec /text: permission denied"),
        ({"EntryPoint": ["/junk"]}, "InvalidEntrypoint", "fork/exec /junk: exec format error"),
        (
            {"EntryPoint": ["app.handler"]},
            "InvalidEntrypoint",
            'exec: "app.handler": executable file not found in $PATH',
        ),
        (
            {"WorkingDirectory": "/nowhere"},
            "InvalidWorkingDir",
            "the working directory doesn't exist: /nowhere",
        ),
        (
            {"WorkingDirectory": "data"},
            "InvalidWorkingDir",
            "the working directory 'data' is invalid, it needs to be an absolute path",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_started(
    deploy: Callable[..., Shell], layouts: Path, config: dict[str, Any], kind: str, reason: str
) -> None:
    """The caller hears why in AWS's words; so does the log, with what was to be run."""
    if not (layouts / "broken").exists():
        files: dict[str, str | bytes] = {"text": "no program", "junk*": b"\x7fELF no program"}
        build(
            layouts / "broken", "v1", shell_layers(**files), entrypoint=["sh", "/client"], cmd=["x"]
        )
    payload, error, log = deploy(uri("broken"), ImageConfig=config).invoke("")
    assert error == "Unhandled"
    assert payload["errorType"] == f"Runtime.{kind}"
    assert payload["errorMessage"].endswith(f"Error: {reason}")
    entry = " ".join(config.get("EntryPoint", ["sh", "/client"]))
    where = config.get("WorkingDirectory", "")
    said = f"IMAGE\tLaunch error: {reason}\tEntrypoint: [{entry}]\tCmd: [x]\tWorkingDir: [{where}]"
    assert said in log
    assert f"Status: error\tError Type: Runtime.{kind}" in log


def test_a_runtime_that_ends_is_told_as_elsewhere(
    deploy: Callable[..., Shell], layouts: Path
) -> None:
    """``Runtime.ExitError`` with the status, and the next event has a new environment."""
    build(layouts / "ending", "v1", shell_layers(), entrypoint=["sh", "/client"])
    shell = deploy(uri("ending"))
    payload, _, _ = shell.invoke("kill -9 $PPID")
    assert payload["errorType"] == "Runtime.ExitError"
    assert payload["errorMessage"].endswith("Error: Runtime exited with error: signal: killed")
    assert shell("echo again") == "again"


# What an image function sees and may do


def test_an_image_sees_its_own_root_alone(
    deploy: Callable[..., Shell], host: Any, shell_uri: str
) -> None:
    """The root is the image's, with what every environment has; nothing of the host's or the zygote's is in it."""
    shell = deploy(shell_uri)
    assert set(shell("ls -A /").split()) == {
        "bin", "client", "data", "dev", "etc", "mnt", "proc", "tmp", "var",
    }  # fmt: skip
    mounts = [line.split()[:4] for line in shell("cat /proc/self/mounts").splitlines()]
    assert {place for _, place, _, _ in mounts} == {
        "/", "/dev", "/dev/full", "/dev/null", "/dev/random", "/dev/urandom", "/dev/zero", "/etc/hosts",
        "/etc/resolv.conf", "/proc", "/tmp",
    }  # fmt: skip
    root = next(options.split(",") for _, place, _, options in mounts if place == "/")
    assert {"ro", "nosuid", "nodev"} <= set(root)
    for path in (
        str(host.data_dir),
        "/.lambent",
        "/work",
        "/root/.ssh",
        "/usr/bin",
        "/etc/shadow",
        "/sys/kernel",
    ):
        assert "No such file" in shell(f"ls {path}")
    assert shell("cd /; cd ../../..; ls -A | wc -l") == "9"
    assert shell("readlink /proc/self/root; readlink /proc/self/cwd") == "/\n/data"
    assert shell("ls /mnt /var/task") == "/mnt:\n\n/var/task:"
    assert set(shell("ls /dev").split()) == {
        "fd", "full", "null", "random", "stderr", "stdin", "stdout", "urandom", "zero",
    }  # fmt: skip


@pytest.mark.parametrize(
    "attempt",
    [
        "touch /evil",
        "touch /bin/evil",
        "rm /client",
        "chmod 777 /client",
        "mount -t tmpfs none /tmp",
        "mount -o remount,rw /",
        "umount /proc",
        "umount -l /",
        "unshare -m true",
        "unshare -r true",
        "chroot /tmp /bin/sh",
        "mknod /tmp/sda b 8 0",
        "cat /proc/1/environ | grep .",
        "ls /proc/1/root/",
        "ls /proc/1/fd",
        "echo x > /proc/sys/kernel/hostname",
        "echo x > /etc/resolv.conf",
        "mkdir /dev/shm",
        "/bin/su -c id",
    ],
)
def test_denied(deploy: Callable[..., Shell], hostile: Shell, attempt: str) -> None:
    """What only an administrator may do, an image may not, whatever it brings along."""
    del deploy
    assert (
        hostile(f"if ({attempt}) 2>/dev/null; then echo allowed; else echo denied; fi") == "denied"
    )


@pytest.fixture(scope="module")
def hostile(client: Any, layouts: Path) -> Iterator[Shell]:
    """An image that comes with a set-user-id shell and links where things are mounted."""
    layout = layouts / "hostile"
    build(layout, "v1", shell_layers(), entrypoint=["sh", "/client"])
    add_layer(layout, "v1", hostile_tar())
    name = f"image-{uuid.uuid4().hex[:8]}"
    client.create_function(
        FunctionName=name, Role=ROLE, PackageType="Image", Code={"ImageUri": uri("hostile")}, Timeout=20
    )  # fmt: skip
    client.get_waiter("function_active_v2").wait(FunctionName=name)
    yield Shell(client, name)
    client.delete_function(FunctionName=name)


def hostile_tar() -> bytes:
    """Ways up, links over what is mounted, a set-user-id program, a device, an owner, a hard link outwards."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:

        def put(name: str, kind: bytes = tarfile.REGTYPE, **more: Any) -> None:
            info = tarfile.TarInfo(name)
            info.type, info.mode = kind, 0o755
            data = more.pop("data", b"")
            for member, value in more.items():
                setattr(info, member, value)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))

        put("../../../../../../../../tmp/lambent-escape", data=b"up")
        put("/tmp/lambent-escape", data=b"absolute")
        put("out", tarfile.SYMTYPE, linkname="/tmp")
        put("out/lambent-escape", data=b"through a link")
        put("tmp", tarfile.SYMTYPE, linkname="/etc")
        put("dev", tarfile.SYMTYPE, linkname="/")
        put("mnt", tarfile.SYMTYPE, linkname="../../../../..")
        put("bin/su", mode=0o6755, data=BUSYBOX.read_bytes())
        put("disk", tarfile.BLKTYPE, devmajor=8, devminor=0)
        put("null", tarfile.CHRTYPE, devmajor=1, devminor=3, mode=0o666)
        put("others", uid=1000, gid=1000, data=b"x", mode=0o600)
    return buffer.getvalue()


def test_a_hostile_image_stays_where_it_was_put(hostile: Shell, host: Any) -> None:
    """Ways up and links lead to places inside; set-user-id programs and devices are plain files."""
    assert not Path("/tmp/lambent-escape").exists()
    trees = list((host.data_dir / "images").rglob("lambent-escape"))
    assert all("rootfs" in tree.parts for tree in trees)
    assert hostile("stat -c %a /bin/su") == "755"
    assert hostile("stat -c %F /disk /null") == "regular empty file\nregular empty file"
    assert hostile("cat /others 2>&1").endswith("Permission denied")
    assert hostile("/bin/su -c id 2>&1; id -u").splitlines()[-1] != "0"
    status = dict(
        line.split(":\t", 1)
        for line in hostile("cat /proc/self/status").splitlines()
        if ":\t" in line
    )
    for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
        assert int(status[name], 16) == 0, name
    assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2")


def test_files_of_other_functions_are_out_of_reach(
    deploy: Callable[..., Shell], host: Any, shell_uri: str, layouts: Path
) -> None:
    """Neither an image nor a zip's function finds another one's image."""
    build(layouts / "secret", "v1", shell_layers(secret="s3cr3t"), entrypoint=["sh", "/client"])
    assert deploy(uri("secret"))("cat /secret") == "s3cr3t"
    shell = deploy(shell_uri)
    assert shell("find / -name secret -o -name trees -o -name rootfs 2>/dev/null") == ""
    zipped = host.client("lambda")
    code = (
        "import os\ndef handler(e, c):\n  return [os.path.exists(p) and os.listdir(p) for p in e]"
    )
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("app.py", code)
    name = f"zip-{uuid.uuid4().hex[:8]}"
    zipped.create_function(
        FunctionName=name, Role=ROLE, Runtime=f"python3.{sys.version_info.minor}", Handler="app.handler",
        Code={"ZipFile": buffer.getvalue()},
    )  # fmt: skip
    places = ["/.lambent/images", "/.lambent/code", "/.lambent/fs"]
    answer = zipped.invoke(FunctionName=name, Payload=json.dumps(places))
    assert [found or [] for found in json.loads(answer["Payload"].read())] == [[], [], []]
    zipped.delete_function(FunctionName=name)


# Images that are none


def spoil(layouts: Path, name: str, change: Callable[[dict[str, Any]], Any]) -> str:
    """The URI of an image whose manifest was changed."""
    build(layouts / name, "v1", shell_layers(), entrypoint=["sh", "/client"])
    change_manifest(layouts / name, "v1", change)
    return uri(name)


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("garbage", lambda _: b"\x00\xff not json"),
        ("empty", lambda _: b""),
        ("list", lambda _: b"[]"),
        ("deep", lambda _: b'{"a":' * 100_000),
        ("index", lambda _: b'{"schemaVersion": 2, "manifests": []}'),
        ("v1", lambda m: m.update(schemaVersion=1)),
        ("layers", lambda m: m.update(layers={"a": 1})),
        ("kind", lambda m: m["layers"][0].update(mediaType="application/x-zstd")),
        ("digest", lambda m: m["layers"][0].update(digest="sha256:../../../etc/passwd")),
        ("size", lambda m: m["config"].update(size=-1)),
        ("config", lambda m: m.update(config=None)),
    ],
)
def test_a_manifest_that_is_none_is_refused(
    create: Callable[..., Any], layouts: Path, name: str, change: Callable[[dict[str, Any]], Any]
) -> None:
    """``InvalidParameterValueException``, as AWS answers what it does not support; never a 500."""
    image = spoil(layouts, f"manifest-{name}", change)
    with pytest.raises(ClientError) as raised:
        create(image)
    error = raised.value.response
    assert error["ResponseMetadata"]["HTTPStatusCode"] == 400
    assert error["Error"]["Code"] == "InvalidParameterValueException"
    assert error["Error"]["Message"] == (
        f"The image manifest, config or layer media type for the source image {image} is not supported."
    )


@pytest.mark.parametrize(
    ("image", "text"),
    [
        (uri("team/shell", "nope"), "does not exist"),
        (uri("nowhere"), "does not exist"),
        (uri("team"), "does not exist"),
        (uri("team/shell").removesuffix(":v1"), "is not valid"),
        (uri("team/shell").removesuffix(":v1") + "@sha256:" + "0" * 64, "does not exist"),
        ("public.ecr.aws/lambda/python:3.12", "is not valid"),
        (uri("../secret"), "is not valid"),
        (uri("a" * 2000), "is not valid"),
    ],
)
def test_an_image_that_is_not_there_is_refused(
    create: Callable[..., Any], shell_uri: str, image: str, text: str
) -> None:
    """At once, in AWS's words."""
    del shell_uri
    with pytest.raises(ClientError) as raised:
        create(image)
    error = raised.value.response["Error"]
    assert error["Code"] == "InvalidParameterValueException"
    assert error["Message"] == f"Source image {image} {text}. Provide a valid source image."


@pytest.fixture
def settled(client: Any, poll: Callable[..., Any]) -> Callable[[str], dict[str, Any]]:
    """The configuration of a function once it is not Pending any more."""

    def wait(name: str) -> dict[str, Any]:
        def look() -> dict[str, Any] | None:
            shown: dict[str, Any] = client.get_function_configuration(FunctionName=name)
            return None if shown["State"] == "Pending" else shown

        found: dict[str, Any] = poll(look, 30, "the function to be settled")
        return found

    return wait


def break_blob(layout: Path) -> None:
    """Another byte in the largest blob."""
    blob = max((layout / "blobs" / "sha256").iterdir(), key=lambda path: path.stat().st_size)
    data = bytearray(blob.read_bytes())
    data[len(data) // 2] ^= 1
    blob.write_bytes(data)


def remove_blob(layout: Path) -> None:
    """One layer is gone."""
    max((layout / "blobs" / "sha256").iterdir(), key=lambda path: path.stat().st_size).unlink()


@pytest.mark.parametrize(
    ("name", "architecture", "damage", "code", "reason"),
    [
        ("arm", "arm64", None, "InvalidImage", "The image is for arm64, the function for x86_64."),
        ("odd", "mips64le", None, "InvalidImage", "The image is for mips64le, "),
        ("flipped", "amd64", break_blob, "InvalidImage", "The image cannot be unpacked: the blob sha256:"),
        ("lost", "amd64", remove_blob, "ImageDeleted", "Source image "),
    ],
)  # fmt: skip
def test_an_image_that_cannot_be_unpacked_fails_its_function(
    create: Callable[..., Any],
    client: Any,
    settled: Callable[[str], dict[str, Any]],
    layouts: Path,
    name: str,
    architecture: str,
    damage: Callable[[Path], None] | None,
    code: str,
    reason: str,
) -> None:
    """State Failed with AWS's reason code; an invocation is refused for the state."""
    layout = layouts / f"bad-{name}"
    build(layout, "v1", shell_layers(), entrypoint=["sh", "/client"], architecture=architecture)
    if damage is not None:
        damage(layout)
    made = create(uri(f"bad-{name}"))
    assert (made["State"], made["StateReasonCode"]) == ("Pending", "Creating")
    shown = settled(made["FunctionName"])
    assert (shown["State"], shown["StateReasonCode"]) == ("Failed", code), shown["StateReason"]
    assert shown["StateReason"].startswith(reason)
    with pytest.raises(client.exceptions.ResourceConflictException, match="state: Failed"):
        client.invoke(FunctionName=made["FunctionName"])


def test_a_layer_that_is_no_archive_fails_its_function(
    create: Callable[..., Any], settled: Callable[[str], dict[str, Any]], layouts: Path
) -> None:
    """What the unpacking tool says is told."""
    build(layouts / "bad-tar", "v1", shell_layers(), entrypoint=["sh", "/client"])
    add_layer(layouts / "bad-tar", "v1", b"no tar at all" * 1000)
    shown = settled(create(uri("bad-tar"))["FunctionName"])
    assert (shown["State"], shown["StateReasonCode"]) == ("Failed", "InvalidImage")


# The platform and its images


def test_images_survive_and_go(
    start_platform: Callable[..., Any], tmp_path: Path, poll: Callable[..., Any]
) -> None:
    """After kill -9 a function runs although its image is gone from its place; unused images are removed."""
    copied = tmp_path / "copied"
    build(copied / "app", "v1", shell_layers(), entrypoint=["sh", "/client"])
    build(copied / "other", "v1", shell_layers(x="1"), entrypoint=["sh", "/client"])
    first = start_platform(tmp_path / "data", "--images", str(copied))
    client = first.client("lambda")
    for name in ("app", "other"):
        client.create_function(
            FunctionName=name, Role=ROLE, PackageType="Image", Code={"ImageUri": uri(name)}, Timeout=20
        )  # fmt: skip
        client.get_waiter("function_active_v2").wait(FunctionName=name)
    client.delete_function(FunctionName="other")
    trees = tmp_path / "data" / "images" / "trees"
    assert len(list(trees.iterdir())) == 2, "its environments may still run"
    first.stop(signal.SIGKILL)
    shutil.rmtree(copied / "app")
    second = start_platform(tmp_path / "data", "--images", str(copied))
    assert Shell(second.client("lambda"), "app")("echo there") == "there"
    poll(lambda: len(list(trees.iterdir())) == 1, 10, "the other image to be removed")
    assert [tree.name for tree in trees.iterdir()] == [
        second.client("lambda").get_function_configuration(FunctionName="app")["CodeSha256"]
    ]


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Registry]:
    """A registry with an image, that asks for a name and a password."""
    layout = tmp_path / "registry" / "mirror" / "team" / "app"
    build(layout, "v1", shell_layers(n="1"), entrypoint=["sh", "/client"])
    with Registry(tmp_path / "registry", "me:secret").serving() as served:
        yield served


def test_images_come_from_a_registry(
    start_platform: Callable[..., Any],
    tmp_path: Path,
    registry: Registry,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """By skopeo with its own credentials; blobs are fetched once; what it refuses is AWS's refusal."""
    auth = tmp_path / "auth.json"
    token = base64.b64encode(registry.credentials.encode()).decode()
    auth.write_text(json.dumps({"auths": {registry.host: {"auth": token}}}))
    monkeypatch.setenv("REGISTRY_AUTH_FILE", str(auth))
    host = start_platform(tmp_path / "data", "--registry", f"{registry.url}/mirror")
    client = host.client("lambda")

    def create(name: str, image: str) -> Any:
        return client.create_function(
            FunctionName=name, Role=ROLE, PackageType="Image", Code={"ImageUri": image}, Timeout=20
        )  # fmt: skip

    made = create("first", uri("team/app"))
    client.get_waiter("function_active_v2").wait(FunctionName="first")
    assert made["CodeSha256"] == digest_of(registry.root / "mirror" / "team" / "app", "v1")
    assert Shell(client, "first")("cat /n") == "1"
    layout = registry.root / "mirror" / "team" / "app"
    build(layout, "v2", shell_layers(n="2"), entrypoint=["sh", "/client"])
    registry.log.clear()
    create("second", uri("team/app", "v2"))
    client.get_waiter("function_active_v2").wait(FunctionName="second")
    assert Shell(client, "second")("cat /n") == "2"
    known = {blob["digest"] for blob in manifest_of(layout, "v1")["layers"]}
    asked = {path.rpartition("/")[2] for path in registry.log}
    assert not known & asked, "layers that are here are not fetched again"
    for image, text in (
        (uri("team/app", "v3"), "does not exist"),
        (uri("team/none"), "does not exist"),
    ):
        with pytest.raises(ClientError, match=text):
            create("third", image)
    registry.refuses = True
    with pytest.raises(ClientError, match="permission to access the ECR image") as raised:
        create("third", uri("team/app"))
    assert raised.value.response["Error"]["Code"] == "AccessDeniedException"
    assert raised.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403


def test_a_registry_that_is_gone_is_no_fault_of_the_caller(
    start_platform: Callable[..., Any], tmp_path: Path
) -> None:
    """``ServiceException``: to be tried again."""
    host = start_platform(tmp_path / "data", "--registry", "http://127.0.0.1:1")
    with pytest.raises(ClientError) as raised:
        host.client("lambda").create_function(
            FunctionName="f", Role=ROLE, PackageType="Image", Code={"ImageUri": uri("a")}
        )
    assert raised.value.response["Error"]["Code"] == "ServiceException"
    assert "127.0.0.1:1" in raised.value.response["Error"]["Message"]


def manifest_of(layout: Path, tag: str) -> Any:
    """The manifest under a tag."""
    return json.loads((layout / "blobs" / "sha256" / digest_of(layout, tag)).read_text())


def test_a_platform_that_dies_while_it_unpacks_goes_on_later(
    start_platform: Callable[..., Any], tmp_path: Path, layouts: Path, poll: Callable[..., Any]
) -> None:
    """After kill -9 a function that was Pending becomes Active; an image that is lost is fetched once more."""
    build(layouts / "dies", "v1", shell_layers(), entrypoint=["sh", "/client"])
    options = ("--images", str(layouts))
    first = start_platform(tmp_path / "data", *options)
    first.client("lambda").create_function(
        FunctionName="f", Role=ROLE, PackageType="Image", Code={"ImageUri": uri("dies")}, Timeout=20
    )
    first.stop(signal.SIGKILL)
    second = start_platform(tmp_path / "data", *options)
    client = second.client("lambda")
    client.get_waiter("function_active_v2").wait(FunctionName="f")
    assert Shell(client, "f")("echo there") == "there"
    assert not list((tmp_path / "data" / "images" / "tmp").iterdir())
    second.stop()
    shutil.rmtree(tmp_path / "data" / "images")
    third = start_platform(tmp_path / "data", *options)
    trees = tmp_path / "data" / "images" / "trees"
    poll(lambda: list(trees.iterdir()), 30, "the image to be fetched once more")
    shell = Shell(third.client("lambda"), "f")
    assert poll(lambda: shell("echo again"), 10, "the function to answer") == "again"


def test_plain_processes_run_no_images(
    start_platform: Callable[..., Any], tmp_path: Path, layouts: Path, shell_uri: str
) -> None:
    """501: there is no root to give them."""
    host = start_platform(tmp_path / "data", "--images", str(layouts), "--sandbox", "process")
    with pytest.raises(ClientError, match="plain processes") as raised:
        host.client("lambda").create_function(
            FunctionName="f", Role=ROLE, PackageType="Image", Code={"ImageUri": shell_uri}
        )
    assert raised.value.response["Error"]["Code"] == "NotImplementedException"


ACCESS_POINT = (
    "arn:aws:elasticfilesystem:us-east-1:000000000000:access-point/fsap-0123456789abcdef0"
)


def test_file_systems_are_mounted_in_an_image(
    start_platform: Callable[..., Any], layouts: Path, shell_uri: str
) -> None:
    """``/mnt/data`` is the host's directory, and the only way to it."""
    if os.geteuid() != 0:
        pytest.skip("the directory is given to another user")
    with tempfile.TemporaryDirectory() as root:
        shared = Path(root) / "shared"
        shared.mkdir()
        (shared / "greeting").write_text("from outside")
        os.chown(shared, 54321, 54321)
        options = ("--images", str(layouts), "--file-system", f"{ACCESS_POINT}={shared}")
        host = start_platform(Path(root) / "data", *options)
        client = host.client("lambda")
        client.create_function(
            FunctionName="f", Role=ROLE, PackageType="Image", Code={"ImageUri": shell_uri}, Timeout=20,
            FileSystemConfigs=[{"Arn": ACCESS_POINT, "LocalMountPath": "/mnt/data"}],
        )  # fmt: skip
        client.get_waiter("function_active_v2").wait(FunctionName="f")
        shell = Shell(client, "f")
        assert (
            shell("cat /mnt/data/greeting; echo inside > /mnt/data/answer; ls /mnt")
            == "from outsidedata"
        )
        assert (shared / "answer").read_text() == "inside\n"
        assert "Read-only" in shell("touch /mnt/evil 2>&1; touch /evil 2>&1")
        host.stop()


def test_without_a_place_for_images_they_are_refused(platform: Any) -> None:
    """501, with the command that gives one."""
    client = platform.client("lambda")
    with pytest.raises(ClientError, match="lambent up --images") as raised:
        client.create_function(
            FunctionName="nowhere", Role=ROLE, PackageType="Image", Code={"ImageUri": uri("a")}
        )
    assert raised.value.response["Error"]["Code"] == "NotImplementedException"
