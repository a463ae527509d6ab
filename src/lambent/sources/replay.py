"""Replaying a stream: the checkpoints of its mapping are set back, durably, while nothing polls it.

1. All of it is one commit: a mapping that is polled again begins every shard where it was told to, or, when
   anything was wrong, where it was.
2. What was tried of batches, and open tumbling windows, are forgotten with the checkpoints.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from lambent.model.errors import ClientFault, PlatformFault, invalid_parameter
from lambent.sources.checkpoints import Checkpoint, Checkpoints
from lambent.sources.stream_source import TRIM_HORIZON, Position, PositionKind, StreamSource
from lambent.store.queues.contract import StoreFullError

_LATEST_TIME_S: Final = 253_402_300_799
"""The year 9999: a time, not a time in milliseconds."""
_MAX_SEQUENCE_CHARS: Final = 128


@dataclass(frozen=True, slots=True)
class ReplayRequest:
    """From where; of all shards, or of one."""

    position: Position
    shard_id: str | None = None


def parse_request(document: object) -> ReplayRequest:
    """Of ``{"from": …, "timestamp": Unix seconds, "sequence_number": …, "shard_id": …}``.

    ``from`` is one of TRIM_HORIZON, AT_TIMESTAMP, AT_SEQUENCE_NUMBER, AFTER_SEQUENCE_NUMBER. Raises
    ``InvalidParameterValueException``.
    """
    if not isinstance(document, dict) or document.keys() - {
        *("from", "timestamp", "sequence_number", "shard_id")
    }:
        raise invalid_parameter("A replay takes from, timestamp, sequence_number and shard_id.")
    shard_id = document.get("shard_id")
    if shard_id is not None and not (isinstance(shard_id, str) and 0 < len(shard_id) <= 128):
        raise invalid_parameter("shard_id is the name of a shard.")
    return ReplayRequest(_position(document, shard_id), shard_id)


def _position(document: Mapping[str, Any], shard_id: str | None) -> Position:
    given = document.keys() & {"timestamp", "sequence_number"}
    asked = str(document.get("from"))
    if asked == "TRIM_HORIZON" and not given:
        return TRIM_HORIZON
    if asked == "AT_TIMESTAMP" and given == {"timestamp"}:
        timestamp = document["timestamp"]
        if isinstance(timestamp, bool) or not isinstance(timestamp, int | float):
            raise invalid_parameter("timestamp is a number of Unix seconds.")
        if not 0 <= timestamp <= _LATEST_TIME_S:
            raise invalid_parameter("timestamp is in Unix seconds, between 1970 and 9999.")
        return Position(PositionKind.AT_TIMESTAMP, repr(float(timestamp)))
    if asked in {"AT_SEQUENCE_NUMBER", "AFTER_SEQUENCE_NUMBER"} and given == {"sequence_number"}:
        number = document["sequence_number"]
        digits = isinstance(number, str) and number.isascii() and number.isdigit()
        if not digits or len(number) > _MAX_SEQUENCE_CHARS:
            raise invalid_parameter("sequence_number is a string of digits.")
        if shard_id is None:
            raise invalid_parameter("A sequence number means something in one shard: say shard_id.")
        return Position(PositionKind(asked), number)
    raise invalid_parameter(
        "from is TRIM_HORIZON; AT_TIMESTAMP with timestamp; or AT_SEQUENCE_NUMBER or "
        "AFTER_SEQUENCE_NUMBER with sequence_number and shard_id."
    )


async def replay(
    request: ReplayRequest, source: StreamSource, checkpoints: Checkpoints, factor: int
) -> list[str]:
    """The shards whose checkpoints were set. Raises AwsError, having changed nothing."""
    listed = {shard.shard_id for shard in await source.shards()}
    chosen = sorted(listed if request.shard_id is None else listed & {request.shard_id})
    if not chosen:
        raise ClientFault(
            "ResourceNotFoundException", f"The stream has no shard {request.shard_id or ''}.", 404
        )
    if request.position.kind in {
        PositionKind.AT_SEQUENCE_NUMBER,
        PositionKind.AFTER_SEQUENCE_NUMBER,
    }:
        await source.iterator(chosen[0], request.position)  # the stream refuses what is not its own
    facts = await source.facts()
    opened = await checkpoints.load()
    begun = opened is not None and opened.identity == facts.identity
    if not begun and len(chosen) < len(listed):
        raise ClientFault(
            "InvalidParameterValueException",
            "The mapping was never polled: its other shards have no place yet. Replay all of them.",
        )
    beginning = Checkpoint(request.position, factor)
    try:
        await checkpoints.reset(facts.identity, dict.fromkeys(chosen, beginning), anew=not begun)
    except StoreFullError as error:
        raise PlatformFault("The disk is full: no checkpoint was changed.", status=507) from error
    return chosen
