"""A platform as users run it (``lambent up`` in a process of its own) and real clients against it.

``LAMBENT_E2E_SANDBOX`` chooses the sandbox (default ``auto``). Tests of isolation ask for the fixture
``isolated`` and are skipped, with the reason, where functions run as plain processes.
"""

import base64
import io
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import textwrap
import time
import urllib.error
import urllib.request
import uuid
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config

from lambent.testing.loop import PATIENCE

BIN = Path(sys.executable).parent
ROLE = "arn:aws:iam::000000000000:role/e2e"
RUNTIME = f"python3.{sys.version_info.minor}"
START_DEADLINE_S = 30.0
STOP_DEADLINE_S = 20.0 * PATIENCE
SANDBOX = os.environ.get("LAMBENT_E2E_SANDBOX", "auto")
CLIENT = Config(
    retries={"total_max_attempts": 1},
    read_timeout=60 * PATIENCE,
    max_pool_connections=64,
    parameter_validation=False,
)


def poll(condition: Callable[[], Any], deadline_s: float, what: str) -> Any:
    """What ``condition`` gives once it is true: how tests wait for another process. Fails at the deadline."""
    end_s = time.monotonic() + deadline_s * PATIENCE
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end_s:
            pytest.fail(f"{what}: not within {deadline_s} s")
        time.sleep(0.01)


@dataclass
class Platform:
    """One ``lambent up``."""

    data_dir: Path
    port: int
    process: subprocess.Popen[bytes]
    log: Path
    health: dict[str, Any] = field(default_factory=dict)
    clients: list[Any] = field(default_factory=list)

    @classmethod
    def start(cls, data_dir: Path, *options: str) -> "Platform":
        """Starts one on a free port and waits until it is healthy."""
        port = free_port()
        log = data_dir.parent / f"{data_dir.name}.log"
        environment = {
            k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "LAMBENT_"))
        }
        command = [str(BIN / "lambent"), "up", "--port", str(port), "--data", str(data_dir)]
        with log.open("ab") as output:
            process = subprocess.Popen(
                [*command, "--sandbox", SANDBOX, "--allow-reset", *options],
                stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=environment,
                start_new_session=True,
            )  # fmt: skip
        platform = cls(data_dir, port, process, log)
        try:
            platform.health = poll(platform._ask, START_DEADLINE_S, "the platform to be healthy")
        except BaseException:
            process.kill()
            process.wait()
            raise
        return platform

    def _ask(self) -> dict[str, Any] | None:
        if self.process.poll() is not None:
            pytest.fail(f"lambent up ended: {self.log.read_text()}")
        try:
            return self.get_health()
        except (urllib.error.URLError, ConnectionError):
            return None

    def get_health(self) -> dict[str, Any]:
        """The health document, now."""
        with urllib.request.urlopen(f"{self.url}/_lambent/health", timeout=10) as answer:
            document: dict[str, Any] = json.load(answer)
        return document

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        """The platform's own process, not a wrapper's."""
        return int(self.health["pid"])

    def client(self, service: str) -> Any:
        """A boto3 client that does not try again: tests see every answer. Closed when the platform stops."""
        made = boto3.client(
            service,
            endpoint_url=self.url,
            region_name="us-east-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",
            config=CLIENT,
        )
        self.clients.append(made)
        return made

    def rss_mib(self) -> float:
        """The platform's resident memory."""
        text = Path(f"/proc/{self.pid}/status").read_text()
        line = next(line for line in text.splitlines() if line.startswith("VmRSS:"))
        return int(line.split()[1]) / 1024

    def raw(self, data: bytes, *, end: bool = False, timeout_s: float = 10.0) -> bytes:
        """Sends bytes and gives everything that comes back until the connection is closed or silent."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=timeout_s) as connection:
            try:
                connection.sendall(data)
                if end:
                    connection.shutdown(socket.SHUT_WR)
            except OSError:
                pass  # refused before the end: the answer says so
            return read_answer(connection)

    def stop(self, number: int = signal.SIGINT) -> int:
        """Signals it and gives its exit code."""
        if self.process.poll() is None:
            os.kill(self.pid, number)
        for client in self.clients:
            client.close()
        return self.process.wait(STOP_DEADLINE_S)

    def leftovers(self) -> list[str]:
        """Processes, cgroups and mounts that are still there."""
        # Not by a pattern: other platforms' groups come and go while it is looked for ours.
        walk = os.walk("/sys/fs/cgroup")
        names = [
            f"{at}/{name}"
            for at, found, _ in walk
            for name in found
            if name == f"lambent-{self.pid}"
        ]
        mounts = Path("/proc/self/mounts")
        found = mounts.read_text().splitlines() if mounts.exists() else []
        return names + [m for m in found if str(self.data_dir) in m] + self.processes()

    def processes(self) -> list[str]:
        """Its session's processes besides itself, and those that hold its data directory."""
        left = []
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                parent = (entry / "stat").read_text().rpartition(")")[2].split()[1]
                mounted = str(self.data_dir) in (entry / "mountinfo").read_text()
            except OSError:
                continue
            if (int(parent) == self.pid or mounted) and int(entry.name) != self.pid:
                left.append(f"process {entry.name}")
        return left


def free_port() -> int:
    """A port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def read_answer(connection: socket.socket) -> bytes:
    """Bytes until the other side closes; a silence ends it as well, a reset too."""
    parts = []
    try:
        while part := connection.recv(65536):
            parts.append(part)
    except (TimeoutError, ConnectionResetError):
        pass
    return b"".join(parts)


def zip_of(files: Mapping[str, str | bytes]) -> bytes:
    """A zip with these files."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            text = textwrap.dedent(content) if isinstance(content, str) else content
            archive.writestr(name, text)
    return buffer.getvalue()


@dataclass(frozen=True)
class Answer:
    """What Invoke answered."""

    payload: Any
    raw: bytes
    error: str | None
    log: str
    request_id: str
    version: str
    headers: Mapping[str, str]


@dataclass(frozen=True)
class Function:
    """A deployed function; calling it invokes it."""

    client: Any
    name: str

    @property
    def arn(self) -> str:
        """Its ARN without a qualifier."""
        return f"arn:aws:lambda:us-east-1:000000000000:function:{self.name}"

    def __call__(self, event: Any = None, *, payload: bytes | None = None, **more: Any) -> Answer:
        """Invokes it with the tail of its log."""
        body = json.dumps(event).encode() if payload is None else payload
        settings = {"FunctionName": self.name, "LogType": "Tail", "Payload": body} | more
        answer = self.client.invoke(**settings)
        raw = answer["Payload"].read()
        headers = answer["ResponseMetadata"]["HTTPHeaders"]
        try:
            document = json.loads(raw) if raw else None
        except ValueError:
            document = None
        log = base64.b64decode(answer.get("LogResult", "")).decode(errors="replace")
        request_id = answer["ResponseMetadata"]["RequestId"]
        version = answer.get("ExecutedVersion", "")
        return Answer(document, raw, answer.get("FunctionError"), log, request_id, version, headers)


@pytest.fixture(scope="session")
def platform() -> Iterator[Platform]:
    """The platform of this worker; at the end it must stop cleanly and leave nothing behind."""
    with tempfile.TemporaryDirectory(prefix="lambent-e2e-") as root:
        running = Platform.start(Path(root) / "data")
        yield running
        code = running.stop()
        assert code == 0, running.log.read_text()
        assert "Traceback" not in running.log.read_text(), running.log.read_text()
        poll(lambda: not running.leftovers(), 5, f"nothing left but {running.leftovers()}")


@pytest.fixture
def start_platform(tmp_path: Path) -> Iterator[Callable[..., Platform]]:
    """Starts further platforms, on one data directory unless told otherwise; ends them after the test."""
    started = []

    def start(data_dir: Path | None = None, *options: str) -> Platform:
        one = Platform.start(data_dir or tmp_path / "data", *options)
        started.append(one)
        return one

    yield start
    for one in started:
        one.stop()


@pytest.fixture(scope="session")
def platform_without_cells() -> Iterator[Platform]:
    """One that makes nothing ahead: each environment is started for its function."""
    with tempfile.TemporaryDirectory(prefix="lambent-e2e-") as root:
        running = Platform.start(
            Path(root) / "data", "--stem-cells", "0", "--loaded-stem-cells", "0"
        )
        yield running
        running.stop()


@pytest.fixture
def isolated(platform: Platform) -> None:
    """Skips where functions are not isolated."""
    kind = platform.health["sandbox"]["kind"]
    if kind != "namespaces":
        pytest.skip(f"functions run in the sandbox {kind!r}, which isolates nothing")


@pytest.fixture
def snap_start(platform: Platform, isolated: None) -> None:
    """Skips where this host has no SnapStart."""
    needs_snap_start(platform)


def needs_snap_start(platform: Platform) -> None:
    """Skips where that platform has none."""
    missing = platform.health["sandbox"].get("snap_start_missing", "isolation")
    if missing:
        pytest.skip(f"no SnapStart here, for want of {missing}")


@pytest.fixture(scope="session")
def client(platform: Platform) -> Iterator[Any]:
    """boto3's Lambda client."""
    made = platform.client("lambda")
    yield made
    made.close()


@pytest.fixture(scope="session")
def logs(platform: Platform) -> Iterator[Any]:
    """boto3's CloudWatch Logs client."""
    made = platform.client("logs")
    yield made
    made.close()


@pytest.fixture
def new_name(client: Any) -> Iterator[Callable[[], str]]:
    """Function names nobody has; what was made under them is deleted after the test."""
    names: list[str] = []

    def make() -> str:
        names.append(f"e2e-{uuid.uuid4().hex[:12]}")
        return names[-1]

    yield make
    for name in names:
        try:
            client.delete_function(FunctionName=name)
        except client.exceptions.ResourceNotFoundException:
            continue


def create(
    client: Any, name: str, source: str | Mapping[str, str | bytes], **settings: Any
) -> Function:
    """Creates a function from its source (or files) and settings, and waits until it is active."""
    files = {"app.py": source} if isinstance(source, str) else source
    # AWS's own 3 seconds are short for 128 MB, a fourteenth of a CPU, on a machine that runs other tests too.
    defaults = {"Runtime": RUNTIME, "Role": ROLE, "Handler": "app.handler", "Timeout": 10}
    client.create_function(
        FunctionName=name, Code={"ZipFile": zip_of(files)}, **(defaults | settings)
    )
    client.get_waiter("function_active_v2").wait(FunctionName=name)
    return Function(client, name)


@pytest.fixture
def deploy(client: Any, new_name: Callable[[], str]) -> Callable[..., Function]:
    """Creates a function from its source (or files) and settings, and waits until it is active."""

    def make(source: str | Mapping[str, str | bytes], **settings: Any) -> Function:
        name = settings.pop("FunctionName", None) or new_name()
        return create(client, name, source, **settings)

    return make


@pytest.fixture
def deploy_anew(platform_without_cells: Platform) -> Iterator[Callable[..., Function]]:
    """The same where nothing is made ahead."""
    client, made = platform_without_cells.client("lambda"), []

    def make(source: str | Mapping[str, str | bytes], **settings: Any) -> Function:
        made.append(create(client, f"e2e-{uuid.uuid4().hex[:12]}", source, **settings))
        return made[-1]

    yield make
    for function in made:
        client.delete_function(FunctionName=function.name)
    client.close()


@pytest.fixture
def deploy_on_cell(platform: Platform, deploy: Callable[..., Function]) -> Callable[..., Function]:
    """The same where a loaded stem cell waits for it: its first invocation is on that."""

    def make(source: str | Mapping[str, str | bytes], **settings: Any) -> Function:
        deploy("def handler(event, context): pass")()
        function = deploy(source, **settings)
        poll(waits, 20, "a stem cell")
        return function

    def waits() -> bool:
        kinds = platform.get_health()["sandbox"]["ahead"]["kinds"]
        return any(one["kind"] == RUNTIME and one["waiting"] for one in kinds)

    return make


@pytest.fixture(scope="session")
def bystander(platform: Platform) -> Iterator[Callable[[], None]]:
    """Asserts that another function still answers: what one function does is its own affair."""
    client = platform.client("lambda")
    name = f"e2e-bystander-{uuid.uuid4().hex[:8]}"
    code = zip_of({"app.py": "def handler(event, context): return event"})
    client.create_function(
        FunctionName=name, Runtime=RUNTIME, Role=ROLE, Handler="app.handler",
        Code={"ZipFile": code}, Timeout=10,
    )  # fmt: skip
    client.get_waiter("function_active_v2").wait(FunctionName=name)
    function = Function(client, name)

    def answers() -> None:
        token = uuid.uuid4().hex
        assert function({"token": token}).payload == {"token": token}

    yield answers
    client.close()


@pytest.fixture(name="zip_of")
def zip_of_fixture() -> Callable[[Mapping[str, str | bytes]], bytes]:
    """Makes zips."""
    return zip_of


@pytest.fixture(name="poll")
def poll_fixture() -> Callable[..., Any]:
    """Waits for a condition, with a deadline."""
    return poll
