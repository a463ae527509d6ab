"""Streams, as their worker sees them: shards, positions, records.

Implemented by ``kinesis.py`` and ``dynamodb.py`` over the AWS API of wherever the stream is.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol


class PositionKind(StrEnum):
    """Where in a shard reading begins: AWS's ``ShardIteratorType``."""

    TRIM_HORIZON = "TRIM_HORIZON"
    LATEST = "LATEST"
    AT_TIMESTAMP = "AT_TIMESTAMP"
    AT_SEQUENCE_NUMBER = "AT_SEQUENCE_NUMBER"
    AFTER_SEQUENCE_NUMBER = "AFTER_SEQUENCE_NUMBER"


@dataclass(frozen=True, slots=True)
class Position:
    """``value`` is a sequence number, or Unix seconds, as the kind says."""

    kind: PositionKind
    value: str = ""


TRIM_HORIZON = Position(PositionKind.TRIM_HORIZON)
LATEST = Position(PositionKind.LATEST)


@dataclass(frozen=True, slots=True)
class ShardInfo:
    """A shard as it is listed. ``closed``: nothing more is written to it."""

    shard_id: str
    parents: tuple[str, ...] = ()
    closed: bool = False


@dataclass(frozen=True, slots=True)
class StreamRecord:
    """A record: ``sequence`` orders it in its shard, ``key`` is what order is promised for.

    ``record`` is its JSON in the event; of one that no filter keeps (not ``wanted``) it is empty.
    """

    sequence: int
    sequence_number: str
    key: str
    arrived_s: float
    record: bytes
    wanted: bool = True


@dataclass(frozen=True, slots=True)
class Fetched:
    """What one GetRecords gave. ``next_iterator`` is None at the end of a closed shard;

    ``behind_ms`` is None where the source does not tell.
    """

    records: tuple[StreamRecord, ...]
    next_iterator: str | None
    behind_ms: int | None = None


@dataclass(frozen=True, slots=True)
class StreamFacts:
    """How long records are kept, and what tells the stream from another one made under its name."""

    retention_s: float
    identity: str


class StreamSource(Protocol):
    """A stream. Everything raises AwsError, with the source's own codes."""

    @property
    def max_fetch(self) -> int:
        """Records of one GetRecords at most."""
        ...

    @property
    def from_time(self) -> bool:
        """Whether reading can begin at a time; else it begins at the horizon, and what is older is skipped."""
        ...

    async def shards(self) -> list[ShardInfo]:
        """Every shard there is."""
        ...

    async def facts(self) -> StreamFacts: ...

    async def iterator(self, shard_id: str, position: Position) -> str: ...
    async def fetch(self, shard_id: str, iterator: str, limit: int, /) -> Fetched: ...
