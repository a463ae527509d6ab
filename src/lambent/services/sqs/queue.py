"""A queue as the service knows it: its name, its attributes and tags, and the document they are kept in."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

from lambent.services.sqs.attributes import Settings, parse_settings
from lambent.services.sqs.names import QueueName, parse_key
from lambent.store.queues.contract import Queue


@dataclass(frozen=True)
class SqsQueue:
    """``attributes`` holds what was set; ``settings`` what is obeyed. Times are Unix milliseconds."""

    queue_id: int
    name: QueueName
    fifo: bool
    attributes: Mapping[str, str]
    tags: Mapping[str, str]
    created_at_ms: int
    modified_at_ms: int
    purged_at_ms: int = 0

    @cached_property
    def settings(self) -> Settings:
        """Parsed when first needed."""
        return parse_settings(self.attributes)

    @cached_property
    def arn(self) -> str:
        """``arn:aws:sqs:REGION:ACCOUNT:NAME``."""
        return self.name.arn

    @cached_property
    def dead_letter_arn(self) -> str | None:
        """The queue its dead letters go to."""
        redrive = self.settings.redrive
        return redrive.target_arn if redrive is not None else None

    def changed(self, now_ms: int, attributes: Mapping[str, str]) -> "SqsQueue":
        """The queue with other attributes, as of now."""
        return replace(self, attributes=attributes, modified_at_ms=now_ms)

    def tagged(self, tags: Mapping[str, str]) -> "SqsQueue":
        """The queue with other tags."""
        return replace(self, tags=tags)

    def purged(self, now_ms: int) -> "SqsQueue":
        """The queue as purged now."""
        return replace(self, purged_at_ms=now_ms)

    @property
    def document(self) -> str:
        """What the store keeps."""
        return json.dumps(
            {
                "attributes": dict(self.attributes),
                "tags": dict(self.tags),
                "created_at_ms": self.created_at_ms,
                "modified_at_ms": self.modified_at_ms,
                "purged_at_ms": self.purged_at_ms,
            },
            separators=(",", ":"),
        )


def read_queue(stored: Queue) -> SqsQueue:
    """The queue out of the store's row."""
    document = json.loads(stored.document)
    return SqsQueue(stored.queue_id, parse_key(stored.key), stored.fifo, **document)
