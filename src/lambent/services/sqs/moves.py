"""Message move tasks: what is kept of one, and one step of moving, within a transaction.

A moved message is a new one: a new id, sent now, never received. So AWS has it.
"""

import json
import uuid
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Final

from lambent.services.sqs.names import QueueName, parse_arn
from lambent.services.sqs.stored import parse_stored
from lambent.store.queues.contract import Message, NewMessage, Queue, Transaction

KIND: Final = "sqs-move"
RUNNING, COMPLETED, CANCELLING = "RUNNING", "COMPLETED", "CANCELLING"
CANCELLED, FAILED = "CANCELLED", "FAILED"
_HOLD_MS: Final = 30_000
_LATEST: Final = 10**15


@dataclass(frozen=True, slots=True)
class MoveTask:
    """A task, as it is kept. ``rate`` is in messages per second; times are Unix milliseconds."""

    task_id: str
    source_arn: str
    destination_arn: str | None
    rate: int | None
    started_at_ms: int
    to_move: int
    moved: int = 0
    status: str = RUNNING
    failure: str | None = None

    @property
    def key(self) -> str:
        """Its record's key: a queue's tasks are listed the latest first."""
        return f"{task_prefix(self.source_arn)}{_LATEST - self.started_at_ms:015d}"

    @property
    def active(self) -> bool:
        """Whether it still moves messages."""
        return self.status in (RUNNING, CANCELLING)

    def save(self, tx: Transaction) -> "MoveTask":
        """Writes it."""
        tx.put_record(KIND, self.key, json.dumps(asdict(self)))
        return self


def task_prefix(source_arn: str) -> str:
    """What the keys of a queue's tasks start with."""
    return f"{source_arn}/"


def read_task(document: str) -> MoveTask:
    """The task out of its record."""
    return MoveTask(**json.loads(document))


class _NowhereError(Exception):
    """A message has no place to go to: the argument is AWS's reason."""


def step(
    tx: Transaction, key: str, limit: int, retention_ms: int, clock: Callable[[], int]
) -> MoveTask | None:
    """Moves at most ``limit`` messages; the task as it is then, None when it is gone."""
    document = tx.find_record(KIND, key)
    if document is None:
        return None
    task = read_task(document)
    if task.status == CANCELLING:
        return replace(task, status=CANCELLED).save(tx)
    source = _queue(tx, task.source_arn)
    if source is None:
        return replace(task, status=FAILED, failure=_NO_QUEUE).save(tx)
    now_ms = clock()
    limit = min(limit, task.to_move - task.moved)
    messages = tx.receive(source.queue_id, limit, now_ms, now_ms + _HOLD_MS) if limit > 0 else []
    if not messages:
        return replace(task, status=COMPLETED).save(tx)
    moved, failure = 0, None
    for message in messages:
        if failure is None:
            try:
                _move(tx, task, source, message, now_ms, retention_ms)
                moved += 1
                continue
            except _NowhereError as error:
                failure = str(error)
        tx.change_visibility(source.queue_id, message.receipt, now_ms, now_ms)
    task = replace(task, moved=task.moved + moved)
    if failure is not None:
        task = replace(task, status=FAILED, failure=failure)
    elif task.moved >= task.to_move:
        task = replace(task, status=COMPLETED)
    return task.save(tx)


_NO_QUEUE: Final = "AWS.SimpleQueueService.NonExistentQueue"
_NO_SOURCE: Final = "CouldNotDetermineMessageSource"


def _move(
    tx: Transaction,
    task: MoveTask,
    source: Queue,
    message: Message,
    now_ms: int,
    retention_ms: int,
) -> None:
    if message.sent_at_ms > now_ms - retention_ms:
        stored = parse_stored(message.attributes)
        arn = task.destination_arn or stored.source_arn
        if arn is None:
            raise _NowhereError(_NO_SOURCE)
        destination = _queue(tx, arn)
        if destination is None:
            raise _NowhereError(_NO_QUEUE)
        attributes = stored.as_redriven().format()
        new = NewMessage(str(uuid.uuid4()), message.body, attributes, now_ms, message.group_id)
        tx.send(destination.queue_id, [new], now_ms)
    tx.delete(source.queue_id, message.receipt)


def _queue(tx: Transaction, arn: str) -> Queue | None:
    name: QueueName | None = parse_arn(arn)
    return tx.find_queue(name.key) if name is not None else None
