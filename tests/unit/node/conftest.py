"""An environment on a fake sandbox, with everything it told."""

import asyncio
import time
from collections.abc import Callable
from typing import Any

import pytest

from lambent.http1.server import HttpServer
from lambent.model.invocation import InvocationResult
from lambent.node.environment import Environment
from lambent.node.environment_log import Phase, open_log
from lambent.node.freezer import Freezer
from lambent.node.sandbox.contract import Launch
from lambent.testing.host import open_descriptors
from lambent.testing.loop import until
from lambent.testing.node import make_invocation, make_spec
from lambent.testing.sandbox import FakeSandbox, Script


class Life:
    """One environment from its making to its end. Is its watcher and its log."""

    def __init__(
        self,
        script: Script,
        *,
        has_endpoint: bool = False,
        phase: Phase = "init",
        extensions: tuple[str, ...] = (),
        freezer: Freezer | None = None,
        **spec: Any,
    ) -> None:
        self.descriptors = open_descriptors()
        self.told: list[str] = []
        self.lines: list[bytes] = []
        self.spec = make_spec(**spec)
        self.sandbox = FakeSandbox(
            Launch(self.spec, {}, extensions), script, has_endpoint=has_endpoint
        )
        self.edge = HttpServer(lambda e: e.respond(200, (), b"edge"), 100)
        self.closed: list[str] = []
        self.environment = Environment(
            self.spec, self.sandbox, open_log(self.spec, self, "stream"), self, time.monotonic(),
            lambda: self.closed.append("revoked"), phase=phase, extensions=extensions, freezer=freezer,
        )  # fmt: skip

    async def open(self) -> "Life":
        """Serves the Runtime API from here on."""
        await self.environment.open(self.edge)
        return self

    # As its watcher

    def on_ready(self, environment: Environment) -> None:
        self.told.append("ready")

    def on_responded(self, environment: Environment) -> None:
        self.told.append("responded")

    def on_leaving(self, environment: Environment) -> None:
        self.told.append("leaving")

    def on_gone(self, environment: Environment) -> None:
        self.told.append("gone")

    # As its log

    def append(
        self,
        account_id: str,
        region: str,
        group: str,
        stream: str,
        timestamp_ms: int,
        message: bytes,
    ) -> None:
        assert (account_id, region, group, stream) == (
            "000000000000", "us-east-1", "/aws/lambda/f", "stream",
        )  # fmt: skip
        assert abs(timestamp_ms - time.time() * 1000) < 60_000
        self.lines.append(message)

    # What tests do

    async def ready(self, times: int = 1) -> None:
        """Waits until the runtime has asked for its next event that often."""
        await until(lambda: self.told.count("ready") == times)

    async def frozen(self) -> None:
        """Waits until the sandbox is."""
        await until(lambda: self.sandbox.is_frozen)

    def invoke(self, payload: bytes = b"{}", **more: Any) -> "asyncio.Future[InvocationResult]":
        """Hands over one event."""
        return self.environment.invoke(make_invocation(self.spec, payload, **more))

    async def gone(self) -> None:
        """Waits for the end, and for every descriptor to be given back."""
        await until(lambda: "gone" in self.told)
        await until(lambda: open_descriptors() == self.descriptors)
        assert self.told.count("gone") == 1
        assert self.told[-1] == "gone"
        assert self.closed == ["revoked"]

    async def end(self) -> None:
        """Stops it and waits for the end."""
        self.environment.stop()
        await self.gone()


@pytest.fixture
def live() -> Callable[..., Life]:
    """``await live(script, timeout_s=…).open()``."""
    return Life
