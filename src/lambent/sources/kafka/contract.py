"""A Kafka topic as its worker sees it, whichever client library stands behind it."""

import ssl
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, slots=True)
class KafkaMessage:
    """A message. ``timestamp_type``: 0 for the producer's clock, 1 for the broker's, None where there is none."""

    partition: int
    offset: int
    timestamp_ms: int
    timestamp_type: int | None
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...] = ()


@dataclass(frozen=True, slots=True)
class KafkaAccess:
    """How brokers are reached. ``mechanism`` is SASL's, "" for none; ``tls`` None for plain connections."""

    bootstrap_servers: tuple[str, ...]
    mechanism: str = ""
    username: str = ""
    password: str = field(default="", repr=False)
    tls: ssl.SSLContext | None = None


class Assignee(Protocol):
    """Whoever reads the partitions that the group gives to this consumer."""

    async def revoked(self, partitions: Collection[int]) -> None:
        """Before others get them: what is being handled may end, and be committed, while this is awaited."""
        ...

    async def assigned(self, partitions: Collection[int]) -> None:
        """They are this consumer's."""
        ...


class KafkaTopic(Protocol):
    """One topic, read in one consumer group. Everything that waits raises AwsError, and has a deadline."""

    async def start(self, assignee: Assignee) -> None:
        """Joins the group."""
        ...

    async def stop(self) -> None:
        """Leaves it. Never raises."""
        ...

    async def check(self) -> None:
        """Raises AwsError when the membership has ended by itself: a new connection is needed."""
        ...

    async def committed(self) -> Mapping[int, int | None]:
        """Partition → the group's next offset, None where it has none; of all partitions there are."""
        ...

    async def first_offsets(self, partitions: Collection[int]) -> Mapping[int, int]:
        """The lowest offsets that are kept."""
        ...

    async def end_offsets(self, partitions: Collection[int]) -> Mapping[int, int]:
        """The offsets that the next messages will get."""
        ...

    async def offsets_at(self, unix_ms: int, partitions: Collection[int]) -> Mapping[int, int]:
        """The first messages of that time or later; the end where there is none."""
        ...

    async def fetch(self, partition: int, offset: int, limit: int) -> list[KafkaMessage]:
        """Messages from an offset on; waits for the first for some time, and may come back empty."""
        ...

    async def commit(self, partition: int, offset: int) -> None:
        """Durable when it returns."""
        ...

    def end_of(self, partition: int) -> int | None:
        """What the last answer said of a partition's end."""
        ...


OpenTopic = Callable[[KafkaAccess, str, str], KafkaTopic]
"""Of (access, topic, consumer group)."""
