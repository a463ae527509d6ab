"""What the invocation path needs from others, declared by the one who needs it."""

import asyncio
from collections.abc import Mapping
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


class Template(Protocol):
    """An initialised version that environments are forked from (SnapStart)."""

    @property
    def is_made(self) -> bool:
        """Whether it is initialised."""
        ...

    @property
    def is_used(self) -> bool:
        """Whether something waits for it, or is being forked from it."""
        ...

    @property
    def idle_s(self) -> float: ...
    @property
    def init_s(self) -> float: ...
    @property
    def held_bytes(self) -> int:
        """What it holds, or while it initialises what it may come to hold."""
        ...


class Ahead(Protocol):
    """What a node made ahead: all of it can be done without, and is made again when it is needed."""

    def held_bytes(self) -> int:
        """What waits prepared, templates not counted."""
        ...

    def give_back(self, lacking_bytes: int) -> int:
        """Ends as much of that as holds so many bytes, or all of it; what it held."""
        ...

    def allow(self, spare_bytes: int, left_bytes: int) -> None:
        """What it may hold beyond a few of each kind, and what it may take of memory until this is said again."""
        ...

    def templates(self) -> Mapping[str, Template]:
        """By the key of their version."""
        ...

    def end_template(self, key: str) -> None:
        """Gives one up that is not used."""
        ...
