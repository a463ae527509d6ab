"""What was acknowledged survives ``kill -9``; what a dead platform left behind is cleared away."""

import json
import os
import signal
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import BotoCoreError, ClientError

ROLE = "arn:aws:iam::000000000000:role/e2e"


def make(client: Any, code: bytes, name: str, done: dict[str, set[str]]) -> None:
    """Creates a function with all that belongs to it, noting each acknowledgement."""
    client.create_function(
        FunctionName=name, Runtime="python3.11", Role=ROLE, Handler="app.handler",
        Code={"ZipFile": code}, Environment={"Variables": {"NAME": name}}, Tags={"name": name},
    )  # fmt: skip
    done["function"].add(name)
    client.publish_version(FunctionName=name)
    done["version"].add(name)
    client.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
    done["alias"].add(name)
    client.add_permission(
        FunctionName=name, StatementId="s", Action="lambda:InvokeFunction",
        Principal="sns.amazonaws.com",
    )  # fmt: skip
    done["policy"].add(name)
    client.publish_layer_version(LayerName=name, Content={"ZipFile": code})
    done["layer"].add(name)


def test_kill_nine_loses_nothing_acknowledged(
    start_platform: Callable[..., Any], zip_of: Callable[..., bytes], poll: Callable[..., Any]
) -> None:
    """Killed amid creates and invokes, it starts again with everything it had said yes to."""
    platform = start_platform()
    code = zip_of({"app.py": "import os\ndef handler(event, context): return os.environ['NAME']"})
    done: dict[str, set[str]] = {
        k: set() for k in ("function", "version", "alias", "policy", "layer")
    }
    stop = threading.Event()

    def work(worker: int) -> None:
        client = platform.client("lambda")
        try:
            for number in range(10_000):
                if stop.is_set():
                    return
                make(client, code, f"f-{worker}-{number}", done)
                client.invoke(FunctionName=f"f-{worker}-{number}", Qualifier="live")
        except (BotoCoreError, ClientError):
            if not stop.is_set():
                raise
        finally:
            client.close()

    with ThreadPoolExecutor(4) as threads:
        workers = [threads.submit(work, n) for n in range(4)]
        poll(lambda: len(done["layer"]) >= 12 or any(w.done() for w in workers), 30, "some creates")
        stop.set()
        os.kill(platform.pid, signal.SIGKILL)
        for worker in workers:
            worker.result()
    platform.process.wait()
    poll(lambda: not platform.processes(), 10, "the processes of the dead platform to end")

    again = start_platform(platform.data_dir)
    client = again.client("lambda")
    for name in sorted(done["function"]):
        found = client.get_function(FunctionName=name)
        assert found["Tags"] == {"name": name}
        assert found["Configuration"]["State"] == "Active"
        assert json.load(client.invoke(FunctionName=name)["Payload"]) == name
    for name in done["version"]:
        assert client.get_function(FunctionName=name, Qualifier="1")
    for name in done["alias"]:
        answer = client.invoke(FunctionName=name, Qualifier="live")
        assert json.load(answer["Payload"]) == name
    for name in done["policy"]:
        assert "sns.amazonaws.com" in client.get_policy(FunctionName=name)["Policy"]
    for name in done["layer"]:
        assert client.get_layer_version(LayerName=name, VersionNumber=1)["Version"] == 1
    client.close()


def test_nothing_of_a_killed_platform_stays(
    start_platform: Callable[..., Any], zip_of: Callable[..., bytes], poll: Callable[..., Any]
) -> None:
    """Its environments end with it, busy ones too, and the next start removes its cgroups."""
    platform = start_platform()
    client = platform.client("lambda")
    code = zip_of({"app.py": "import time\ndef handler(event, context): time.sleep(event)"})
    client.create_function(
        FunctionName="f", Runtime="python3.11", Role=ROLE, Handler="app.handler",
        Code={"ZipFile": code}, Timeout=60,
    )  # fmt: skip
    client.invoke(FunctionName="f", Payload=b"0")

    def stay() -> None:
        try:
            client.invoke(FunctionName="f", Payload=b"50")
        except BotoCoreError:
            return

    with ThreadPoolExecutor(3) as threads:
        for _ in range(3):
            threads.submit(stay)
        poll(lambda: platform.get_health()["environments"]["busy"] == 3, 10, "three at work")
        assert len(platform.processes()) >= 3
        os.kill(platform.pid, signal.SIGKILL)
    platform.process.wait()
    poll(lambda: not platform.processes(), 10, "the processes of the dead platform to end")
    client.close()
    again = start_platform(platform.data_dir)
    left = [str(p) for p in Path("/sys/fs/cgroup").glob(f"**/lambent-{platform.pid}")]
    assert left == []
    assert again.get_health()["status"] == "ok"


def test_stopping_ends_work_in_progress(
    start_platform: Callable[..., Any], zip_of: Callable[..., bytes], poll: Callable[..., Any]
) -> None:
    """Ctrl-C while functions run stops within seconds, with exit code 0 and nothing left."""
    for number in (signal.SIGINT, signal.SIGTERM):
        platform = start_platform()
        client = platform.client("lambda")
        name = f"f{int(number)}"
        code = zip_of({"app.py": "import time\ndef handler(event, context): time.sleep(50)"})
        client.create_function(
            FunctionName=name, Runtime="python3.11", Role=ROLE, Handler="app.handler",
            Code={"ZipFile": code}, Timeout=60,
        )  # fmt: skip

        def stay(client: Any = client, name: str = name) -> None:
            try:
                client.invoke(FunctionName=name)
            except (BotoCoreError, ClientError):
                return

        with ThreadPoolExecutor(1) as threads:
            threads.submit(stay)
            poll(
                lambda platform=platform: platform.get_health()["environments"]["busy"] == 1,
                10, "one at work",
            )  # fmt: skip
            assert platform.stop(number) == 0, platform.log.read_text()
        client.close()
        assert platform.leftovers() == []
        assert "Traceback" not in platform.log.read_text()


def test_two_platforms_do_not_share_a_data_directory(start_platform: Callable[..., Any]) -> None:
    """A second one on the same directory is refused in words; the first goes on."""
    first = start_platform()
    with pytest.raises(pytest.fail.Exception, match="Another Lambent is using"):
        start_platform(first.data_dir)
    assert first.get_health()["status"] == "ok"


def test_logs_survive_a_restart(
    start_platform: Callable[..., Any], zip_of: Callable[..., bytes]
) -> None:
    """Log events and functions are there again after an orderly stop."""
    platform = start_platform()
    client = platform.client("lambda")
    code = zip_of({"app.py": "def handler(event, context): print('kept', event)"})
    client.create_function(
        FunctionName="f",
        Runtime="python3.11",
        Role=ROLE,
        Handler="app.handler",
        Code={"ZipFile": code},
    )
    client.invoke(FunctionName="f", Payload=b"1")
    client.close()
    assert platform.stop() == 0
    again = start_platform(platform.data_dir)
    client, logs = again.client("lambda"), again.client("logs")
    client.invoke(FunctionName="f", Payload=b"2")
    events = logs.filter_log_events(logGroupName="/aws/lambda/f", filterPattern="kept")["events"]
    assert [event["message"] for event in events] == ["kept 1\n", "kept 2\n"]
    client.close()
    logs.close()


def test_reset_empties_everything(
    start_platform: Callable[..., Any], zip_of: Callable[..., bytes], poll: Callable[..., Any]
) -> None:
    """POST /_lambent/reset leaves a platform as new: no function, no log, no environment."""
    platform = start_platform()
    client, logs = platform.client("lambda"), platform.client("logs")
    code = zip_of({"app.py": "def handler(event, context): return 1"})
    for _ in range(2):
        client.create_function(
            FunctionName="f", Runtime="python3.11", Role=ROLE, Handler="app.handler", Publish=True,
            Code={"ZipFile": code},
        )  # fmt: skip
        assert client.invoke(FunctionName="f", Qualifier="1")["ExecutedVersion"] == "1"
        answer = platform.raw(
            b"POST /_lambent/reset HTTP/1.1\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
        )
        assert answer.startswith(b"HTTP/1.1 200 ")
        assert client.list_functions()["Functions"] == []
        assert logs.describe_log_groups()["logGroups"] == []
        poll(lambda: platform.get_health()["environments"]["idle"] == 0, 5, "no environment")
    client.close()
    logs.close()
