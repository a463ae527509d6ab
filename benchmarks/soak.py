"""Thousands of environments, each ending in some way of its own; then what is left is counted.

    .venv/bin/python -m benchmarks.soak [LIVES]

Exits 1 when a process, cgroup, interface, mount or descriptor stayed behind, or an answer was not the expected
one.
"""

import json
import random
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

from benchmarks.harness import Connection, Platform, invoke_bytes, request_bytes

HANDLER = """
import ctypes, os, signal, subprocess, time
def handler(event, context):
    end = event["end"]
    if end == "exit": os._exit(event["code"])
    if end == "kill": os.kill(os.getpid(), signal.SIGKILL)
    if end == "segfault": ctypes.string_at(0)
    if end == "timeout": time.sleep(30)
    if end == "orphan":
        subprocess.Popen(["/bin/sleep", "100"], start_new_session=True)
        os._exit(1)
    if end == "memory": return len(bytearray(300 << 20))
    if end == "output": print("x" * (1 << 20))
    return "fine"
"""
ENDS = ("exit", "kill", "segfault", "orphan", "memory", "output", "update")
WORKERS = 8


def expected(end: str, head: bytes, body: bytes) -> bool:
    """Whether the answer is the one AWS would give."""
    if end in ("output", "update"):
        return body == b'"fine"' and b"Function-Error" not in head
    kind = json.loads(body).get("errorType")
    wanted = {"timeout": ("Sandbox.Timedout",), "memory": ("Runtime.OutOfMemory",)}
    return b"Unhandled" in head and kind in wanted.get(end, ("Runtime.ExitError",))


def update(connection: Connection, name: str) -> None:
    """A new configuration: the environments of the old one are retired."""
    body = json.dumps({"Description": str(time.time())}).encode()
    path = f"/2015-03-31/functions/{name}/configuration"
    status, _, answer = connection.call(request_bytes("PUT", path, body))
    assert status == 200, answer


def live(platform: Platform, name: str, count: int, seed: int, wrong: list[bytes]) -> None:
    """One worker: invocations of its own function, each ending in a way drawn at random."""
    draw = random.Random(seed)
    connection = Connection(platform.port)
    for number in range(count):
        end = "timeout" if number % 50 == 49 else draw.choice(ENDS)
        if end == "update":
            update(connection, name)
        event = json.dumps({"end": end, "code": draw.randrange(3)}).encode()
        status, head, body = connection.call(invoke_bytes(name, event))
        if status != 200 or not expected(end, head, body):
            wrong.append(end.encode() + b": " + head[:12] + body)


def interfaces(pid: int) -> int:
    """Those of the namespace the platform's zygotes live in, where an environment's would stay behind."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    found = {}
    for child in children:
        with suppress(OSError):  # it is just ending
            place = Path(f"/proc/{child}/ns/net").readlink()
            found[place] = len(Path(f"/proc/{child}/net/dev").read_text().splitlines())
    return sum(found.values())


def leftovers(pid: int) -> dict[str, int]:
    """What a platform could leak, counted."""
    groups = [p for p in Path("/sys/fs/cgroup").rglob(f"lambent-{pid}/*") if p.is_dir()]
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    grandchildren = [Path(f"/proc/{c}/task/{c}/children").read_text().split() for c in children]
    return {
        "processes": len(children) + sum(map(len, grandchildren)),
        "cgroups": len(groups),
        "interfaces": interfaces(pid),
        "mounts": len(Path(f"/proc/{pid}/mounts").read_text().splitlines()),
        "descriptors": sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir()),
    }


def settle(
    platform: Platform, names: list[str], goal: dict[str, int] | None = None
) -> dict[str, int]:
    """Deletes the functions and waits until what they had is given back, or a deadline."""
    for name in names:
        platform.connection.call(request_bytes("DELETE", f"/2015-03-31/functions/{name}"))
    end_s = time.monotonic() + 20
    while time.monotonic() < end_s:
        now = leftovers(platform.process.pid)
        if now == goal or (goal is None and not now["cgroups"]):
            break
        time.sleep(0.1)
    return now


def soak(lives: int) -> bool:
    """Runs it and prints what came of it."""
    wrong: list[bytes] = []
    # Filling 128 MB takes seconds at the 7% of a CPU that go with them, and stem cells are there to stay: here
    # it is about what is left.
    with Platform(None, "--no-cpu-limit", "--stem-cells", "0") as platform:
        names = [f"soak{n}" for n in range(WORKERS)]
        platform.create("first", HANDLER, 128, timeout_s=3)
        platform.connection.call(invoke_bytes("first", b'{"end": "none"}'))
        before = settle(platform, ["first"])
        resident_mb = platform.resident_bytes() / 1e6
        for name in names:
            platform.create(name, HANDLER, 128, timeout_s=3)
        start_s = time.perf_counter()
        threads = [
            threading.Thread(target=live, args=(platform, name, lives // WORKERS, seed, wrong))
            for seed, name in enumerate(names)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        elapsed_s = time.perf_counter() - start_s
        after = settle(platform, names, before)
        print(
            f"{lives} lives in {elapsed_s:.0f} s ({lives / elapsed_s:.0f}/s), {len(wrong)} wrong answers"
        )
        print(f"before {before}\nafter  {after}")
        print(
            f"resident {resident_mb:.0f} MB before, {platform.resident_bytes() / 1e6:.0f} MB after"
        )
    for answer in wrong[:5]:
        print(answer.decode(errors="replace"))
    return after == before and not wrong


if __name__ == "__main__":
    sys.exit(0 if soak(int(sys.argv[1]) if len(sys.argv) > 1 else 5000) else 1)
