"""A node without a host: tests decide when an environment is made, is ready, answers, and ends."""

import asyncio
import itertools
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lambent.invoke.ports import Environment, Watcher
from lambent.model.errors import ClientFault
from lambent.model.invocation import EnvironmentSpec, Invocation, InvocationResult

_numbers = itertools.count(1)


def make_spec(name: str = "f", version: str = "$LATEST", **changes: Any) -> EnvironmentSpec:
    """A spec with everything filled in; ``changes`` by field name."""
    settings: dict[str, Any] = {
        "key": f"arn:aws:lambda:us-east-1:000000000000:function:{name}:{version}:r1",
        "account_id": "000000000000",
        "region": "us-east-1",
        "function_name": name,
        "version": version,
        "runtime": "python3.11",
        "handler": "app.handler",
        "role": "arn:aws:iam::000000000000:role/r",
        "memory_mib": 128,
        "timeout_s": 3,
        "ephemeral_storage_mib": 512,
        "environment": {},
        "task_dir": Path("/nowhere"),
        "opt_dir": None,
        "log_group": f"/aws/lambda/{name}",
    }
    return EnvironmentSpec(**settings | changes)


def make_invocation(
    spec: EnvironmentSpec | None = None, payload: bytes = b"{}", **changes: Any
) -> Invocation:
    """An event for ``spec`` with a request id of its own."""
    spec = spec or make_spec()
    settings: dict[str, Any] = {
        "request_id": f"00000000-0000-4000-8000-{next(_numbers):012x}",
        "invoked_arn": f"arn:aws:lambda:us-east-1:000000000000:function:{spec.function_name}",
    }
    return Invocation(spec=spec, payload=payload, **settings | changes)


@dataclass(eq=False)
class FakeEnvironment:
    """Holds one event at a time; raises AssertionError when the pool breaks that."""

    spec: EnvironmentSpec
    watcher: Watcher
    idle_since_s: float = 0.0
    memory_bytes: int = 4 * 1024 * 1024
    state: str = "init"
    invocation: Invocation | None = None
    node: "FakeNode | None" = None
    served: list[bytes] = field(default_factory=list)
    refusal: ClientFault | None = None
    """Why nothing is initialised again in its place, as for one that could not be restored."""
    _answer: "asyncio.Future[InvocationResult] | None" = None

    def _expect(self, *states: str) -> None:
        if self.state not in states:
            raise AssertionError(f"not possible for an environment that is {self.state}")

    def become_ready(self) -> None:
        """The runtime asks for an event."""
        self._expect("init", "responded")
        self.state = "ready"
        self.idle_since_s = time.monotonic()
        self.watcher.on_ready(self)

    def invoke(self, invocation: Invocation) -> "asyncio.Future[InvocationResult]":
        self._expect("ready")
        self.state = "invoking"
        self.invocation = invocation
        self._answer = asyncio.get_running_loop().create_future()
        return self._answer

    def respond(self, error: str | None = None) -> None:
        """The function answers with its event's payload."""
        invocation, answer = self.invocation, self._answer
        if invocation is None or answer is None:
            raise AssertionError("there is no event to answer")
        payload = invocation.payload
        self.served.append(payload)
        self.state, self.invocation = "responded", None
        answer.set_result(InvocationResult(payload, self.spec.version, error))
        self.watcher.on_responded(self)

    def held_bytes(self) -> int:
        return self.memory_bytes

    def refuse_invocation(self, invocation: Invocation) -> InvocationResult:  # noqa: ARG002
        return InvocationResult(b'"init failed"', self.spec.version, "Unhandled")

    async def start_again(self, watcher: Watcher) -> Environment:
        if self.refusal is not None:
            raise self.refusal
        if self.node is None:
            raise AssertionError("there is no node to start another one")
        return await self.node.start(self.spec, watcher)

    def hang_up(self) -> None:
        """The runtime leaves while it waits for an event; its end follows with :meth:`end`."""
        self.state = "stopping"
        self.watcher.on_leaving(self)

    def stop(self) -> None:
        if self.state not in ("stopping", "gone"):
            self.state = "stopping"
            asyncio.get_running_loop().call_soon(self.end)

    def end(self) -> None:
        """The sandbox is gone."""
        if self.state == "gone":
            return
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(InvocationResult(b'"exited"', self.spec.version, "Unhandled"))
        self.state = "gone"
        self.watcher.on_gone(self)


@dataclass(eq=False)
class FakeStart:
    """One call of ``start``, waiting for the test to say what comes of it."""

    spec: EnvironmentSpec
    watcher: Watcher
    made: "asyncio.Future[Environment]"
    node: "FakeNode | None" = None

    def make(self) -> FakeEnvironment:
        """It worked: the environment, not ready yet."""
        environment = FakeEnvironment(self.spec, self.watcher, node=self.node)
        self.made.set_result(environment)
        return environment

    def fail(self, error: Exception) -> None:
        """The host could not."""
        self.made.set_exception(error)


class FakeNode:
    """Remembers every start. ``automatic`` ones are made and ready by themselves."""

    def __init__(self, *, automatic: bool = False) -> None:
        self.starts: list[FakeStart] = []
        self.environments: list[FakeEnvironment] = []
        self._automatic = automatic

    async def start(self, spec: EnvironmentSpec, watcher: Watcher) -> Environment:
        start = FakeStart(spec, watcher, asyncio.get_running_loop().create_future(), self)
        self.starts.append(start)
        if self._automatic:
            environment = start.make()
            self.environments.append(environment)
            asyncio.get_running_loop().call_soon(environment.become_ready)
        return await start.made

    def by_state(self) -> Mapping[str, int]:
        """How many of its own environments are in which state."""
        counts: dict[str, int] = {}
        for environment in self.environments:
            counts[environment.state] = counts.get(environment.state, 0) + 1
        return counts
