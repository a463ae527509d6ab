"""Node.js: cold invokes on a loaded stem cell and without any, in turns, and the memory of idle environments.

.venv/bin/python -m benchmarks.nodejs [--quick]
"""

import statistics
import sys
import time
from pathlib import Path

from benchmarks.cold_starts import create
from benchmarks.harness import Platform, invoke_bytes
from benchmarks.invoke import PAYLOAD, latencies_ms, percentile, show
from lambent.node.nodejs.runtimes import NodeRuntime, find_nodes

_FORMS = {"app.mjs": b"export const handler = async (event) => event;"}
_FILL_S = 10.0
_LOADED, _NONE = (), ("--loaded-stem-cells", "0")


def cold_ms(platform: Platform, node: NodeRuntime, name: str) -> float:
    """The first invoke of a fresh function, 250 ms after its creation."""
    create(platform, name, _FORMS, Runtime=node.name)
    time.sleep(0.25)
    return latencies_ms(platform.port, invoke_bytes(name, PAYLOAD), 1)[0]


def cold_starts(node: NodeRuntime, count: int) -> None:
    """With and without, in turns; the first of each is not counted: nothing waits for it."""
    times: tuple[list[float], list[float]] = [], []
    with Platform(None, *_LOADED) as loaded, Platform(None, *_NONE) as without:
        for index in range(count + 1):
            for number, platform in enumerate((loaded, without)):
                times[number].append(cold_ms(platform, node, f"cold{index}"))
    found = [times[0][1:], times[1][1:]]
    p50, other = map(statistics.median, found)
    beside = f"p99 {percentile(found[0], 0.99):.1f} ms; {p50 / other:.2f} × without"
    show(f"cold invoke, {node.name}, stem cell, p50", f"{p50:.2f} ms", beside)
    beside = f"p99 {percentile(found[1], 0.99):.1f} ms"
    show(f"cold invoke, {node.name}, without, p50", f"{other:.1f} ms", beside)


def available_bytes() -> int:
    """What the whole machine could still give away, the kernel's own memory considered."""
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    raise LookupError("MemAvailable")


def idle_memory(node: NodeRuntime, count: int, memory_mib: int, options: tuple[str, ...]) -> None:
    """Of environments that have answered one event, and of what the machine has less for each."""
    with Platform(None, *options) as platform:
        latest = f"idle{count}"
        for index in range(2):  # what is there once for all
            create(platform, f"first{index}", _FORMS, Runtime=node.name, MemorySize=memory_mib)
            latencies_ms(platform.port, invoke_bytes(f"first{index}", PAYLOAD), 1)
        time.sleep(1)
        before = available_bytes()
        alive = len(platform.environments())
        for index in range(count):
            name = latest if index == count - 1 else f"idle{index}"
            create(platform, name, _FORMS, Runtime=node.name, MemorySize=memory_mib)
            time.sleep(0.3 if options == _LOADED else 0)
            latencies_ms(platform.port, invoke_bytes(name, PAYLOAD), 1)
        time.sleep(1)
        whole = (before - available_bytes()) / (len(platform.environments()) - alive)
        private = platform.private_bytes()
    how = "without" if options else "stem cells"
    show(
        f"private memory per idle {node.name}, {memory_mib} MB, {how}",
        f"{private / 1e6:.2f} MB",
        f"{whole / 1e6:.1f} MB less on the machine, kernel included, {count} environments",
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
