"""Node.js: cold invokes on a loaded stem cell and without any, in turns, and the memory of idle environments.

Beside those without: how long a bare ``node -e 0`` takes in the same run, from start to end.

.venv/bin/python -m benchmarks.nodejs [--quick]
"""

import statistics
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.cold_starts import create
from benchmarks.harness import Platform, invoke_bytes
from benchmarks.invoke import PAYLOAD, latencies_ms, percentile, show
from lambent.node.nodejs.runtimes import NodeRuntime, find_nodes

_FORMS = {"app.mjs": b"export const handler = async (event) => event;"}
_LOADED, _NONE = (), ("--loaded-stem-cells", "0")


def cold_ms(platform: Platform, node: NodeRuntime, name: str) -> float:
    """The first invoke of a fresh function, 250 ms after its creation."""
    create(platform, name, _FORMS, Runtime=node.name)
    time.sleep(0.25)
    return latencies_ms(platform.port, invoke_bytes(name, PAYLOAD), 1)[0]


def bare_ms(node: NodeRuntime) -> float:
    """Starting and ending Node.js itself."""
    start_s = time.perf_counter()
    subprocess.run([node.executable, "-e", "0"], env={}, check=True)
    return (time.perf_counter() - start_s) * 1000


def cold_starts(node: NodeRuntime, count: int) -> None:
    """With and without, in turns; the first of each is not counted: nothing waits for it."""
    times: tuple[list[float], list[float]] = [], []
    bare: list[float] = []
    with Platform(None, *_LOADED) as loaded, Platform(None, *_NONE) as without:
        for index in range(count + 1):
            for number, platform in enumerate((loaded, without)):
                times[number].append(cold_ms(platform, node, f"cold{index}"))
            bare.append(bare_ms(node))
    found = [times[0][1:], times[1][1:]]
    p50, other = map(statistics.median, found)
    beside = f"p99 {percentile(found[0], 0.99):.1f} ms; {p50 / other:.2f} × without"
    show(f"cold invoke, {node.name}, stem cell, p50", f"{p50:.2f} ms", beside)
    beside = f"p99 {percentile(found[1], 0.99):.1f} ms; bare {statistics.median(bare):.1f} ms"
    show(f"cold invoke, {node.name}, without, p50", f"{other:.1f} ms", beside)


def kernel_bytes(pid: int) -> int:
    """What the kernel itself holds for its cgroup: tables, stacks, sockets; 0 where it tells nothing."""
    for line in Path(f"/proc/{pid}/cgroup").read_text().splitlines():
        _, names, path = line.split(":", 2)
        if names == "memory":
            found = Path(f"/sys/fs/cgroup/memory{path}/memory.kmem.usage_in_bytes")
            return int(found.read_text()) if found.exists() else 0
        stat = Path(f"/sys/fs/cgroup{path}/memory.stat")
        if not names and stat.exists():
            words = dict(row.split() for row in stat.read_text().splitlines())
            return int(words.get("kernel", 0))
    return 0


def idle_memory(node: NodeRuntime, count: int, memory_mib: int, options: tuple[str, ...]) -> None:
    """Of environments that have answered one event."""
    with Platform(None, *options) as platform:
        for index in range(count):
            name = f"idle{index}"
            create(platform, name, _FORMS, Runtime=node.name, MemorySize=memory_mib)
            time.sleep(0.3 if options == _LOADED else 0)
            latencies_ms(platform.port, invoke_bytes(name, PAYLOAD), 1)
        time.sleep(1)
        private = platform.private_bytes()
        kernel = statistics.mean(map(kernel_bytes, platform.environments()))
    how = "without" if options else "stem cells"
    show(
        f"private memory per idle {node.name}, {memory_mib} MB, {how}",
        f"{private / 1e6:.2f} MB",
        f"{(private + kernel) / 1e6:.2f} MB with the kernel's own, {count} environments",
    )


def measure(quick: bool) -> None:
    """Everything, for each runtime that is prepared here."""
    for node in find_nodes():
        cold_starts(node, 8 if quick else 40)
    for node in find_nodes():
        for options in (_LOADED, _NONE):
            idle_memory(node, 10 if quick else 40, 128, options)


if __name__ == "__main__":
    measure("--quick" in sys.argv)
