"""Checkpoints: how far each shard of a mapping was handled, durable, in the queue store's records.

1. A mapping is *opened* once: where each shard begins is written down before anything is read, so that a
   restart goes on from there even when nothing was handled yet.
2. A checkpoint holds the lowest unfinished sequence number (or the last one read, when nothing is unfinished)
   and, by lane, what lanes ahead of it have finished; so a restart repeats at most the batches in hand.
3. What is given up reaches its destination in the commit that moves the checkpoint past it.
4. It holds, too, how often the pieces in hand were tried: a restart goes on counting.
5. Lanes' marks, windows and pieces mean something with the same parallelization factor only; with another one they
   are left aside, and what they had finished may come again.
"""

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from lambent.model.errors import AwsError
from lambent.model.outgoing import Outgoing
from lambent.sources.stream_retries import PieceMark
from lambent.sources.stream_source import Position, PositionKind
from lambent.sources.tumbling import Window
from lambent.store.queues.contract import QueueStore, Transaction
from lambent.store.queues.outlet import Outlet

_CHECKPOINT: Final = "stream-checkpoint"
_WINDOW: Final = "stream-window"
_PAGE: Final = 1_000


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Of one shard. ``marks``: lane → the sequence number up to which it has finished.

    ``pieces``: lane → what was tried of its batch in hand.
    """

    position: Position
    factor: int = 1
    marks: Mapping[int, int] = field(default_factory=dict)
    finished: bool = False
    pieces: Mapping[int, tuple[PieceMark, ...]] = field(default_factory=dict)

    def encode(self) -> str:
        """As JSON."""
        return json.dumps(
            {
                "position": [self.position.kind.value, self.position.value],
                "factor": self.factor,
                "marks": {str(lane): str(mark) for lane, mark in self.marks.items()},
                "finished": self.finished,
                "pieces": {
                    str(lane): [mark.encode() for mark in marks]
                    for lane, marks in self.pieces.items()
                },
            }
        )

    @classmethod
    def decode(cls, text: str) -> "Checkpoint":
        """What :meth:`encode` made."""
        document = json.loads(text)
        kind, value = document["position"]
        return cls(
            Position(PositionKind(kind), value),
            document["factor"],
            {int(lane): int(mark) for lane, mark in document["marks"].items()},
            document["finished"],
            {
                int(lane): tuple(map(PieceMark.decode, marks))
                for lane, marks in document.get("pieces", {}).items()
            },
        )


@dataclass(frozen=True, slots=True)
class Opened:
    """Of one mapping: which stream it was (see ``StreamFacts``), and the checkpoints by shard."""

    identity: str
    checkpoints: dict[str, Checkpoint]


@dataclass(frozen=True, slots=True)
class Sending:
    """What goes to the on-failure destination. ``now_ms`` is Unix time."""

    target_arn: str
    outgoing: Outgoing
    now_ms: int


class Checkpoints:
    """Of one mapping. Everything raises StoreFullError, or PlatformFault when the store cannot."""

    def __init__(self, uuid: str, store: QueueStore, outlet: Outlet) -> None:
        self._uuid = uuid
        self._store = store
        self._outlet = outlet

    async def load(self) -> Opened | None:
        """None while the mapping was not opened."""

        def read(tx: Transaction) -> Opened | None:
            document = tx.find_record(_CHECKPOINT, self._uuid)
            if document is None:
                return None
            prefix = f"{self._uuid}/"
            checkpoints = {
                key.removeprefix(prefix): Checkpoint.decode(document)
                for key, document in _records(tx, _CHECKPOINT, prefix)
            }
            return Opened(json.loads(document)["stream"], checkpoints)

        return await self._store.run(read)

    async def open(self, opened: Opened) -> None:
        """Writes down where each shard begins; what was known before is forgotten."""
        await self.reset(opened.identity, opened.checkpoints, anew=True)

    async def reset(
        self, identity: str, checkpoints: Mapping[str, Checkpoint], *, anew: bool = False
    ) -> None:
        """One commit: these shards begin there, without windows. ``anew``: what is known of others goes."""
        uuid = self._uuid

        def write(tx: Transaction) -> None:
            if anew:
                _delete(tx, (_CHECKPOINT, _WINDOW), f"{uuid}/")
                tx.put_record(_CHECKPOINT, uuid, json.dumps({"stream": identity}))
            for shard_id, checkpoint in checkpoints.items():
                _delete(tx, (_WINDOW,), f"{uuid}/{shard_id}/")
                tx.put_record(_CHECKPOINT, f"{uuid}/{shard_id}", checkpoint.encode())

        await self._store.run(write)

    async def save(
        self,
        shard_id: str,
        checkpoint: Checkpoint,
        windows: Mapping[int, Window | None],
        sending: Sending | None = None,
    ) -> AwsError | None:
        """One commit: the checkpoint, the windows of lanes (None: closed), and what is sent on.

        The answer is why the destination took nothing; AWS: the batch is gone all the same.
        """

        def write(tx: Transaction) -> AwsError | None:
            key = f"{self._uuid}/{shard_id}"
            tx.put_record(_CHECKPOINT, key, checkpoint.encode())
            for lane, window in windows.items():
                if window is None:
                    tx.delete_record(_WINDOW, f"{key}/{lane}")
                else:
                    tx.put_record(_WINDOW, f"{key}/{lane}", _encode_window(window))
            return None if sending is None else self._put(tx, sending)

        return await self._store.run(write)

    async def send(self, sending: Sending) -> AwsError | None:
        """Sends on, for those whose checkpoints are kept elsewhere. The answer is as :meth:`save`'s."""
        return await self._store.run(lambda tx: self._put(tx, sending))

    def _put(self, tx: Transaction, sending: Sending) -> AwsError | None:
        try:
            self._outlet.put(tx, sending.target_arn, sending.outgoing, sending.now_ms)
        except AwsError as error:
            return error
        return None

    async def windows(self, shard_id: str) -> dict[int, Window]:
        """The open windows of a shard, by lane."""
        prefix = f"{self._uuid}/{shard_id}/"

        def read(tx: Transaction) -> dict[int, Window]:
            return {
                int(key.removeprefix(prefix)): _decode_window(document)
                for key, document in _records(tx, _WINDOW, prefix)
            }

        return await self._store.run(read)

    async def forget_shards(self, shard_ids: Iterable[str]) -> None:
        """Shards that the stream no longer has."""
        keys = [f"{self._uuid}/{shard_id}" for shard_id in shard_ids]

        def delete(tx: Transaction) -> None:
            for key in keys:
                tx.delete_record(_CHECKPOINT, key)

        if keys:
            await self._store.run(delete)


async def sweep(store: QueueStore, uuids: Collection[str]) -> int:
    """Deletes what is left of mappings that are no more; of how many records. UUIDs are never used again."""

    def delete(tx: Transaction) -> int:
        left = [
            (kind, key)
            for kind in (_CHECKPOINT, _WINDOW)
            for key, _ in _records(tx, kind, "")
            if key.split("/", 1)[0] not in uuids
        ]
        for kind, key in left:
            tx.delete_record(kind, key)
        return len(left)

    return await store.run(delete)


def _records(tx: Transaction, kind: str, prefix: str) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    after: str | None = None
    while True:
        page = tx.list_records(kind, prefix, after, _PAGE)
        found += page
        if len(page) < _PAGE:
            return found
        after = page[-1][0]


def _delete(tx: Transaction, kinds: Iterable[str], prefix: str) -> None:
    for kind in kinds:
        for key, _ in _records(tx, kind, prefix):
            tx.delete_record(kind, key)


def _encode_window(window: Window) -> str:
    return json.dumps([window.start_s, window.length_s, window.state.decode()])


def _decode_window(document: str) -> Window:
    start_s, length_s, state = json.loads(document)
    return Window(start_s, length_s, state.encode())
