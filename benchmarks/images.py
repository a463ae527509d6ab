"""Functions of container images: unpacking, first invokes and warm ones, beside a zip of the same program.

.venv/bin/python -m benchmarks.images [--quick]
"""

import json
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.cold_starts import build_static, create
from benchmarks.harness import Platform, invoke_bytes, request_bytes
from benchmarks.invoke import PAYLOAD, latencies_ms, percentile, show
from lambent.testing.images import build, uri

ZIP, SMALL, LARGE = "zip", "small", "large"
_FILES, _FILE_BYTES = 5_000, 40_000
_WARM = 2_000


def make_images(directory: Path, program: bytes) -> None:
    """One of a program alone, and one of that and 5,000 files of 40 KB in three layers."""
    build(directory / SMALL, "v1", [{"runtime*": program}], entrypoint=["/runtime"])
    layers: list[dict[str, str | bytes]] = [{"runtime*": program}]
    layers += [
        {f"usr/lib{layer}/{n // 100}/{n}": os.urandom(_FILE_BYTES) for n in range(_FILES // 2)}
        for layer in range(2)
    ]
    build(directory / LARGE, "v1", layers, entrypoint=["/runtime"])


def create_image(platform: Platform, name: str, repository: str) -> float:
    """Creates a function; the seconds until it is Active."""
    start_s = time.perf_counter()
    document = {
        "FunctionName": name,
        "Role": "arn:aws:iam::000000000000:role/bench",
        "PackageType": "Image",
        "MemorySize": 1769,
        "Timeout": 30,
        "Code": {"ImageUri": uri(repository)},
    }
    data = request_bytes("POST", "/2015-03-31/functions", json.dumps(document).encode())
    status, _, answer = platform.connection.call(data)
    assert status == 201, answer
    get = request_bytes("GET", f"/2015-03-31/functions/{name}/configuration")
    while json.loads(platform.connection.call(get)[2])["State"] != "Active":
        time.sleep(0.002)
    return time.perf_counter() - start_s


def measure(count: int) -> None:
    """Runs every kind in turns and prints it."""
    program = build_static()
    if program is None:
        show("container images", "no C compiler here")
        return
    times: dict[str, list[float]] = {kind: [] for kind in (ZIP, SMALL, LARGE)}
    with tempfile.TemporaryDirectory() as directory:
        make_images(Path(directory), program)
        with Platform(None, "--images", directory) as platform:
            for kind in (SMALL, LARGE):
                first_s = create_image(platform, f"first-{kind}", kind)
                again_s = create_image(platform, f"again-{kind}", kind)
                show(
                    f"image Active, {kind}",
                    f"{first_s * 1000:.0f} ms",
                    f"{again_s * 1000:.0f} ms again",
                )
            for index in range(count):
                for kind in times:
                    name = f"{kind}{index}"
                    if kind == ZIP:
                        create(platform, name, {"bootstrap": program}, Runtime="provided.al2023")
                    else:
                        create_image(platform, name, kind)
                    time.sleep(0.25)
                    times[kind] += latencies_ms(platform.port, invoke_bytes(name, PAYLOAD), 1)
            for kind, found in times.items():
                p50, p99 = statistics.median(found), percentile(found, 0.99)
                show(f"cold invoke, static C, {kind}", f"p50 {p50:.1f} ms", f"p99 {p99:.1f} ms")
            for kind in times:
                found = latencies_ms(platform.port, invoke_bytes(f"{kind}0", PAYLOAD), _WARM)
                p50, p99 = statistics.median(found), percentile(found, 0.99)
                show(f"warm invoke, static C, {kind}", f"p50 {p50:.3f} ms", f"p99 {p99:.2f} ms")


if __name__ == "__main__":
    measure(10 if "--quick" in sys.argv else 40)
