"""What is remembered of pieces that were tried and are not done, so that a restart goes on counting. Pure.

1. A piece is known by its last record: of a lane's unfinished records it has those up to there, behind the
   pieces before it. So a restart makes the same pieces of the same records.
2. Pieces that nobody was asked for are not remembered: a restart makes new batches of their records.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from lambent.sources.stream_failures import Piece
from lambent.sources.stream_source import StreamRecord


@dataclass(frozen=True, slots=True)
class PieceMark:
    """One piece: ``last`` is the sequence of its last record, None of one without (the end of a window)."""

    last: int | None
    invoked: int
    retries: int
    final: bool = False
    early: bool = False

    def piece(self, records: Sequence[StreamRecord]) -> Piece:
        """The piece again."""
        return Piece(tuple(records), self.invoked, self.retries, self.final, self.early)

    def encode(self) -> list[Any]:
        """For JSON; sequences are larger than what other readers of it take as a number."""
        last = None if self.last is None else str(self.last)
        return [last, self.invoked, self.retries, self.final, self.early]

    @classmethod
    def decode(cls, document: Sequence[Any]) -> "PieceMark":
        """What :meth:`encode` made."""
        last, invoked, retries, final, early = document
        return cls(None if last is None else int(last), invoked, retries, final, early)


def marks_of(pieces: Iterable[Piece]) -> tuple[PieceMark, ...]:
    """Of the unfinished pieces of a batch, in order; none where nothing of it was tried."""
    pieces = tuple(pieces)
    if not any(piece.invoked for piece in pieces):
        return ()
    return tuple(
        PieceMark(
            piece.records[-1].sequence if piece.records else None,
            piece.invoked,
            piece.retries,
            piece.final,
            piece.early,
        )
        for piece in pieces
    )


def count_up_to(waiting: Iterable[StreamRecord], last: int) -> int:
    """How many of the first records are not behind ``last``."""
    count = 0
    for record in waiting:
        if record.sequence > last:
            break
        count += 1
    return count
