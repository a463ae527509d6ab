"""``ReceiveRequestAttemptId``: a receive that is asked for again gives the same messages again.

For five minutes, as long as none of the messages was deleted or had its visibility changed. Kept in
memory: after a restart an attempt is a new one, and its messages come back with their visibility.
"""

from dataclasses import dataclass

from lambent.store.queues.contract import Receipt

KEPT_MS = 5 * 60 * 1000
"""Source: ReceiveRequestAttemptId in botocore's ``sqs`` model."""
MAX_KEPT = 1_000
"""POLICY: attempts remembered of one queue; beyond that the oldest goes."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """The messages an attempt gave, and until when it held them."""

    receipts: tuple[Receipt, ...]
    received_at_ms: int
    visible_at_ms: int


class Attempts:
    """The attempts of one queue."""

    __slots__ = ("_kept",)

    def __init__(self) -> None:
        self._kept: dict[str, Attempt] = {}

    def find(self, attempt_id: str | None, now_ms: int) -> Attempt | None:
        """What the attempt gave, if that was less than five minutes ago."""
        if attempt_id is None:
            return None
        found = self._kept.get(attempt_id)
        if found is None or now_ms - found.received_at_ms >= KEPT_MS:
            return None
        return found

    def remember(self, attempt_id: str, attempt: Attempt) -> None:
        """For the next five minutes."""
        self._kept.pop(attempt_id, None)
        while self._kept and (
            len(self._kept) >= MAX_KEPT
            or attempt.received_at_ms - next(iter(self._kept.values())).received_at_ms >= KEPT_MS
        ):
            del self._kept[next(iter(self._kept))]
        self._kept[attempt_id] = attempt
