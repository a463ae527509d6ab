"""Node.js functions with real clients: handlers of every form, their errors and logs, streams, the SDK, layers."""

import base64
import json
import os
import re
import signal
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from lambent.testing.host import processes_with

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
    assert 0 < payload["left"] <= 10_000
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


def test_it_is_frozen_and_limited(
    deploy_node: Callable[..., Any], platform: Any, isolated: None
) -> None:
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
    if not platform.health["sandbox"]["isolation"]["memory_limit"]:
        return  # without root, and without a cgroup that was delegated
    eater = deploy_node("""
        const held = [];
        export const handler = async () => { for (;;) held.push(Buffer.alloc(1 << 22, 1)); };
    """, Timeout=30, MemorySize=512)  # fmt: skip
    assert eater({}).payload["errorType"] == "Runtime.OutOfMemory"


# Stem cells: what follows runs in a process that was started before its function was known.

_BORN = 'require("fs").readFileSync("/proc/self/cmdline", "utf8").includes("/waiting.cjs")'
_WAITING = "/.lambent/nodejs/waiting.cjs"


def waiting_cells(node: str, memory_mib: int) -> set[int]:
    """The processes that have loaded a runtime for functions of that size, and read what they are to be."""

    def waits(pid: int) -> bool:
        try:
            environ = Path(f"/proc/{pid}/environ").read_bytes()
            return node.encode() in environ and "pipe" in Path(f"/proc/{pid}/wchan").read_text()
        except OSError:
            return False

    heap = f"--max-old-space-size={memory_mib * 90 // 100}"
    return set(filter(waits, processes_with(_WAITING) & processes_with(heap)))


@pytest.fixture
def grow(
    deploy_node: Callable[..., Any],
    node: str,
    platform: Any,
    isolated: None,
    poll: Callable[..., Any],
) -> Callable[..., Callable[..., Any]]:
    """``grow(memory)``: has a cell waiting for functions of that size, and deploys one that will be it."""

    def make(memory_mib: int) -> Callable[..., Any]:
        settings = {"MemorySize": memory_mib, "Timeout": 20}
        deploy_node({"index.js": "exports.handler = async () => 1"}, **settings)({})
        poll(lambda: waiting_cells(node, memory_mib), 20, "a stem cell to wait")
        assert platform.get_health()["sandbox"]["loaded_stem_cells"]
        return partial(deploy_node, **settings)

    return make


_LOOK = """
const look = async () => {
    const fs = await import("node:fs"), v8 = await import("node:v8");
    const own = /TOKEN|KEY|TRACE_ID|LOG_STREAM|FUNCTION_NAME|LOG_GROUP/;
    return {
        env: Object.entries(process.env).map(([k, v]) => own.test(k) ? [k] : [k, v]).sort(),
        argv: process.argv, execArgv: process.execArgv, title: process.title, argv0: process.argv0,
        cwd: process.cwd(), main: typeof process.mainModule,
        globals: Object.getOwnPropertyNames(globalThis).sort(),
        fds: fs.readdirSync("/proc/self/fd").map((n) => {
            try { return [n, fs.readlinkSync("/proc/self/fd/" + n).replace(/\\d+/g, "")]; } catch { return [n]; }
        }).filter(([n]) => n < 4),
        heap: v8.getHeapStatistics().heap_size_limit, listeners: process.eventNames().map(String).sort(),
        tmp: fs.statfsSync("/tmp").blocks * 4096, opt: fs.readdirSync("/opt"), task: fs.readdirSync("/var/task"),
        umask: process.umask(), gc: typeof gc, tag: Object.prototype.toString.call(process.env),
        isWritable: (process.env.NEW = 1, process.env.NEW), stack: new Error("x").stack.split("\\n").length,
        threads: process.env.UV_THREADPOOL_SIZE, handles: process.getActiveResourcesInfo(),
        privileges: fs.readFileSync("/proc/self/status", "utf8").match(/^(Cap|NoNew|Secc|Uid|Gid).*$/gm)
            .filter((line) => !/id:/.test(line)),
        id: process.getuid() > 0, silent: Object.hasOwn(process, "noDeprecation"),
    };
};
import { createRequire } from "node:module";
const require = createRequire(import.meta.url);
export const handler = async () => {
    console.info("not shown"); console.warn("said");
    return { seen: await look(), born: BORN };
};
""".replace("BORN", _BORN)


def test_a_function_on_a_stem_cell_finds_what_it_would_have_found(
    deploy_node: Callable[..., Any], grow: Callable[..., Any]
) -> None:
    """Variables, arguments, descriptors, limits, heap: all is as in a process that was started for it."""
    settings: dict[str, Any] = {
        "Environment": {"Variables": {"OWN": "ä€", "NODE_ENV": "production"}},
        "EphemeralStorage": {"Size": 640},
        "LoggingConfig": {"LogFormat": "JSON", "ApplicationLogLevel": "WARN"},
    }
    started = deploy_node(_LOOK, MemorySize=333, **settings)({}).payload
    assert started["born"] is False
    answer = grow(333)(_LOOK, **settings)({})
    assert answer.payload["born"] is True
    for what, found in answer.payload["seen"].items():
        assert found == started["seen"][what], what
    records = [json.loads(line) for line in answer.log.splitlines()]
    assert [r["message"] for r in records if "level" in r] == ["said"]
    assert any("initDurationMs" in json.dumps(r) for r in records)


def test_it_is_started_as_nodejs_is(deploy_node: Callable[..., Any], isolated: None) -> None:
    """What starts it sooner shows nowhere: all is as where Node.js itself starts the client."""
    settings = {"MemorySize": 335, "Timeout": 20}
    plain = {"Environment": {"Variables": {"NODE_NOTHING": "1"}}}  # as if read at the start
    found = deploy_node(_LOOK, **settings)({}).payload["seen"]
    wanted = deploy_node(_LOOK, **settings, **plain)({}).payload["seen"]
    wanted["env"].remove(["NODE_NOTHING", "1"])
    for what in wanted:
        assert found[what] == wanted[what], what


_THREADS = """
import { Worker } from "node:worker_threads";
import v8 from "node:v8";
const code = `const { parentPort } = require("worker_threads");
    parentPort.postMessage([typeof gc, require("v8").getHeapStatistics().heap_size_limit >> 20])`;
const ask = () => new Promise((done) => new Worker(code, { eval: true }).once("message", done));
const [, early] = await ask();
export const handler = async () => {
    return { found: await ask(), early, own: [typeof gc, v8.getHeapStatistics().heap_size_limit >> 20] };
};
"""


def test_threads_have_the_flags_of_the_process(
    deploy_node: Callable[..., Any], grow: Callable[..., Any], node: str
) -> None:
    """Started by a handler they have its heap's limits and garbage collection, on a stem cell and without.

    Earlier ones have the limits under Node.js 24.
    """
    alone = deploy_node(_THREADS, MemorySize=337, Timeout=20)({}).payload
    cell = grow(337)(_THREADS)({}).payload
    assert alone == cell
    assert alone["found"] == alone["own"]
    assert alone["own"][0] == "function"
    assert alone["own"][1] < 400
    assert node != "nodejs24.x" or alone["early"] == alone["own"][1]


def test_forms_of_handlers_on_stem_cells(grow: Callable[..., Any]) -> None:
    """CommonJS, top-level await, the SDK, errors, logs, streams, and a REPORT with what Init took."""
    cjs = grow(257)({"lib/app.js": f"exports.run = async () => [require('./n'), {_BORN}]",
                     "lib/n.js": "module.exports = 7"}, Handler="lib/app.run")({})  # fmt: skip
    assert cjs.payload == [7, True]
    took = re.search(r"Init Duration: ([\d.]+) ms", cjs.log)
    assert took is not None
    assert 0 < float(took[1]) < 5000
    esm = grow(257)("""
        import { STSClient } from "@aws-sdk/client-sts";
        import { createRequire } from "node:module";
        const require = createRequire(import.meta.url);
        const waited = await new Promise((done) => setTimeout(done, 20, "waited"));
        export const handler = async (event) => {
            console.log("a line"); console.error(new TypeError("shown"));
            if (event.fails) throw new RangeError("no");
            return [waited, typeof STSClient, BORN];
        };
    """.replace("BORN", _BORN))  # fmt: skip
    first = esm({})
    assert first.payload == ["waited", "function", True]
    assert f"{first.request_id}\tINFO\ta line" in first.log
    assert esm({"fails": 1}).payload["errorType"] == "RangeError"
    stream = grow(257)({"index.js": f"""
        exports.handler = awslambda.streamifyResponse(async (event, stream) => {{
            stream.write(String({_BORN})); stream.end("!");
        }});
    """})  # fmt: skip
    events = stream.client.invoke_with_response_stream(FunctionName=stream.name, Payload=b"{}")
    pieces = [e["PayloadChunk"]["Payload"] for e in events["EventStream"] if "PayloadChunk" in e]
    assert b"".join(pieces) == b"true!"
    broken = grow(257)({"index.js": "throw new TypeError('at load')"})
    assert broken({}).payload["errorType"] == "TypeError"
    assert grow(257)("", Handler="gone.x")({}).payload["errorType"] == "Runtime.ImportModuleError"


@pytest.mark.parametrize(
    ("name", "value", "shows"),
    [
        ("NODE_OPTIONS", "--stack-trace-limit=3", 3),
        ("AWS_LAMBDA_EXEC_WRAPPER", "/usr/bin/nice", 10),
        ("LC_ALL", "de_DE.UTF-8", "de-DE"),
    ],
)
def test_what_only_works_at_the_start_starts_a_process(
    grow: Callable[..., Any], name: str, value: str, shows: Any
) -> None:
    """Options, a wrapper script, the locale: no stem cell, and they have their effect."""
    source = f"""exports.handler = async () => [
        {_BORN}, Error.stackTraceLimit, require("os").getPriority(), Intl.NumberFormat().resolvedOptions().locale
    ]"""
    deploy = grow(258)
    found = deploy({"index.js": source}, Environment={"Variables": {name: value}})({}).payload
    assert found[0] is False
    assert shows in found[1:]


def test_a_waiting_cell_holds_nothing_and_its_death_is_nobodys(
    grow: Callable[..., Any], node: str
) -> None:
    """No variable of a function is in it; killed by nine, the next function is served and another one waits."""
    deploy = grow(259)
    for pid in waiting_cells(node, 259):
        names = Path(f"/proc/{pid}/environ").read_bytes()
        assert b"AWS_ACCESS_KEY_ID" not in names
        assert b"AWS_LAMBDA_FUNCTION_NAME" not in names
        os.kill(pid, signal.SIGKILL)
    function = deploy({"index.js": f"exports.handler = async () => {_BORN}"})
    assert function({}).payload in (True, False)
    assert grow(259)({"index.js": f"exports.handler = async () => {_BORN}"})({}).payload is True
