"""SnapStart of Java with boto3: a version is initialised once, CRIU writes it down and restores its environments.

CRIU comes from ``scripts/criu``, or is the host's; where there is none that works, these tests are skipped.
"""

import json
import os
import random
import re
import shutil
import signal
import subprocess
import tempfile
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from tests.e2e.conftest import START_DEADLINE_S, Function, Platform, create, poll, zip_of

from lambent.node.checkpoints.criu import CriuError, CriuSearch
from lambent.node.java.runtimes import JAR, JavaRuntime, find_javas

SNAP_START = {"ApplyOn": "PublishedVersions"}
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
IMPORTS = (
    "import com.amazonaws.services.lambda.crac.Core;\n"
    "import com.amazonaws.services.lambda.crac.Resource;\n"
    "import com.amazonaws.services.lambda.runtime.*;\n"
    "import java.nio.file.*;\nimport java.util.*;\nimport java.security.SecureRandom;\n"
)
HOOK = """
    static class Hook implements Resource {
        final String name;
        Hook(String name) { this.name = name; Core.getGlobalContext().register(this); }
        public void beforeCheckpoint(com.amazonaws.services.lambda.crac.Context<? extends Resource> c)
            throws Exception { H.before(name); }
        public void afterRestore(com.amazonaws.services.lambda.crac.Context<? extends Resource> c)
            throws Exception { H.after(name); }
    }
"""
SHOWS = (
    """
public class H {
    static final List<String> ORDER = new ArrayList<>();
    static final long MADE_AT = System.nanoTime();
    static final SecureRandom RANDOM = new SecureRandom();
    static final Hook FIRST = new Hook("1"), SECOND = new Hook("2");
    static volatile int ticks;
    int count;
    static {
        RANDOM.nextInt();
        System.out.println("initialising");
        Thread thread = new Thread(() -> {
            while (true) { ticks++; try { Thread.sleep(5); } catch (Exception e) { } }
        });
        thread.setDaemon(true);
        thread.start();
    }
    public H() throws Exception { Files.writeString(Path.of("/tmp/made"), "by init"); }
    static void before(String name) { ORDER.add("before " + name); }
    static void after(String name) { ORDER.add("after " + name); }
    public Map<String, Object> handle(Map<String, Object> event, Context context) throws Exception {
        if (event.get("sleep") != null) Thread.sleep(((Number) event.get("sleep")).longValue());
        if (event.get("exit") != null) Runtime.getRuntime().halt(7);
        Map<String, Object> answer = new LinkedHashMap<>();
        int before = ticks;
        Thread.sleep(100);
        answer.put("goes_on", ticks > before);
        answer.put("made_at", MADE_AT);
        answer.put("count", ++count);
        answer.put("order", ORDER);
        answer.put("random", RANDOM.nextLong());
        answer.put("uuid", UUID.randomUUID().toString());
        answer.put("key", System.getenv("AWS_ACCESS_KEY_ID"));
        answer.put("child", new String(new ProcessBuilder("/bin/sh", "-c", "echo $AWS_ACCESS_KEY_ID")
            .start().getInputStream().readAllBytes()).trim());
        answer.put("stream", System.getenv("AWS_LAMBDA_LOG_STREAM_NAME"));
        answer.put("context", context.getLogStreamName());
        answer.put("type", System.getenv("AWS_LAMBDA_INITIALIZATION_TYPE"));
        answer.put("left", context.getRemainingTimeInMillis());
        String written = "";
        for (String place : new String[] {"/run/x", "/run/criu.kdat", "/proc/sys/kernel/hostname", "/var/task/x"})
            try { Files.writeString(Path.of(place), "x"); written += place; } catch (Exception e) { }
        answer.put("written", written);
        answer.put("made", Files.readString(Path.of("/tmp/made")));
        answer.put("directory", Path.of("").toAbsolutePath().toString());
        List<String> status = new ArrayList<>();
        for (String line : Files.readAllLines(Path.of("/proc/self/status")))
            if (line.matches("(Cap|NoNewPrivs|Seccomp:|Uid).*")) status.add(line);
        answer.put("status", status);
        List<String> files = new ArrayList<>();
        try (DirectoryStream<Path> found = Files.newDirectoryStream(Path.of("/proc/self/fd"))) {
            for (Path file : found) {
                try { files.add(Files.readSymbolicLink(file).toString()); } catch (Exception e) { }
            }
        }
        answer.put("files", files);
        return answer;
    }
"""
    + HOOK
    + "}"
)
COMPATIBLE = """
public class H {
    static final List<String> ORDER = new ArrayList<>();
    static Object kept;
    static {
        try {
            // As org.crac does it, which is on Maven alone.
            String place = System.getProperty("org.crac.Core.Compat");
            Class<?> resource = Class.forName(place + ".Resource");
            Class.forName(place + ".CheckpointException");
            Class.forName(place + ".RestoreException");
            Object context = Class.forName(place + ".Core").getMethod("getGlobalContext").invoke(null);
            kept = java.lang.reflect.Proxy.newProxyInstance(
                H.class.getClassLoader(), new Class<?>[] {resource}, (self, method, given) -> {
                    if (method.getName().equals("hashCode")) return 1;
                    if (method.getName().equals("equals")) return self == given[0];
                    ORDER.add(method.getName());
                    return null;
                });
            Class.forName(place + ".Context").getMethod("register", resource).invoke(context, kept);
        } catch (ReflectiveOperationException error) {
            throw new IllegalStateException(error);
        }
    }
    public List<String> handle(Map<String, Object> event) { return ORDER; }
}
"""
OPEN = """
public class H {
    static java.io.RandomAccessFile file, gone;
    static java.net.Socket connection;
    static java.net.ServerSocket server;
    static {
        try {
            file = new java.io.RandomAccessFile("/tmp/open", "rw");
            file.writeBytes("abc");
            gone = new java.io.RandomAccessFile("/tmp/gone", "rw");
            gone.writeBytes("gone");
            Files.delete(Path.of("/tmp/gone"));
            Files.createSymbolicLink(Path.of("/tmp/link"), Path.of("/proc/sys/kernel/core_pattern"));
            Files.createDirectories(Path.of("/tmp/a/b"));
            Files.write(Path.of("/tmp/a/b/large"), new byte[1 << 20]);
            server = new java.net.ServerSocket(8000);
            connection = new java.net.Socket("127.0.0.1", 8000);
        } catch (Exception error) {
            throw new IllegalStateException(error);
        }
    }
    public Map<String, Object> handle(Map<String, Object> event) throws Exception {
        Map<String, Object> answer = new LinkedHashMap<>();
        file.writeBytes("d");
        answer.put("open", Files.readString(Path.of("/tmp/open")));
        gone.seek(0);
        answer.put("gone", gone.readLine());
        answer.put("link", Files.readSymbolicLink(Path.of("/tmp/link")).toString());
        answer.put("large", Files.size(Path.of("/tmp/a/b/large")));
        answer.put("owner", Files.getOwner(Path.of("/tmp/a/b/large")).equals(Files.getOwner(Path.of("/tmp"))));
        String read;
        try {
            read = String.valueOf(connection.getInputStream().read());
        } catch (java.io.IOException error) {
            read = "-1";
        }
        answer.put("read", read);
        java.net.URL platform = new java.net.URL(System.getenv("AWS_ENDPOINT_URL") + "/_lambent/nothing");
        answer.put("platform", ((java.net.HttpURLConnection) platform.openConnection()).getResponseCode());
        Files.writeString(Path.of("/tmp/own"), "x", StandardOpenOption.CREATE_NEW);
        return answer;
    }
}
"""
FAILS = (
    """
public class H {
    static final Hook HOOK = new Hook("1");
    static void before(String name) { BEFORE }
    static void after(String name) throws Exception { AFTER }
    public String handle(Map<String, Object> event) { return "handled"; }
"""
    + HOOK
    + "}"
)


@pytest.fixture(scope="module")
def criu() -> str:
    """One that works here."""
    found = [str(CACHE / "lambent" / "criu" / "criu"), "criu"]
    with tempfile.TemporaryDirectory() as scratch:
        for one in found:
            try:
                CriuSearch(one, Path(scratch) / "tools").find()
            except CriuError as error:
                reason = str(error)
            else:
                return one
    pytest.skip(f"no CRIU for SnapStart of Java: {reason}")


@pytest.fixture(scope="module")
def snapping(criu: str) -> Iterator[Platform]:
    """A platform with CRIU, nothing of which is left afterwards."""
    if os.geteuid():
        pytest.skip("SnapStart of Java takes root")
    with tempfile.TemporaryDirectory(prefix="lambent-e2e-") as root:
        running = Platform.start(Path(root) / "data", "--criu", criu)
        if running.health["sandbox"]["kind"] != "namespaces":
            running.stop()
            pytest.skip("functions are not isolated here")
        yield running
        code = running.stop()
        assert code == 0, running.log.read_text()
        assert "Traceback" not in running.log.read_text(), running.log.read_text()
        poll(lambda: _nothing_left(running), 10, "nothing to be left")
        assert not (running.data_dir / "run" / "checkpoints").exists()


@pytest.fixture(params=("java17", "java25"))
def java(request: pytest.FixtureRequest) -> JavaRuntime:
    """A runtime that is prepared here."""
    found = [java for java in find_javas() if java.name == request.param]
    if not found:
        pytest.skip(f"{request.param} is not prepared here: lambent runtimes add {request.param}")
    return found[0]


@pytest.fixture
def deploy_java(
    snapping: Platform, java: JavaRuntime, tmp_path: Path
) -> Iterator[Callable[..., Any]]:
    """Compiles, deploys with SnapStart, publishes ``H.java``; how version 1 ends up, and the function."""
    client, made = snapping.client("lambda"), []

    def make(source: str, **settings: Any) -> tuple[dict[str, Any], Any]:
        shutil.rmtree(tmp_path / "classes", ignore_errors=True)
        (tmp_path / "H.java").write_text(IMPORTS + source)
        command = [java.executable, "-m", "jdk.compiler/com.sun.tools.javac.Main", "-nowarn"]
        command += ["-cp", str(java.runtime_dir / JAR), "-d", str(tmp_path / "classes")]
        done = subprocess.run(
            [*command, str(tmp_path / "H.java")], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        files = {f.name: f.read_bytes() for f in (tmp_path / "classes").iterdir()}
        defaults = {"Runtime": java.name, "Handler": "H::handle", "MemorySize": 512, "Timeout": 15}
        name = f"e2e-snap-{random.randrange(1 << 40):x}"
        function = create(client, name, files, **defaults | {"SnapStart": SNAP_START} | settings)
        made.append(name)
        assert client.publish_version(FunctionName=name)["State"] == "Pending"

        def settled() -> Any:
            shown = client.get_function_configuration(FunctionName=name, Qualifier="1")
            return shown if shown["State"] != "Pending" else None

        return poll(settled, START_DEADLINE_S * 2, "the snapshot"), function

    yield make
    for name in made:
        with suppress(client.exceptions.ResourceNotFoundException):
            client.delete_function(FunctionName=name)


def _nothing_left(platform: Platform) -> bool:
    try:
        return not platform.leftovers()
    except FileNotFoundError:  # what goes just now, or another platform's
        return False


def at_once(function: Any, count: int) -> list[Any]:
    """The payloads of that many invocations at once, each in an environment of its own."""
    with ThreadPoolExecutor(count) as pool:
        answers = list(pool.map(lambda _: function({"sleep": 1500}, Qualifier="1"), range(count)))
    assert [a.error for a in answers] == [None] * count, [a.raw for a in answers]
    return [a.payload for a in answers]


def test_a_version_is_initialised_once_for_all_its_environments(deploy_java: Any) -> None:
    """State made at init is the same in each, threads go on, hooks ran in order; what is secret is not shared."""
    shown, function = deploy_java(SHOWS)
    assert shown["State"] == "Active", shown.get("StateReason")
    assert shown["SnapStart"]["OptimizationStatus"] == "On"
    seen = at_once(function, 3)
    assert len({one["made_at"] for one in seen}) == 1
    for name in ("random", "uuid", "key", "stream"):
        assert len({one[name] for one in seen}) == 3, name
    for one in seen:
        assert one["order"] == ["before 2", "before 1", "after 1", "after 2"]
        assert (one["count"], one["goes_on"], one["made"]) == (1, True, "by init")
        assert (one["type"], one["directory"]) == ("snap-start", "/var/task")
        assert (one["stream"], one["key"]) == (one["context"], one["child"])
        assert 0 < one["left"] <= 15_000


def test_org_crac_finds_its_implementation(deploy_java: Any) -> None:
    """By the property that it asks for, with the methods that it looks for."""
    shown, function = deploy_java(COMPATIBLE)
    assert shown["State"] == "Active", shown.get("StateReason")
    assert function({}, Qualifier="1").payload == ["beforeCheckpoint", "afterRestore"]


def test_many_lives_leave_nothing(deploy_java: Any, snapping: Platform) -> None:
    """Restored and ended thirty times over: no more descriptors, processes or mounts than before."""
    _, function = deploy_java(SHOWS)

    def count() -> tuple[int, int, int]:
        descriptors = len(list(Path(f"/proc/{snapping.pid}/fd").iterdir()))
        mounts = len(Path(f"/proc/{snapping.pid}/mounts").read_text().splitlines())
        return descriptors, len(snapping.processes()), mounts

    def is_as(least: tuple[int, int, int]) -> bool:
        return all(now <= then for now, then in zip(count(), least, strict=True))

    for _ in range(3):
        function({"exit": 1}, Qualifier="1")
    poll(lambda: snapping.get_health()["sandbox"]["restored_ahead"], 30, "one that waits")
    descriptors, processes, mounts = count()
    for _ in range(30):
        function({"exit": 1}, Qualifier="1")
    # What waits is made anew meanwhile, more of it than before: each holds some ten descriptors.
    least = (descriptors + 150, processes + 30, mounts)
    poll(lambda: is_as(least), 30, f"{least}")


def test_what_was_open_at_init(deploy_java: Any) -> None:
    """Files of /tmp go on in each environment's own; connections have ended; the platform is reached."""
    shown, function = deploy_java(OPEN)
    assert shown["State"] == "Active", shown.get("StateReason")
    one = function({}, Qualifier="1").payload
    assert (one["open"], one["gone"], one["large"]) == ("abcd", "gone", 1 << 20)
    assert (one["link"], one["owner"]) == ("/proc/sys/kernel/core_pattern", True)
    assert one["read"] == "-1"
    assert one["platform"] in (400, 403, 404)


def test_a_restored_environment_has_no_power(deploy_java: Any) -> None:
    """No capability, the filter, its own user; no file is open but the JVM's own and the log's pipes."""
    _, function = deploy_java(SHOWS)
    one = function({}, Qualifier="1").payload
    status = dict(line.split(":", 1) for line in one["status"])
    assert all(int(status[name], 16) == 0 for name in status if name.startswith("Cap"))
    assert (status["NoNewPrivs"].strip(), status["Seccomp"].strip()) == ("1", "2")
    assert 0 not in map(int, status["Uid"].split())
    assert one["written"] == ""
    known = ("/var/", "/dev/", "pipe:", "socket:", "/proc/")
    strange = [f for f in one["files"] if not f.startswith(known)]
    assert strange == []


def test_reports_are_as_aws_writes_them(deploy_java: Any) -> None:
    """RESTORE_REPORT's durations are in the first invocation's REPORT, and in that alone."""
    _, function = deploy_java(SHOWS)
    first, second = function({}, Qualifier="1"), function({}, Qualifier="1")
    assert re.search(r"\tRestore Duration: [\d.]+ ms\tBilled Restore Duration: \d+ ms\t", first.log)
    assert "Restore" not in second.log
    assert second.payload["count"] == 2


def test_a_process_that_ends_is_replaced_from_the_snapshot(deploy_java: Any) -> None:
    """How it ended is told as ever; the next invocation finds another one in the state of the snapshot."""
    _, function = deploy_java(SHOWS)
    made_at = function({}, Qualifier="1").payload["made_at"]
    ended = function({"exit": 1}, Qualifier="1")
    assert ended.error == "Unhandled"
    assert "exit status 7" in ended.raw.decode()
    again = function({}, Qualifier="1").payload
    assert (again["made_at"], again["count"]) == (made_at, 1)


def test_a_hook_that_fails_before_the_snapshot_fails_the_version(deploy_java: Any) -> None:
    """State Failed, with AWS's code."""
    source = FAILS.replace("BEFORE", 'throw new IllegalStateException("no");').replace("AFTER", "")
    shown, _ = deploy_java(source)
    assert (shown["State"], shown["StateReasonCode"]) == ("Failed", "FunctionError")


def test_a_hook_that_fails_after_restoring_fails_the_request(deploy_java: Any) -> None:
    """SnapStartException, as on AWS."""
    source = FAILS.replace("AFTER", 'throw new IllegalStateException("no");').replace("BEFORE", "")
    shown, function = deploy_java(source)
    assert shown["State"] == "Active"
    with pytest.raises(function.client.exceptions.SnapStartException):
        function({}, Qualifier="1")


def test_processes_that_are_left_running_are_refused(deploy_java: Any) -> None:
    """A snapshot is of one process; the version says what stands in the way."""
    source = FAILS.replace(
        "BEFORE", 'try { new ProcessBuilder("sleep", "60").start(); } catch (Exception e) { }'
    )
    shown, _ = deploy_java(source.replace("AFTER", ""))
    assert shown["State"] == "Failed"
    assert "left processes running" in shown["StateReason"]


def test_a_function_that_ends_or_hides_at_init_fails_its_version(deploy_java: Any) -> None:
    """At once, and with what became of it; the next version is none the worse."""
    ends = FAILS.replace("BEFORE", "Runtime.getRuntime().halt(3);").replace("AFTER", "")
    shown, _ = deploy_java(ends)
    assert (shown["State"], shown["StateReasonCode"]) == ("Failed", "FunctionError")
    hides = """
    public class H {
        static {
            for (int i = 4; i < 256; i++) {
                try {
                    if (Files.readSymbolicLink(Path.of("/proc/self/fd/" + i)).toString().startsWith("pipe:")) {
                        Class<?> call = Class.forName("lambent.runtime.SystemCall");
                        var method = call.getDeclaredMethod(
                            "call", long.class, long.class, long.class, long.class);
                        method.setAccessible(true);
                        long close = System.getProperty("os.arch").equals("amd64") ? 3 : 57;
                        method.invoke(null, close, (long) i, 0L, 0L);
                    }
                } catch (java.io.IOException | ReflectiveOperationException none) { }
            }
        }
        public String handle(Map<String, Object> event) { return "handled"; }
    }
    """
    shown, _ = deploy_java(hides)
    assert shown["State"] == "Failed", shown
    assert deploy_java(SHOWS)[0]["State"] == "Active"


def test_what_is_written_down_goes_with_its_version(deploy_java: Any, snapping: Platform) -> None:
    """Its images are its own, closed to everybody else, and removed when it is."""
    _, function = deploy_java(SHOWS)
    images = [p for p in (snapping.data_dir / "run" / "checkpoints").iterdir() if p.name != "criu"]
    assert images
    assert {p.stat().st_mode & 0o777 for p in images} == {0o700}
    assert 0 not in {p.stat().st_uid for p in images}
    count = snapping.get_health()["sandbox"]["checkpoints"]
    function.client.delete_function(FunctionName=function.name)
    poll(lambda: snapping.get_health()["sandbox"]["checkpoints"] < count, 10, "its end")


def test_a_platform_started_anew_initialises_again(
    deploy_java: Any, start_platform: Any, criu: str, tmp_path: Path
) -> None:
    """Though it was killed: what it wrote down is gone, the version is Active still, and serves."""
    _, function = deploy_java(SHOWS)
    found = function.client.get_function(FunctionName=function.name)
    with urllib.request.urlopen(found["Code"]["Location"], timeout=10) as answer:
        code = answer.read()
    data = tmp_path / "killed"
    first = start_platform(data, "--criu", criu)
    runtime = found["Configuration"]["Runtime"]
    client = first.client("lambda")
    client.create_function(
        FunctionName="f", Role="arn:aws:iam::000000000000:role/e2e", Handler="H::handle", MemorySize=512,
        Timeout=15, Code={"ZipFile": code}, SnapStart=SNAP_START, Publish=True, Runtime=runtime,
    )  # fmt: skip
    shown = partial(client.get_function_configuration, FunctionName="f", Qualifier="1")
    poll(lambda: shown()["State"] == "Active", 60, "the snapshot")
    made_at = Function(client, "f")({}, Qualifier="1").payload["made_at"]
    os.kill(first.pid, signal.SIGKILL)
    first.process.wait()
    second = start_platform(data, "--criu", criu)
    assert not list((data / "run").glob("checkpoints/[0-9]*"))
    again = Function(second.client("lambda"), "f")({}, Qualifier="1")
    assert again.error is None, again.raw
    assert again.payload["made_at"] != made_at


def test_without_criu_it_is_refused_with_the_reason(start_platform: Any, java: JavaRuntime) -> None:
    """What is missing, and what to do about it."""
    client = start_platform(None, "--criu", "/nowhere/criu").client("lambda")
    with pytest.raises(client.exceptions.ClientError) as refused:
        client.create_function(
            FunctionName="f", Runtime=java.name, Role="arn:aws:iam::000000000000:role/e2e",
            Handler="H::handle", Code={"ZipFile": zip_of({"H.class": b""})}, SnapStart=SNAP_START,
        )  # fmt: skip
    text = json.dumps(refused.value.response["Error"])
    assert "there is no /nowhere/criu" in text
    assert "--criu PATH" in text
