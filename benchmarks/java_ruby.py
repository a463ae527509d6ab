"""Java and Ruby: cold invokes on a loaded stem cell and without any, in turns, warm invokes, idle memory.

.venv/bin/python -m benchmarks.java_ruby [--quick]
"""

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.cold_starts import create
from benchmarks.harness import Platform, invoke_bytes
from benchmarks.invoke import PAYLOAD, latencies_ms, percentile, show
from lambent.node.java.runtimes import JAR, find_javas
from lambent.node.ruby.runtimes import find_rubies

_JAVA = """
public class App implements com.amazonaws.services.lambda.runtime.RequestHandler<
        java.util.Map<String, Object>, java.util.Map<String, Object>> {
    public java.util.Map<String, Object> handleRequest(
            java.util.Map<String, Object> event, com.amazonaws.services.lambda.runtime.Context context) {
        return event;
    }
}
"""
_RUBY = b"def handler(event:, context:) = event\n"
_FILL_S = 1.0
"""A JVM takes some 300 ms of a CPU until it waits."""
_NONE = ("--loaded-stem-cells", "0")

Kind = tuple[dict[str, bytes], dict[str, object]]


def compiled(executable: str, jar: Path) -> bytes:
    """The class of ``_JAVA``."""
    with tempfile.TemporaryDirectory() as directory:
        source = Path(directory) / "App.java"
        source.write_text(_JAVA)
        compiler = [executable, "-m", "jdk.compiler/com.sun.tools.javac.Main", "-cp", str(jar)]
        subprocess.run([*compiler, "-d", directory, str(source)], check=True)
        return (Path(directory) / "App.class").read_bytes()


def find_kinds() -> dict[str, Kind]:
    """Runtime → files and settings of a function."""
    kinds: dict[str, Kind] = {}
    for java in find_javas():
        code = compiled(java.executable, java.runtime_dir / JAR)
        kinds[java.name] = {"App.class": code}, {"Runtime": java.name, "Handler": "App"}
    for ruby in find_rubies():
        kinds[ruby.name] = {"app.rb": _RUBY}, {"Runtime": ruby.name}
    return kinds


def cold_ms(platform: Platform, kind: Kind, name: str, pause_s: float) -> float:
    """The first invoke of a fresh function, some time after its creation."""
    files, settings = kind
    create(platform, name, files, **settings)
    time.sleep(pause_s)
    return latencies_ms(platform.port, invoke_bytes(name, PAYLOAD), 1)[0]


def cold_starts(name: str, kind: Kind, count: int) -> None:
    """With and without, in turns; the first of each is not counted: nothing waits for it."""
    times: tuple[list[float], list[float]] = [], []
    with Platform() as loaded, Platform(None, *_NONE) as without:
        for index in range(count + 1):
            times[0].append(cold_ms(loaded, kind, f"cold{index}", _FILL_S))
            times[1].append(cold_ms(without, kind, f"cold{index}", 0.25))
    for found, how in zip(times, ("stem cell", "without"), strict=True):
        p50, p99 = statistics.median(found[1:]), percentile(found[1:], 0.99)
        show(f"cold invoke, {name}, {how}", f"p50 {p50:.2f} ms", f"p99 {p99:.1f} ms")


def warm(name: str, kind: Kind, count: int, idle: int) -> None:
    """Warm invokes of one function; then the private memory of several that have answered one event."""
    with Platform(None, *_NONE) as platform:
        cold_ms(platform, kind, "warm", 0.25)
        latencies_ms(platform.port, invoke_bytes("warm", PAYLOAD), count)
        found = latencies_ms(platform.port, invoke_bytes("warm", PAYLOAD), count)
        p50, p99 = statistics.median(found), percentile(found, 0.99)
        show(f"warm invoke, {name}", f"p50 {p50:.2f} ms", f"p99 {p99:.1f} ms")
        for index in range(idle):
            cold_ms(platform, kind, f"idle{index}", 0)
        time.sleep(1)
        show(f"private memory per idle {name}", f"{platform.private_bytes() / 1e6:.1f} MB")


def measure(quick: bool) -> None:
    """Everything, for each runtime that is prepared here."""
    for name, kind in find_kinds().items():
        cold_starts(name, kind, 12 if quick else 30)
        warm(name, kind, 300 if quick else 2000, 4 if quick else 20)


if __name__ == "__main__":
    measure("--quick" in sys.argv)
