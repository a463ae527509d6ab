"""GetQueueAttributes and SetQueueAttributes; PurgeQueue."""

from collections.abc import Mapping
from typing import Any, Final

from lambent.model.call import Call, Result
from lambent.model.errors import ClientFault
from lambent.services.sqs import faults
from lambent.services.sqs.attributes import (
    CHOICES,
    NUMBERS,
    check_attributes,
    check_throughput,
    show_attributes,
)
from lambent.services.sqs.dead_letters import check_dead_letters
from lambent.services.sqs.queue import SqsQueue
from lambent.services.sqs.service import SqsService
from lambent.store.queues.contract import Transaction

PURGE_MS: Final = 60_000
_COUNTS: Final = (
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesNotVisible",
    "ApproximateNumberOfMessagesDelayed",
)
_NAMES: Final = frozenset(
    {
        "All",
        *_COUNTS,
        *NUMBERS,
        *CHOICES,
        "CreatedTimestamp",
        "FifoQueue",
        "KmsDataKeyReusePeriodSeconds",
        "KmsMasterKeyId",
        "LastModifiedTimestamp",
        "Policy",
        "QueueArn",
        "RedriveAllowPolicy",
        "RedrivePolicy",
        "SqsManagedSseEnabled",
    }
)


async def get_queue_attributes(sqs: SqsService, call: Call) -> Result:
    """The attributes asked for by name, or all."""
    queue = sqs.find(call)
    names = frozenset(call.parameters.get("AttributeNames") or ())
    for name in names:
        if name not in _NAMES:
            raise faults.unknown_attribute(name[:256])
    if not names:
        return Result()
    shown = show_attributes(queue.attributes, fifo=queue.fifo)
    shown["QueueArn"] = queue.arn
    shown["CreatedTimestamp"] = str(queue.created_at_ms // 1000)
    shown["LastModifiedTimestamp"] = str(queue.modified_at_ms // 1000)
    if "All" in names or not names.isdisjoint(_COUNTS):
        shown |= await _count(sqs, queue)
    if "All" not in names:
        shown = {name: text for name, text in shown.items() if name in names}
    return Result({"Attributes": shown or None})


async def _count(sqs: SqsService, queue: SqsQueue) -> dict[str, str]:
    counts = await sqs.run(lambda tx: tx.count(queue.queue_id, sqs.clock()), queue)
    found = (counts.visible, counts.in_flight, counts.delayed)
    return {name: str(count) for name, count in zip(_COUNTS, found, strict=True)}


async def set_queue_attributes(sqs: SqsService, call: Call) -> Result:
    """Changes attributes, at once; an empty text unsets a policy."""
    given = dict(call.parameters["Attributes"])
    async with sqs.changes:
        queue = sqs.find(call)
        _check_type(queue, given)
        checked = check_attributes(given, fifo=queue.fifo)
        merged = {**queue.attributes, **checked}
        await change_attributes(sqs, queue, merged, redrive_too="RedrivePolicy" in checked)
    return Result()


async def change_attributes(
    sqs: SqsService, queue: SqsQueue, merged: Mapping[str, str], *, redrive_too: bool = False
) -> None:
    """Keeps the attributes, those that are empty left out. Call it with ``changes`` held."""
    kept = {name: text for name, text in merged.items() if text}
    check_throughput(kept)
    changed = queue.changed(sqs.clock(), attributes=kept)
    if redrive_too:
        check_dead_letters(sqs, changed)
    await sqs.save(changed)
    live = sqs.live(changed)
    live.expires_from_ms = 0  # the retention may be shorter than it was
    live.line.wake()


def _check_type(queue: SqsQueue, given: dict[str, Any]) -> None:
    fifo = given.pop("FifoQueue", None)
    if fifo is None:
        return
    if not queue.fifo:
        raise faults.unknown_attribute("FifoQueue")
    if fifo != "true":
        raise faults.invalid_attribute("FifoQueue", "Modifying queue type is not supported.")


async def purge_queue(sqs: SqsService, call: Call) -> Result:
    """Deletes every message, those in flight too; once a minute."""
    async with sqs.changes:
        queue = sqs.find(call)
        now_ms = sqs.clock()
        if now_ms - queue.purged_at_ms < PURGE_MS:
            raise ClientFault(
                "PurgeQueueInProgress",
                f"Only one PurgeQueue operation on {queue.name.name} is allowed every 60 seconds.",
                403,
            )
        purged = queue.purged(now_ms)

        def work(tx: Transaction) -> None:
            tx.purge(queue.queue_id)
            tx.set_document(queue.queue_id, purged.document)

        await sqs.run(work, queue)
        sqs.keep(purged)
    return Result()
