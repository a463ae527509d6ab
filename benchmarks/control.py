"""Control plane figures with 10,000 functions of 5 versions each, through HTTP from another process.

.venv/bin/python -m benchmarks.control [--functions N]
"""

import argparse
import io
import json
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.harness import Connection, Platform, request_bytes
from benchmarks.invoke import percentile
from lambent.control import lifecycle
from lambent.control.plane import ControlPlane
from lambent.control.registry import OPERATIONS
from lambent.model.call import Call, Caller
from lambent.store.code import CodeStore
from lambent.store.database import Database

VERSIONS = 5
CALLER = Caller("000000000000", "us-east-1", "benchmark")
FUNCTIONS = "/2015-03-31/functions"


def fill(data_dir: Path, count: int) -> None:
    """``count`` functions, made by the operations themselves; only the syncs are left out."""
    database = Database(data_dir)
    database.connection.execute("PRAGMA synchronous=OFF")
    code = CodeStore(data_dir / "code")
    plane = ControlPlane(database, code, lambda: datetime.now(UTC), lambda _: None)
    content = _zip()

    def call(operation: str, **parameters: Any) -> None:
        OPERATIONS[operation](plane, Call("lambda", operation, parameters, CALLER))
        lifecycle.drain(plane)

    for number in range(count):
        name = f"function-{number:05d}"
        call(
            "CreateFunction",
            FunctionName=name,
            Runtime=f"python3.{sys.version_info.minor}",
            Role="arn:aws:iam::000000000000:role/bench",
            Handler="app.handler",
            Code={"ZipFile": content},
            Environment={"Variables": {"STAGE": "benchmark", "TABLE": f"table-{number}"}},
            Tags={"team": f"team-{number % 10}"},
        )
        for version in range(VERSIONS):
            call("UpdateFunctionConfiguration", FunctionName=name, Description=f"version {version}")
            call("PublishVersion", FunctionName=name)
    database.close()


def _zip() -> bytes:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("app.py", "def handler(event, context):\n    return event\n")
    return archive.getvalue()


def figure(name: str, times_ms: list[float], target_ms: float | None = None) -> None:
    """One line: p50, p99, and how the median stands to its target."""
    p50, p99 = percentile(times_ms, 0.5), percentile(times_ms, 0.99)
    verdict = f"   target p50 {target_ms} ms: {_verdict(p50, target_ms)}" if target_ms else ""
    print(f"{name:<34} p50 {p50:7.2f} ms   p99 {p99:7.2f} ms{verdict}")


def _verdict(value: float, target: float) -> str:
    return "met" if value <= target else "MISSED"


def timed(
    connection: Connection, requests: list[bytes], expected: int = 200
) -> tuple[list[float], bytes]:
    """Milliseconds of each request, one after the other, and the last answer."""
    times, body = [], b""
    for request in requests:
        start_s = time.perf_counter()
        status, _, body = connection.call(request)
        times.append((time.perf_counter() - start_s) * 1000)
        assert status == expected, body
    return times, body


def pages(connection: Connection, path: str) -> list[float]:
    """Milliseconds of each page of a list, from the first to the last."""
    times: list[float] = []
    query = "?MaxItems=50"
    while True:
        taken, body = timed(connection, [request_bytes("GET", f"{path}{query}")])
        times += taken
        marker = json.loads(body).get("NextMarker")
        if not marker:
            return times
        query = f"?MaxItems=50&Marker={marker}"


def measure(platform: Platform, count: int) -> None:
    """Reads first, then writes, each on functions spread over all there are."""
    connection = platform.connection
    names = [f"function-{number * 37 % count:05d}" for number in range(1000)]

    def each(path: Callable[[str], str], method: str = "GET", body: bytes = b"") -> list[bytes]:
        return [request_bytes(method, FUNCTIONS + path(name), body) for name in names]

    listed = pages(connection, f"{FUNCTIONS}/")
    assert len(listed) >= count // 50
    figure("ListFunctions, a page of 50", listed, 20)
    versions = [f"/{name}/versions" for name in names]
    get = [request_bytes("GET", FUNCTIONS + path) for path in versions]
    figure("GetFunction", timed(connection, each(lambda name: f"/{name}"))[0], 3)
    qualified = each(lambda name: f"/{name}?Qualifier={VERSIONS}")
    figure("GetFunction of a version", timed(connection, qualified)[0], 3)
    figure("ListVersionsByFunction", timed(connection, get)[0])
    settings = request_bytes("GET", "/2016-08-19/account-settings/")
    times, body = timed(connection, [settings] * 200)
    usage = json.loads(body)["AccountUsage"]
    assert usage["FunctionCount"] == count, usage
    figure("GetAccountSettings", times)
    change = json.dumps({"Description": "changed"}).encode()
    updates = each(lambda name: f"/{name}/configuration", "PUT", change)[:200]
    figure("UpdateFunctionConfiguration", timed(connection, updates)[0])
    deletions = each(lambda name: f"/{name}", "DELETE")[:200]
    figure("DeleteFunction", timed(connection, deletions, 204)[0])


def main() -> None:
    """Fills a directory, starts a platform on it, prints the figures."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--functions", type=int, default=10_000)
    count = parser.parse_args().functions
    with tempfile.TemporaryDirectory(prefix="lambent-bench-") as directory:
        data_dir = Path(directory)
        start_s = time.perf_counter()
        fill(data_dir, count)
        size_mb = (data_dir / "lambent.db").stat().st_size / 1e6
        took_s = time.perf_counter() - start_s
        print(
            f"{count} functions, {VERSIONS} versions each: filled in {took_s:.0f} s, {size_mb:.0f} MB"
        )
        for attempt in ("first", "second"):
            with Platform(data_dir) as platform:
                ready_s, rss_mb = platform.ready_s, platform.resident_bytes() / 1e6
                verdict = _verdict(ready_s, 2)
                print(
                    f"start-up to ready, {attempt:<15} {ready_s * 1000:7.0f} ms   target 2 s: {verdict}"
                )
                print(f"resident after start               {rss_mb:7.0f} MB")
                if attempt == "second":
                    measure(platform, count)
                    print(
                        f"resident after all of it           {platform.resident_bytes() / 1e6:7.0f} MB"
                    )


if __name__ == "__main__":
    main()
