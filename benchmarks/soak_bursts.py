"""Bursts of all sizes, and what is made ahead for the next one coming and going; then what is left is counted.

    .venv/bin/python -m benchmarks.soak_bursts [ROUNDS]

Between bursts environments and what waits are killed at random; now and then a function that needs nearly all
that ``--max-memory`` allows has everything else given back. Exits 1 when something stayed behind, or an answer
was wrong.
"""

import base64
import io
import json
import os
import random
import signal
import sys
import threading
import time
import zipfile
from contextlib import suppress
from typing import Any

from benchmarks.harness import Connection, Platform, invoke_bytes, request_bytes
from benchmarks.soak import leftovers

SOURCE = "def handler(event, context):\n    return event\n"
SIZE = 24
"""Of the greatest burst, the first and the last: as many wait afterwards."""
_ALL_MIB = 10_240
_FUNCTIONS = "/2015-03-31/functions"


class Wrong(AssertionError):
    """An answer that nobody should have got."""


def health(platform: Platform) -> dict[str, Any]:
    """What the platform says of itself."""
    _, _, body = platform.connection.call(request_bytes("GET", "/_lambent/health"))
    return dict(json.loads(body))


def sandbox(platform: Platform) -> dict[str, Any]:
    """What it says of what waits."""
    return dict(health(platform)["sandbox"])


def rest(platform: Platform) -> None:
    """Waits until no environment works or is on its way: those may not be ended for another."""
    end_s = time.monotonic() + 30
    while time.monotonic() < end_s:
        found = health(platform)["environments"]
        if not found["busy"] and not found["starting"]:
            return
        time.sleep(0.02)


def publish(platform: Platform, name: str) -> bool:
    """A version with SnapStart; whether this host can do that."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("app.py", SOURCE)
    document = {
        "FunctionName": name,
        "Runtime": "python3.12",
        "Role": "arn:aws:iam::000000000000:role/soak",
        "Handler": "app.handler",
        "Timeout": 30,
        "Publish": True,
        "SnapStart": {"ApplyOn": "PublishedVersions"},
        "Code": {"ZipFile": base64.b64encode(archive.getvalue()).decode()},
    }
    data = request_bytes("POST", _FUNCTIONS, json.dumps(document).encode())
    status, _, _ = platform.connection.call(data)
    end_s = time.monotonic() + 60
    while status == 201 and time.monotonic() < end_s:
        path = f"{_FUNCTIONS}/{name}/configuration?Qualifier=1"
        _, _, body = platform.connection.call(request_bytes("GET", path))
        if json.loads(body)["State"] != "Pending":
            return bool(json.loads(body)["State"] == "Active")
        time.sleep(0.05)
    return False


def burst(platform: Platform, names: list[str]) -> None:
    """Each of them once, at the same time. Raises Wrong."""
    wrong: list[bytes] = []

    def work(name: str) -> None:
        status, head, body = Connection(platform.port).call(invoke_bytes(name, b'"fine"'))
        if status != 200 or body != b'"fine"' or b"Function-Error" in head:
            wrong.append(name.encode() + b": " + head[:12] + body[:200])

    threads = [threading.Thread(target=work, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if wrong:
        raise Wrong(f"{len(wrong)} of {len(names)}: {wrong[0].decode(errors='replace')}")


def create(platform: Platform, names: list[str]) -> None:
    """Functions that were never invoked."""
    for name in names:
        platform.create(name, SOURCE, memory_mib=128)


def delete(platform: Platform, names: list[str]) -> None:
    """Ends their environments too."""
    for name in names:
        platform.connection.call(request_bytes("DELETE", f"{_FUNCTIONS}/{name}"))


def kill_some(platform: Platform, draw: random.Random) -> None:
    """What works for nobody now: it waits, or is idle."""
    with suppress(OSError):
        pids = platform.environments()
        for pid in draw.sample(pids, min(len(pids), 3)):
            os.kill(pid, signal.SIGKILL)
    time.sleep(
        0.05
    )  # it has been heard of then; a request that is being handed over may fail, as on AWS


def counted(platform: Platform) -> dict[str, int]:
    """What there is; groups of whoever else is on this machine may go while it is looked at."""
    while True:
        with suppress(FileNotFoundError):
            return leftovers(platform.process.pid)


def greatest(platform: Platform, name: str) -> dict[str, int]:
    """After the greatest burst, when its environments are gone and as many wait: what there is."""
    for attempt in range(
        5
    ):  # on a busy machine its requests may come in two parts, which are two bursts
        names = [f"{name}{attempt}-{n}" for n in range(SIZE)]
        create(platform, names)
        burst(platform, names)
        delete(platform, names)
        now = settled(platform)
        if sandbox(platform)["stem_cells"] == SIZE:
            break
    return now


def settled(platform: Platform) -> dict[str, int]:
    """When nothing has changed for three seconds, and only what waits is alive; or after a minute."""
    end_s, steady, before, alive = time.monotonic() + 60, 0, dict[str, int](), -1
    while time.monotonic() < end_s and steady < 30:
        now, found = counted(platform), sandbox(platform)
        with suppress(OSError):
            alive = len(platform.environments())
        is_there = alive == found["stem_cells"] and found["templates"] == 0
        steady = steady + 1 if is_there and now == before else 0
        before = now
        time.sleep(0.1)
    return now


def soak(rounds: int) -> bool:
    """Runs it and prints what came of it."""
    draw = random.Random(4)
    with Platform(None, "--max-memory", str(_ALL_MIB + 1)) as platform:
        platform.create("all", SOURCE, memory_mib=_ALL_MIB)
        has_snap_start = publish(platform, "warm-snap")
        if has_snap_start:  # which starts what makes empty environments
            burst(platform, ["warm-snap:1"] * 4)
        delete(platform, ["warm-snap"])
        before = greatest(platform, "first")
        resident_mb, lives, most = platform.resident_bytes() / 1e6, 0, 0
        for number in range(rounds):
            names = [f"r{number}-{n}" for n in range(draw.randrange(1, SIZE))]
            create(platform, names)
            snap = [f"snap{number}"] if has_snap_start and not number % 4 else []
            snap = [name for name in snap if publish(platform, name)]
            burst(
                platform,
                names + [f"{name}:1" for name in snap for _ in range(draw.randrange(1, 12))],
            )
            lives += len(names)
            kill_some(platform, draw)
            if not number % 5:
                rest(platform)
                burst(platform, ["all"])
                found = sandbox(platform)
                assert found["templates"] == 0, found
            burst(platform, [f"{name}:1" for name in snap])
            time.sleep(draw.choice((0, 0.2, 1.5)))
            most = max(most, sandbox(platform)["stem_cells"])
            delete(platform, names + snap)
        delete(platform, ["all"])
        after = greatest(platform, "last")
        print(
            f"{rounds} rounds, {lives} functions, up to {most} stem cells; SnapStart {has_snap_start}"
        )
        print(f"before {before}\nafter  {after}")
        print(
            f"resident {resident_mb:.0f} MB before, {platform.resident_bytes() / 1e6:.0f} MB after"
        )
    return after == before


if __name__ == "__main__":
    sys.exit(0 if soak(int(sys.argv[1]) if len(sys.argv) > 1 else 60) else 1)
