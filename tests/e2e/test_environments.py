"""Execution environments as functions see them: reuse, freezing, concurrency, limits."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

COUNTING = """
    import itertools, os, pathlib, uuid
    count = itertools.count(1)
    me = uuid.uuid4().hex
    def handler(event, context):
        kept = pathlib.Path("/tmp/kept")
        before = kept.read_text() if kept.exists() else ""
        kept.write_text(before + "x")
        return {"count": next(count), "me": me, "kept": len(before), "pid": os.getpid()}
"""
WAITING = """
    import time, uuid
    me = uuid.uuid4().hex
    def handler(event, context):
        time.sleep(event)
        return me
"""


def test_globals_and_tmp_are_kept(deploy: Callable[..., Any], isolated: None) -> None:
    """Invocations one after the other find the same process, its globals and its /tmp."""
    function = deploy(COUNTING)
    answers = [function().payload for _ in range(4)]
    assert [answer["count"] for answer in answers] == [1, 2, 3, 4]
    assert [answer["kept"] for answer in answers] == [0, 1, 2, 3]
    assert len({answer["me"] for answer in answers}) == 1


def test_globals_are_kept(deploy: Callable[..., Any]) -> None:
    """Invocations one after the other run in one process, in any sandbox."""
    function = deploy("n = []\ndef handler(event, context): n.append(1); return len(n)")
    assert [function().payload for _ in range(3)] == [1, 2, 3]


def test_two_functions_share_nothing(deploy: Callable[..., Any], isolated: None) -> None:
    """The same code deployed twice has two processes and two /tmp."""
    first, second = deploy(COUNTING), deploy(COUNTING)
    first()
    assert second().payload["kept"] == 0


def test_twenty_events_at_once_use_twenty_environments(deploy: Callable[..., Any]) -> None:
    """An environment works on one event at a time: concurrent ones get one each."""
    function = deploy(WAITING, Timeout=20)
    with ThreadPoolExecutor(20) as threads:
        started_s = time.monotonic()
        seen = [answer.payload for answer in threads.map(function, [1.5] * 20)]
        took_s = time.monotonic() - started_s
    assert len(set(seen)) == 20
    assert took_s < 10
    assert function(0).payload in seen, "an idle one is used before another starts"


def test_a_burst_of_two_hundred_is_answered(deploy: Callable[..., Any]) -> None:
    """More events at once than anybody planned for: each is answered, none hangs."""
    function = deploy("def handler(event, context): return event", Timeout=30)
    with ThreadPoolExecutor(50) as threads:
        answers = list(threads.map(function, range(200)))
    assert [answer.payload for answer in answers] == list(range(200))


def test_new_code_replaces_environments(
    deploy: Callable[..., Any], zip_of: Callable[..., bytes]
) -> None:
    """After an update no invocation runs the old code, and one in work ends undisturbed."""
    function = deploy("import time\ndef handler(event, context): time.sleep(event); return 'old'")
    assert function(0).payload == "old"
    new = zip_of({"app.py": "def handler(event, context): return 'new'"})
    with ThreadPoolExecutor(1) as threads:
        working = threads.submit(function, 1)
        # The old code is at work once a second, concurrent invocation is answered by it.
        function(0.3)
        function.client.update_function_code(FunctionName=function.name, ZipFile=new)
        function.client.get_waiter("function_updated_v2").wait(FunctionName=function.name)
        assert {function(0).payload for _ in range(5)} == {"new"}
        assert working.result().payload == "old"


def test_new_configuration_replaces_environments(deploy: Callable[..., Any]) -> None:
    """A changed variable, memory size or timeout holds from the next invocation on."""
    function = deploy("""
        import os
        def handler(event, context):
            left = round(context.get_remaining_time_in_millis() / 1000)
            return [os.environ.get("COLOUR"), context.memory_limit_in_mb, left]
    """)
    assert function().payload == [None, "128", 10]
    function.client.update_function_configuration(
        FunctionName=function.name,
        Environment={"Variables": {"COLOUR": "red"}},
        MemorySize=256,
        Timeout=9,
    )
    function.client.get_waiter("function_updated_v2").wait(FunctionName=function.name)
    assert function().payload == ["red", "256", 9]


def test_background_threads_stand_still_between_invocations(deploy: Callable[..., Any]) -> None:
    """What a function leaves running makes no progress while there is no invocation."""
    function = deploy("""
        import threading, time
        ticks, last = 0, [0.0]
        def tick():
            global ticks
            while True:
                time.sleep(0.001)
                ticks += 1
                last[0] = time.time()
        threading.Thread(target=tick, daemon=True).start()
        def handler(event, context):
            at_once = ticks, last[0]
            time.sleep(event)
            return {"at_once": at_once, "ticks": ticks, "now": time.time()}
    """)
    clock = deploy("import time\ndef handler(event, context): time.sleep(event)")
    before = function(0.05).payload
    clock(1.0)
    after = function(0).payload
    assert before["ticks"] - before["at_once"][0] >= 10, "it ticks during an invocation"
    assert after["at_once"][0] - before["ticks"] < 100, "and not during the idle second"


def test_child_processes_stand_still_between_invocations(deploy: Callable[..., Any]) -> None:
    """A child process is frozen with its environment, and goes on at the next invocation."""
    function = deploy("""
        import os, subprocess, sys, tempfile, time
        path = tempfile.mkstemp()[1]
        loop = "import time\\nwhile True:\\n  open(%r, 'a').write('x')\\n  time.sleep(0.001)" % path
        child = subprocess.Popen([sys.executable, "-S", "-c", loop])
        while not os.path.getsize(path): time.sleep(0.001)
        def handler(event, context):
            first = os.path.getsize(path)
            time.sleep(event)
            return first, os.path.getsize(path)
    """)
    clock = deploy("import time\ndef handler(event, context): time.sleep(event)")
    first, then = function(0.05).payload
    clock(1.0)
    after, later = function(0.05).payload
    assert then - first > 5
    assert after - then < 100
    assert later > after


def test_tmp_is_as_large_as_configured(deploy: Callable[..., Any], isolated: None) -> None:
    """/tmp takes ``EphemeralStorage`` MiB and not one more, and deleting gives room back."""
    function = deploy(
        """
        import errno, os
        def handler(event, context):
            written = 0
            try:
                with open("/tmp/fill", "wb", buffering=0) as file:
                    while written < 2000:
                        file.write(bytes(1 << 20))
                        written += 1
            except OSError as error:
                return written, errno.errorcode[error.errno]
            finally:
                os.remove("/tmp/fill")
        """,
        EphemeralStorage={"Size": 520},
        MemorySize=1024,
        Timeout=20,
    )
    for _ in range(2):
        written, error = function().payload
        assert error == "ENOSPC"
        assert 515 <= written <= 520


def test_memory_up_to_the_limit_is_usable(deploy: Callable[..., Any]) -> None:
    """A function may use nearly all of its memory, and REPORT shows that it did."""
    function = deploy(
        "def handler(event, context): return len(b'x' * event)", MemorySize=256, Timeout=30
    )
    small = function(1)
    large = function(180 * 1024 * 1024)
    assert large.payload == 180 * 1024 * 1024
    used = [int(a.log.rpartition("Max Memory Used: ")[2].split()[0]) for a in (small, large)]
    assert 1 <= used[0] < 120
    assert 180 <= used[1] <= 256


def test_cpu_goes_with_memory(deploy: Callable[..., Any], isolated: None, platform: Any) -> None:
    """Initialisation has all there is; then 128 MB have some 7% of a CPU, and 1,769 MB a whole one."""
    if not platform.health["sandbox"]["isolation"]["cpu_limit"]:
        pytest.skip("no cpu controller is delegated to this user")
    source = """
        import time
        def burn(wall_s):
            start, cpu = time.perf_counter(), time.process_time()
            while time.perf_counter() < start + wall_s: pass
            return (time.process_time() - cpu) / (time.perf_counter() - start)
        AT_INIT = burn(0.3)
        def handler(event, context): return [AT_INIT, burn(0.8)]
    """
    little, whole = (deploy(source, MemorySize=m)().payload for m in (128, 1769))
    assert 0.02 < little[1] < 0.12
    assert little[0] > 2 * little[1], "though other tests take CPU meanwhile"
    assert whole[1] > 2 * little[1]
