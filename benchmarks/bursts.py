"""Bursts of cold starts in a row, with environments made ahead as they were wanted and with two, in turns.

    .venv/bin/python -m benchmarks.bursts [--size N] [--bursts N] [--rounds N]

Each function is invoked once, all of a burst at once by a thread each; between bursts nothing happens for as long
as making them ahead may take. Says how long a burst took until its last answer, how many waited for it, and what
the idle platform holds.
"""

import argparse
import json
import statistics
import threading
import time
from typing import Any

from benchmarks.harness import Connection, Platform, invoke_bytes, request_bytes
from benchmarks.lifecycle import ECHO

PAUSE_S = 6.0
OPTIONS = {"auto": ("--stem-cells", "auto"), "two": ("--stem-cells", "2")}


def health(platform: Platform) -> dict[str, Any]:
    """What the platform says of itself."""
    _, _, body = platform.connection.call(request_bytes("GET", "/_lambent/health"))
    return dict(json.loads(body))


def waiting(platform: Platform) -> int:
    """How many stem cells there are."""
    return int(health(platform)["sandbox"]["stem_cells"])


def burst_ms(port: int, names: list[str]) -> float:
    """All of them at once: from the first request to the last answer."""
    connections = [Connection(port) for _ in names]
    ready, errors = threading.Barrier(len(names) + 1), list[bytes]()

    def work(connection: Connection, name: str) -> None:
        data = invoke_bytes(name, b'{"n": 1}')
        ready.wait()
        status, _, body = connection.call(data)
        if status != 200:
            errors.append(body)

    threads = [
        threading.Thread(target=work, args=pair) for pair in zip(connections, names, strict=True)
    ]
    for thread in threads:
        thread.start()
    ready.wait()
    start_s = time.perf_counter()
    for thread in threads:
        thread.join()
    took_ms = (time.perf_counter() - start_s) * 1000
    assert not errors, errors[0]
    return took_ms


def available_mb() -> float:
    """Of the machine."""
    with open("/proc/meminfo") as file:
        found = dict(line.split(":") for line in file)
    return int(found["MemAvailable"].split()[0]) / 1000


def measure(size: int, bursts: int, rounds: int) -> None:
    """Runs it and prints it."""
    took: dict[str, list[list[float]]] = {kind: [] for kind in OPTIONS}
    for number in range(rounds):
        for kind, options in OPTIONS.items():
            with Platform(None, *options) as platform:
                lots = [[f"b{n}-{k}" for k in range(size)] for n in range(bursts)]
                for lot in lots:
                    for name in lot:
                        platform.create(name, ECHO, memory_mib=128)
                time.sleep(1)
                found = []
                for lot in lots:
                    before = waiting(platform)
                    found.append(burst_ms(platform.port, lot))
                    for name in lot:  # so that each finds the machine as the one before it did
                        path = f"/2015-03-31/functions/{name}"
                        platform.connection.call(request_bytes("DELETE", path))
                    time.sleep(PAUSE_S)
                    print(f"round {number} {kind}: {found[-1]:.0f} ms, {before} waited")
                took[kind].append(found)
                cells, free_mb = waiting(platform), available_mb()
            time.sleep(1)
            held_mb = available_mb() - free_mb
            print(f"round {number} {kind}: with {cells} waiting the platform held {held_mb:.0f} MB")
    for kind, rows in took.items():
        medians = [statistics.median(row[n] for row in rows) for n in range(bursts)]
        print(f"{kind}: " + ", ".join(f"{median:.0f}" for median in medians) + " ms (medians)")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=100)
    parser.add_argument("--bursts", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=3)
    chosen = parser.parse_args()
    measure(chosen.size, chosen.bursts, chosen.rounds)
