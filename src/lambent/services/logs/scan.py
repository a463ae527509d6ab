"""Stored events in order of their position, whatever blocks they came in.

A position is one number made of timestamp, block id and index in the block: unique, stable, and
sorted by time. It is the ``eventId`` and what page tokens hold.
"""

import heapq
from collections.abc import Iterator
from typing import Final, NamedTuple

from lambent.store.log_blocks import Block, LogStore, Span

_BLOCK_FACTOR: Final = 10**20
_TIME_FACTOR: Final = 10**40
_BLOCKS_A_QUERY: Final = 256


class StoredEvent(NamedTuple):
    """An event as read back; ``message`` is still bytes."""

    position: int
    timestamp_ms: int
    message: bytes
    ingestion_ms: int
    stream_name: str


def position_time_ms(position: int) -> int:
    """The timestamp in a position."""
    return position // _TIME_FACTOR


def scan(
    store: LogStore, span: Span, *, descending: bool = False, beyond: int | None = None
) -> Iterator[StoredEvent]:
    """Events of ``span`` by position, strictly beyond ``beyond`` in the direction of reading.

    Blocks are read one by one: memory holds those that overlap in time, not the whole range.
    """
    sign = -1 if descending else 1
    waiting: list[tuple[int, StoredEvent]] = []
    for block in _blocks(store, _narrowed(span, descending, beyond), descending):
        edge_ms = block.last_ms if descending else block.first_ms
        while waiting and sign * waiting[0][1].timestamp_ms < sign * edge_ms:
            yield heapq.heappop(waiting)[1]
        for event in _events(store, block):
            if span.start_ms <= event.timestamp_ms <= span.end_ms and (
                beyond is None or sign * event.position > sign * beyond
            ):
                heapq.heappush(waiting, (sign * event.position, event))
    while waiting:
        yield heapq.heappop(waiting)[1]


def _narrowed(span: Span, descending: bool, beyond: int | None) -> Span:
    if beyond is None:
        return span
    time_ms = position_time_ms(beyond)
    if descending:
        return span._replace(end_ms=min(span.end_ms, time_ms))
    return span._replace(start_ms=max(span.start_ms, time_ms))


def _blocks(store: LogStore, span: Span, descending: bool) -> Iterator[Block]:
    after: tuple[int, int] | None = None
    while True:
        blocks = store.blocks(span, descending=descending, after=after, limit=_BLOCKS_A_QUERY)
        yield from blocks
        if len(blocks) < _BLOCKS_A_QUERY:
            return
        last = blocks[-1]
        after = (last.last_ms if descending else last.first_ms, last.block_id)


def _events(store: LogStore, block: Block) -> Iterator[StoredEvent]:
    base = block.block_id * _BLOCK_FACTOR
    for index, (stamp_ms, message) in enumerate(store.events(block.block_id)):
        position = stamp_ms * _TIME_FACTOR + base + index
        yield StoredEvent(position, stamp_ms, message, block.ingestion_ms, block.stream_name)
