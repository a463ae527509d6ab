"""``PackageType`` Image with real images: what is run of them, what is changed, what cannot be started."""

import base64
import json
import os
import re
import subprocess
import sys
import sysconfig
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lambent.testing.images import build, change_manifest, uri
from lambent.testing.shell_images import SHELL, Shell, shell_layers


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
    deploy: Callable[..., Shell], layouts: Path, host: Any
) -> None:
    """Whiteouts, links and modes are as the image has them; all is root's, or without root the function's own."""
    layers = shell_layers(**{"kept": "1", "gone": "2", "link@": "kept"})
    build(layouts / "layers", "v1", [*layers, {"gone-": ""}], entrypoint=["sh", "/client"])
    found = deploy(uri("layers"))("cat /link; ls /gone /.wh.gone 2>&1; stat -c %a:%u /client")
    assert found.splitlines()[0].startswith("1ls: /gone: No such file"), found
    owner = 1000 if host.health["sandbox"]["isolation"]["user"] else 0
    assert found.endswith(f"755:{owner}")


@pytest.fixture(scope="module")
def c_client(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A static program that is a runtime."""
    program = tmp_path_factory.mktemp("c") / "echo"
    source = Path(__file__).parents[2] / "contract" / "bootstraps" / "echo.c"
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


ENTRYPOINT = """\
#!/bin/sh
export _HANDLER="$1"
if [ -z "$AWS_LAMBDA_RUNTIME_API" ]; then
  exec /usr/local/bin/aws-lambda-rie /var/runtime/bootstrap
fi
exec /var/runtime/bootstrap
"""


def test_base_images_are_started_as_aws_starts_them(
    deploy: Callable[..., Shell], layouts: Path
) -> None:
    """Their entrypoint takes the handler from CMD, and finds the Runtime API: no emulator is started."""
    files = {"lambda-entrypoint.sh*": ENTRYPOINT, "var/runtime/bootstrap*": SHELL}
    build(
        layouts / "base", "v1", shell_layers(**files), entrypoint=["/lambda-entrypoint.sh"],
        cmd=["app.handler"], workingdir="/var/task", env=["LAMBDA_TASK_ROOT=/var/task"],
    )  # fmt: skip
    shell = deploy(uri("base"))
    assert shell("echo $_HANDLER $LAMBDA_TASK_ROOT; pwd") == "app.handler /var/task\n/var/task"
    other = deploy(uri("base"), ImageConfig={"Command": ["other.handler"]})
    assert other("echo $_HANDLER") == "other.handler"


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
