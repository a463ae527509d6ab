"""Functions that turn on what forks them: nothing is joined without an order, and no capability is kept."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from botocore.exceptions import ClientError

SNAP_START = {"ApplyOn": "PublishedVersions"}

PROBES = """
    import ctypes, errno, os
    libc = ctypes.CDLL(None, use_errno=True)
    JOIN = 0x10000000 | 0x20000 | 0x20000000 | 0x40000000 | 0x8000000 | 0x4000000

    def said(call, *arguments):
        ctypes.set_errno(0)
        return ctypes.get_errno() if call(*arguments) < 0 else 0

    def probe():
        me = os.pidfd_open(os.getpid())
        try:
            return {
                "join": said(libc.setns, me, JOIN),
                "user": said(libc.setns, me, 0x10000000),
                "unshare": said(libc.unshare, 0x10000000),
                "clone": said(libc.syscall, 56, 0x10000000 | 17, 0, 0, 0, 0),
                "mount": said(libc.mount, b"none", b"/tmp", b"tmpfs", 0, None),
                "raw": said(libc.socket, 2, 3, 1),
                "packet": said(libc.socket, 17, 3, 0),
                "netfilter": said(libc.socket, 16, 3, 12),
            }
        finally:
            os.close(me)

    AT_INIT = probe()
    def handler(event, context):
        return [AT_INIT, probe()]
"""

# A thread of the template's looks for who can be written to and has no filter, whenever the template may run.
LURKS = """
    import json, os, threading
    found = set()
    def look(pid):
        try:
            os.close(os.open(f"/proc/{pid}/mem", os.O_RDWR))
            with open(f"/proc/{pid}/status") as file:
                filtered = [line for line in file if line.startswith("Seccomp:")][0].split()[1] == "2"
            if not filtered:
                found.add(pid)
                with open("/tmp/found", "w") as file:
                    json.dump(sorted(found), file)
        except (OSError, IndexError):
            pass
    def lurk():
        with open("/tmp/lurking", "w") as file:
            while True:
                os.pwrite(file.fileno(), b"yes", 0)
                for pid in os.listdir("/proc"):
                    if pid.isdigit() and int(pid) != os.getpid():
                        look(pid)
    threading.Thread(target=lurk, daemon=True).start()
    def handler(event, context):
        import time
        time.sleep(0.2)
        seen = open("/tmp/found").read() if os.path.exists("/tmp/found") else "[]"
        return [open("/tmp/lurking").read(), json.loads(seen)]
"""

TAMPER = """
    import os, sys, time
    client = sys.modules["awslambdaric.lambda_runtime_client"]
    platform = client.BaseLambdaRuntimeClient.restore_next.__globals__["serve"].__globals__
    calls = platform["sys_"]
    fork_copy = calls.fork_copy
    drop = calls.drop_capabilities

    {tampering}

    def handler(event, context):
        return open("/proc/self/status").read()
"""

TAMPERING = {
    "it keeps its capabilities": "calls.drop_capabilities = lambda: None",
    "a thread keeps them": """
    import threading
    def drop_here_only():
        threading.Thread(target=time.sleep, args=(30,), daemon=True).start()
        drop()
    calls.drop_capabilities = drop_here_only
    """,
    "a child keeps them": """
    def fork_twice():
        pid = fork_copy()
        if pid == 0 and os.fork() == 0:
            time.sleep(30)
            os._exit(0)
        return pid
    calls.fork_copy = fork_twice
    """,
    "who forked it keeps them": """
    def fork_and_stay():
        pid = fork_copy()
        if pid:
            time.sleep(30)
        return pid
    calls.fork_copy = fork_and_stay
    """,
    "it does not join": "calls.setns = lambda *_: None",
    "it never answers": "calls.setns = lambda *_: time.sleep(60)",
}


def publish(client: Any, function: Any) -> None:
    """Version 1, Active."""
    client.publish_version(FunctionName=function.name)
    client.get_waiter("published_version_active").wait(
        FunctionName=function.name, Qualifier="1", WaiterConfig={"Delay": 0.1}
    )


@pytest.fixture
def deployed(client: Any, deploy: Callable[..., Any], snap_start: None) -> Callable[[str], Any]:
    """A function with SnapStart, and version 1 of it."""

    def make(source: str) -> Any:
        function = deploy(source, Runtime="python3.12", SnapStart=SNAP_START, Timeout=20)
        publish(client, function)
        return function

    return make


def test_nothing_is_joined_or_made_without_an_order(
    deployed: Callable[[str], Any], bystander: Callable[[], None]
) -> None:
    """Neither while it initialises nor in an environment does a function get a namespace or a capability."""
    answer = deployed(PROBES)(Qualifier="1")
    at_init, later = answer.payload
    for seen in (at_init, later):
        denied = ("join", "user", "unshare", "clone", "mount", "raw", "netfilter")
        assert {name: seen[name] for name in denied} == dict.fromkeys(denied, 1)
        assert seen["packet"] == 97
    bystander()


def test_a_template_gets_at_nobody_who_is_not_filtered(deployed: Callable[[str], Any]) -> None:
    """Whoever makes an environment in the template's pid namespace is out of its reach while they are powerful."""
    function = deployed(LURKS)
    for _ in range(6):
        with ThreadPoolExecutor(6) as pool:
            answers = list(pool.map(lambda _: function(Qualifier="1"), range(6)))
        assert [answer.payload for answer in answers] == [["yes", []]] * 6


@pytest.mark.parametrize("tampering", TAMPERING)
def test_a_fork_that_is_not_what_it_should_be_is_never_used(
    deployed: Callable[[str], Any], tampering: str, bystander: Callable[[], None]
) -> None:
    """The platform looks before it sends anything: the template and all of it end, others go on."""
    source = TAMPER.format(tampering=TAMPERING[tampering])
    function = deployed(source)
    with pytest.raises(ClientError) as refused:
        function(Qualifier="1")
    assert refused.value.response["Error"]["Code"] == "ServiceException"
    assert "did not fork" in refused.value.response["Error"]["Message"]
    bystander()
