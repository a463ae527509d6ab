"""How batches of a kind of stream are written: the event, what a function says of it, what a destination is told.

Pure. Kinesis and DynamoDB share one form, here; Kafka's is in ``kafka_form.py``.
"""

from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from typing import Any, Final, Protocol

from lambent.sources.batch import make_event
from lambent.sources.failures import reported_failures
from lambent.sources.stream_failures import Piece
from lambent.sources.stream_settings import StreamSettings
from lambent.sources.stream_source import StreamRecord


class StreamForm(Protocol):
    """The form of one mapping's batches."""

    @property
    def frame_bytes(self) -> int:
        """What an event has around its records."""
        ...

    @property
    def retries_apart(self) -> bool:
        """Whether of a partial report only the reported records are tried again, not what follows them."""
        ...

    @property
    def drops_too_large(self) -> bool:
        """Whether a record whose event is over Lambda's limit is given up at once: no retry would help."""
        ...

    @property
    def has_iterator_age(self) -> bool:
        """Whether there is the metric ``IteratorAge``."""
        ...

    def event(self, shard_id: str, records: Sequence[StreamRecord]) -> bytes:
        """The event of a batch."""
        ...

    def reported(
        self, shard_id: str, answer: bytes, known: Collection[str]
    ) -> frozenset[str] | None:
        """Sequence numbers that a function reports; None where the whole batch counts as failed."""
        ...

    def batch_info(
        self, piece: Piece, settings: StreamSettings, shard_id: str
    ) -> tuple[str, dict[str, Any]]:
        """(name, value) of the member that tells a destination where the batch is."""
        ...


class RecordsForm:
    """Is a :class:`StreamForm`: ``{"Records": […]}``.

    Source: the example in "Retain discarded batch records for a Kinesis Data Streams event source in Lambda using
    destinations", and its like for DynamoDB.
    """

    frame_bytes = len(b'{"Records":[]}')
    retries_apart = False
    drops_too_large = False
    has_iterator_age = True

    def event(self, _shard_id: str, records: Sequence[StreamRecord]) -> bytes:
        """See the protocol."""
        return make_event(records)

    def reported(
        self, _shard_id: str, answer: bytes, known: Collection[str]
    ) -> frozenset[str] | None:
        """See the protocol."""
        return reported_failures(answer, known)

    def batch_info(
        self, piece: Piece, settings: StreamSettings, shard_id: str
    ) -> tuple[str, dict[str, Any]]:
        """See the protocol."""
        info: dict[str, Any] = {"shardId": shard_id}
        if piece.records:
            first, last = piece.records[0], piece.records[-1]
            info |= {
                "startSequenceNumber": first.sequence_number,
                "endSequenceNumber": last.sequence_number,
                "approximateArrivalOfFirstRecord": timestamp(first.arrived_s),
                "approximateArrivalOfLastRecord": timestamp(last.arrived_s),
            }
        info |= {"batchSize": len(piece.records), "streamArn": settings.stream_arn}
        return settings.batch_info, info


RECORDS: Final = RecordsForm()


def timestamp(unix_s: float) -> str:
    """``2019-11-14T00:38:06.021Z``."""
    text = datetime.fromtimestamp(unix_s, UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")
