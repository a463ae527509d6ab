"""What becomes of a batch that a function failed on: retried, bisected, given up. Pure.

A batch of a stream is a queue of *pieces*, handled one after the other, in order; at first it is one piece.

1. Order is kept: what is left of a piece comes before every later piece.
2. A piece ends: each attempt finishes records, makes smaller pieces, or takes one of its retries.
3. Splitting takes no retry. AWS: "Splitting a batch does not count towards the retry quota"; both halves
   start with the retries that the whole had used (with halves of one attempt: none).

Source: "How Lambda processes records from stream and queue-based event sources", "Configuring partial batch
response with Kinesis Data Streams and Lambda".
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from lambent.model.invocation import InvocationResult
from lambent.sources.stream_source import StreamRecord

RETRIES_EXHAUSTED = "RetryAttemptsExhausted"
TOO_LARGE = "MaximumPayloadSizeExceeded"
AGE_EXCEEDED = "MaximumRecordAgeExceeded"
"""Best known: AWS's pages show a destination's record with the first condition only."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Records that are handled in one invocation. ``invoked``: how often they were handed to the function.

    ``final`` ends a tumbling window; such a piece may have no records. ``early``: because of its state's size.
    """

    records: tuple[StreamRecord, ...]
    invoked: int = 0
    retries: int = 0
    final: bool = False
    early: bool = False


@dataclass(frozen=True, slots=True)
class Decision:
    """What follows: ``done`` records at its start are finished, ``given_up`` is, ``left`` is handled next.

    ``wait``: the same records are tried again, so not at once.
    """

    done: int
    left: tuple[Piece, ...] = ()
    given_up: Piece | None = None
    wait: bool = False


@dataclass(frozen=True, slots=True)
class GivenUp:
    """A piece that goes to the destination, if there is one. ``result`` is what the function answered last."""

    piece: Piece
    condition: str
    result: InvocationResult | None


def decide(
    piece: Piece, failed_at: int | None, *, max_retries: int | None, bisects: bool
) -> Decision:
    """After an attempt, already counted in ``piece.invoked``. ``failed_at`` is the lowest failed record's place;

    0 when the whole piece failed, None when nothing did.
    """
    if failed_at is None:
        return Decision(len(piece.records))
    rest = replace(piece, records=piece.records[failed_at:])
    if bisects and failed_at > 0:
        # AWS: with both settings "the batch is bisected at the returned sequence number and Lambda retries
        # only the remaining records".
        return Decision(failed_at, (rest,), wait=True)
    if bisects and len(rest.records) > 1:
        # POLICY: also when the function reports its first record: there is no other place to split at, and
        # a poison record would take the rest of its batch with it.
        middle = len(rest.records) // 2
        halves = (
            replace(rest, records=rest.records[:middle]),
            replace(rest, records=rest.records[middle:]),
        )
        return Decision(0, halves)
    if max_retries is not None and piece.retries >= max_retries:
        return Decision(failed_at, given_up=rest)
    return Decision(failed_at, (replace(rest, retries=rest.retries + 1),), wait=True)


def without_handled(
    piece: Piece, failed: Collection[str]
) -> tuple[Piece, tuple[StreamRecord, ...]]:
    """(what is left, what is done) of a piece whose ``failed`` records alone are tried again.

    Source: "Configuring error handling controls for Kafka event sources": the function returns identifiers "only
    for the failed messages, allowing Lambda to retry just those specific items".
    """
    left = tuple(record for record in piece.records if record.sequence_number in failed)
    done = tuple(record for record in piece.records if record.sequence_number not in failed)
    return replace(piece, records=left), done


def split_by_age(
    piece: Piece, oldest_s: float, kept_from: int = -1
) -> tuple[Piece | None, Piece | None]:
    """(too old, the rest): the records at its start that arrived before ``oldest_s``, so that order is kept;

    or that the stream itself keeps no more, for their sequence is below ``kept_from``.
    """
    records = piece.records
    count = 0
    while count < len(records) and (
        records[count].arrived_s < oldest_s or records[count].sequence < kept_from
    ):
        count += 1
    if count == 0:
        return None, piece
    old = replace(piece, records=records[:count])
    return old, replace(piece, records=records[count:]) if count < len(records) else None


def lowest_failed(records: Sequence[StreamRecord], failed: frozenset[str] | None) -> int | None:
    """Where the lowest of the reported sequence numbers stands; 0 for None: the whole batch failed."""
    if failed is None:
        return 0
    places = (n for n, record in enumerate(records) if record.sequence_number in failed)
    return next(places, None)
