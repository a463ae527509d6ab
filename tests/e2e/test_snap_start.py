"""SnapStart with boto3: a version is initialised once, its environments are forked from that state."""

import io
import json
import os
import re
import signal
import textwrap
import time
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from tests.e2e.conftest import needs_snap_start

SNAP_START = {"ApplyOn": "PublishedVersions"}
RUNTIME = "python3.12"
ROLE = "arn:aws:iam::000000000000:role/e2e"

SHOWS = """
    import json, os, random, ssl, sys, tempfile, time, urllib.request
    from snapshot_restore_py import register_after_restore, register_before_snapshot

    MADE_AT = time.time()
    ORDER = []
    NUMBER = random.random()
    with open("/tmp/made-at-init", "w") as file:
        file.write("by init")
    OPEN = open("/tmp/open-at-init", "w+")
    OPEN.write("abc")
    OPEN.flush()
    print("initialising")

    register_before_snapshot(ORDER.append, "before 1")
    register_before_snapshot(ORDER.append, "before 2")
    register_after_restore(ORDER.append, "after 1")
    register_after_restore(ORDER.append, "after 2")

    def handler(event, context):
        time.sleep(event.get("sleep", 0))
        OPEN.write(event.get("write", ""))
        OPEN.seek(0)
        with open("/tmp/own", "a") as file:
            file.write("x")
        return {
            "made_at": MADE_AT, "order": ORDER, "number": NUMBER, "random": random.random(),
            "ssl": ssl.RAND_bytes(8).hex(), "pid": os.getpid(), "uid": os.getuid(),
            "type": os.environ["AWS_LAMBDA_INITIALIZATION_TYPE"], "key": os.environ["AWS_ACCESS_KEY_ID"],
            "stream": os.environ["AWS_LAMBDA_LOG_STREAM_NAME"], "context": context.log_stream_name,
            "tmp": sorted(os.listdir("/tmp")), "own": os.path.getsize("/tmp/own"),
            "content": open("/tmp/made-at-init").read(), "open": OPEN.read(),
            "processes": sorted(int(p) for p in os.listdir("/proc") if p.isdigit()),
            "status": [l for l in open("/proc/self/status") if l.startswith(("Cap", "NoNew", "Seccomp:"))],
            "remaining": context.get_remaining_time_in_millis(),
        }
"""


@pytest.fixture
def publish(client: Any, deploy: Callable[..., Any], snap_start: None) -> Callable[..., Any]:
    """Deploys with SnapStart and publishes; the function, invoked by its version 1."""

    def make(source: Any, **settings: Any) -> Any:
        function = deploy(source, Runtime=RUNTIME, SnapStart=SNAP_START, **settings)
        published = client.publish_version(FunctionName=function.name)
        assert published["State"] == "Pending"
        client.get_waiter("published_version_active").wait(
            FunctionName=function.name, Qualifier="1", WaiterConfig={"Delay": 0.1}
        )
        return lambda event=None, **more: function(event or {}, Qualifier="1", **more)

    return make


def simultaneously(invoke: Callable[..., Any], count: int, **event: Any) -> list[Any]:
    """The payloads of that many invocations at once, each in an environment of its own."""
    with ThreadPoolExecutor(count) as pool:
        answers = list(pool.map(lambda _: invoke({"sleep": 0.5} | event), range(count)))
    assert [a.error for a in answers] == [None] * count, [a.raw for a in answers]
    return [a.payload for a in answers]


def test_a_version_is_initialised_once_for_all_its_environments(publish: Any) -> None:
    """State made at init is the same in each, and so are the hooks' order and files in /tmp; no secret is."""
    invoke = publish(SHOWS)
    seen = simultaneously(invoke, 4, write="d")
    assert len({one["made_at"] for one in seen}) == 1
    assert len({one["number"] for one in seen}) == 1
    for name in ("random", "ssl", "key", "stream"):
        assert len({json.dumps(one[name]) for one in seen}) == 4, name
    for one in seen:
        assert one["order"] == ["before 2", "before 1", "after 1", "after 2"]
        assert one["type"] == "snap-start"
        assert one["tmp"] == ["made-at-init", "open-at-init", "own"]
        assert (one["content"], one["own"], one["open"]) == ("by init", 1, "abcd")
        assert one["processes"] == [1, one["pid"]]
        assert all(int(line.split()[1], 16) == 0 for line in one["status"] if line[:3] == "Cap")
        assert 0 < one["remaining"] <= 10_000


def test_reports_are_as_aws_writes_them(publish: Any, client: Any, logs: Any) -> None:
    """RESTORE_START and RESTORE_REPORT stand before START; REPORT has both durations, once."""
    invoke = publish(SHOWS)
    first, second = invoke(), invoke()
    pattern = (
        r"REPORT RequestId: \S+\tDuration: ([\d.]+) ms\tBilled Duration: (\d+) ms\tMemory Size: 128 MB\t"
        r"Max Memory Used: \d+ MB\tRestore Duration: ([\d.]+) ms\tBilled Restore Duration: (\d+) ms\t\n"
    )
    found = re.search(pattern, first.log)
    assert found, first.log
    billed = -(-round(float(found[1]) * 100) // 100) + int(found[4])
    assert int(found[2]) == billed
    assert float(found[3]) > 0
    assert "Restore" not in second.log
    assert "Init Duration" not in first.log


def test_what_is_shown_says_whether_it_is_on(client: Any, publish: Any, deploy: Any) -> None:
    """ApplyOn is the function's; OptimizationStatus is On for the version, Off for $LATEST."""
    publish(SHOWS)
    shown = client.list_functions(FunctionVersion="ALL")["Functions"]
    statuses = {f["Version"]: f["SnapStart"] for f in shown if f["Runtime"] == RUNTIME}
    assert statuses["$LATEST"] == {"ApplyOn": "PublishedVersions", "OptimizationStatus": "Off"}
    assert statuses["1"] == {"ApplyOn": "PublishedVersions", "OptimizationStatus": "On"}


def test_an_event_loop_made_at_init_works_in_each_environment(publish: Any) -> None:
    """What wakes it is each environment's own: it runs, hears its threads, and is not woken by its siblings."""
    invoke = publish(
        """
        import asyncio, os, threading, time
        LOOP = asyncio.new_event_loop()
        LOOP.run_until_complete(asyncio.sleep(0))
        READER, WRITER = os.pipe()
        COUNTER = os.eventfd(2)

        async def work(number):
            heard = LOOP.create_future()
            def tell():
                time.sleep(0.2)
                LOOP.call_soon_threadsafe(heard.set_result, number)
            threading.Thread(target=tell).start()
            result = await heard
            server = await asyncio.start_server(lambda r, w: w.close(), "127.0.0.1", 0)
            reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
            assert await reader.read() == b""
            writer.close(); server.close()
            return result

        def handler(event, context):
            used = time.process_time()
            os.write(WRITER, context.aws_request_id.encode())
            result = LOOP.run_until_complete(work(context.aws_request_id))
            return [result, os.read(READER, 99).decode(), context.aws_request_id,
                    os.eventfd_read(COUNTER), time.process_time() - used]
        """,
        Timeout=10,
        MemorySize=1769,
    )
    for heard, read, request_id, counted, used_s in simultaneously(invoke, 3):
        assert heard == read == request_id
        assert counted == 2
        assert used_s < 0.15, "it was woken for nothing"


def test_latest_is_not_restored(client: Any, deploy: Any, snap_start: None) -> None:
    """Only published versions start from a snapshot."""
    function = deploy(
        "import os\ndef handler(e, c): return os.environ['AWS_LAMBDA_INITIALIZATION_TYPE']",
        Runtime=RUNTIME,
        SnapStart=SNAP_START,
    )
    answer = function()
    assert answer.payload == "on-demand"
    assert "Restore" not in answer.log


def test_a_function_that_cannot_be_initialised_has_a_failed_version(
    client: Any, deploy: Any, snap_start: None, poll: Any
) -> None:
    """The version says so; $LATEST is untouched, and invoking the version is a conflict."""
    function = deploy("raise ValueError('no')", Runtime=RUNTIME, SnapStart=SNAP_START)
    client.publish_version(FunctionName=function.name)

    def state() -> Any:
        shown = client.get_function_configuration(FunctionName=function.name, Qualifier="1")
        return shown if shown["State"] != "Pending" else None

    shown = poll(state, 10, "the version to settle")
    assert (shown["State"], shown["StateReasonCode"]) == ("Failed", "FunctionError")
    assert shown["StateReason"] == "An error occurred during function initialization."
    with pytest.raises(ClientError) as refused:
        function(Qualifier="1")
    assert refused.value.response["Error"]["Code"] == "ResourceConflictException"


@pytest.mark.parametrize(
    ("hook", "code", "status"),
    [
        ("raise ValueError('after')", "SnapStartException", 400),
        ("import os; os._exit(3)", "SnapStartException", 400),
    ],
)
def test_a_failing_hook_after_being_restored_fails_the_request(
    publish: Any, hook: str, code: str, status: int
) -> None:
    """AWS's error, not a function error."""
    invoke = publish(
        f"""
        from snapshot_restore_py import register_after_restore
        @register_after_restore
        def fail():
            {hook}
        def handler(event, context): return 1
        """
    )
    with pytest.raises(ClientError) as refused:
        invoke()
    error = refused.value.response
    assert error["Error"]["Code"] == code
    assert error["ResponseMetadata"]["HTTPStatusCode"] == status


def test_siblings_neither_see_nor_signal_nor_read_each_other(publish: Any) -> None:
    """Each is alone in its namespaces: processes, /tmp, network, memory."""
    invoke = publish(
        """
        import os, socket, time
        LISTENER = socket.socket()
        def handler(event, context):
            seen = {}
            with open("/tmp/secret", "w") as file:
                file.write(context.aws_request_id)
            server = socket.socket()
            server.bind(("0.0.0.0", 7777))
            server.listen()
            time.sleep(0.5)
            for pid in range(2, 33000):
                if pid == os.getpid():
                    continue
                try:
                    os.kill(pid, 0)
                    seen[pid] = "there"
                except ProcessLookupError:
                    pass
            return {"seen": seen, "tmp": os.listdir("/tmp"), "me": open("/tmp/secret").read(),
                    "id": context.aws_request_id,
                    "namespaces": {n: os.readlink(f"/proc/self/ns/{n}") for n in
                                   ("user", "mnt", "pid", "net", "ipc", "uts")}}
        """,
        Timeout=20,
    )
    seen = simultaneously(invoke, 3)
    for one in seen:
        assert one["seen"] == {}
        assert one["tmp"] == ["secret"]
        assert one["me"] == one["id"]
    for name in seen[0]["namespaces"]:
        assert len({one["namespaces"][name] for one in seen}) == 3, name


def children(platform: Any) -> set[int]:
    """The platform's own: zygotes, environments that were not forked from a template, and templates."""
    tasks = Path(f"/proc/{platform.pid}/task").glob("*/children")
    return {int(pid) for path in tasks for pid in path.read_text().split()}


def held(platform: Any) -> dict[str, int]:
    """What a template and its forks are made of: descriptors, cgroups, and processes that hold its namespaces."""
    roots = [*Path("/sys/fs/cgroup").glob(f"lambent-{platform.pid}"),
             *Path("/sys/fs/cgroup").glob(f"*/lambent-{platform.pid}")]  # fmt: skip
    return {
        "descriptors": len(list(Path(f"/proc/{platform.pid}/fd").iterdir())),
        "processes": len(platform.processes()),
        "groups": sum(entry.is_dir() for root in roots for entry in os.scandir(root)),
    }


def publish_on(
    one: Any, source: str, name: str = "f", client: Any = None, **settings: Any
) -> Callable[..., Any]:
    """Deploys to this platform and publishes; invokes version 1."""
    client = client or one.client("lambda")
    code = io.BytesIO()
    with zipfile.ZipFile(code, "w") as archive:
        archive.writestr("app.py", textwrap.dedent(source))
    client.create_function(
        FunctionName=name, Runtime=RUNTIME, Role=ROLE, Handler="app.handler", Code={"ZipFile": code.getvalue()},
        SnapStart=SNAP_START, Publish=True, **settings,
    )  # fmt: skip
    waiter = client.get_waiter("published_version_active")
    waiter.wait(FunctionName=name, Qualifier="1", WaiterConfig={"Delay": 0.1})

    def invoke(event: Any = None) -> Any:
        answer = client.invoke(
            FunctionName=name, Qualifier="1", Payload=json.dumps(event or {}).encode()
        )
        assert "FunctionError" not in answer, answer["Payload"].read()
        return json.load(answer["Payload"])

    return invoke


def test_nothing_is_left_of_a_deleted_version(start_platform: Any, poll: Any) -> None:
    """Template, forks, those made ahead: processes, cgroups, namespaces and descriptors go with it."""
    one = start_platform()
    needs_snap_start(one)
    client = one.client("lambda")  # one for all: its connections are the same before and after
    invoke = publish_on(one, SHOWS, "warm-up", client)
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(lambda _: invoke({"sleep": 0.2}), range(3)))
    client.delete_function(FunctionName="warm-up")

    def rests() -> bool:
        now = held(one)
        time.sleep(0.3)  # what was on its way to wait has no group, and goes a moment later
        return now["groups"] == 0 and held(one) == now

    poll(rests, 10, "the first to go")
    before = held(one)
    for number in range(3):
        invoke = publish_on(one, SHOWS, f"f{number}", client)
        with ThreadPoolExecutor(3) as pool:
            list(pool.map(lambda _: invoke({"sleep": 0.2}), range(3)))  # noqa: B023 - used up here
        client.delete_function(FunctionName=f"f{number}")
    try:
        poll(lambda: held(one) == before, 10, f"{before} to be all there is again")
    finally:
        assert held(one) == before


def test_a_template_that_is_killed_takes_nobody_along_and_is_made_again(
    start_platform: Any, poll: Any
) -> None:
    """Its forks go on, one works even; the next environment is forked from a new one."""
    one = start_platform()
    needs_snap_start(one)
    before = children(one)
    invoke = publish_on(one, SHOWS)
    made = children(one) - before  # as root also the zygote that makes what is forked into
    (template,) = [
        pid for pid in made if Path(f"/proc/{pid}").stat().st_uid != os.geteuid()
    ] or made
    first = invoke()
    with ThreadPoolExecutor(4) as pool:
        working = pool.submit(invoke, {"sleep": 1})
        time.sleep(0.3)
        os.kill(template, signal.SIGKILL)
        assert working.result()["made_at"] == first["made_at"]
        assert invoke()["made_at"] == first["made_at"]
        again = list(pool.map(lambda _: invoke({"sleep": 0.5}), range(3)))
    assert len({answer["made_at"] for answer in again}) == 2


def test_a_platform_that_starts_again_initialises_versions_when_they_are_needed(
    start_platform: Any, tmp_path: Any
) -> None:
    """A version published before is restored from a snapshot made anew."""
    one = start_platform(tmp_path / "data")
    needs_snap_start(one)
    made_at = publish_on(one, SHOWS)()["made_at"]
    one.stop()
    two = start_platform(tmp_path / "data")
    answer = two.client("lambda").invoke(FunctionName="f", Qualifier="1")
    payload = json.load(answer["Payload"])
    assert payload["made_at"] > made_at
    assert payload["type"] == "snap-start"


def test_killing_the_platform_leaves_no_process(start_platform: Any, poll: Any) -> None:
    """Template, guard, forks and what was made ahead die with it."""
    one = start_platform()
    needs_snap_start(one)
    invoke = publish_on(one, SHOWS)
    invoke()
    time.sleep(0.3)
    os.kill(one.pid, signal.SIGKILL)
    poll(lambda: not one.processes(), 5, "nobody to be left")


def test_json_logs_have_the_records_of_a_restore(
    client: Any, publish: Any, logs: Any, poll: Any
) -> None:
    """restoreStart, restoreRuntimeDone, restoreReport, and the durations in platform.report."""
    levels = {"LogFormat": "JSON", "SystemLogLevel": "DEBUG"}
    invoke = publish(SHOWS, LoggingConfig=levels)
    first = invoke()
    name = json.loads(first.raw)["context"]
    assert name
    records = [json.loads(line) for line in first.log.splitlines() if line.startswith("{")]
    report = next(r["record"] for r in records if r["type"] == "platform.report")
    assert report["metrics"]["restoreDurationMs"] > 0
    group = poll(lambda: group_with(logs, name), 5, "its log group")

    def kinds() -> set[str]:
        events = logs.filter_log_events(logGroupName=group)["events"]
        return {json.loads(e["message"])["type"] for e in events if "platform." in e["message"]}

    wanted = {"platform.restoreStart", "platform.restoreRuntimeDone", "platform.restoreReport",
              "platform.initStart", "platform.initReport"}  # fmt: skip
    poll(lambda: wanted <= kinds(), 5, "the records")


def group_with(logs: Any, stream: str) -> str | None:
    """The log group that has this stream, if any has it yet."""
    pages = logs.get_paginator("describe_log_groups").paginate()
    groups = [group["logGroupName"] for page in pages for group in page["logGroups"]]
    return next((group for group in groups if stream in stream_names(logs, group)), None)


def stream_names(logs: Any, group: str) -> set[str]:
    """The streams of a group."""
    return {s["logStreamName"] for s in logs.describe_log_streams(logGroupName=group)["logStreams"]}


def test_a_hook_that_takes_too_long_fails_the_request(publish: Any) -> None:
    """AWS: ten seconds for being restored, hooks included."""
    invoke = publish(
        """
        import time
        from snapshot_restore_py import register_after_restore
        register_after_restore(time.sleep, 60)
        def handler(event, context): return 1
        """
    )
    with pytest.raises(ClientError) as refused:
        invoke()
    error = refused.value.response
    assert error["Error"]["Code"] == "SnapStartTimeoutException"
    assert (
        error["Error"]["Message"]
        == "Lambda couldn't restore the snapshot within the timeout limit."
    )
    assert error["ResponseMetadata"]["HTTPStatusCode"] == 408


@pytest.mark.parametrize(
    ("settings", "code", "text"),
    [
        ({"Runtime": "python3.11"}, "InvalidParameterValueException",
         "python3.11 is not supported for SnapStart enabled functions."),
        ({"EphemeralStorage": {"Size": 513}}, "InvalidParameterValueException", "SnapStart"),
        ({"Environment": {"Variables": {"AWS_LAMBDA_EXEC_WRAPPER": "/opt/w"}}},
         "NotImplementedException", "AWS_LAMBDA_EXEC_WRAPPER"),
    ],
)  # fmt: skip
def test_what_does_not_go_with_snap_start_is_refused(
    deploy: Any, settings: dict[str, Any], code: str, text: str
) -> None:
    """AWS's refusals are AWS's, what is not there yet says so."""
    with pytest.raises(ClientError, match=re.escape(text)) as refused:
        deploy(
            "def handler(e, c): pass", **({"Runtime": RUNTIME, "SnapStart": SNAP_START} | settings)
        )
    assert refused.value.response["Error"]["Code"] == code


def test_provisioned_concurrency_does_not_go_with_snap_start(
    client: Any, deploy: Any, snap_start: None
) -> None:
    """AWS refuses it for a version with SnapStart."""
    function = deploy("def handler(e, c): pass", Runtime=RUNTIME, SnapStart=SNAP_START)
    client.publish_version(FunctionName=function.name)
    with pytest.raises(ClientError, match="SnapStart") as refused:
        client.put_provisioned_concurrency_config(
            FunctionName=function.name, Qualifier="1", ProvisionedConcurrentExecutions=1
        )
    assert refused.value.response["Error"]["Code"] == "InvalidParameterValueException"
