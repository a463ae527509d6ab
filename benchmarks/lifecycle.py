"""What surrounds warm invokes: big payloads, bursts of cold starts, starting and stopping, stem cells, freezing.

Called by ``benchmarks.invoke``.
"""

import os
import socket
import statistics
import tempfile
import threading
import time
from pathlib import Path

from benchmarks.harness import Connection, Platform, invoke_bytes, request_bytes

BIG_PAYLOAD = b'{"n": 1, "text": "' + b"x" * (6 * 1024 * 1024 - 100) + b'"}'
ECHO = "def handler(event, context):\n    return event\n"
_SMALL = b'{"n": 1}'


def big_p50_ms(port: int, name: str, count: int) -> float:
    """6 MB in and the same 6 MB out."""
    connection, data = Connection(port), invoke_bytes(name, BIG_PAYLOAD)
    times = []
    for _ in range(count):
        start_s = time.perf_counter()
        status, head, body = connection.call(data)
        times.append((time.perf_counter() - start_s) * 1000)
        assert status == 200, body[:200]
        assert b"Function-Error" not in head, body[:200]
        assert len(body) > 6_000_000
    return statistics.median(times)


def starts_per_s(count: int, clients: int) -> tuple[float, int]:
    """Environments started *and* stopped a second, and errors.

    Each function is invoked once and deleted, which ends its environment. The functions are made before the
    clock starts, and it stops when no environment is left; deleting is a part of what is timed.
    """
    errors: list[bytes] = []
    with Platform(None, "--stem-cells", "0") as platform:
        names = [f"turn{n}" for n in range(count)]
        for name in names:
            platform.create(name, ECHO, memory_mib=128)

        def work(mine: list[str]) -> None:
            connection = Connection(platform.port)
            for name in mine:
                status, head, body = connection.call(invoke_bytes(name, _SMALL))
                if status != 200 or b"Function-Error" in head:
                    errors.append(body)
                path = f"/2015-03-31/functions/{name}"
                status, _, body = connection.call(request_bytes("DELETE", path))
                if status != 204:
                    errors.append(body)

        lots = [names[n::clients] for n in range(clients)]
        threads = [threading.Thread(target=work, args=(lot,)) for lot in lots]
        start_s = time.perf_counter()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        while _alive(platform):
            if time.perf_counter() - start_s > 120:
                raise TimeoutError("environments of deleted functions are still there")
            time.sleep(0.002)
        return (count - len(errors)) / (time.perf_counter() - start_s), len(errors)


def _alive(platform: Platform) -> bool:
    try:
        return bool(platform.environments())
    except FileNotFoundError:  # one ended while it was looked at
        return True


def cold_p50_ms(count: int, *options: str) -> float:
    """First invokes of fresh functions, each after 250 ms of idleness, on a platform of its own."""
    times = []
    with Platform(None, *options) as platform:
        for index in range(count):
            platform.create(f"cold{index}", ECHO)
            time.sleep(0.25)
            connection = Connection(platform.port)
            start_s = time.perf_counter()
            status, _, body = connection.call(invoke_bytes(f"cold{index}", _SMALL))
            times.append((time.perf_counter() - start_s) * 1000)
            assert status == 200, body
    return statistics.median(times)


def freeze_and_thaw_us(count: int) -> float | None:
    """Freezing and thawing one sleeping process by ``cgroup.freeze``; None where this host has no v2 for us.

    A lower bound: what the two writes cost one right after the other, not how long the process takes to come to
    rest, nor what thawing one that has come to rest costs.
    """
    mount = next(
        (
            Path(line.split()[1])
            for line in Path("/proc/mounts").read_text().splitlines()
            if line.split()[2] == "cgroup2"
        ),
        None,
    )
    if mount is None or not os.access(mount, os.W_OK):
        return None
    group = Path(tempfile.mkdtemp(prefix="lambent-bench-", dir=mount))
    ours, theirs = socket.socketpair()
    pid = os.fork()
    if pid == 0:
        ours.close()
        theirs.recv(1)
        os._exit(0)
    theirs.close()
    try:
        (group / "cgroup.procs").write_text(str(pid))
        fd = os.open(group / "cgroup.freeze", os.O_WRONLY)
        times = []
        for _ in range(count):
            start_s = time.perf_counter()
            os.pwrite(fd, b"1", 0)
            os.pwrite(fd, b"0", 0)
            times.append((time.perf_counter() - start_s) * 1e6)
        os.close(fd)
        return statistics.median(times)
    finally:
        ours.close()
        os.waitpid(pid, 0)
        group.rmdir()
