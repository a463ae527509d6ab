"""Java functions with real clients: handlers of every form, what JSON becomes, errors, logs, layers, limits."""

import base64
import io
import json
import random
import subprocess
import textwrap
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from lambent.node.java.runtimes import JAR, JavaRuntime, find_javas

NAMES = ("java17", "java25")
LAMBDA = "import com.amazonaws.services.lambda.runtime.*;\nimport java.util.*;\nimport java.io.*;\n"
Deploy = Callable[..., Any]


@pytest.fixture(params=NAMES)
def java(request: pytest.FixtureRequest, platform: Any) -> JavaRuntime:
    """A runtime that is prepared here; the others' tests are skipped."""
    name = str(request.param)
    if not any(r["name"] == name for r in platform.health["runtimes"]):
        pytest.skip(f"{name} is not prepared here: lambent runtimes add {name}")
    return next(java for java in find_javas() if java.name == name)


@pytest.fixture
def compiled(java: JavaRuntime, tmp_path: Path) -> Callable[[Mapping[str, str]], dict[str, bytes]]:
    """Compiles sources (without imports) to the files of a zip. The interfaces are the runtime's own."""

    def compile_(sources: Mapping[str, str]) -> dict[str, bytes]:
        source, classes = tmp_path / "source", tmp_path / "classes"
        for name, text in sources.items():
            path = source / name
            path.parent.mkdir(parents=True, exist_ok=True)
            head, _, body = text.partition(";\n") if text.startswith("package ") else ("", "", text)
            path.write_text(f"{head}{';' if head else ''}\n{LAMBDA}{textwrap.dedent(body)}")
        command = [java.executable, "-m", "jdk.compiler/com.sun.tools.javac.Main", "-nowarn"]
        command += ["-cp", str(java.runtime_dir / JAR), "-d", str(classes)]
        files = sorted(str(file) for file in source.rglob("*.java"))
        done = subprocess.run([*command, *files], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return {str(f.relative_to(classes)): f.read_bytes() for f in classes.rglob("*.class")}

    return compile_


@pytest.fixture
def deploy_java(deploy: Deploy, compiled: Callable[..., Any], java: JavaRuntime) -> Deploy:
    """Deploys Java sources; one text is ``H.java``, its handler ``H::handle``."""

    def make(source: str | Mapping[str, str], **settings: Any) -> Any:
        sources = {"H.java": source} if isinstance(source, str) else source
        defaults = {"Runtime": java.name, "Handler": "H::handle", "MemorySize": 512, "Timeout": 15}
        return deploy(compiled(sources), **defaults | settings)

    return make


def test_a_request_handler_and_its_context(deploy_java: Deploy, java: JavaRuntime) -> None:
    """The interface by its class alone; maps in and out, the context is AWS's, the environment lives on."""
    function = deploy_java({"pkg/H.java": """package pkg;
        public class H implements RequestHandler<Map<String, Object>, Map<String, Object>> {
            private int count;
            public Map<String, Object> handleRequest(Map<String, Object> event, Context context) {
                Map<String, Object> answer = new LinkedHashMap<>();
                answer.put("event", event);
                answer.put("count", ++count);
                answer.put("id", context.getAwsRequestId());
                answer.put("arn", context.getInvokedFunctionArn());
                answer.put("name", context.getFunctionName());
                answer.put("version", context.getFunctionVersion());
                answer.put("memory", context.getMemoryLimitInMB());
                answer.put("left", context.getRemainingTimeInMillis());
                answer.put("group", context.getLogGroupName());
                answer.put("stream", context.getLogStreamName());
                answer.put("custom", context.getClientContext().getCustom());
                answer.put("app", context.getClientContext().getClient().getAppTitle());
                answer.put("identity", context.getIdentity() == null);
                answer.put("env", System.getenv());
                answer.put("java", System.getProperty("java.version"));
                answer.put("home", System.getProperty("java.home"));
                answer.put("nothing", null);
                return answer;
            }
        }
    """}, Handler="pkg.H", Environment={"Variables": {"OWN": "ä€"}})  # fmt: skip
    sent = base64.b64encode(b'{"custom": {"k": "v"}, "client": {"app_title": "t"}}').decode()
    event = {"a": "ä€𝄞\n", "n": [1, -2.5, 10**20, 2**40, True, None], "o": {"x": {}}}
    first = function(event, ClientContext=sent)
    assert first.error is None, first.payload
    payload = first.payload
    assert payload["event"] == event
    assert (payload["count"], payload["id"], payload["arn"]) == (1, first.request_id, function.arn)
    assert (payload["name"], payload["version"], payload["memory"]) == (
        function.name,
        "$LATEST",
        512,
    )
    assert 0 < payload["left"] <= 15000
    assert (payload["custom"], payload["app"], payload["identity"]) == ({"k": "v"}, "t", True)
    assert payload["group"] == f"/aws/lambda/{function.name}"
    assert payload["stream"]
    assert payload["env"]["OWN"] == "ä€"
    assert payload["env"]["AWS_EXECUTION_ENV"] == f"AWS_Lambda_{java.name}"
    assert payload["java"] == java.version
    assert "nothing" not in payload  # AWS leaves out what is null
    assert function(event, ClientContext=sent).payload["count"] == 2


def test_methods_of_every_form(deploy_java: Deploy) -> None:
    """Static or not, with and without event and context, of streams, returning nothing."""
    source = """
        public class H {
            public static String text(String name) { return "hello " + name; }
            public int sum(List<Integer> numbers) { int s = 0; for (int n : numbers) s += n; return s; }
            public String contextual(Context context) { return context.getFunctionName(); }
            public String nothing() { return "nothing"; }
            public void silent(Object event, Context context) { }
            public void bytes(InputStream in, OutputStream out, Context context) throws IOException {
                out.write('"'); out.write(in.readAllBytes().length); out.write('"');
            }
            public void write(OutputStream out) throws IOException { out.write("[1]".getBytes()); }
            public void read(InputStream in) { }
            public String several(String a) { return "short"; }
            public String several(String a, Context c) { return "long"; }
        }
    """
    wanted: dict[str, tuple[Any, Any]] = {
        "text": ("ä", "hello ä"), "sum": ([1, 2, 3], 6), "nothing": ({}, "nothing"), "silent": ({}, None),
        "bytes": ("x" * 63, "A"), "write": ({}, [1]), "read": ({}, None), "several": ("", "long"),
    }  # fmt: skip
    function = deploy_java(source, Handler="H::contextual")
    assert function({}).payload == function.name
    for name, (event, answer) in wanted.items():
        client = function.client
        client.update_function_configuration(FunctionName=function.name, Handler=f"H::{name}")
        client.get_waiter("function_updated_v2").wait(FunctionName=function.name)
        got = function(event)
        assert (got.error, got.payload) == (None, answer), name


def test_a_stream_handler(deploy_java: Deploy) -> None:
    """Bytes pass as they are, five megabytes of them; a lambda's own streams are closed without harm."""
    function = deploy_java("""
        public class H implements RequestStreamHandler {
            public void handleRequest(InputStream in, OutputStream out, Context context) throws IOException {
                in.transferTo(out);
                out.close();
            }
        }
    """, Handler="H")  # fmt: skip
    assert function(payload=b' {"a" : 1}').raw == b' {"a" : 1}'
    large = "x" * 5_000_000
    assert function(large).payload == large


def test_beans_and_records(deploy_java: Deploy) -> None:
    """Setters, public fields, records, generics, enums, dates, base64; unknown names are ignored, null is left
    out."""
    function = deploy_java("""
        public class H {
            public enum Color { RED, GREEN }
            public record Point(int x, double y, Color color) { }
            public static class Pair<T> { public T left; public List<T> right; }
            public static class Order {
                private String name; private long total; private Boolean paid; private Order parent;
                private List<Point> points; private Map<String, Set<Integer>> index; private byte[] data;
                private java.time.Instant at; private Pair<Point> pair; private String URL;
                public String getName() { return name; }
                public void setName(String name) { this.name = name; }
                public long getTotal() { return total; }
                public void setTotal(long total) { this.total = total; }
                public boolean isPaid() { return paid != null && paid; }
                public void setPaid(Boolean paid) { this.paid = paid; }
                public Order getParent() { return parent; }
                public void setParent(Order parent) { this.parent = parent; }
                public List<Point> getPoints() { return points; }
                public void setPoints(List<Point> points) { this.points = points; }
                public Map<String, Set<Integer>> getIndex() { return index; }
                public void setIndex(Map<String, Set<Integer>> index) { this.index = index; }
                public byte[] getData() { return data; }
                public void setData(byte[] data) { this.data = data; }
                public String getAt() { return at == null ? null : at.toString(); }
                public void setAt(java.time.Instant at) { this.at = at; }
                public Pair<Point> getPair() { return pair; }
                public void setPair(Pair<Point> pair) { this.pair = pair; }
                public String getURL() { return URL; }
                public void setURL(String url) { URL = url; }
            }
            public Order handle(Order order) { order.setTotal(order.getTotal() + 1); return order; }
        }
    """)
    point = {"x": 1, "y": 2.5, "color": "GREEN"}
    order = {
        "name": "n", "total": 41, "paid": True, "parent": {"name": "p", "total": 1, "paid": False},
        "points": [point], "index": {"a": [1, 2]}, "data": base64.b64encode(b"\x00\xff").decode(),
        "at": "2026-01-02T03:04:05Z", "pair": {"left": point, "right": [point]}, "URL": "u",
    }  # fmt: skip
    assert function(order | {"unknown": 1}).payload == order | {"total": 42}
    assert function({"points": point, "paid": None}).payload == {
        "total": 1, "paid": False, "points": [point],
    }  # fmt: skip


def test_json_survives(deploy_java: Deploy) -> None:
    """Whatever JSON there is comes back as it was, but for what is null in objects, which AWS leaves out."""
    function = deploy_java(
        "public class H { public Object handle(Object event) { return event; } }"
    )
    chance = random.Random(28)
    documents = [some_json(chance, 4) for _ in range(2000)]
    assert function(documents).payload == [without_null(document) for document in documents]
    for raw in (
        b'"\\u0000\\ud834\\udd1e\\/\\b"',
        b" [ ] ",
        b"-0",
        b"1e400",
        b"12345678901234567890123",
        b"0.1",
    ):
        assert json.dumps(json.loads(function(payload=raw).raw)) in (
            json.dumps(json.loads(raw)), '"Infinity"', "0",
        )  # fmt: skip
    deep = b"[" * 400 + b"]" * 400
    assert function(payload=deep).raw == deep


def some_json(chance: random.Random, depth: int) -> Any:
    """A document by chance."""
    kind = chance.randrange(9 if depth else 7)
    if kind == 0:
        return chance.choice([None, True, False])
    if kind in (1, 2):
        return chance.choice(
            [
                0,
                -1,
                2**31,
                -(2**31),
                2**53,
                2**63 - 1,
                -(2**63),
                2**63,
                10**30,
                chance.getrandbits(40),
            ]
        )
    if kind == 3:
        return chance.choice([0.5, -1.25, 1e-7, 1e21, 123456.789, chance.random()])
    if kind < 7:
        return "".join(
            chance.choice('aZ0 "\\/\n\t\x01\x7fé€𝄞\u2028{}[]:,') for _ in range(chance.randrange(6))
        )
    count = chance.randrange(5)
    if kind == 7:
        return [some_json(chance, depth - 1) for _ in range(count)]
    return {f"k{n}é\n": some_json(chance, depth - 1) for n in range(count)}


def without_null(document: Any) -> Any:
    """What AWS's runtime makes of a document."""
    if isinstance(document, list):
        return [without_null(item) for item in document]
    if isinstance(document, dict):
        return {name: without_null(value) for name, value in document.items() if value is not None}
    return document


@pytest.mark.parametrize(
    ("event", "named"),
    [
        ({"total": "many"}, "`java.lang.Long`"),
        ({"name": {"no": "text"}}, "`java.lang.String`"),
        ({"shape": {}}, "`H$Shape`"),
        ("text", "`H$Order`"),
    ],
)
def test_what_cannot_be_mapped_is_named(deploy_java: Deploy, event: Any, named: str) -> None:
    """AWS's error to the caller; the type in question is in the log."""
    function = deploy_java("""
        public class H {
            public interface Shape { }
            public static class Order { public Long total; public String name; public Shape shape; }
            public Order handle(Order order) { return order; }
        }
    """)
    answer = function(event)
    assert answer.error == "Unhandled"
    assert answer.payload == {
        "errorMessage": "An error occurred during JSON parsing",
        "errorType": "java.lang.RuntimeException",
        "stackTrace": [],
    }
    assert named in answer.log


def test_errors_have_awss_form(deploy_java: Deploy) -> None:
    """Type, message, trace without the runtime's own frames; the process lives on, and ends with ``exit``."""
    function = deploy_java("""
        public class H implements RequestHandler<Map<String, String>, String> {
            static int calls;
            static class Odd extends IllegalStateException { Odd(String m, Throwable c) { super(m, c); } }
            public String handleRequest(Map<String, String> event, Context context) {
                calls++;
                if (event.containsKey("exit")) System.exit(3);
                if (event.containsKey("deep")) return handleRequest(event, context) + "";
                if (event.containsKey("null")) throw new NullPointerException();
                if (event.containsKey("ok")) return "" + calls;
                throw new Odd("no: " + event.get("why"), new RuntimeException("because"));
            }
        }
    """, Handler="H")  # fmt: skip
    answer = function({"why": "ä"})
    assert answer.error == "Unhandled"
    assert (answer.payload["errorType"], answer.payload["errorMessage"]) == ("H$Odd", "no: ä")
    trace = answer.payload["stackTrace"]
    assert trace
    assert all(
        line.startswith("H.handleRequest(H.java:") for line in trace
    )  # itself and its bridge
    assert "no: ä: H$Odd\n" in answer.log
    assert "Caused by: java.lang.RuntimeException: because" in answer.log
    assert "lambent.runtime" not in answer.log
    assert function({"null": ""}).payload["errorMessage"] == "java.lang.NullPointerException"
    assert function({"ok": ""}).payload == "3"
    overflow = function({"deep": ""}).payload
    assert overflow["errorType"] == "java.lang.StackOverflowError"
    assert function({"ok": ""}).payload == "1"  # a virtual machine in doubt is given up
    ended = function({"exit": ""}).payload
    assert ended["errorType"] == "Runtime.ExitError"
    assert "exit status 3" in ended["errorMessage"]


def test_log4j_has_the_request_id(deploy_java: Deploy) -> None:
    """Where AWS's appender has asked for it."""
    function = deploy_java({
        "H.java": """public class H {
            static { LambdaRuntimeInternal.setUseLog4jAppender(true); }
            public Object handle() { return org.apache.logging.log4j.ThreadContext.found; }
        }""",
        "org/apache/logging/log4j/ThreadContext.java": """package org.apache.logging.log4j;
            public class ThreadContext {
                public static Map<String, String> found = new HashMap<>();
                public static void put(String name, String value) { found.put(name, value); }
            }
        """,
    })  # fmt: skip
    answer = function({})
    assert answer.payload == {"AWSRequestId": answer.request_id}


@pytest.mark.parametrize(
    ("handler", "message", "error_type"),
    [
        ("no.Such::method", "Class not found: no.Such", "java.lang.ClassNotFoundException"),
        ("no.Such", "Class not found: no.Such", "java.lang.ClassNotFoundException"),
        ("H::", "Invalid handler: `H::'", None),
        ("H::missing",
         "No public method named missing with appropriate method signature found on class H", None),
        ("H::hidden",
         "No public method named hidden with appropriate method signature found on class H", None),
        ("H::odd",
         "No public method named odd with appropriate method signature found on class H", None),
        ("H", "Class does not implement an appropriate handler interface: H", None),
        ("H$Raw", "Class H$Raw does not implement RequestHandler with concrete type parameters", None),
        ("H$Given", "Class H$Given has no public zero-argument constructor", "java.lang.Exception"),
        ("H$Inner",
         "Class H$Inner cannot be instantiated because it is a non-static inner class", "java.lang.Exception"),
    ],
)  # fmt: skip
def test_what_cannot_be_found(
    deploy_java: Deploy, handler: str, message: str, error_type: str | None
) -> None:
    """Every invocation is answered with AWS's words; there is a type where something was thrown."""
    function = deploy_java("""
        public class H {
            public String handle() { return ""; }
            String hidden() { return ""; }
            public String odd(String a, String b) { return ""; }
            public static class Raw implements RequestHandler {
                public Object handleRequest(Object event, Context context) { return null; }
            }
            public static class Given implements RequestHandler<String, String> {
                public Given(String given) { }
                public String handleRequest(String event, Context context) { return null; }
            }
            public class Inner implements RequestHandler<String, String> {
                public String handleRequest(String event, Context context) { return null; }
            }
        }
    """, Handler=handler)  # fmt: skip
    for _ in range(2):
        payload = function({}).payload
        assert payload["errorMessage"] == message
        assert payload.get("errorType") == error_type


@pytest.mark.parametrize(
    ("body", "message", "error_type"),
    [
        ("public H() { throw new IllegalArgumentException(\"broken\"); }",
         "broken", "java.lang.IllegalArgumentException"),
        ("static { if (true) throw new IllegalStateException(\"static\"); }",
         "Error loading class H", "java.lang.ExceptionInInitializerError"),
    ],
)  # fmt: skip
def test_what_breaks_while_it_is_loaded(
    deploy_java: Deploy, body: str, message: str, error_type: str
) -> None:
    """An initialisation that fails, as AWS reports it: without a trace in the answer, with one in the log."""
    function = deploy_java(
        "public class H { " + body + " public String handle() { return null; } }"
    )
    answer = function({})
    assert answer.payload == {"errorMessage": message, "errorType": error_type}
    assert "H.<clinit>" in answer.log or "H.<init>" in answer.log


def test_the_log(deploy_java: Deploy) -> None:
    """Printed lines, the logger's events with their levels; JSON and its filter where that is configured."""
    source = """
        import com.amazonaws.services.lambda.runtime.logging.LogLevel;
        public class H {
            public void handle(Object event, Context context) {
                System.out.println("printed ä"); System.err.println("to err");
                LambdaLogger logger = context.getLogger();
                logger.log("one\\ntwo\\n"); logger.log("bytes\\n".getBytes());
                logger.log("debugging\\n", LogLevel.DEBUG); logger.log("warning\\n", LogLevel.WARN);
                LambdaRuntime.getLogger().log("same\\n");
            }
        }
    """
    log = deploy_java(source)({}).log
    for line in (
        "printed ä",
        "to err",
        "one",
        "two",
        "bytes",
        "[DEBUG] debugging",
        "[WARN] warning",
        "same",
    ):
        assert f"\n{line}\n" in f"\n{log}", line
    assert log.startswith("START RequestId")
    settings = {"LogFormat": "JSON", "ApplicationLogLevel": "INFO"}
    answer = deploy_java(source, LoggingConfig=settings)({})
    found = [json.loads(line) for line in answer.log.splitlines() if line.startswith("{")]
    said = {r["message"]: r for r in found if "message" in r}
    assert said["warning\n"]["level"] == "WARN"
    assert said["warning\n"]["AWSRequestId"] == answer.request_id
    assert said["one\ntwo\n"]["level"] == "UNDEFINED"
    assert "debugging" not in answer.log


def test_jars_of_the_function_and_of_layers(
    deploy: Deploy, compiled: Callable[..., Any], java: JavaRuntime, client: Any, zip_of: Any
) -> None:
    """Classes in ``lib/*.jar``, in ``/opt/java/lib`` of layers; the function's own directory is before both."""
    files = compiled({
        "H.java": """public class H {
            public String handle() { return own.A.name() + " " + layer.B.name(); }
        }""",
        "own/A.java": 'package own;\npublic class A { public static String name() { return "own"; } }',
        "layer/B.java": 'package layer;\npublic class B { public static String name() { return "layer"; } }',
    })  # fmt: skip
    layer = client.publish_layer_version(
        LayerName=f"e2e-{java.name}",
        Content={
            "ZipFile": zip_of({"java/lib/b.jar": zip_of({"layer/B.class": files["layer/B.class"]})})
        },
    )
    function = deploy(
        {"H.class": files["H.class"], "lib/a.jar": zip_of({"own/A.class": files["own/A.class"]})},
        Runtime=java.name, Handler="H::handle", MemorySize=512, Timeout=15,
        Layers=[layer["LayerVersionArn"]],
    )  # fmt: skip
    assert function({}).payload == "own layer"


def test_a_serializer_of_ones_own(
    deploy: Deploy,
    compiled: Callable[..., Any],
    java: JavaRuntime,
    client: Any,
    platform: Any,
    poll: Any,
) -> None:
    """``CustomPojoSerializer``, found as a service, maps in place of the runtime."""
    files: dict[str, Any] = compiled({
        "H.java": "public class H { public String handle(String event) { return event + event; } }",
        "S.java": """
            public class S implements CustomPojoSerializer {
                public <T> T fromJson(InputStream in, java.lang.reflect.Type type) { return (T) "a"; }
                public <T> T fromJson(String in, java.lang.reflect.Type type) { return (T) "b"; }
                public <T> void toJson(T value, OutputStream out, java.lang.reflect.Type type) {
                    new PrintStream(out).print("[\\"" + value + "\\"]");
                }
            }
        """,
    })  # fmt: skip
    service = "META-INF/services/com.amazonaws.services.lambda.runtime.CustomPojoSerializer"
    function = deploy(
        files | {service: "S\n"}, Runtime=java.name, Handler="H::handle", MemorySize=512, Timeout=15
    )
    for _ in range(2):  # the second on a stem cell, if there is one by then
        assert function({}).payload == ["aa"]
        poll(
            lambda: platform.get_health()["sandbox"].get("loaded_stem_cells", 1), 30, "a stem cell"
        )
        client.update_function_configuration(FunctionName=function.name, Description="anew")
        client.get_waiter("function_updated_v2").wait(FunctionName=function.name)


def test_the_jvm_is_within_its_memory(deploy_java: Deploy, isolated: None) -> None:
    """The heap is 85% of the memory with the serial collector, unless the function says otherwise."""
    source = """
        public class H {
            public Object handle(Map<String, Object> event) {
                if (event.containsKey("eat")) {
                    List<byte[]> held = new ArrayList<>();
                    while (true) held.add(new byte[1 << 20]);
                }
                List<String> names = new ArrayList<>();
                for (var bean : java.lang.management.ManagementFactory.getGarbageCollectorMXBeans())
                    names.add(bean.getName());
                return List.of(Runtime.getRuntime().maxMemory() >> 20, names, System.getProperty("own", ""));
            }
        }
    """
    function = deploy_java(source)
    heap_mib, collectors, _ = function({}).payload
    assert 400 <= heap_mib <= 512 * 85 // 100  # without one survivor space
    assert "MarkSweepCompact" in collectors
    eaten = function({"eat": 1}).payload
    assert eaten["errorType"] in ("java.lang.OutOfMemoryError", "Runtime.OutOfMemory")
    assert function({}).error is None
    options = {"Variables": {"JAVA_TOOL_OPTIONS": "-XX:+UseParallelGC -Xmx200m -Down=1"}}
    heap_mib, collectors, own = deploy_java(source, Environment=options)({}).payload
    assert heap_mib <= 200
    assert "PS MarkSweep" in collectors
    assert own == "1"


def test_the_smallest_function_collects_its_garbage(deploy_java: Deploy, isolated: None) -> None:
    """128 MB are enough for a JVM that makes a gigabyte of garbage."""
    function = deploy_java("""
        public class H {
            static byte[] last;
            public int handle() {
                int sum = 0;
                for (int i = 0; i < 1024; i++) { last = new byte[1 << 20]; last[i] = 1; sum += last[i]; }
                return sum;
            }
        }
    """, MemorySize=128, Timeout=60)  # fmt: skip
    for _ in range(2):
        assert function({}).payload == 1024


def test_the_trace_header_is_a_property(deploy_java: Deploy) -> None:
    """AWS: Java cannot set variables of its own process, so it is there that X-Ray's SDK looks."""
    function = deploy_java("""
        public class H {
            public Object handle(Object event, Context context) {
                String header = System.getProperty("com.amazonaws.xray.traceHeader");
                return List.of(String.valueOf(header), header == null || header.equals(context.getXrayTraceId()));
            }
        }
    """)
    header, is_same = function({}).payload
    assert header == "null" or header.startswith("Root=")
    assert is_same


def test_it_is_frozen_and_ends_in_time(deploy_java: Deploy, isolated: None) -> None:
    """A thread stands still between events, a timeout ends the JVM, threads and sockets are the function's own."""
    function = deploy_java("""
        public class H {
            static volatile long ticks;
            public Object handle(Map<String, Object> event) throws Exception {
                if (event.containsKey("start")) {
                    Thread thread = new Thread(() -> { try { while (true) { ticks++; Thread.sleep(5); } }
                        catch (InterruptedException e) { } });
                    thread.start();
                }
                if (event.containsKey("hang")) Thread.sleep(60000);
                if (event.containsKey("fork")) {
                    int made = 0;
                    try { for (; made < 5000; made++) {
                        Thread t = new Thread(() -> { try { Thread.sleep(60000); } catch (Exception e) { } });
                        t.setDaemon(true); t.start();
                    } } catch (OutOfMemoryError e) { return made; }
                    return made;
                }
                return ticks;
            }
        }
    """, Timeout=3, MemorySize=1024)  # fmt: skip
    function({"start": 1})
    before = function({}).payload
    assert before > 0
    assert function({}).payload - before < 200
    timed_out = function({"hang": 1}).payload
    assert "Task timed out after 3.00 seconds" in timed_out["errorMessage"]
    assert function({}).payload == 0
    assert function({"fork": 1}).payload < 1024


def test_the_platform_and_tls_are_reached(deploy_java: Deploy, isolated: None) -> None:
    """The platform's endpoint answers Java's own HTTP client; the trust store is there; files are read-only."""
    function = deploy_java("""
        import java.net.*;
        public class H {
            public Object handle() throws Exception {
                URL url = new URL(System.getenv("AWS_ENDPOINT_URL") + "/_lambent/health");
                int status = ((HttpURLConnection) url.openConnection()).getResponseCode();
                int roots = 0;
                javax.net.ssl.TrustManagerFactory f = javax.net.ssl.TrustManagerFactory.getInstance("PKIX");
                f.init((java.security.KeyStore) null);
                roots = ((javax.net.ssl.X509TrustManager) f.getTrustManagers()[0]).getAcceptedIssuers().length;
                return List.of(status, roots > 0, new File("/var/lang/bin/java").canExecute(),
                    new File("/var/lang/lib/modules").canWrite(), new File("/var/runtime/x").canWrite(),
                    new File("/tmp").list().length, java.nio.charset.Charset.defaultCharset().name());
            }
        }
    """)
    status, has_roots, runs, writes, writes_runtime, files, charset = function({}).payload
    assert status in (200, 403)  # it is there, whatever it says to a function
    assert has_roots
    assert (runs, writes, writes_runtime, files, charset) == (True, False, False, 0, "UTF-8")


def test_on_a_stem_cell_it_is_like_any_other(
    deploy: Deploy,
    compiled: Callable[..., Any],
    java: JavaRuntime,
    platform: Any,
    poll: Any,
    isolated: None,
) -> None:
    """Directory, files, variables, standard input and threads are those of a JVM that was started for it."""
    files: dict[str, Any] = compiled({"H.java": """
        import java.nio.file.*;
        public class H {
            public Object handle() throws Exception {
                Map<String, Object> found = new TreeMap<>();
                found.put("cwd", Files.readSymbolicLink(Path.of("/proc/self/cwd")).toString());
                found.put("relative", new Scanner(new FileInputStream("data.txt")).next());
                found.put("listed", new File(".").list().length);
                found.put("absolute", new File("data.txt").getAbsolutePath());
                found.put("path", Path.of("data.txt").toRealPath().toString());
                found.put("input", System.in.read());
                found.put("names", new TreeSet<>(System.getenv().keySet()));
                String script = "echo $OWN $AWS_LAMBDA_FUNCTION_NAME; pwd";
                Process child = new ProcessBuilder("/bin/sh", "-c", script).start();
                found.put("child", new String(child.getInputStream().readAllBytes()));
                found.put("loader", getClass().getClassLoader().getClass().getName());
                found.put("resource", getClass().getResource("/data.txt").toString());
                found.put("main", Thread.currentThread().getName());
                found.put("tmp", new File("/tmp").list().length);
                found.put("trace", new Throwable().getStackTrace()[0].toString());
                found.put("format", String.format("%.1f", 1.5));
                return found;
            }
        }
    """})  # fmt: skip
    files["data.txt"] = "content"
    settings = {"Runtime": java.name, "Handler": "H::handle", "MemorySize": 640, "Timeout": 15}

    def deployed(**variables: str) -> Any:
        return deploy(files, Environment={"Variables": {"OWN": "own"} | variables}, **settings)

    first = deployed()
    assert first({}).error is None
    poll(lambda: platform.get_health()["sandbox"]["loaded_stem_cells"], 30, "a stem cell")
    function = deployed()
    got = function({}).payload
    assert got["child"] == f"own {function.name}\n/var/task\n"
    assert (got["cwd"], got["relative"], got["input"]) == ("/var/task", "content", -1)
    plain = deployed(JAVA_OWN="read by a JVM when it starts")({}).payload
    plain["names"].remove("JAVA_OWN")
    assert got == plain | {"child": got["child"]}


def test_a_wrapper_script_starts_it(
    client: Any,
    new_name: Callable[[], str],
    compiled: Callable[..., Any],
    java: JavaRuntime,
    isolated: None,
) -> None:
    """The script is given the command, may change it and the directory."""
    source = 'public class H { public String handle() { return System.getProperty("by"); } }'
    script = '#!/bin/sh\ncd /tmp\ncommand="$1"; shift\nexec "$command" -Dby=wrapper "$@"\n'
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        for path, content in (compiled({"H.java": source}) | {"wrap": script.encode()}).items():
            info = zipfile.ZipInfo(path)
            info.external_attr = 0o100755 << 16
            file.writestr(info, content)
    name = new_name()
    client.create_function(
        FunctionName=name, Runtime=java.name, Handler="H::handle", MemorySize=512, Timeout=15,
        Role="arn:aws:iam::000000000000:role/e2e", Code={"ZipFile": archive.getvalue()},
        Environment={"Variables": {"AWS_LAMBDA_EXEC_WRAPPER": "/var/task/wrap"}},
    )  # fmt: skip
    client.get_waiter("function_active_v2").wait(FunctionName=name)
    assert json.load(client.invoke(FunctionName=name)["Payload"]) == "wrapper"
