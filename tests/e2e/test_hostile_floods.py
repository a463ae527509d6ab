"""Functions that use up whatever there is: processes, output, files, time. Others do not notice."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any


def test_a_fork_bomb(
    deploy: Callable[..., Any], isolated: None, bystander: Callable[[], None]
) -> None:
    """Processes are limited, and all of them go when the function runs into its timeout."""
    function = deploy(
        """
        import os
        def handler(event, context):
            if event == "ok": return "fine"
            while True:
                try: os.fork()
                except OSError: pass
        """,
        Timeout=2,
    )
    with ThreadPoolExecutor(1) as threads:
        bomb = threads.submit(function, "bomb")
        for _ in range(3):
            bystander()
        answer = bomb.result()
    assert answer.error == "Unhandled"
    assert answer.payload["errorType"] in ("Sandbox.Timedout", "Runtime.OutOfMemory")
    assert function("ok").payload == "fine"
    bystander()


def test_processes_and_threads_are_limited(deploy: Callable[..., Any], isolated: None) -> None:
    """An environment has at most 1,024 processes and threads, as on AWS, again and again."""
    function = deploy(
        """
        import threading
        def handler(event, context):
            over, started = threading.Event(), []
            try:
                while len(started) < 1200:
                    thread = threading.Thread(target=over.wait)
                    thread.start()
                    started.append(thread)
            except RuntimeError: pass
            over.set()
            for thread in started: thread.join()
            return len(started)
        """,
        Timeout=30,
        MemorySize=512,
    )
    for _ in range(2):
        assert 900 < function().payload < 1024


def test_a_flood_of_output(
    deploy: Callable[..., Any], platform: Any, bystander: Callable[[], None]
) -> None:
    """A hundred megabytes of output are cut with a word about it, and held in no memory."""
    function = deploy(
        """
        import os
        def handler(event, context):
            block = (b"y" * 99 + b"\\n") * 10_000
            for _ in range(event): os.write(1, block)
            os.write(1, b"no newline " * 500_000)
            return "done"
        """,
        Timeout=30,
    )
    before_mib = platform.rss_mib()
    with ThreadPoolExecutor(1) as threads:
        flood = threads.submit(function, 100)
        for _ in range(3):
            bystander()
        answer = flood.result()
    assert answer.payload == "done"
    assert platform.rss_mib() - before_mib < 150
    assert function(0).payload == "done"
    bystander()


def test_a_flood_of_small_writes(deploy: Callable[..., Any], bystander: Callable[[], None]) -> None:
    """Endless small lines neither save a function from its timeout nor hold up another."""
    function = deploy(
        "import os\ndef handler(event, context):\n while True: os.write(1, b'x\\n')", Timeout=1
    )
    slowest_s = 0.0
    with ThreadPoolExecutor(1) as threads:
        flood = threads.submit(function)
        while not flood.done():
            started_s = time.monotonic()
            bystander()
            slowest_s = max(slowest_s, time.monotonic() - started_s)
    assert flood.result().payload["errorType"] == "Sandbox.Timedout"
    assert slowest_s < 1


def test_filling_tmp(
    deploy: Callable[..., Any], isolated: None, bystander: Callable[[], None]
) -> None:
    """Files in /tmp count as the function's memory and end there, not on the host."""
    function = deploy(
        """
        import os
        def handler(event, context):
            if event == "ok": return "fine"
            n = 0
            while True:
                with open(f"/tmp/{n}", "wb") as file: file.write(bytes(8 << 20))
                n += 1
        """,
        Timeout=15,
    )
    answer = function("fill")
    assert answer.error == "Unhandled"
    assert answer.payload["errorType"] in ("Runtime.OutOfMemory", "OSError")
    assert function("ok").payload == "fine"
    bystander()


def test_a_huge_answer(
    deploy: Callable[..., Any], platform: Any, bystander: Callable[[], None]
) -> None:
    """An answer of 200 MB is refused without being held."""
    function = deploy(
        "def handler(event, context): return 'x' * event", MemorySize=2048, Timeout=30
    )
    before_mib = platform.rss_mib()
    answer = function(200 * 1024 * 1024)
    assert answer.payload["errorType"] == "Function.ResponseSizeTooLarge"
    assert platform.rss_mib() - before_mib < 60
    assert function(1).payload == "x"
    bystander()


def test_sockets_and_files_until_there_are_no_more(
    deploy: Callable[..., Any], isolated: None, bystander: Callable[[], None]
) -> None:
    """Open files are limited to AWS's 1,024; running out of them is the function's own trouble."""
    function = deploy(
        """
        import os, socket
        def handler(event, context):
            held = []
            try:
                while len(held) < 5000: held.append(socket.socket())
            except OSError as error:
                return len(held), error.strerror
        """
    )
    count, reason = function().payload
    assert 900 < count < 1024
    assert reason == "Too many open files"
    assert function().payload[0] == count
    bystander()


def test_a_function_that_ignores_everything_is_still_ended(
    deploy: Callable[..., Any], isolated: None, bystander: Callable[[], None]
) -> None:
    """Signals ignored, children in new sessions, a stopped runtime: the timeout ends it all."""
    function = deploy(
        """
        import os, signal, time
        def handler(event, context):
            if event == "ok": return "fine"
            for number in range(1, 65):
                try: signal.signal(number, signal.SIG_IGN)
                except (OSError, ValueError): pass
            if os.fork() == 0:
                os.setsid()
                while True: time.sleep(1)
            while True: os.kill(os.getpid(), signal.SIGSTOP)
        """,
        Timeout=1,
    )
    assert function("stop").payload["errorType"] == "Sandbox.Timedout"
    assert function("ok").payload == "fine"
    bystander()
