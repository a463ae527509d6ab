"""Lambent as a service of systemd, by the unit that docs/howto/run-under-systemd.md shows.

Needs root, systemd and cgroup v2, as in a guest of scripts/guest. As an own user: where one is called ``tester``.
"""

import json
import os
import pwd
import re
import subprocess
import sys
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from tests.e2e.conftest import free_port, poll, zip_of

from lambent.testing.loop import PATIENCE

PAGE = Path(__file__).parents[2] / "docs" / "howto" / "run-under-systemd.md"
UNITS = Path("/run/systemd/system")
BIN = Path(sys.executable).parent
USER = "tester"
DEADLINE_S = 30.0
SOURCE = """
    def handler(event, context):
        if event == "hog":
            return len(bytearray(300 << 20))
        return open("/proc/self/cgroup").read().strip()
"""


@dataclass(frozen=True)
class Service:
    """A unit of that name, and the platform it runs."""

    name: str
    port: int

    def start(self) -> None:
        """Starts it, and waits until it answers."""
        _systemctl("start", self.name)
        self.health()

    def health(self) -> Any:
        """The health document, as soon as there is one."""
        return poll(self._ask, DEADLINE_S, f"{self.name} to be healthy")

    def _ask(self) -> Any:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/_lambent/health") as answer:
                return json.load(answer)
        except (urllib.error.URLError, ConnectionError):
            return None

    def show(self, name: str) -> str:
        """A property of the unit's."""
        return _systemctl("show", "--value", "--property", name, self.name).strip()

    def group(self) -> Path:
        """Where its processes are."""
        return Path("/sys/fs/cgroup" + self.show("ControlGroup"))


def _systemctl(*arguments: str) -> str:
    done = subprocess.run(
        ["systemctl", *arguments], capture_output=True, text=True, check=True, timeout=60 * PATIENCE
    )
    return done.stdout


def _unit(user: str, name: str, port: int) -> str:
    """What the page shows, with this checkout's program, that user, and a port of its own."""
    found = re.search(r"```ini\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert found is not None
    text = found[1].replace("/opt/lambent/bin", str(BIN)).replace("4566", str(port))
    text = text.replace("/var/lib/lambent", f"/var/lib/{name}")
    text = text.replace("StateDirectory=lambent", f"StateDirectory={name}")
    return text.replace("User=lambent\n", f"User={user}\n" if user else "")


@pytest.fixture(params=["", USER], ids=["root", "own user"])
def service(request: pytest.FixtureRequest) -> Iterator[Service]:
    """A started service; nothing of it is left afterwards."""
    if not Path("/run/systemd/system").is_dir() or os.geteuid() != 0:
        pytest.skip("no systemd here, or no root")
    if not Path("/sys/fs/cgroup/cgroup.controllers").exists():
        pytest.skip("cgroup v2 is not alone here")
    user = str(request.param)
    if user and user not in {entry.pw_name for entry in pwd.getpwall()}:
        pytest.skip(f"there is no user {user}")
    made = Service(f"lambent-{uuid.uuid4().hex[:8]}", free_port())
    file = UNITS / f"{made.name}.service"
    file.write_text(_unit(user, made.name, made.port))
    _systemctl("daemon-reload")
    try:
        made.start()
        yield made
    finally:
        _systemctl("stop", made.name)
        _systemctl("clean", "--what=state", made.name)
        file.unlink()
        _systemctl("daemon-reload")


@pytest.fixture
def function(service: Service) -> Iterator[Callable[[str], Any]]:
    """A function of it: an event in, what Invoke answered out."""
    client = boto3.client(
        "lambda",
        endpoint_url=f"http://127.0.0.1:{service.port}",
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=Config(retries={"total_max_attempts": 1}, read_timeout=60 * PATIENCE),
    )
    client.create_function(
        FunctionName="f",
        Runtime=f"python3.{sys.version_info.minor}",
        Role="arn:aws:iam::000000000000:role/e2e",
        Handler="app.handler",
        MemorySize=128,
        Timeout=60,
        Code={"ZipFile": zip_of({"app.py": SOURCE})},
    )
    client.get_waiter("function_active_v2").wait(FunctionName="f")

    def call(event: str) -> Any:
        answer = client.invoke(FunctionName="f", Payload=json.dumps(event))
        return answer.get("FunctionError"), json.loads(answer["Payload"].read())

    yield call
    client.close()


def test_environments_are_in_the_services_group(service: Service, function: Any) -> None:
    """All limits hold, environments are below the service's group, and nobody lives in that itself."""
    isolation = service.health()["sandbox"]["isolation"]
    assert isolation["cgroup"] == "v2"
    assert all(isolation[f"{name}_limit"] for name in ("memory", "cpu", "pids"))
    error, group = function("where")
    assert error is None
    pid = service.show("MainPID")
    assert group.startswith(f"0::{service.show('ControlGroup')}/lambent-{pid}/"), group
    assert (service.group() / "cgroup.procs").read_text() == ""
    environment = Path("/sys/fs/cgroup" + group.removeprefix("0::"))
    assert (environment / "memory.max").read_text() == f"{128 << 20}\n"


def test_out_of_memory_is_the_functions_affair(service: Service, function: Any) -> None:
    """A function over its memory is told so, and the service goes on as the same process."""
    pid = service.show("MainPID")
    error, document = function("hog")
    assert (error, document["errorType"]) == ("Unhandled", "Runtime.OutOfMemory")
    assert function("where")[0] is None
    assert (service.show("ActiveState"), service.show("MainPID")) == ("active", pid)


def test_it_stops_in_order(service: Service, function: Any) -> None:
    """Told to stop it ends by itself, with code 0, and its group is gone."""
    function("where")
    group = service.group()
    _systemctl("stop", service.name)
    assert (service.show("Result"), service.show("ExecMainStatus")) == ("success", "0")
    assert not group.exists()


def test_killed_it_is_started_again_with_limits(service: Service, function: Any) -> None:
    """systemd restarts what was killed; functions are still there, and are limited as before."""
    function("where")
    before = service.show("MainPID")
    os.kill(int(before), 9)
    poll(lambda: service.show("MainPID") not in ("0", before), DEADLINE_S, "a new process")
    isolation = service.health()["sandbox"]["isolation"]
    assert all(isolation[f"{name}_limit"] for name in ("memory", "cpu", "pids"))
    error, group = function("where")
    assert error is None
    assert f"/lambent-{service.show('MainPID')}/" in group
    assert not list(service.group().glob(f"lambent-{before}*"))
