"""Extensions from layers, with real processes: registered, told, crashing, listening to telemetry, shut down."""

import os
import sys
import zipfile
from collections.abc import Callable
from io import BytesIO
from typing import Any

import pytest

PYTHON = os.path.realpath(sys.executable)
CLIENT = """\
import json, os, sys, urllib.request, urllib.error
API = "http://" + os.environ["AWS_LAMBDA_RUNTIME_API"]
NAME = os.path.basename(sys.argv[0])

def call(method, path, body=None, **headers):
    data = None if body is None else json.dumps(body).encode()
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    request = urllib.request.Request(API + path, data, headers, method=method)
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status, dict(answer.headers), json.loads(answer.read() or b"null")
    except urllib.error.HTTPError as error:
        return error.code, dict(error.headers), json.loads(error.read() or b"null")

def register(*events, name=NAME):
    status, headers, body = call(
        "POST", "/2020-01-01/extension/register", {"events": list(events)},
        Lambda_Extension_Name=name, Lambda_Extension_Accept_Feature="accountId")
    return headers["Lambda-Extension-Identifier"], body

def next_event(me):
    return call("GET", "/2020-01-01/extension/event/next", Lambda_Extension_Identifier=me)[2]

def say(*words):
    print(*words, flush=True)
"""
LOGS_ALL = """
me, body = register("INVOKE", "SHUTDOWN")
say("REGISTERED", json.dumps(body, sort_keys=True))
say("ENVIRON", json.dumps(sorted(os.environ)))
while True:
    event = next_event(me)
    say("GOT", json.dumps(event, sort_keys=True))
    if event["eventType"] == "SHUTDOWN":
        break
"""
TELEMETRY = """
import http.server, threading
class Listener(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        self.send_response(200)
        self.end_headers()
        for event in json.loads(body):
            if event["type"] != "extension":
                say("HEARD", json.dumps(event, sort_keys=True))
    def log_message(self, *_):
        pass
server = http.server.HTTPServer(("sandbox.localdomain" if %r else "127.0.0.1", 0), Listener)
threading.Thread(target=server.serve_forever, daemon=True).start()
me, _ = register("INVOKE", "SHUTDOWN")
say("SUBSCRIBED", call("PUT", "/2022-07-01/telemetry", {
    "schemaVersion": "2022-12-13", "types": ["platform", "function", "extension"],
    "buffering": {"timeoutMs": 25, "maxBytes": 262144, "maxItems": 1000},
    "destination": {"protocol": "HTTP", "URI": "http://sandbox.localdomain:%%d" %% server.server_port},
}, Lambda_Extension_Identifier=me)[0::2])
while next_event(me)["eventType"] != "SHUTDOWN":
    pass
import time
time.sleep(0.5)
"""
CLEAN_UP = """\
import os, signal, threading
# Not a Python handler: up to Python 3.11 AWS's client waits for events in C, which no handler interrupts.
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
def clean():
    signal.sigwait({signal.SIGTERM})
    print("CLEAN", flush=True)
    os._exit(0)
threading.Thread(target=clean, daemon=True).start()
"""
ECHO = "def handler(event, context):\n    print('SAID', event)\n    return event\n"


def layer_zip(extensions: dict[str, str]) -> bytes:
    """A layer whose ``extensions`` are executable."""
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, source in extensions.items():
            entry = zipfile.ZipInfo(f"extensions/{name}")
            entry.external_attr = 0o755 << 16
            archive.writestr(entry, source)
    return buffer.getvalue()


def python(source: str) -> str:
    """An extension with the client ahead of it."""
    return f"#!{PYTHON}\n{CLIENT}\n{source}"


Deploy = Callable[..., Any]


@pytest.fixture
def deploy_with(client: Any, deploy: Deploy, new_name: Callable[[], str]) -> Deploy:
    """Deploys a function with a layer of extensions by name."""

    def make(extensions: dict[str, str], source: str = ECHO, **settings: Any) -> Any:
        layer = client.publish_layer_version(
            LayerName=new_name(), Content={"ZipFile": layer_zip(extensions)}
        )
        return deploy(source, Layers=[layer["LayerVersionArn"]], **settings)

    return make


@pytest.fixture
def log_of(logs: Any) -> Callable[[Any], str]:
    """All that a function's log shows."""

    def read(function: Any) -> str:
        group = f"/aws/lambda/{function.name}"
        try:
            events = logs.filter_log_events(logGroupName=group)["events"]
        except logs.exceptions.ResourceNotFoundException:
            return ""
        return "".join(e["message"] for e in events)

    return read


def retire(function: Any) -> None:
    """Has its environments shut down."""
    function.client.update_function_configuration(FunctionName=function.name, Description="x")


def test_an_extension_hears_of_invocations_and_of_the_end(
    deploy_with: Deploy, log_of: Callable[[Any], str], poll: Callable[..., Any]
) -> None:
    """It registers, gets INVOKE for each event and SHUTDOWN (spindown) at the end; its output is in the log."""
    function = deploy_with({"watcher": python(LOGS_ALL)}, Environment={"Variables": {"MINE": "1"}})
    answers = [function({"n": n}) for n in range(2)]
    assert [answer.payload for answer in answers] == [{"n": 0}, {"n": 1}]
    retire(function)
    log = poll(lambda: '"shutdownReason"' in (text := log_of(function)) and text, 10, "SHUTDOWN")
    assert "EXTENSION\tName: watcher\tState: Ready\tEvents: [INVOKE, SHUTDOWN]" in log
    assert '"shutdownReason": "spindown"' in log
    for answer in answers:
        assert f'"eventType": "INVOKE", "invokedFunctionArn": "{function.arn}"' in log
        assert f'"requestId": "{answer.request_id}"' in log
        assert f"REPORT RequestId: {answer.request_id}" in log
    registered = next(line for line in log.splitlines() if line.startswith("REGISTERED"))
    assert '"accountId": "000000000000"' in registered
    assert f'"functionName": "{function.name}"' in registered
    environ = next(line for line in log.splitlines() if line.startswith("ENVIRON"))
    assert '"MINE"' in environ
    assert '"AWS_SECRET_ACCESS_KEY"' in environ
    assert '"_HANDLER"' not in environ
    assert '"LAMBDA_TASK_ROOT"' not in environ


def test_a_crash_ends_the_invocation(
    deploy_with: Deploy, log_of: Callable[[Any], str], poll: Callable[..., Any]
) -> None:
    """An extension that ends during an invocation is Extension.Crash, as it is during Init."""
    crashing = python("me, _ = register('INVOKE')\nnext_event(me)\nsys.exit(7)")
    function = deploy_with(
        {"crashing": crashing}, "import time\ndef handler(e, c): time.sleep(5)", Timeout=9
    )
    answer = function({})
    assert answer.error == "Unhandled"
    message = f"RequestId: {answer.request_id} Error: exit status 7"
    assert answer.payload == {"errorType": "Extension.Crash", "errorMessage": message}
    assert f"{message}\nExtension.Crash" in log_of(function)

    at_once = deploy_with({"at-once": "#!/bin/sh\nexit 0\n"})
    answer = at_once({})
    assert answer.payload["errorType"] == "Extension.Crash"
    assert answer.payload["errorMessage"].endswith("Error: exit code 0")


def test_an_extension_that_cannot_be_executed(deploy_with: Deploy) -> None:
    """A file that is no program is Extension.LaunchError."""
    function = deploy_with({"broken": "\x7fnothing that runs"})
    assert function({}).payload["errorType"] == "Extension.LaunchError"


def test_errors_that_are_told(deploy_with: Deploy, log_of: Callable[[Any], str]) -> None:
    """``init/error`` makes the failure an Extension.InitError, with the type in the log."""
    source = """
me, _ = register("INVOKE")
call("POST", "/2020-01-01/extension/init/error", {}, Lambda_Extension_Identifier=me,
     Lambda_Extension_Function_Error_Type="Mine.Broken")
"""
    function = deploy_with({"telling": python(source)})
    assert function({}).payload["errorType"] == "Extension.InitError"
    assert "Name: telling\tState: InitError\tEvents: [INVOKE]\tError Type: Mine.Broken" in log_of(
        function
    )


def test_a_timeout_is_the_reason(
    deploy_with: Deploy, log_of: Callable[[Any], str], poll: Callable[..., Any]
) -> None:
    """A function that times out: the caller hears at once, the extension SHUTDOWN with that reason."""
    function = deploy_with(
        {"watcher": python(LOGS_ALL)}, "import time\ndef handler(e, c): time.sleep(60)", Timeout=1
    )
    assert "Task timed out after 1.00 seconds" in function({}).payload["errorMessage"]
    poll(lambda: '"shutdownReason": "timeout"' in log_of(function), 10, "SHUTDOWN")


def test_a_slow_extension_keeps_the_report_not_the_caller(
    deploy_with: Deploy, log_of: Callable[[Any], str], poll: Callable[..., Any]
) -> None:
    """The caller has its answer while the extension is at work; REPORT's Duration has its time."""
    slow = python(
        "import time\nme, _ = register('INVOKE')\nnext_event(me)\ntime.sleep(1.5)\nsay('DONE')\nnext_event(me)"
    )
    function = deploy_with({"slow": slow}, Timeout=9)
    answer = function({})
    assert answer.payload == {}
    assert "REPORT" not in answer.log
    log = poll(lambda: "REPORT" in (text := log_of(function)) and text, 10, "REPORT")
    assert log.index("DONE") < log.index("REPORT")
    assert float(log.partition("Duration: ")[2].split(" ")[0]) > 1400


def test_an_extension_that_hangs_runs_into_the_timeout(
    deploy_with: Deploy, log_of: Callable[[Any], str], poll: Callable[..., Any]
) -> None:
    """An extension that never asks again: the timeout ends the environment, and REPORT says so."""
    hanging = python("import time\nme, _ = register('INVOKE')\nnext_event(me)\ntime.sleep(60)")
    function = deploy_with({"hanging": hanging}, Timeout=1)
    assert function({}).payload == {}
    poll(lambda: "Status: timeout" in log_of(function), 10, "REPORT")
    assert function({}).payload == {}


def test_telemetry_reaches_a_listener_inside(
    deploy_with: Deploy, log_of: Callable[[Any], str], poll: Callable[..., Any], platform: Any
) -> None:
    """Records of the platform and lines of the function, from before the subscription on, in order."""
    inside = platform.health["sandbox"]["kind"] == "namespaces"
    function = deploy_with({"listener": python(TELEMETRY % inside)})
    function("hello")
    function("again")
    retire(function)
    log = poll(
        lambda: (text := log_of(function)).count("platform.report") > 1 and text, 10, "telemetry"
    )
    heard = [line for line in log.splitlines() if line.startswith("HEARD")]
    kinds = [line.partition('"type": "')[2].partition('"')[0] for line in heard]
    assert kinds[:2] == ["platform.initStart", "platform.telemetrySubscription"]
    order = [
        "platform.initRuntimeDone",
        "platform.start",
        "function",
        "platform.runtimeDone",
        "platform.report",
    ]
    positions = [kinds.index(kind) for kind in order]
    assert positions == sorted(positions)
    assert any('"record": "SAID hello"' in line for line in heard)


def test_the_runtime_hears_sigterm(
    deploy_with: Deploy, log_of: Callable[[Any], str], poll: Callable[..., Any]
) -> None:
    """With an extension the runtime may clear up: SIGTERM, and what it prints is logged, ahead of SHUTDOWN."""
    source = CLEAN_UP + "def handler(event, context): return event\n"
    function = deploy_with({"watcher": python(LOGS_ALL)}, source)
    function({})
    retire(function)
    log = poll(
        lambda: '"eventType": "SHUTDOWN"' in (text := log_of(function)) and text, 10, "SHUTDOWN"
    )
    assert log.index("CLEAN") < log.index('"eventType": "SHUTDOWN"')


def test_an_internal_extension(
    deploy: Deploy, log_of: Callable[[Any], str], poll: Callable[..., Any]
) -> None:
    """A thread of the runtime registers, hears INVOKE, may not ask for SHUTDOWN, and SIGTERM comes at the end."""
    source = (
        CLIENT
        + CLEAN_UP
        + """
say("REFUSED", call(
    "POST", "/2020-01-01/extension/register", {"events": ["SHUTDOWN"]}, Lambda_Extension_Name="in"))
me, _ = register("INVOKE", name="in")
def watch():
    while True:
        say("GOT", next_event(me)["eventType"])
threading.Thread(target=watch, daemon=True).start()
def handler(event, context):
    return call("POST", "/2020-01-01/extension/register", {"events": []}, Lambda_Extension_Name="late")[2]
"""
    )
    function = deploy(source)
    assert function({}).payload["errorType"] == "Extension.RegistrationClosed"
    retire(function)
    log = poll(lambda: "CLEAN" in (text := log_of(function)) and text, 10, "SIGTERM")
    assert "GOT INVOKE" in log
    assert "Extension.InvalidEventType" in log
    assert "EXTENSION\tName: in\tState: Ready\tEvents: [INVOKE]" in log


def test_ten_and_no_more(deploy_with: Deploy) -> None:
    """Ten extensions start; an eleventh is Extension.LaunchError."""
    waiting = python("me, _ = register()\nnext_event(me)")
    assert deploy_with({f"e{n}": waiting for n in range(10)}, MemorySize=1024)(1).payload == 1
    answer = deploy_with({f"e{n}": waiting for n in range(11)}, MemorySize=1024)(1)
    assert answer.payload["errorType"] == "Extension.LaunchError"
