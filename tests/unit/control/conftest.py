"""A control plane on a fresh directory, a client that calls it as the server does, small zips."""

import io
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from lambent.control import lifecycle
from lambent.control.plane import ControlPlane
from lambent.control.registry import OPERATIONS
from lambent.model.call import Call, Caller, Result
from lambent.store.code import CodeStore
from lambent.store.database import Database

ROLE = "arn:aws:iam::000000000000:role/r"


@dataclass
class Clock:
    """A clock that stands still until it is moved."""

    now: datetime = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def advance(self, **by: float) -> None:
        """Moves it on."""
        self.now += timedelta(**by)


@dataclass
class Client:
    """Calls operations as the server does: an operation, then the work it left."""

    plane: ControlPlane
    zip_of: Callable[..., bytes]
    account_id: str = "000000000000"
    region: str = "us-east-1"
    changed: list[str] = field(default_factory=list)
    drains: bool = True

    def __call__(self, operation: str, **parameters: Any) -> dict[str, Any]:
        """The output of one operation."""
        return dict(self.result(operation, **parameters).output)

    def result(self, operation: str, **parameters: Any) -> Result:
        """The whole result of one operation."""
        caller = Caller(self.account_id, self.region, "request-1")
        call = Call("lambda", operation, parameters, caller)
        result = OPERATIONS[operation](self.plane, call)
        if self.drains:
            lifecycle.drain(self.plane)
        return result

    def create(self, name: str = "f", code: Mapping[str, str] | None = None, **more: Any) -> Any:
        """A function with defaults for what is not given."""
        content = self.zip_of(code or {"app.py": "def handler(event, context): return event"})
        settings = {"Role": ROLE, "Runtime": "python3.12", "Handler": "app.handler"} | more
        return self("CreateFunction", FunctionName=name, Code={"ZipFile": content}, **settings)


def zip_of(files: Mapping[str, str]) -> bytes:
    """A zip with these files."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, text in files.items():
            archive.writestr(zipfile.ZipInfo(name, (2026, 1, 1, 0, 0, 0)), text)
    return buffer.getvalue()


@pytest.fixture
def clock() -> Clock:
    """A clock that stands still until it is moved."""
    return Clock()


@pytest.fixture
def changed() -> list[str]:
    """The ARNs ``on_change`` was called with."""
    return []


@pytest.fixture
def listeners(changed: list[str]) -> list[Callable[[str], None]]:
    """Who is told of a change; a test may add to it."""
    return [changed.append]


@pytest.fixture
def plane(
    tmp_path: Path, clock: Clock, listeners: list[Callable[[str], None]]
) -> Iterator[ControlPlane]:
    """A control plane on an empty directory of an x86_64 host."""

    def on_change(function_arn: str) -> None:
        for listener in listeners:
            listener(function_arn)

    database = Database(tmp_path)
    code = CodeStore(tmp_path / "code")
    yield ControlPlane(database, code, clock, on_change, architecture="x86_64")
    database.close()


@pytest.fixture
def client(plane: ControlPlane, changed: list[str]) -> Client:
    """A caller in account 000000000000 and us-east-1."""
    return Client(plane, zip_of, changed=changed)
