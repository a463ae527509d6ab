"""What the invocation path needs from others, declared by the one who needs it."""

import asyncio
from typing import Protocol

from lambent.model.invocation import EnvironmentSpec, Invocation, InvocationResult, Target


class Directory(Protocol):
    """Knows what a function name means right now."""

    def resolve(
        self, account_id: str, region: str, function_name: str, qualifier: str | None
    ) -> Target:
        """Raises AWS's ResourceNotFoundException, or ResourceConflictException while Pending."""
        ...


class Environment(Protocol):
    """A live execution environment."""

    spec: EnvironmentSpec
    idle_since_s: float

    def invoke(self, invocation: Invocation) -> "asyncio.Future[InvocationResult]": ...
    def held_bytes(self) -> int: ...
    def refuse_invocation(self, invocation: Invocation) -> InvocationResult: ...
    async def start_again(self, watcher: "Watcher") -> "Environment": ...
    def stop(self) -> None: ...


class Watcher(Protocol):
    """Who a node tells how an environment fares."""

    def on_ready(self, environment: Environment) -> None: ...
    def on_responded(self, environment: Environment) -> None: ...
    def on_leaving(self, environment: Environment) -> None: ...
    def on_gone(self, environment: Environment) -> None: ...


class Node(Protocol):
    """Starts environments. ``start`` raises when the host cannot make one; nothing is left then."""

    async def start(self, spec: EnvironmentSpec, watcher: Watcher) -> Environment: ...
