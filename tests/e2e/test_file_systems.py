"""``FileSystemConfigs``: a directory of the host under ``/mnt``, shared by functions and their environments."""

import io
import json
import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

ARN = "arn:aws:elasticfilesystem:us-east-1:000000000000:access-point/fsap-0123456789abcdef0"
CONFIG = [{"Arn": ARN, "LocalMountPath": "/mnt/data"}]
OWNER = 54321
ROLE = "arn:aws:iam::000000000000:role/e2e"
RUNTIME = f"python3.{sys.version_info.minor}"
HANDLER = """
import os, subprocess, time, uuid
HERE = uuid.uuid4().hex
def handler(event, context):
    try:
        if event["do"] == "eval":
            return eval(event["what"])
        with open(event["path"], event.get("mode", "r")) as file:
            if event["do"] == "read":
                return file.read()
            file.write(event["text"])
        time.sleep(event.get("sleep_s", 0))
        return HERE
    except OSError as error:
        return f"{type(error).__name__}: {error}"
"""
BOOTSTRAP = """#!/bin/sh
API=http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime/invocation
while true; do
  HEAD=$(curl -sD - -o /dev/null $API/next | tr -d '\\r')
  ID=$(echo "$HEAD" | sed -n 's/^lambda-runtime-aws-request-id: //Ip')
  echo shell > /mnt/data/shell
  curl -s -X POST -d "\\"$(cat /mnt/data/greeting)\\"" $API/$ID/response > /dev/null
done
"""


@pytest.fixture
def shared() -> Iterator[Path]:
    """An empty directory that belongs to an ordinary user, as nobody's home."""
    with tempfile.TemporaryDirectory(prefix="lambent-shared-") as root:
        directory = Path(root) / "shared"
        directory.mkdir(mode=0o700)
        if os.geteuid() == 0:
            os.chown(directory, OWNER, OWNER)
        yield directory


@pytest.fixture
def deployed(
    isolated: None, start_platform: Callable[..., Any], shared: Path, zip_of: Any
) -> "Deployer":
    """Functions on a platform that has the directory: each call deploys one, and gives what invokes it."""
    del isolated
    place = start_platform(None, "--file-system", f"{ARN}={shared}")
    return Deployer(place, zip_of)


@dataclass
class Deployer:
    """Deploys functions on one platform; what it gives invokes them."""

    platform: Any
    zip_of: Callable[..., bytes]

    def __post_init__(self) -> None:
        self.client = self.platform.client("lambda")

    def __call__(self, name: str, files: Any = HANDLER, **settings: Any) -> Callable[..., Any]:
        code = files if isinstance(files, bytes) else self.zip_of({"app.py": files})
        defaults = {"Runtime": RUNTIME, "Role": ROLE, "Handler": "app.handler", "Timeout": 20}
        self.client.create_function(
            FunctionName=name, Code={"ZipFile": code}, **(defaults | settings)
        )
        self.client.get_waiter("function_active_v2").wait(FunctionName=name)

        def invoke(event: Any = None, **more: Any) -> Any:
            payload = json.dumps(event).encode()
            answer = self.client.invoke(FunctionName=name, Payload=payload, **more)
            return json.loads(answer["Payload"].read())

        return invoke


def executable(name: str, text: str) -> bytes:
    """A zip with one program."""
    buffer = io.BytesIO()
    info = zipfile.ZipInfo(name)
    info.external_attr = 0o100755 << 16
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(info, text)
    return buffer.getvalue()


def write(path: str, text: str, mode: str = "w", **more: Any) -> dict[str, Any]:
    """An event that writes."""
    return {"do": "write", "path": path, "text": text, "mode": mode, **more}


def read(path: str) -> dict[str, Any]:
    """An event that reads."""
    return {"do": "read", "path": path}


def look(what: str) -> dict[str, Any]:
    """An event that evaluates."""
    return {"do": "eval", "what": what}


def test_functions_share_files(deployed: Any, shared: Path) -> None:
    """What one function writes another reads and changes; on the host all belongs to the directory's owner."""
    one = deployed("one", FileSystemConfigs=CONFIG)
    two = deployed("two", FileSystemConfigs=[{"Arn": ARN, "LocalMountPath": "/mnt/other"}])
    one(write("/mnt/data/a", "one"))
    assert two(read("/mnt/other/a")) == "one"
    two(write("/mnt/other/a", " two", "a"))
    assert one(read("/mnt/data/a")) == "one two"
    one(look("os.makedirs('/mnt/data/d/e')"))
    two(look("os.rename('/mnt/other/a', '/mnt/other/d/e/a')"))
    assert (shared / "d/e/a").read_text() == "one two"
    owner = shared.stat().st_uid
    assert {path.stat().st_uid for path in shared.rglob("*")} == {owner}
    (shared / "from-host").write_text("host")
    os.chown(shared / "from-host", owner, shared.stat().st_gid)
    assert one(read("/mnt/data/from-host")) == "host"


def test_environments_of_a_function_write_the_same_file(deployed: Any, shared: Path) -> None:
    """Several environments at once, each a user of its own, append to one file; stem cells among them."""
    function = deployed("f", FileSystemConfigs=CONFIG)
    event = write("/mnt/data/log", "line\n", "a", sleep_s=0.5)
    for round_number in (1, 2):
        with ThreadPoolExecutor(4) as pool:
            answers = list(pool.map(lambda _: function(event), range(4)))
        assert len(set(answers)) > 1
        assert (shared / "log").read_text() == "line\n" * 4 * round_number
    other = deployed("g", FileSystemConfigs=CONFIG)
    assert other(read("/mnt/data/log")) == "line\n" * 8
    assert deployed.platform.stop() == 0
    assert "Traceback" not in deployed.platform.log.read_text()
    assert not deployed.platform.leftovers()


def test_nothing_else_is_writable_or_seen(deployed: Any, shared: Path) -> None:
    """The root and ``/mnt`` stay read-only, functions without the setting see nothing, nor the way it came."""
    (shared / "secret").write_text("s")
    with_it = deployed("with", FileSystemConfigs=CONFIG)
    without = deployed("without")
    for path in ("/mnt/x", "/x", "/usr/x", "/var/task/x"):
        assert "Error" in with_it(write(path, "x"))
    assert with_it(look("os.listdir('/mnt')")) == ["data"]
    assert without(look("os.listdir('/mnt')")) == []
    for function in (with_it, without):
        mounts = function(look("open('/proc/self/mountinfo').read()"))
        assert "/.lambent/fs" not in mounts
        assert ("shared" in mounts) == (function is with_it)


def test_no_way_out(deployed: Any, shared: Path) -> None:
    """Neither links nor ``..`` lead to the host; no device nodes, no set-user-id programs."""
    (shared.parent / "outside").write_text("o")
    (shared / "up").symlink_to("../outside")
    (shared / "absolute").symlink_to(shared.parent / "outside")
    function = deployed("f", FileSystemConfigs=CONFIG)
    for path in ("up", "absolute", "../outside", "../../outside", "../shared/up"):
        assert "FileNotFoundError" in function(read(f"/mnt/data/{path}"))
    function(look("os.symlink('/etc/passwd', '/mnt/data/passwd')"))
    assert "root" in function(read("/mnt/data/passwd"))
    denied = function(
        look("os.mknod('/mnt/data/disk', 0o60666, os.makedev(1, 3))")
    )  # a block device
    assert "Error" in denied
    assert not (shared / "disk").exists()
    options = function(
        look("[l for l in open('/proc/self/mountinfo') if ' /mnt/data ' in l][0].split()[5]")
    )
    assert {"rw", "nosuid", "nodev"} <= set(options.split(","))
    denied = function(look("os.chown('/mnt/data', 0, 0)"))
    assert "Error" in denied


def test_custom_runtimes_see_it(deployed: Any, shared: Path) -> None:
    """An environment that executes another program has it too."""
    (shared / "greeting").write_text("hello")
    (shared / "greeting").chmod(0o644)
    function = deployed(
        "shell",
        executable("bootstrap", BOOTSTRAP),
        Runtime="provided.al2023",
        FileSystemConfigs=CONFIG,
    )
    assert function() == "hello"
    assert (shared / "shell").read_text() == "shell\n"


def test_wrappers_see_it(deployed: Any, shared: Path) -> None:
    """So has a runtime that is started by a wrapper, and the wrapper itself."""
    wrapper = executable("bin/wrap", '#!/bin/sh\necho wrapped > /mnt/data/wrap\nexec "$@"\n')
    layer = deployed.client.publish_layer_version(LayerName="wrap", Content={"ZipFile": wrapper})
    function = deployed(
        "wrapped",
        Layers=[layer["LayerVersionArn"]],
        Environment={"Variables": {"AWS_LAMBDA_EXEC_WRAPPER": "/opt/bin/wrap"}},
        FileSystemConfigs=CONFIG,
    )
    assert function(read("/mnt/data/wrap")) == "wrapped\n"
    assert (shared / "wrap").exists()


def test_nodejs_sees_it(deployed: Any, shared: Path, zip_of: Any) -> None:
    """Node.js writes there as Python does, where one is prepared."""
    names = [r["name"] for r in deployed.platform.health["runtimes"] if r["exact"]]
    name = next((name for name in names if name.startswith("nodejs")), None)
    if name is None:
        pytest.skip("no Node.js is prepared here: lambent runtimes add nodejs22.x")
    source = """
        import fs from "node:fs";
        export const handler = async () => fs.writeFileSync("/mnt/data/node", "n") ?? "done";
    """
    code = zip_of({"index.mjs": source})
    function = deployed(
        "node", code, Runtime=name, Handler="index.handler", FileSystemConfigs=CONFIG
    )
    assert function() == "done"
    assert (shared / "node").read_text() == "n"


def test_versions_keep_it_and_updates_remove_it(deployed: Any) -> None:
    """Shown in answers, part of what a version is, taken away by an empty list, kept when not named."""
    function, client = deployed("f", FileSystemConfigs=CONFIG), deployed.client
    assert client.get_function_configuration(FunctionName="f")["FileSystemConfigs"] == CONFIG
    first = client.publish_version(FunctionName="f")
    assert first["FileSystemConfigs"] == CONFIG
    waiter = client.get_waiter("function_updated_v2")
    client.update_function_configuration(FunctionName="f", Description="d")
    waiter.wait(FunctionName="f")
    function(write("/mnt/data/kept", "k"))
    client.update_function_configuration(FunctionName="f", FileSystemConfigs=[])
    waiter.wait(FunctionName="f")
    assert "FileSystemConfigs" not in client.get_function(FunctionName="f")["Configuration"]
    assert "FileNotFoundError" in function(read("/mnt/data/kept"))
    assert function(read("/mnt/data/kept"), Qualifier=first["Version"]) == "k"


def test_restarts_keep_it_and_removing_the_option_is_told(
    deployed: Any, shared: Path, start_platform: Callable[..., Any]
) -> None:
    """After a restart functions still mount it; where it is no longer given, invoking fails as AWS's does."""
    function = deployed("f", FileSystemConfigs=CONFIG)
    function(write("/mnt/data/a", "x"))
    deployed.platform.stop()
    again = start_platform(None, "--file-system", f"{ARN}={shared}")
    answer = again.client("lambda").invoke(
        FunctionName="f", Payload=b'{"do": "read", "path": "/mnt/data/a"}'
    )
    assert answer["Payload"].read() == b'"x"'
    again.stop()
    without = start_platform().client("lambda")
    with pytest.raises(ClientError) as refused:
        without.invoke(FunctionName="f", Payload=b"{}")
    assert_mount_failure(refused.value, "--file-system")


def test_a_directory_that_vanished(deployed: Any, shared: Path) -> None:
    """New environments fail with AWS's error; other functions go on."""
    function, other = deployed("f", FileSystemConfigs=CONFIG), deployed("other")
    shared.rmdir()
    with pytest.raises(ClientError) as refused:
        function(look("1"))
    assert_mount_failure(refused.value, "was removed")
    assert other(look("1")) == 1


def test_plain_processes_have_none(shared: Path, tmp_path: Path) -> None:
    """Where functions are plain processes the platform does not start with the option, and says why."""
    command = [str(Path(sys.executable).parent / "lambent"), "up", "--sandbox", "process"]
    options = ["--port", "45993", "--data", str(tmp_path / "d"), "--file-system", f"{ARN}={shared}"]
    done = subprocess.run([*command, *options], capture_output=True, timeout=60, check=False)
    assert done.returncode != 0
    assert b"--file-system needs isolated functions" in done.stderr
    assert b"Traceback" not in done.stderr


def assert_mount_failure(error: ClientError, said: str) -> None:
    """AWS's error, with the reason."""
    assert error.response["Error"]["Code"] == "EFSMountFailureException"
    assert error.response["ResponseMetadata"]["HTTPStatusCode"] == 403
    assert "/mnt/data" in str(error)
    assert said in str(error)
