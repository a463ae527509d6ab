"""``provided.al2023`` and ``provided.al2`` with real clients: scripts, layers, and what cannot be started."""

import io
import re
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

ECHO = (Path(__file__).parents[1] / "contract" / "bootstraps" / "echo.sh").read_text()
PYTHON = """\
#!/usr/bin/env python3
import json, os, urllib.request
API = f"http://{os.environ['AWS_LAMBDA_RUNTIME_API']}/2018-06-01/runtime/"
def post(path, body, **headers):
    urllib.request.urlopen(urllib.request.Request(API + path, json.dumps(body).encode(), headers))
while True:
    with urllib.request.urlopen(API + "invocation/next") as answer:
        event, request_id = json.load(answer), answer.headers["Lambda-Runtime-Aws-Request-Id"]
    if event == "fail":
        error = {"errorType": "Odd", "errorMessage": "no"}
        post(f"invocation/{request_id}/error", error, **{"Lambda-Runtime-Function-Error-Type": "Odd"})
    elif event == "exit":
        os._exit(7)
    else:
        post(f"invocation/{request_id}/response", [os.environ["_HANDLER"], event])
"""


def zip_with(name: str, content: str, mode: int = 0o755) -> bytes:
    """A zip with one file of that mode."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        info = zipfile.ZipInfo(name)
        info.external_attr = (0o100000 | mode) << 16
        archive.writestr(info, content)
    return buffer.getvalue()


@pytest.fixture
def deploy_zip(deploy: Callable[..., Any]) -> Callable[..., Any]:
    """Deploys a zip under a custom runtime."""

    def make(content: bytes, **settings: Any) -> Any:
        function = deploy({"README": ""}, **{"Runtime": "provided.al2023"} | settings)
        function.client.update_function_code(FunctionName=function.name, ZipFile=content)
        function.client.get_waiter("function_updated_v2").wait(FunctionName=function.name)
        return function

    return make


@pytest.mark.parametrize("runtime", ["provided.al2023", "provided.al2"])
def test_any_executable_is_a_runtime(deploy_zip: Callable[..., Any], runtime: str) -> None:
    """Its environment lives on between events, its errors are its own, and its end is told as AWS tells it."""
    function = deploy_zip(zip_with("bootstrap", PYTHON), Runtime=runtime, Handler="any.thing")
    first = function({"a": 1})
    assert (first.error, first.payload) == (None, ["any.thing", {"a": 1}])
    assert "Init Duration" in first.log
    assert "Init Duration" not in function(2).log
    failed = function("fail")
    assert (failed.error, failed.payload["errorType"]) == ("Unhandled", "Odd")
    ended = function("exit")
    words = f"RequestId: {ended.request_id} Error: Runtime exited with error: exit status 7"
    assert ended.payload == {"errorType": "Runtime.ExitError", "errorMessage": words}
    assert function(3).payload == ["any.thing", 3]


@pytest.fixture
def layer(client: Any) -> Iterator[str]:
    """A layer with a bootstrap."""
    made = client.publish_layer_version(
        LayerName="e2e-bootstrap", Content={"ZipFile": zip_with("bootstrap", ECHO)}
    )
    yield made["LayerVersionArn"]
    client.delete_layer_version(LayerName="e2e-bootstrap", VersionNumber=made["Version"])


def test_a_layer_may_bring_the_runtime(deploy_zip: Callable[..., Any], layer: str) -> None:
    """``/opt/bootstrap`` is run where the function has none; what it prints is in the log."""
    function = deploy_zip(zip_with("data", "x"), Layers=[layer], Handler="from.layer")
    assert function([1, "é"]).payload["event"] == [1, "é"]


@pytest.mark.parametrize(
    ("name", "mode", "reason"),
    [
        (
            "other",
            0o755,
            r"Couldn't find valid bootstrap\(s\): \[\S+/bootstrap( /opt/bootstrap)?\]",
        ),
        ("bootstrap", 0o644, r"fork/exec \S+/bootstrap: permission denied"),
        ("bootstrap", 0o755, r"fork/exec \S+/bootstrap: exec format error"),
    ],
)
def test_what_cannot_be_started(
    deploy_zip: Callable[..., Any], name: str, mode: int, reason: str
) -> None:
    """``Runtime.InvalidEntrypoint``, after both tries, each with its INIT_REPORT."""
    answer = deploy_zip(zip_with(name, "\x7fELF no program", mode))()
    assert answer.payload["errorType"] == "Runtime.InvalidEntrypoint"
    message = answer.payload["errorMessage"]
    assert re.fullmatch(f"RequestId: {answer.request_id} Error: {reason}", message), message
    for phase in ("init", "invoke"):
        end = f"\tPhase: {phase}\tStatus: error\tError Type: Runtime.InvalidEntrypoint\n"
        assert answer.log.count(end) == 1
    assert f"{message}\nRuntime.InvalidEntrypoint\n" in answer.log


def test_a_wrapper_script_changes_the_runtime(
    deploy: Callable[..., Any], client: Any, platform: Any
) -> None:
    """``AWS_LAMBDA_EXEC_WRAPPER`` starts the Python runtime its own way, and the handler runs in that."""
    if platform.health["sandbox"]["kind"] != "namespaces":
        pytest.skip("in plain processes layers are elsewhere than in /opt")
    wrapper = '#!/bin/bash\nargs=("$@")\nexec "${args[@]:0:$#-1}" -X importtime "${args[@]: -1}"\n'
    made = client.publish_layer_version(
        LayerName="e2e-wrapper", Content={"ZipFile": zip_with("wrap", wrapper)}
    )
    function = deploy(
        "import sys\ndef handler(event, context): return [sys._xoptions.get('importtime'), event]",
        Layers=[made["LayerVersionArn"]],
        Environment={"Variables": {"AWS_LAMBDA_EXEC_WRAPPER": "/opt/wrap"}},
        Timeout=20,
    )
    client.delete_layer_version(LayerName="e2e-wrapper", VersionNumber=made["Version"])
    assert function(5).payload == [True, 5]
    assert function(6).payload == [True, 6]
