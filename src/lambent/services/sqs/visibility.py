"""ChangeMessageVisibility and its batch."""

from typing import Any, Final

from lambent.model.call import Call, Result
from lambent.model.errors import ClientFault
from lambent.services.sqs import faults
from lambent.services.sqs.batches import check_entries, each
from lambent.services.sqs.queue import SqsQueue
from lambent.services.sqs.receipts import Handle
from lambent.services.sqs.service import SqsService
from lambent.store.queues.contract import Receipt, Transaction

MAX_VISIBILITY_S: Final = 43_200


async def change_message_visibility(sqs: SqsService, call: Call) -> Result:
    """Has a received message visible again after so many seconds from now."""
    queue = sqs.find(call)
    change = _read(sqs, queue, call.parameters)
    await sqs.run(lambda tx: _change(tx, sqs, queue, change), queue)
    sqs.expect(queue, sqs.clock() + change[2] * 1000)
    return Result()


async def change_message_visibility_batch(sqs: SqsService, call: Call) -> Result:
    """The same for up to ten messages, each for itself, in one transaction."""
    queue = sqs.find(call)
    entries: list[dict[str, Any]] = call.parameters["Entries"]
    check_entries(entries, "ChangeMessageVisibilityBatchRequestEntry")

    changed_s: list[int] = []

    def work(tx: Transaction) -> dict[str, Any]:
        def change(entry: dict[str, Any]) -> None:
            wanted = _read(sqs, queue, entry)
            _change(tx, sqs, queue, wanted)
            changed_s.append(wanted[2])

        return each(entries, change)

    answer = await sqs.run(work, queue)
    if changed_s:
        sqs.expect(queue, sqs.clock() + min(changed_s) * 1000)
    return Result(answer)


Change = tuple[str, Handle, int]
"""The handle's text, what it says, and the timeout in seconds."""


def _read(sqs: SqsService, queue: SqsQueue, entry: Any) -> Change:
    text = entry["ReceiptHandle"]
    visibility_s = entry.get("VisibilityTimeout")
    if visibility_s is None:
        raise faults.missing("VisibilityTimeout")
    if not 0 <= visibility_s <= MAX_VISIBILITY_S:
        reason = f"Must be between 0 and {MAX_VISIBILITY_S}."  # the best known text
        raise faults.invalid_value(visibility_s, "VisibilityTimeout", reason)
    return text, sqs.receipts.parse(text, queue.queue_id), visibility_s


def _change(tx: Transaction, sqs: SqsService, queue: SqsQueue, change: Change) -> None:
    text, handle, visibility_s = change
    now_ms = sqs.clock()
    visible_at_ms = now_ms + visibility_s * 1000
    if visible_at_ms - handle.received_at_ms > MAX_VISIBILITY_S * 1000:
        raise faults.invalid_value(
            visibility_s,
            "VisibilityTimeout",
            "Total VisibilityTimeout for the message is beyond the limit "
            f"[{MAX_VISIBILITY_S} seconds]",
        )
    receipt = Receipt(handle.sequence, handle.receives)
    if tx.change_visibility(queue.queue_id, receipt, visible_at_ms, now_ms):
        return
    message = tx.find(queue.queue_id, handle.sequence)
    if message is None:
        raise faults.invalid_value(
            text,
            "ReceiptHandle",
            "Message does not exist or is not available for visibility timeout change.",
        )
    if queue.fifo:
        raise faults.expired_handle(text)
    if message.receipt != receipt:
        raise ClientFault(
            "MessageNotInflight", f"The message referred to by {text} is not in flight."
        )
    # AWS: of a standard queue, the last receiver may still change it after its time is up. As of
    # the last moment it was in flight, which is what the store asks.
    tx.change_visibility(queue.queue_id, receipt, visible_at_ms, message.visible_at_ms - 1)
