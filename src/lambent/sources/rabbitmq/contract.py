"""A RabbitMQ queue as its worker sees it, whichever client library stands behind it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class RabbitProperties:
    """AMQP's basic properties; None where a message has none."""

    content_type: str | None = None
    content_encoding: str | None = None
    headers: Mapping[str, Any] = field(default_factory=dict)
    delivery_mode: int | None = None
    priority: int | None = None
    correlation_id: str | None = None
    reply_to: str | None = None
    expiration: str | None = None
    message_id: str | None = None
    timestamp: datetime | None = None
    message_type: str | None = None
    user_id: str | None = None
    app_id: str | None = None
    cluster_id: str | None = None


@dataclass(frozen=True, slots=True)
class RabbitMessage:
    """A delivery. ``tag`` names it on its channel; tags grow."""

    tag: int
    body: bytes
    properties: RabbitProperties
    redelivered: bool


@dataclass(frozen=True, slots=True)
class RabbitAccess:
    """How a broker is reached. ``tls`` is whether its URL says ``amqps``."""

    host: str
    port: int
    tls: bool
    virtual_host: str = "/"
    username: str = ""
    password: str = field(default="", repr=False)


class RabbitQueue(Protocol):
    """One queue on a connection of its own. What waits raises AwsError, and has a deadline."""

    async def open(
        self, deliver: Callable[[RabbitMessage], None], broken: Callable[[], None]
    ) -> None:
        """Connects and consumes: each message is handed to ``deliver``; ``broken`` is called when that is over."""
        ...

    async def close(self) -> None:
        """Unacknowledged messages go back to the queue. Never raises."""
        ...

    async def flow(self, *, on: bool) -> None:
        """Stops deliveries, or lets them go on."""
        ...

    async def ack(self, tag: int, *, up_to: bool) -> None:
        """Done; with ``up_to`` every one before it too."""
        ...

    async def requeue(self, tag: int) -> None:
        """Puts this one and every unacknowledged one before it back, where they were."""
        ...

    async def reject(self, tag: int) -> None:
        """Gives one up: to the queue's dead-letter exchange, where it has one."""
        ...

    async def waiting(self) -> int:
        """Messages that are ready in the queue."""
        ...


OpenQueue = Callable[[RabbitAccess, str, int], RabbitQueue]
"""Of (access, queue, most messages unacknowledged)."""
