"""Node.js functions with real clients: handlers of every form, their errors and logs, streams, the SDK, layers."""

import base64
import json
import re
import time
from collections.abc import Callable
from typing import Any

import pytest

NAMES = ("nodejs20.x", "nodejs22.x", "nodejs24.x")


@pytest.fixture(params=NAMES)
def node(request: pytest.FixtureRequest, platform: Any) -> str:
    """A runtime that is prepared here; the others' tests are skipped."""
    name = str(request.param)
    if not any(r["name"] == name and r["exact"] for r in platform.health["runtimes"]):
        pytest.skip(f"{name} is not prepared here: lambent runtimes add {name}")
    return name


@pytest.fixture
def deploy_node(deploy: Callable[..., Any], node: str) -> Callable[..., Any]:
    """Deploys JavaScript as ``index.mjs``, or files."""

    def make(source: Any, **settings: Any) -> Any:
        files = source if isinstance(source, dict) else {"index.mjs": source}
        return deploy(files, **{"Runtime": node, "Handler": "index.handler"} | settings)

    return make


def test_handlers_of_both_module_forms(deploy_node: Callable[..., Any], node: str) -> None:
    """ES modules and CommonJS; the context is AWS's, the environment lives on between events."""
    esm = deploy_node("""
        let count = 0;
        export const handler = async (event, context) => ({
            event, count: ++count, id: context.awsRequestId, arn: context.invokedFunctionArn,
            name: context.functionName, memory: context.memoryLimitInMB, left: context.getRemainingTimeInMillis(),
            env: process.env.AWS_EXECUTION_ENV, root: process.env.LAMBDA_TASK_ROOT, version: process.version,
        });
    """)
    first = esm({"a": "ä€𝄞"}, ClientContext=base64.b64encode(b'{"custom": {"k": "v"}}').decode())
    assert first.error is None, first.payload
    payload = first.payload
    assert (payload["event"], payload["count"]) == ({"a": "ä€𝄞"}, 1)
    assert (payload["id"], payload["arn"]) == (first.request_id, esm.arn)
    assert (payload["name"], payload["memory"]) == (esm.name, "128")
    assert 0 < payload["left"] <= 3000
    assert payload["env"] == f"AWS_Lambda_{node}"
    assert payload["version"].startswith(f"v{node[6:8]}.")
    assert esm({}).payload["count"] == 2
    cjs = deploy_node({"lib/app.js": "exports.run = async () => require('os').EOL + __dirname"},
                      Handler="lib/app.run")  # fmt: skip
    assert cjs({}).payload.startswith("\n")


def test_callbacks_where_the_runtime_has_them(deploy_node: Callable[..., Any], node: str) -> None:
    """Node.js 24 refuses such handlers, as on AWS; before, the event loop is waited for unless told otherwise."""
    function = deploy_node({"index.js": """
        exports.handler = (event, context, callback) => {
            context.callbackWaitsForEmptyEventLoop = event.waits;
            setTimeout(() => console.log("later"), 300);
            callback(null, "called");
        };
    """}, Timeout=5)  # fmt: skip
    answer = function({"waits": True})
    if node == "nodejs24.x":
        assert answer.payload["errorType"] == "Runtime.CallbackHandlerDeprecated"
        return
    assert (answer.payload, "later" in answer.log) == ("called", True)
    assert "later" not in function({"waits": False}).log


def test_errors_have_awss_form(deploy_node: Callable[..., Any]) -> None:
    """Type, message and trace; what cannot be loaded is said so, with the type AWS has for it."""
    function = deploy_node("""
        class Odd extends Error {}
        export const handler = async (event) => {
            if (event.exit) process.exit(event.exit);
            if (event.reject) Promise.reject(new Odd("alone")), await new Promise((done) => setTimeout(done, 500));
            throw new Odd("no: " + event.why);
        };
    """)
    answer = function({"why": "ä"})
    assert answer.error == "Unhandled"
    assert (answer.payload["errorMessage"], answer.payload["trace"][0]) == ("no: ä", "Error: no: ä")
    assert f"{answer.request_id}\tERROR\tInvoke Error" in answer.log
    ended = function({"exit": 3})
    assert ended.payload["errorType"] == "Runtime.ExitError"
    assert "exit status 3" in ended.payload["errorMessage"]
    rejected = function({"reject": 1}).payload
    assert rejected["errorType"] in ("Runtime.UnhandledPromiseRejection", "Runtime.ExitError")
    assert function({"why": 2}).payload["errorMessage"] == "no: 2"


@pytest.mark.parametrize(
    ("source", "handler", "error_type"),
    [
        ("import 'nothing-there';", "index.handler", "Error"),
        ("export const other = 1;", "index.handler", "Runtime.HandlerNotFound"),
        ("export const handler = ;", "index.handler", "Runtime.UserCodeSyntaxError"),
        ("", "missing.handler", "Runtime.ImportModuleError"),
        ("", "nodot", "Runtime.MalformedHandlerName"),
    ],
)
def test_what_cannot_be_loaded(
    deploy_node: Callable[..., Any], source: str, handler: str, error_type: str
) -> None:
    """Every invocation is answered with the reason."""
    function = deploy_node(source, Handler=handler)
    for _ in range(2):
        assert function({}).payload["errorType"] == error_type


def test_the_log_has_awss_lines(deploy_node: Callable[..., Any], node: str) -> None:
    """Time, request id and level before each message, lines kept together; JSON where that is configured."""
    source = """
        export const handler = async () => {
            console.log("one %s", "two"); console.warn("a\\nb"); console.debug({a: 1});
            process.stdout.write("raw\\n");
        };
    """
    answer = deploy_node(source)({})
    assert re.search(
        rf"^\d{{4}}-\d\d-\d\dT[\d:.]+Z\t{answer.request_id}\tINFO\tone two$",
        answer.log,
        re.MULTILINE,
    )
    assert f"{answer.request_id}\tWARN\ta\nb" in answer.log
    assert "\nraw\n" in answer.log
    # What the tail has of an initialisation is none of this invocation's.
    assert answer.log.startswith("START RequestId")
    assert re.search(r"^REPORT .*Init Duration", answer.log, re.MULTILINE)
    logged = deploy_node(source, LoggingConfig={"LogFormat": "JSON"})({}).log
    found = [json.loads(line) for line in logged.splitlines() if line.startswith("{")]
    assert [r["message"] for r in found if r.get("level") == "INFO"] == ["one two"]


def test_a_handler_streams(deploy_node: Callable[..., Any]) -> None:
    """``awslambda.streamifyResponse``: pieces as they are written, and an error in the middle."""
    function = deploy_node("""
        export const handler = awslambda.streamifyResponse(async (event, stream) => {
            stream.write("one");
            await new Promise((done) => setTimeout(done, 400));
            if (event.fails) throw new TypeError("late");
            stream.write("two");
            stream.end();
        });
    """)
    answer = function.client.invoke_with_response_stream(FunctionName=function.name, Payload=b"{}")
    found = list(answer["EventStream"])
    assert [e["PayloadChunk"]["Payload"] for e in found[:-1]] == [b"one", b"two"]
    assert found[-1] == {"InvokeComplete": {}}
    answer = function.client.invoke_with_response_stream(
        FunctionName=function.name, Payload=b'{"fails": 1}'
    )
    *pieces, last = answer["EventStream"]
    assert [e["PayloadChunk"]["Payload"] for e in pieces] == [b"one"]
    assert last["InvokeComplete"]["ErrorCode"] == "Unhandled"
    assert json.loads(last["InvokeComplete"]["ErrorDetails"])["errorType"] == "TypeError"
    assert function({}).raw == b"onetwo"


def test_the_sdk_is_there(deploy_node: Callable[..., Any], isolated: None) -> None:
    """Both module forms find it, it finds the platform, and its credentials are the function's."""
    esm = deploy_node("""
        import { STSClient, GetCallerIdentityCommand } from "@aws-sdk/client-sts";
        export const handler = async () => (await new STSClient().send(new GetCallerIdentityCommand())).Arn;
    """, Timeout=10)  # fmt: skip
    assert esm({}).payload.startswith("arn:aws:sts::000000000000:assumed-role/e2e/")
    cjs = deploy_node({"index.js": """
        const { SQSClient, ListQueuesCommand } = require("@aws-sdk/client-sqs");
        const client = new SQSClient();
        exports.handler = async () => (await client.send(new ListQueuesCommand({}))).$metadata.httpStatusCode;
    """}, Timeout=10)  # fmt: skip
    assert cjs({}).payload == 200


def test_layers_and_large_events(
    deploy_node: Callable[..., Any], client: Any, node: str, zip_of: Callable[..., bytes]
) -> None:
    """Modules of layers are found by ``require``; five megabytes pass in and out."""
    layer = client.publish_layer_version(
        LayerName=f"e2e-{node[:8]}",
        Content={"ZipFile": zip_of({"nodejs/node_modules/own/index.js": "exports.x = 42"})},
    )
    function = deploy_node(
        {"index.js": "exports.handler = async (e) => e.large ?? require('own').x"},
        Layers=[layer["LayerVersionArn"]],
        Timeout=10,
    )
    assert function({}).payload == 42
    large = "x" * 5_000_000
    assert function({"large": large}).payload == large


def test_it_is_frozen_and_limited(deploy_node: Callable[..., Any], isolated: None) -> None:
    """Timers stand still between events, a timeout ends it, memory is the function's."""
    function = deploy_node("""
        let ticks = 0;
        export const handler = async (event) => {
            if (event.start) setInterval(() => { ticks += 1; }, 5);
            if (event.hang) await new Promise(() => setTimeout(() => {}, 60000));
            return ticks;
        };
    """, Timeout=2)  # fmt: skip
    function({"start": 1})
    before = function({}).payload
    time.sleep(0.5)
    assert function({}).payload - before < 40
    assert "Task timed out after 2.00 seconds" in function({"hang": 1}).payload["errorMessage"]
    assert function({}).payload == 0
    eater = deploy_node("""
        const held = [];
        export const handler = async () => { for (;;) held.push(Buffer.alloc(1 << 22, 1)); };
    """, Timeout=30, MemorySize=512)  # fmt: skip
    assert eater({}).payload["errorType"] == "Runtime.OutOfMemory"
