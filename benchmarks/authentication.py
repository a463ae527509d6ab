"""What verifying signatures costs a warm invoke: two platforms, one asking for signatures, and AWS's emulator of
one environment where it is there (``scripts/rie``), in turns.

.venv/bin/python -m benchmarks.authentication [--quick]
"""

import asyncio
import statistics
import sys
import tempfile
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from benchmarks.emulator import EMULATOR, NAME, Emulator
from benchmarks.harness import Platform, invoke_bytes
from benchmarks.invoke import HANDLER, PAYLOAD, cpu_s, latencies_ms, show, throughput

KEY, SECRET = "AKIABENCH0000000", "a-secret-for-the-benchmark-only"


def signed(port: int, path: str, body: bytes) -> bytes:
    """A POST as SDKs sign it, ready to send for fifteen minutes."""
    host = f"127.0.0.1:{port}"
    request = AWSRequest("POST", f"http://{host}{path}", data=body)
    request.headers["content-type"] = "application/json"
    SigV4Auth(Credentials(KEY, SECRET), "lambda", "us-east-1").add_auth(request)
    lines = [f"{name}: {value}" for name, value in request.headers.items()]
    lines += [f"host: {host}", f"content-length: {len(body)}"]
    return (f"POST {path} HTTP/1.1\r\n" + "\r\n".join(lines) + "\r\n\r\n").encode() + body


def one_round(platform: Platform, data: bytes, count: int, seconds: float) -> tuple[float, ...]:
    """p50 with one client, ms; invokes a second with 16; the platform's CPU for each of those, µs."""
    p50_ms = statistics.median(latencies_ms(platform.port, data, count))
    before_s = sum(cpu_s(platform.process.pid))
    rate = asyncio.run(throughput(platform.port, data, 16, seconds))
    used_us = (sum(cpu_s(platform.process.pid)) - before_s) / (rate * seconds) * 1e6
    return p50_ms, rate, used_us


def measure(quick: bool) -> None:
    """Runs all in turns and prints medians."""
    count, seconds, rounds = (300, 1.0, 3) if quick else (3000, 3.0, 5)
    path = "/2015-03-31/functions/warm/invocations"
    found: dict[str, list[tuple[float, ...]]] = {}
    emulated_ms: list[float] = []
    with tempfile.TemporaryDirectory() as directory, ExitStack() as stack:
        keys = Path(directory) / "keys"
        keys.touch(0o600)
        keys.write_text(f"[bench]\naws_access_key_id={KEY}\naws_secret_access_key={SECRET}\n")
        kinds = {
            "any credentials": stack.enter_context(Platform()),
            "signatures verified": stack.enter_context(Platform(None, "--access-keys", str(keys))),
        }
        emulator = stack.enter_context(Emulator(HANDLER)) if EMULATOR.exists() else None
        for platform in kinds.values():
            platform.sign = partial(signed, platform.port)
            platform.create("warm", HANDLER)
        for _ in range(rounds):
            for kind, platform in kinds.items():
                data = signed(platform.port, path, PAYLOAD)
                found.setdefault(kind, []).append(one_round(platform, data, count, seconds))
            if emulator:
                times_ms = latencies_ms(emulator.port, invoke_bytes(NAME, PAYLOAD), count)
                emulated_ms.append(statistics.median(times_ms))
    report(found, statistics.median(emulated_ms) if emulated_ms else None)


def report(found: dict[str, list[tuple[float, ...]]], emulated_ms: float | None) -> None:
    """Prints medians of the rounds, each latency beside the emulator's."""
    for kind, results in found.items():
        p50_ms, rate, used_us = (statistics.median(one) for one in zip(*results, strict=True))
        beside = f", {p50_ms / emulated_ms:.2f} × AWS's emulator" if emulated_ms else ""
        show(
            f"warm invoke, {kind}",
            f"p50 {p50_ms:.3f} ms",
            f"{rate:,.0f} /s, {used_us:.0f} µs of CPU{beside}",
        )
    figure = f"p50 {emulated_ms:.3f} ms" if emulated_ms else "not here: scripts/rie"
    show("warm invoke, AWS's emulator of one environment", figure)


if __name__ == "__main__":
    measure("--quick" in sys.argv)
