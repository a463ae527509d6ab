"""A fake platform on loopback: enough of Lambda's and CloudWatch Logs' HTTP for the commands."""

import base64
import hashlib
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from typer.testing import CliRunner, Result

from lambent.cli.main import app

ARN = "arn:aws:lambda:us-east-1:000000000000:function:"
HEALTH: dict[str, Any] = {
    "status": "ok",
    "version": "0.1.0",
    "pid": 123,
    "endpoint": "http://127.0.0.1:4566",
    "data_dir": "/data",
    "sandbox": {
        "kind": "namespaces",
        "isolation": {
            "mount": True,
            "network": True,
            "user": False,
            "cgroup": "v2",
            "freeze": False,
        },
        "notices": ["a notice"],
    },
    "runtimes": [
        {"name": "python3.10", "executable": "/usr/bin/python3.10", "exact": True, "notice": None},
        {
            "name": "python3.9",
            "executable": "/usr/bin/python3.10",
            "exact": False,
            "notice": "near",
        },
    ],
    "environments": {"idle": 0, "busy": 0, "starting": 0},
}


@dataclass
class FakePlatform:
    """What it holds, what it was asked, and how it answers an invocation."""

    url: str = ""
    functions: dict[str, dict[str, Any]] = field(default_factory=dict)
    code: dict[str, bytes] = field(default_factory=dict)
    events: list[dict[str, Any]] = field(default_factory=list)
    log_groups: set[str] = field(default_factory=set)
    requests: list[tuple[str, str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    mappings: dict[str, dict[str, Any]] = field(default_factory=dict)
    sources: list[dict[str, Any]] = field(default_factory=list)
    replays: list[Any] = field(default_factory=list)
    replayed: tuple[int, dict[str, Any]] = (200, {"shards": ["shardId-0", "shardId-1"]})
    pending_reads: int = 0
    on_logs: Callable[[], None] = lambda: None
    invocation: Callable[[bytes], tuple[dict[str, str], bytes]] = lambda event: ({}, event)

    def changes(self) -> list[str]:
        """The requests that change something, as ``METHOD path``."""
        return [f"{m} {p}" for m, p, _ in self.requests if m in {"POST", "PUT"} and p != "/"]


class _Handler(BaseHTTPRequestHandler):
    platform: FakePlatform
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def do_PUT(self) -> None:
        self._serve()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Silent."""

    def _serve(self) -> None:
        split = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        path = unquote(split.path)
        self.platform.headers.append({k.lower(): v for k, v in self.headers.items()})
        parts = path.strip("/").split("/")
        if path == "/_lambent/health":
            self._json(200, HEALTH | {"endpoint": self.platform.url})
        elif path == "/_lambent/sources":
            self._json(200, {"sources": self.platform.sources})
        elif path.endswith("/replay"):
            self.platform.replays.append(json.loads(body))
            self._json(*self.platform.replayed)
        elif parts[1:2] == ["event-source-mappings"]:
            self._record(path, json.loads(body or b"null"))
            self._mapping(parts[2:], json.loads(body or b"{}"))
        elif path == "/":
            self._record(path, json.loads(body))
            self._logs(json.loads(body))
        elif parts[-1] == "invocations":
            self._record(path, {"event": body, "query": parse_qs(split.query)})
            self._invoke(parts[2], body)
        else:
            self._record(path, json.loads(body or b"null"))
            self._function(parts[2:], json.loads(body or b"{}"))

    def _record(self, path: str, body: Any) -> None:
        self.platform.requests.append((self.command, path, body))

    def _mapping(self, parts: list[str], body: dict[str, Any]) -> None:
        mappings = self.platform.mappings
        if not parts:
            return self._json(200, {"EventSourceMappings": list(mappings.values())})
        if parts[0] not in mappings:
            text = "The resource you requested does not exist."
            return self._error(404, "ResourceNotFoundException", text)
        if self.command == "GET":
            arrived = {"Enabling": "Enabled", "Disabling": "Disabled"}
            shown = dict(mappings[parts[0]])
            mappings[parts[0]]["State"] = arrived.get(shown["State"], shown["State"])
            return self._json(200, shown)
        mappings[parts[0]]["State"] = "Enabling" if body["Enabled"] else "Disabling"
        return self._json(202, mappings[parts[0]])

    def _function(self, parts: list[str], body: dict[str, Any]) -> None:
        functions = self.platform.functions
        if not parts or not parts[0]:
            if self.command == "GET":
                listed = [
                    {k: v for k, v in f.items() if k not in {"State", "LastUpdateStatus"}}
                    for f in functions.values()
                ]
                return self._json(200, {"Functions": listed})
            name = body.pop("FunctionName")
            functions[name] = {"FunctionName": name, "FunctionArn": ARN + name, "MemorySize": 128}
            functions[name] |= {"Timeout": 3, "State": "Active", "LastUpdateStatus": "Successful"}
            self._put_code(name, body.pop("Code"))
            functions[name] |= body
            return self._json(201, functions[name])
        name = parts[0].removeprefix(ARN)
        if name not in functions:
            return self._error(404, "ResourceNotFoundException", f"Function not found: {ARN}{name}")
        if self.command == "PUT" and parts[1] == "code":
            self._put_code(name, body)
        elif self.command == "PUT":
            functions[name] |= body
        answer = dict(functions[name])
        if self.platform.pending_reads and self.command == "GET":
            self.platform.pending_reads -= 1
            answer["State"] = "Pending"
        return self._json(200, answer)

    def _put_code(self, name: str, code: dict[str, Any]) -> None:
        content = base64.b64decode(code["ZipFile"])
        digest = base64.b64encode(hashlib.sha256(content).digest()).decode()
        self.platform.code[name] = content
        self.platform.functions[name] |= {"CodeSha256": digest, "CodeSize": len(content)}

    def _invoke(self, name: str, event: bytes) -> None:
        if name not in self.platform.functions:
            return self._error(404, "ResourceNotFoundException", f"Function not found: {ARN}{name}")
        headers, payload = self.platform.invocation(event)
        return self._answer(200, payload, {"X-Amz-Executed-Version": "$LATEST", **headers})

    def _logs(self, request: dict[str, Any]) -> None:
        if request["logGroupName"] not in self.platform.log_groups:
            return self._error(
                400, "ResourceNotFoundException", "The specified log group does not exist."
            )
        try:
            self.platform.on_logs()
        except RuntimeError as error:
            return self._error(503, "ServiceUnavailableException", str(error))
        start = int(request.get("nextToken", 0))
        events = [e for e in self.platform.events if e["timestamp"] >= request.get("startTime", 0)]
        page: dict[str, Any] = {"events": events[start : start + 2]}  # small pages: always several
        if start + 2 < len(events):
            page["nextToken"] = str(start + 2)
        return self._json(200, page)

    def _error(self, status: int, code: str, message: str) -> None:
        body = {"__type": code, "Message": message, "message": message}
        self._answer(status, json.dumps(body).encode(), {"X-Amzn-ErrorType": code})

    def _json(self, status: int, document: Any) -> None:
        self._answer(status, json.dumps(document).encode(), {"Content-Type": "application/json"})

    def _answer(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        self.send_header("x-amzn-RequestId", "00000000-0000-0000-0000-000000000000")
        for key, value in headers.items():
            self.send_header(key, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture
def platform() -> Iterator[FakePlatform]:
    """A fake platform that listens on a free loopback port until the test ends."""
    state = FakePlatform()
    handler = type("Handler", (_Handler,), {"platform": state})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        state.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.005})
        thread.start()
        yield state
        server.shutdown()
        thread.join(5)


Run = Callable[..., Result]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """Runs the command line in this process, away from the caller's AWS settings and home."""
    for variable in ("AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(variable, raising=False)
    for variable in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    monkeypatch.delenv("LAMBENT_DATA", raising=False)

    def invoke(*arguments: str, stdin: str | None = None) -> Result:
        return CliRunner().invoke(app, list(arguments), input=stdin, catch_exceptions=False)

    return invoke


@pytest.fixture
def lambent(run: Run, platform: FakePlatform, monkeypatch: pytest.MonkeyPatch) -> Run:
    """The command line, pointed at the fake platform as users do it."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", platform.url)
    return run


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A directory ``hello`` with a function in it."""
    directory = tmp_path / "hello"
    directory.mkdir()
    (directory / "lambda_function.py").write_text(
        "def lambda_handler(event, context):\n    return event\n"
    )
    return directory
