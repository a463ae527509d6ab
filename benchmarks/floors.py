"""The floors beside which the platform is measured, in the same run on the same machine."""

import asyncio
import os
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable

from benchmarks.harness import Connection, free_port, invoke_bytes
from lambent.app import new_event_loop_factory
from lambent.http1.exchange import Exchange
from lambent.http1.server import HttpServer


def _serve_echo(port: int, max_body_bytes: int) -> None:
    def echo(exchange: Exchange) -> None:
        exchange.respond_raw(200, b"content-type: application/json\r\n", exchange.body)

    async def run() -> None:
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))
        await HttpServer(echo, max_body_bytes).listen(listener)
        await asyncio.Event().wait()

    with asyncio.Runner(loop_factory=new_event_loop_factory()) as runner:
        runner.run(run())


def with_echo(measure: Callable[[int], float], max_body_bytes: int = 1 << 20) -> float:
    """What ``measure(port)`` gives for a bare echo on the same HTTP stack."""
    port = free_port()
    pid = os.fork()
    if pid == 0:
        try:
            _serve_echo(port, max_body_bytes)
        finally:
            os._exit(0)
    try:
        for _ in range(1000):
            try:
                Connection(port).call(invoke_bytes("echo", b"{}"))
                break
            except OSError:
                time.sleep(0.005)
        return measure(port)
    finally:
        os.kill(pid, 9)
        os.waitpid(pid, 0)


def interpreter_start_ms(rounds: int = 20) -> float:
    """Median of ``python3 -I -c "import json"``, the interpreter functions run under."""
    times = []
    for _ in range(rounds):
        start_s = time.perf_counter()
        subprocess.run([sys.executable, "-I", "-c", "import json"], check=True)
        times.append((time.perf_counter() - start_s) * 1000)
    return statistics.median(times)
