"""Response streaming with real clients: boto3's event stream, function URLs, and what goes wrong on the way."""

import base64
import http.client
import io
import json
import socket
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

RUNTIME = (Path(__file__).parents[1] / "contract" / "bootstraps" / "streaming").read_text()
MIB = 1024 * 1024


def bootstrap_zip() -> bytes:
    """The runtime as an executable ``bootstrap``."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        info = zipfile.ZipInfo("bootstrap")
        info.external_attr = 0o100755 << 16
        archive.writestr(info, RUNTIME)
    return buffer.getvalue()


@pytest.fixture
def streaming(deploy: Callable[..., Any]) -> Callable[..., Any]:
    """A function whose event says how it is to answer; see the bootstrap."""

    def make(**settings: Any) -> Any:
        function = deploy({"README": ""}, Runtime="provided.al2023", **settings)
        function.client.update_function_code(FunctionName=function.name, ZipFile=bootstrap_zip())
        function.client.get_waiter("function_updated_v2").wait(FunctionName=function.name)
        return function

    return make


@pytest.fixture
def url_of(client: Any) -> Callable[..., str]:
    """The host of a public function URL in that mode."""

    def make(name: str, mode: str = "RESPONSE_STREAM") -> str:
        made = client.create_function_url_config(
            FunctionName=name, AuthType="NONE", InvokeMode=mode
        )
        client.add_permission(
            FunctionName=name, StatementId="url", Action="lambda:InvokeFunctionUrl", Principal="*",
            FunctionUrlAuthType="NONE",
        )  # fmt: skip
        client.add_permission(
            FunctionName=name, StatementId="call", Action="lambda:InvokeFunction", Principal="*",
            InvokedViaFunctionUrl=True,
        )  # fmt: skip
        return str(made["FunctionUrl"]).split("/")[2]

    return make


def stream(function: Any, event: Any, **more: Any) -> Iterator[tuple[str, Any, float]]:
    """The events of a streamed invocation, each with the time it came at."""
    answer = function.client.invoke_with_response_stream(
        FunctionName=function.name, Payload=json.dumps(event), **more
    )
    for one in answer["EventStream"]:
        ((kind, value),) = one.items()
        yield kind, value, time.monotonic()


def whole(function: Any, event: Any, **more: Any) -> tuple[bytes, dict[str, Any]]:
    """All of the payload, and how it ended."""
    found = list(stream(function, event, **more))
    kinds = [kind for kind, _, _ in found]
    assert kinds == ["PayloadChunk"] * (len(found) - 1) + ["InvokeComplete"]
    return b"".join(v["Payload"] for k, v, _ in found if k == "PayloadChunk"), found[-1][1]


def test_the_first_byte_comes_before_the_handler_ends(streaming: Callable[..., Any]) -> None:
    """Pieces arrive as they are written; the log has the invocation's end after the last one."""
    function = streaming(Timeout=10)
    found = list(stream(function, {"pieces": ["a", "b"], "pause_s": 0.5}, LogType="Tail"))
    assert [v.get("Payload") for _, v, _ in found] == [b"a", b"b", None]
    assert found[-1][2] - found[0][2] > 0.9
    log = base64.b64decode(found[-1][1]["LogResult"]).decode()
    assert (log.index("last piece") < log.index("END RequestId"), "ErrorCode" in found[-1][1]) == (
        True,
        False,
    )
    duration_ms = float(log.partition("Duration: ")[2].partition(" ms")[0])
    assert duration_ms > 950


def test_more_than_a_buffer_holds_passes(streaming: Callable[..., Any]) -> None:
    """30 MB, five times what an answer in one piece may have, byte for byte, by the same environment twice."""
    function = streaming(Timeout=30, MemorySize=1769)
    for _ in range(2):
        body, end = whole(function, {"size": 30 * MIB})
        assert (len(body), set(body), end) == (30 * MIB, {ord("x")}, {})


def test_a_stream_ends_at_200_mb(streaming: Callable[..., Any]) -> None:
    """All up to the limit has come when the error is told."""
    function = streaming(Timeout=60, MemorySize=1769)
    size = 0
    for kind, value, _ in stream(function, {"size": 201 * MIB}):
        size += len(value.get("Payload", b""))
        last = kind, value
    assert (last[0], json.loads(last[1]["ErrorDetails"])["errorType"]) == (
        "InvokeComplete",
        "Function.ResponseSizeTooLarge",
    )
    assert 199 * MIB < size <= 200 * MIB


def test_a_plain_invoke_reads_a_stream_to_its_end(streaming: Callable[..., Any]) -> None:
    """Invoke has the pieces as one payload, up to 6 MB, and the error that came after them."""
    function = streaming(Timeout=10)
    assert function({"pieces": ['{"a"', ": 1}"]}).payload == {"a": 1}
    failed = function({"pieces": ["a"], "error": "Late"})
    assert (failed.error, failed.payload["errorType"]) == ("Unhandled", "Late")
    large = function({"size": 7 * MIB})
    assert (large.error, large.payload["errorType"]) == (
        "Unhandled",
        "Function.ResponseSizeTooLarge",
    )


def test_an_answer_in_one_piece_is_one_chunk(deploy: Callable[..., Any]) -> None:
    """A runtime that does not stream is invoked with a stream all the same; its errors come at the end."""
    function = deploy(
        "def handler(event, context):\n    if event:\n        raise ValueError('no')\n    return {}"
    )
    assert whole(function, {}) == (b"{}", {})
    body, end = whole(function, {"a": 1})
    assert (body, end["ErrorCode"]) == (b"", "Unhandled")
    assert json.loads(end["ErrorDetails"])["errorType"] == "ValueError"


@pytest.mark.parametrize(
    ("how", "error_type", "text"),
    [
        ({"error": "Late"}, "Late", "on the way"),
        ({"exit": 7}, "Runtime.ExitError", "exit status 7"),
        ({"hang": True}, "Sandbox.Timedout", "Task timed out after 2.00 seconds"),
        ({"hang_up": True}, "Runtime.TruncatedResponse", "truncated"),
        ({"garbage": True}, "Runtime.TruncatedResponse", "truncated"),
    ],
)
def test_what_goes_wrong_in_the_middle_is_told_at_the_end(
    streaming: Callable[..., Any], how: dict[str, Any], error_type: str, text: str
) -> None:
    """The pieces before it have come; the next invocation is served as if nothing had been."""
    function = streaming(Timeout=2)
    body, end = whole(function, {"pieces": ["one", "two"], **how}, LogType="Tail")
    assert (body, end["ErrorCode"]) == (b"onetwo", "Unhandled")
    details = json.loads(end["ErrorDetails"])
    assert (details["errorType"], text in details["errorMessage"]) == (error_type, True)
    assert "REPORT RequestId" in base64.b64decode(end["LogResult"]).decode()
    assert whole(function, {"pieces": ["again"]}) == (b"again", {})


def test_a_caller_that_leaves_does_not_stop_the_function(
    streaming: Callable[..., Any], platform: Any, poll: Callable[..., Any], logs: Any
) -> None:
    """It goes on to its end, as on AWS, and its environment takes the next event."""
    function = streaming(Timeout=20)
    event = json.dumps({"pieces": ["a", "b", "c"], "pause_s": 0.3}).encode()
    target = f"/2021-11-15/functions/{function.name}/response-streaming-invocations"
    head = f"POST {target} HTTP/1.1\r\nhost: x\r\ncontent-length: {len(event)}\r\n\r\n"
    with socket.create_connection(("127.0.0.1", platform.port)) as connection:
        connection.sendall(head.encode() + event)
        assert connection.recv(100).startswith(b"HTTP/1.1 200")
    group = f"/aws/lambda/{function.name}"

    def ended() -> bool:
        found = logs.filter_log_events(logGroupName=group)["events"]
        return any("last piece" in e["message"] for e in found)

    poll(ended, 10, "the function's end")
    assert whole(function, {"pieces": ["pid"]})[0] == b"pid"
    streams = logs.describe_log_streams(logGroupName=group)["logStreams"]
    assert len(streams) == 1


def test_a_slow_caller_holds_the_function_back(
    streaming: Callable[..., Any], platform: Any
) -> None:
    """100 MB nobody reads stay with the function, not in the platform's memory; read, they are all there."""
    function = streaming(Timeout=60, MemorySize=1769)
    size = 100 * MIB
    whole(function, {"pieces": ["warm"]})
    before_mib = platform.rss_mib()
    event = json.dumps({"size": size}).encode()
    target = f"/2021-11-15/functions/{function.name}/response-streaming-invocations"
    connection = http.client.HTTPConnection("127.0.0.1", platform.port, timeout=60)
    connection.request("POST", target, event)
    answer = connection.getresponse()
    time.sleep(1)  # what would have been taken in by now
    assert platform.rss_mib() - before_mib < 20
    read = 0
    while piece := answer.read(MIB):
        read += len(piece)
    assert read > size
    assert platform.rss_mib() - before_mib < 30
    connection.close()


def get(
    platform: Any, host: str, event: Any, method: str = "POST"
) -> tuple[http.client.HTTPResponse, http.client.HTTPConnection]:
    """One request to a function URL."""
    connection = http.client.HTTPConnection("127.0.0.1", platform.port, timeout=30)
    connection.request(method, "/", json.dumps(event), {"host": host})
    return connection.getresponse(), connection


def test_a_function_url_streams(
    streaming: Callable[..., Any], url_of: Callable[..., str], platform: Any
) -> None:
    """Status, headers and cookies come from the prelude, and the body while the function still writes it."""
    host = url_of(streaming(Timeout=10).name)
    prelude = {"statusCode": 201, "headers": {"x-own": "1"}, "cookies": ["a=b", "c=d"]}
    answer, connection = get(
        platform, host, {"prelude": prelude, "pieces": ["one", "two"], "pause_s": 0.5}
    )
    started_s = time.monotonic()
    assert (answer.status, answer.getheader("x-own")) == (201, "1")
    assert answer.headers.get_all("set-cookie") == ["a=b", "c=d"]
    assert answer.read1(100) == b"one"
    assert time.monotonic() - started_s < 0.4
    assert answer.read() == b"two"
    connection.close()


def test_a_function_url_without_a_prelude_answers_200(
    streaming: Callable[..., Any], url_of: Callable[..., str], platform: Any
) -> None:
    """The type is the function's; what fails before anything is 502, in the middle a connection cut off."""
    host = url_of(streaming(Timeout=10).name)
    answer, connection = get(platform, host, {"pieces": ["plain"], "type": "text/plain"})
    assert (answer.status, answer.getheader("content-type")) == (200, "text/plain")
    assert answer.read() == b"plain"
    connection.close()
    answer, connection = get(platform, host, {"fail": "Early"})
    assert (answer.status, answer.read()) == (502, b"Internal Server Error")
    connection.close()
    answer, connection = get(platform, host, {"pieces": ["half"], "error": "Late"})
    with pytest.raises(http.client.IncompleteRead):
        answer.read()
    connection.close()
