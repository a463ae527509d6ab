"""Invocation figures, through HTTP from another process, each beside its floor of the same run.

.venv/bin/python -m benchmarks.invoke [--quick]
"""

import asyncio
import json
import os
import statistics
import sys
import threading
import time
from collections.abc import Sequence
from functools import partial
from typing import NamedTuple, cast

from benchmarks.floors import interpreter_start_ms, with_echo
from benchmarks.front import BareFront
from benchmarks.harness import Connection, Platform, invoke_bytes
from benchmarks.lifecycle import (
    BIG_PAYLOAD,
    ECHO,
    big_p50_ms,
    cold_p50_ms,
    freeze_and_thaw_us,
    starts_per_s,
)

HANDLER = "def handler(event, context):\n    return {'n': event['n'], 'stream': context.log_stream_name}\n"
PAYLOAD = json.dumps({"n": 1, "text": "x" * 1000}).encode()


CLIENTS = 16


class Warm(NamedTuple):
    """Warm invokes: latencies with one client; with sixteen the rate, and the server's CPU for each."""

    times_ms: list[float]
    rate: float
    user_us: float
    system_us: float

    @property
    def cpu_us(self) -> float:
        """User and system together."""
        return self.user_us + self.system_us


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which ``share`` of the values lie."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def latencies_ms(port: int, data: bytes, count: int) -> list[float]:
    """One client, one request after the other."""
    connection = Connection(port)
    times = []
    for _ in range(count):
        start_s = time.perf_counter()
        status, _, body = connection.call(data)
        times.append((time.perf_counter() - start_s) * 1000)
        assert status == 200, body
    return times


class _Client(asyncio.Protocol):
    """Sends the same request over and over until told to stop; counts the answers."""

    def __init__(self, data: bytes, until_s: float, done: "asyncio.Future[int]") -> None:
        self._data, self._until_s, self._done = data, until_s, done
        self._count, self._buffer = 0, b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._transport.write(self._data)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, found, body = self._buffer.partition(b"\r\n\r\n")
        if not found:
            return
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        if len(body) < length:
            return
        assert head.startswith(b"HTTP/1.1 20"), head + body
        assert b"Function-Error" not in head, body
        self._buffer = b""
        self._count += 1
        if time.perf_counter() < self._until_s:
            self._transport.write(self._data)
        elif not self._done.done():
            self._done.set_result(self._count)
            self._transport.close()


async def throughput(port: int, data: bytes, clients: int, seconds: float) -> float:
    """Requests a second with ``clients`` connections that never pause."""
    loop = asyncio.get_running_loop()
    start_s = time.perf_counter()
    done: list[asyncio.Future[int]] = [loop.create_future() for _ in range(clients)]
    for future in done:
        client = partial(_Client, data, start_s + seconds, future)
        await loop.create_connection(client, "127.0.0.1", port)
    counts = await asyncio.gather(*done)
    return sum(counts) / (time.perf_counter() - start_s)


def burst(port: int, names: Sequence[str]) -> tuple[float, int, int]:
    """One invoke of each function at the same moment: ms until all answered, errors, environments."""
    connections = [Connection(port) for _ in names]
    answers: list[tuple[int, bytes, bytes]] = []

    def call(connection: Connection, name: str) -> None:
        gate.wait()
        answers.append(connection.call(invoke_bytes(name, PAYLOAD)))

    gate = threading.Event()
    threads = [
        threading.Thread(target=call, args=pair) for pair in zip(connections, names, strict=True)
    ]
    for thread in threads:
        thread.start()
    start_s = time.perf_counter()
    gate.set()
    for thread in threads:
        thread.join()
    elapsed_ms = (time.perf_counter() - start_s) * 1000
    good = [
        body for status, head, body in answers if status == 200 and b"Function-Error" not in head
    ]
    streams = {json.loads(body)["stream"] for body in good}
    return elapsed_ms, len(names) - len(good), len(streams)


def cpu_s(pid: int) -> tuple[float, float]:
    """User and system time of one process so far."""
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rpartition(")")[2].split()
    ticks = os.sysconf("SC_CLK_TCK")
    return int(fields[11]) / ticks, int(fields[12]) / ticks


def show(name: str, figure: str, beside: str = "") -> None:
    """One line of the report."""
    print(f"{name:<46}{figure:>26}   {beside}", flush=True)


def measure(quick: bool) -> None:
    """Runs everything and prints it."""
    count, seconds, cold = (500, 1.0, 15) if quick else (5000, 4.0, 60)
    echo_ms = with_echo(
        lambda port: statistics.median(latencies_ms(port, invoke_bytes("e", PAYLOAD), count))
    )
    echo_rate = with_echo(
        lambda port: asyncio.run(throughput(port, invoke_bytes("e", PAYLOAD), 16, seconds))
    )
    big = 3 if quick else 30
    echo_big_ms = with_echo(lambda port: big_p50_ms(port, "e", big), len(BIG_PAYLOAD))
    python_ms = interpreter_start_ms(10 if quick else 30)
    with Platform() as platform:
        show("start-up to ready", f"{platform.ready_s * 1000:.0f} ms")
        time.sleep(0.5)
        show("idle server, resident", f"{platform.resident_bytes() / 1e6:.0f} MB")
        warm_invokes(platform, echo_ms, echo_rate, count, seconds)
        big_payloads(platform, echo_big_ms, big)
        cold_starts(platform, cold, python_ms)
        bursts(platform, 100, 1 if quick else 3)
        bursts(platform, 200, 1 if quick else 3)
        mib = platform.private_bytes() / 1e6
        show(
            "private memory per idle environment",
            f"{mib:.2f} MB",
            f"{len(platform.environments())} alive",
        )
        show("server after that, resident", f"{platform.resident_bytes() / 1e6:.0f} MB")
    for count in (100, 200):
        first_burst(count, 1 if quick else 3)
    lives(quick)


def warm(port: int, pid: int, count: int, seconds: float) -> Warm:
    """One client, then sixteen, of a function that is warm."""
    data = invoke_bytes("warm", PAYLOAD)
    latencies_ms(port, data, 200)
    times = latencies_ms(port, data, count)
    asyncio.run(throughput(port, data, CLIENTS, 0.5))
    before = cpu_s(pid)
    rate = asyncio.run(throughput(port, data, CLIENTS, seconds))
    after = cpu_s(pid)
    user_us, system_us = (
        (b - a) / (rate * seconds) * 1e6 for a, b in zip(before, after, strict=True)
    )
    return Warm(times, rate, user_us, system_us)


def warm_invokes(
    platform: Platform, echo_ms: float, echo_rate: float, count: int, seconds: float
) -> None:
    """The platform beside a front that does nothing else, with the same runtime client; and with libcurl's."""
    platform.create("warm", HANDLER)
    here = warm(platform.port, platform.process.pid, count, seconds)
    with BareFront(HANDLER, CLIENTS) as front:
        bare = warm(front.port, front.pid, count, seconds)
    with BareFront(HANDLER, CLIENTS, libcurl=True) as front:
        official = warm(front.port, front.pid, count, seconds)
    p50, bare_p50 = statistics.median(here.times_ms), statistics.median(bare.times_ms)
    show(
        "warm invoke, 1 client, p50",
        f"{p50:.3f} ms",
        f"{p50 / bare_p50:.2f} × bare front ({bare_p50:.3f} ms), "
        f"{p50 / echo_ms:.1f} × bare echo ({echo_ms:.3f} ms)",
    )
    p99, bare_p99 = percentile(here.times_ms, 0.99), percentile(bare.times_ms, 0.99)
    show("warm invoke, 1 client, p99", f"{p99:.3f} ms", f"bare front: {bare_p99:.3f} ms")
    show(
        "warm invokes, 16 clients",
        f"{here.rate:.0f} /s",
        f"{here.rate / bare.rate:.2f} × bare front ({bare.rate:.0f} /s), "
        f"{here.rate / echo_rate:.2f} × bare echo ({echo_rate:.0f} /s)",
    )
    show(
        "the platform's own CPU per warm invoke",
        f"{here.cpu_us:.0f} µs",
        f"{here.user_us:.0f} user + {here.system_us:.0f} system; bare front: "
        f"{bare.cpu_us:.0f} µs ({bare.user_us:.0f} + {bare.system_us:.0f})",
    )
    show(
        "bare front, runtimes by libcurl over TCP",
        f"{statistics.median(official.times_ms):.3f} ms",
        f"{official.rate:.0f} /s, {official.cpu_us:.0f} µs ({official.user_us:.0f} + {official.system_us:.0f})",
    )


def big_payloads(platform: Platform, echo_ms: float, count: int) -> None:
    """6 MB in and out."""
    platform.create("big", ECHO)
    big_p50_ms(platform.port, "big", 2)
    p50 = big_p50_ms(platform.port, "big", count)
    show(
        "6 MB in, 6 MB out, p50",
        f"{p50:.1f} ms",
        f"{p50 / echo_ms:.1f} × bare echo ({echo_ms:.1f} ms)",
    )


def lives(quick: bool) -> None:
    """Environments that come and go, each on a platform of its own."""
    rate, errors = starts_per_s(60 if quick else 400, 8)
    show("environments started and stopped", f"{rate:.0f} /s", f"{errors} errors, 8 clients")
    rounds = 8 if quick else 40
    with_ms, without_ms = cold_p50_ms(rounds), cold_p50_ms(rounds, "--stem-cells", "0")
    beside = f"{with_ms / without_ms:.2f} × --stem-cells 0 ({without_ms:.1f} ms)"
    show("cold invoke with stem cells, p50", f"{with_ms:.1f} ms", beside)
    both_us = freeze_and_thaw_us(2000)
    figure = "no cgroup v2 here" if both_us is None else f"{both_us:.0f} µs"
    show("freeze + thaw, the two writes", figure)


def cold_starts(platform: Platform, count: int, python_ms: float) -> None:
    """First invokes of fresh functions, each after 250 ms of idleness."""
    times = []
    for index in range(count):
        platform.create(f"cold{index}", HANDLER)
        time.sleep(0.25)
        times += latencies_ms(platform.port, invoke_bytes(f"cold{index}", PAYLOAD), 1)
    p50 = statistics.median(times)
    beside = f'{p50 / python_ms:.2f} × python3 -I -c "import json" ({python_ms:.1f} ms)'
    show("cold invoke after 250 ms idle, p50", f"{p50:.1f} ms", beside)
    show("cold invoke after 250 ms idle, p99", f"{percentile(times, 0.99):.1f} ms")


def bursts(platform: Platform, count: int, rounds: int) -> None:
    """Burst after burst of fresh functions, the environments of those before alive."""
    results = [_burst_of_new(platform, f"burst{count}-{index}", count) for index in range(rounds)]
    show(
        f"{count} at once, cold, in a row, the median",
        f"{statistics.median(r[0] for r in results):.0f} ms",
        f"{', '.join(f'{r[0]:.0f}' for r in results)} ms, those before alive; {_outcome(results)}",
    )


def first_burst(count: int, rounds: int, *options: str) -> None:
    """One burst on a platform that has started nothing yet; a new platform each time."""
    results = []
    for _ in range(rounds):
        with Platform(None, *options) as platform:
            results.append(_burst_of_new(platform, "first", count))
    show(
        f"{count} at once, cold, on a fresh platform",
        f"{statistics.median(r[0] for r in results):.0f} ms",
        f"{', '.join(f'{r[0]:.0f}' for r in results)} ms, a platform each; {_outcome(results)}",
    )


def _burst_of_new(platform: Platform, prefix: str, count: int) -> tuple[float, int, int]:
    names = [f"{prefix}-{n}" for n in range(count)]
    for name in names:
        platform.create(name, HANDLER)
    time.sleep(0.5)
    return burst(platform.port, names)


def _outcome(results: Sequence[tuple[float, int, int]]) -> str:
    return f"{sum(r[1] for r in results)} errors, {min(r[2] for r in results)} environments each"


if __name__ == "__main__":
    measure("--quick" in sys.argv)
