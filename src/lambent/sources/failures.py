"""What a function says of a batch, and what becomes of its records: pure.

Source: "Implementing partial batch responses" (Lambda with SQS, Kinesis, DynamoDB streams).
"""

import json
from collections.abc import Callable, Collection, Hashable, Sequence
from typing import Any, Protocol, TypeVar


def _identifier(failure: Any) -> object:
    return failure.get("itemIdentifier") if isinstance(failure, dict) else None


def reported_failures(
    answer: bytes, known: Collection[str], identifier_of: Callable[[Any], object] = _identifier
) -> frozenset[str] | None:
    """The identifiers in ``batchItemFailures``; None where AWS takes the whole batch as failed.

    AWS: all succeeded with an empty or null list, an empty or null answer. All failed with an answer that is
    no JSON object, an identifier that is empty, null, under another name, or not in the batch (``known``).
    ``identifier_of`` reads one failure.
    """
    try:
        document = json.loads(answer) if answer.strip() else None
    except (ValueError, RecursionError):
        return None
    if document is None:
        return frozenset()
    failures = document.get("batchItemFailures") if isinstance(document, dict) else ""
    if failures is None:
        return frozenset()
    if not isinstance(failures, list):
        return None
    found = set()
    for failure in failures:
        identifier = identifier_of(failure)
        if not isinstance(identifier, str) or identifier not in known:
            return None
        found.add(identifier)
    return frozenset(found)


class Grouped(Protocol):
    """A record with an order among those of its group."""

    @property
    def message_id(self) -> str: ...
    @property
    def group_id(self) -> Hashable: ...


T = TypeVar("T", bound=Grouped)


def split_failed(
    batch: Sequence[T], failed: Collection[str], *, ordered: bool
) -> tuple[list[T], list[T]]:
    """(done, failed) of a batch, each in order.

    ``ordered``: behind a failed record the rest of its group counts as failed too, whatever was said of it.
    POLICY: AWS asks the function to say so; here one that forgets does not break the order.
    """
    done: list[T] = []
    left: list[T] = []
    stopped: set[Hashable] = set()
    for record in batch:
        if record.message_id in failed or (ordered and record.group_id in stopped):
            left.append(record)
            stopped.add(record.group_id)
        else:
            done.append(record)
    return done, left
