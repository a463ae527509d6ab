"""Functions that do strange things around their runtime's socket see what they would with AWS's own client."""

import base64
import json
import time
from collections.abc import Callable
from typing import Any

import pytest

Deploy = Callable[..., Any]


@pytest.fixture(params=["socket", "libcurl"])
def runtime(request: pytest.FixtureRequest, deploy: Deploy) -> Deploy:
    """Deploys functions whose runtime speaks over its socket, or as AWS's does over TCP."""

    def make(source: str, variables: dict[str, str] | None = None, **settings: Any) -> Any:
        chosen = {"LAMBENT_RUNTIME_CLIENT": "libcurl"} if request.param == "libcurl" else {}
        environment = {"Variables": {**chosen, **(variables or {})}}
        return deploy(
            {"app.py": source}, **({"Timeout": 10, "Environment": environment} | settings)
        )

    make.kind = request.param  # type: ignore[attr-defined]
    return make


def test_who_speaks(runtime: Deploy) -> None:
    """With the socket libcurl is not even loaded; with the variable it is."""
    has_extension = runtime(
        "def handler(event, context): return 'runtime_client.cpython' in open('/proc/self/maps').read()"
    )
    assert has_extension().payload is (runtime.kind == "libcurl")  # type: ignore[attr-defined]


def test_everything_closed(runtime: Deploy) -> None:
    """A function that closes every descriptor goes on being invoked, and keeps what it opens then."""
    function = runtime(
        """
import os
kept = []
def handler(event, context):
    if event == "close":
        os.closerange(3, 1024)
        kept.extend(os.pipe2(os.O_CLOEXEC)[0] for _ in range(40))
    return [event, len(kept)]
"""
    )
    assert function("first").payload == ["first", 0]
    assert function("close").payload == ["close", 40]
    for number in range(3):
        assert function(number).payload == [number, 40]


def test_children(runtime: Deploy) -> None:
    """Forked children that linger, end, return from the handler or start programs disturb no conversation."""
    function = runtime(
        """
import os, subprocess, time
def handler(event, context):
    if event == "linger":
        if not os.fork():
            time.sleep(0.3)
            os._exit(0)
    elif event == "return":
        pid = os.fork()
        if not pid:
            return "child"
        os.waitpid(pid, 0)
        return "parent"
    elif event == "program":
        return subprocess.run(["ls", "/proc/self/fd"], capture_output=True, text=True, close_fds=False).stdout
    return event
"""
    )
    assert function("linger").payload == "linger"
    assert function("return").payload in ("parent", "child")  # whichever answered first
    assert "63" not in function("program").payload.split()
    for number in range(3):
        assert function(number).payload == number


def test_large_and_oversized_results(runtime: Deploy) -> None:
    """6 MB pass; more is AWS's error, and the runtime lives on or is started again."""
    function = runtime("def handler(event, context): return 'x' * event", MemorySize=512)
    size = 6 * 1024 * 1024 - 2
    assert function(size).payload == "x" * size
    assert function(3 * size).payload["errorType"] == "Function.ResponseSizeTooLarge"
    assert function(5).payload == "xxxxx"


def test_answers_of_every_size(runtime: Deploy) -> None:
    """Results and errors, small and large, one after the other."""
    function = runtime(
        """
def handler(event, context):
    if event < 0:
        raise ValueError("ä" * -event)
    return "ä" * event
"""
    )
    for size in (0, 1, 9, 10, 5_000, 6_000, 40_000, 3, 700_000, 2):
        assert function(size).payload == "ä" * size
        failed = function(-size - 1).payload
        assert (failed["errorType"], failed["errorMessage"]) == ("ValueError", "ä" * (size + 1))


def test_another_signal_and_a_thread(runtime: Deploy) -> None:
    """SIGPIPE with its default meaning, a default timeout of sockets, threads that run on: nothing matters."""
    function = runtime(
        """
import signal, socket, threading, time
signal.signal(signal.SIGPIPE, signal.SIG_DFL)
socket.setdefaulttimeout(0.05)
def count():
    while True:
        time.sleep(0.001)
threading.Thread(target=count, daemon=True).start()
def handler(event, context):
    time.sleep(0.1)
    return event
"""
    )
    for number in range(3):
        assert function(number).payload == number


def test_code_of_its_own_in_awslambdarics_place(runtime: Deploy) -> None:
    """What runs between a response and the next event, as some tools do, keeps no caller waiting."""
    function = runtime(
        """
import time
from awslambdaric.lambda_runtime_client import LambdaRuntimeClient
before = LambdaRuntimeClient.wait_next_invocation
started = []
def wait(self):
    if started:
        time.sleep(1)
    started.append(1)
    return before(self)
LambdaRuntimeClient.wait_next_invocation = wait
def handler(event, context):
    return event
""",
    )
    function(0)
    start_s = time.perf_counter()
    function(1)
    took_s = time.perf_counter() - start_s
    assert took_s < 2.5  # of it one second from the invocation before


def test_an_answer_by_hand_ends_the_runtime_as_before(runtime: Deploy) -> None:
    """The runtime's own response comes too late, is refused, and no event is lost to it."""
    function = runtime(
        """
import http.client, os
def handler(event, context):
    if event == "by hand":
        api = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
        path = f"/2018-06-01/runtime/invocation/{context.aws_request_id}/response"
        api.request("POST", path, '"mine"')
        api.getresponse().read()
    return "own"
"""
    )
    for _ in range(3):
        assert function("by hand").payload == "mine"
        assert function("else").payload == "own"


def test_every_header_reaches_the_handler(runtime: Deploy, client: Any) -> None:
    """Context, deadline, ARN and trace are the same over both ways."""
    function = runtime(
        """
import os
def handler(event, context):
    return [
        context.client_context.custom, context.invoked_function_arn, context.aws_request_id != "",
        0 < context.get_remaining_time_in_millis() <= 10000, os.environ["_X_AMZN_TRACE_ID"][:5],
    ]
"""
    )
    told = base64.b64encode('{"custom": {"a": "ä: b"}}'.encode()).decode()
    answer = client.invoke(FunctionName=function.name, ClientContext=told)
    payload = json.loads(answer["Payload"].read())
    assert payload == [{"a": "ä: b"}, function.arn, True, True, "Root="]


def test_an_iterator_of_bytes(runtime: Deploy) -> None:
    """Bytes are AWS's application/unknown."""
    function = runtime("def handler(event, context): return b'\"raw\"'")
    assert function().payload == "raw"
    assert function().payload == "raw"


@pytest.mark.parametrize(
    "body",
    [
        "os.write(63, b'garbage' * 10_000)",
        "os.write(63, b'GET /2018-06-01/runtime/invocation/next HTTP/1.1\\r\\nhost: x\\r\\n')",
        "os.write(63, b'GET /2018-06-01/runtime/invocation/next HTTP/1.1\\r\\nhost: x\\r\\n\\r\\n' * 1000)",
        "flood(b'GET /nothing HTTP/1.1\\r\\nhost: x\\r\\n\\r\\n' * 100)",
        "flood(b'POST /x HTTP/1.1\\r\\nhost: x\\r\\ncontent-length: 99999999\\r\\n\\r\\n' + b'x' * 60_000)",
        "flood(b'x' * 65536)",
        "os.dup2(os.open('/dev/null', os.O_RDWR), 63)",
        "socket.socket(fileno=63).shutdown(socket.SHUT_RDWR)",
    ],
)
def test_hostile_bytes(deploy: Deploy, bystander: Callable[[], None], body: str) -> None:
    """Whatever a function writes into its runtime's socket: itself is hurt, if anybody, and not for good."""
    function = deploy(
        {
            "app.py": f"""
import os, socket, time
def flood(data):
    os.set_blocking(63, False)
    until_s = time.monotonic() + 1
    while time.monotonic() < until_s:
        try:
            os.write(63, data)
        except BlockingIOError:
            time.sleep(0.01)
        except OSError:
            return
def handler(event, context):
    if event == "hostile":
        {body}
    return event
"""
        },
        Timeout=5,
    )
    assert function("before").payload == "before"
    function("hostile")
    bystander()
    for number in range(3):
        assert function(number).payload == number
