"""First invokes of functions with 300 ms of imports, restored from a snapshot and initialised, in turns.

.venv/bin/python -m benchmarks.snap_start [--quick] [--java CRIU [RUNTIME]]

The imports are boto3 with a client, and numpy where pip can fetch it. With ``--java`` Java functions are measured
that parse, format and set up TLS while they are initialised: restored ahead, restored by that CRIU when they are
invoked, and initialised.
"""

import base64
import io
import json
import statistics
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path

from benchmarks.harness import Platform, invoke_bytes, request_bytes
from benchmarks.invoke import PAYLOAD, latencies_ms, percentile, show
from lambent.node.java.runtimes import JAR, JavaRuntime, find_javas

_SOURCE = """
import boto3, decimal, email.message, http.server, xml.dom.minidom
try:
    import numpy
except ImportError:
    numpy = None
S3, SQS = boto3.client("s3"), boto3.client("sqs")
def handler(event, context):
    return event
"""
_JAVA = """
import java.util.*;
public class H {
    static final Map<String, Object> KEPT = new HashMap<>();
    static {
        try {
            KEPT.put("tls", javax.net.ssl.SSLContext.getDefault());
            KEPT.put("zones", java.time.ZoneId.getAvailableZoneIds().size());
            KEPT.put("xml", javax.xml.parsers.DocumentBuilderFactory.newInstance().newDocumentBuilder());
            KEPT.put("json", java.util.regex.Pattern.compile("(a|b)*c").matcher("abc").matches());
            KEPT.put("text", String.format("%s %tF", "x", new Date()));
        } catch (Exception error) {
            throw new IllegalStateException(error);
        }
    }
    public static Map<String, Object> handle(Map<String, Object> event) { return event; }
}
"""
_FUNCTIONS = "/2015-03-31/functions"


def archive() -> bytes:
    """The function's zip, with numpy where it can be had."""
    content = io.BytesIO()
    with tempfile.TemporaryDirectory() as directory, zipfile.ZipFile(content, "w", 8) as file:
        file.writestr("app.py", _SOURCE)
        install = [sys.executable, "-m", "pip", "install", "-q", "--target", directory, "numpy"]
        done = subprocess.run(install, capture_output=True, check=False)
        if done.returncode:
            print("without numpy:", done.stderr.decode()[-200:])
            return content.getvalue()
        for path in sorted(Path(directory).rglob("*")):
            name = str(path.relative_to(directory))
            if path.is_file() and "/tests/" not in name and not name.startswith("bin/"):
                file.write(path, name)
    return content.getvalue()


def java_archive(java: JavaRuntime) -> bytes:
    """The zip of the function of Java."""
    content = io.BytesIO()
    with tempfile.TemporaryDirectory() as directory, zipfile.ZipFile(content, "w") as file:
        source = Path(directory) / "H.java"
        source.write_text(_JAVA)
        compiler = [java.executable, "-m", "jdk.compiler/com.sun.tools.javac.Main"]
        jar = str(java.runtime_dir / JAR)
        subprocess.run([*compiler, "-cp", jar, "-d", directory, str(source)], check=True)
        file.write(Path(directory) / "H.class", "H.class")
    return content.getvalue()


def call(platform: Platform, method: str, path: str, document: object = None) -> dict[str, object]:
    """One operation; its answer."""
    body = b"" if document is None else json.dumps(document).encode()
    status, _, answer = platform.connection.call(request_bytes(method, path, body))
    assert status < 300, answer
    return dict(json.loads(answer)) if answer else {}


def first_invoke_ms(
    platform: Platform,
    name: str,
    code: str,
    apply_on: str,
    idle_s: float = 0.25,
    **more: object,
) -> float:
    """What the first invoke of version 1 of a fresh function takes, after ``idle_s`` of idleness."""
    settings = {
        "FunctionName": name,
        "Runtime": "python3.12",
        "Role": "arn:aws:iam::000000000000:role/bench",
        "Handler": "app.handler",
        "MemorySize": 1769,
        "Timeout": 30,
        "Publish": True,
        "SnapStart": {"ApplyOn": apply_on},
        "Code": {"ZipFile": code},
        **more,
    }
    call(platform, "POST", _FUNCTIONS, settings)
    while True:
        shown = call(platform, "GET", f"{_FUNCTIONS}/{name}/configuration?Qualifier=1")
        if shown["State"] != "Pending":
            break
        time.sleep(0.02)
    assert shown["State"] == "Active", shown
    time.sleep(idle_s)
    (took_ms,) = latencies_ms(platform.port, invoke_bytes(f"{name}:1", PAYLOAD), 1)
    call(platform, "DELETE", f"{_FUNCTIONS}/{name}")
    return took_ms


def measure(count: int) -> None:
    """Runs both in turns and prints them."""
    code = base64.b64encode(archive()).decode()
    times: dict[str, list[float]] = {"PublishedVersions": [], "None": []}
    with Platform() as platform:
        for index in range(count):
            for apply_on, found in times.items():
                if apply_on == "None" and index % 4:
                    continue
                name = f"snap-{apply_on.lower()}-{index}"
                found.append(first_invoke_ms(platform, name, code, apply_on))
    for apply_on, found in times.items():
        p50, p99 = statistics.median(found), percentile(found, 0.99)
        show(f"cold invoke, SnapStart {apply_on}", f"p50 {p50:.1f} ms", f"p99 {p99:.1f} ms")


def measure_java(count: int, criu: str, *names: str) -> None:
    """The same for each Java runtime that is prepared, or those named."""
    none = ("--loaded-stem-cells", "0")
    for java in [java for java in find_javas() if not names or java.name in names]:
        code = base64.b64encode(java_archive(java)).decode()
        settings = {"Runtime": java.name, "Handler": "H::handle"}
        times: dict[str, list[float]] = {}
        with (
            Platform(None, "--criu", criu) as ahead,
            Platform(None, "--criu", criu, *none) as restoring,
        ):
            ways = [
                ("restored ahead", ahead, "PublishedVersions", 1.5),
                ("restored", restoring, "PublishedVersions", 0.25),
                ("initialised", restoring, "None", 0.25),
            ]
            for index in range(count):
                for what, platform, apply_on, idle_s in ways:
                    name = f"{java.name}-{index}-{apply_on.lower()}"
                    took_ms = first_invoke_ms(platform, name, code, apply_on, idle_s, **settings)
                    times.setdefault(what, []).append(took_ms)
        for what, found in times.items():
            p50, p99 = statistics.median(found), percentile(found, 0.99)
            show(f"cold invoke, {java.name}, {what}", f"p50 {p50:.1f} ms", f"p99 {p99:.1f} ms")


if __name__ == "__main__":
    samples = 10 if "--quick" in sys.argv else 40
    if "--java" in sys.argv:
        measure_java(samples // 2, *sys.argv[sys.argv.index("--java") + 1 :])
    else:
        measure(samples)
