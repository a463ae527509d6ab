"""An asynchronous event as a message of the queue store: which queue, and what is kept with it."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from lambent.store.queues.contract import Queue, Transaction

QUEUE_PREFIX = "events/"
MAX_PAYLOAD_BYTES = 1024 * 1024
"""AWS: 1 MB for asynchronous requests. Source: "Lambda quotas", and Invoke in the service model."""
Function = tuple[str, str, str]
"""Account, region, name."""


@dataclass(frozen=True, slots=True)
class EventAttributes:
    """What is kept with an event besides its payload; its message id is the request id.

    ``qualifier`` as the caller gave it; ``attempts`` counts function errors, ``waits`` throttles and faults;
    ``due_at_ms`` is when it may be tried again, which outlives a restart that makes it visible early.
    """

    qualifier: str | None = None
    trace: str = ""
    source: str = "invoke"
    attempts: int = 0
    waits: int = 0
    due_at_ms: int = 0
    tenant_id: str | None = None

    def encode(self) -> str:
        """As the store keeps it."""
        return json.dumps(asdict(self), separators=(",", ":"))

    def after(self, **changes: Any) -> "EventAttributes":
        """With changes."""
        return replace(self, **changes)


def decode_attributes(text: str) -> EventAttributes:
    """What :meth:`EventAttributes.encode` wrote; of a newer writer, what is known of it."""
    document: Mapping[str, Any] = json.loads(text)
    known = {k: v for k, v in document.items() if k in EventAttributes.__slots__}
    return EventAttributes(**known)


def queue_key(account_id: str, region: str, name: str) -> str:
    """A function's queue."""
    return f"{QUEUE_PREFIX}{account_id}/{region}/{name}"


def function_of_key(key: str) -> Function:
    """The function whose queue it is."""
    account_id, region, name = key.removeprefix(QUEUE_PREFIX).split("/")
    return account_id, region, name


def open_queue(tx: Transaction, key: str) -> Queue:
    """A function's queue, made when it is needed first."""
    return tx.find_queue(key) or tx.create_queue(key, fifo=False, document="{}")
