"""DeleteMessage and its batch."""

from typing import Any

from lambent.model.call import Call, Result
from lambent.services.sqs import faults
from lambent.services.sqs.batches import check_entries, each
from lambent.services.sqs.queue import SqsQueue
from lambent.services.sqs.service import SqsService
from lambent.store.queues.contract import Receipt, Transaction


async def delete_message(sqs: SqsService, call: Call) -> Result:
    """Deletes a received message. What is gone already is no error."""
    queue = sqs.find(call)
    text = call.parameters["ReceiptHandle"]
    handle = sqs.receipts.parse(text, queue.queue_id)
    receipt = Receipt(handle.sequence, handle.receives)
    await sqs.run(lambda tx: _delete(tx, sqs, queue, text, receipt), queue)
    return Result()


async def delete_message_batch(sqs: SqsService, call: Call) -> Result:
    """The same for up to ten messages, each for itself, in one transaction."""
    queue = sqs.find(call)
    entries: list[dict[str, Any]] = call.parameters["Entries"]
    check_entries(entries, "DeleteMessageBatchRequestEntry")

    def work(tx: Transaction) -> dict[str, Any]:
        def delete(entry: dict[str, Any]) -> None:
            text = entry["ReceiptHandle"]
            handle = sqs.receipts.parse(text, queue.queue_id)
            _delete(tx, sqs, queue, text, Receipt(handle.sequence, handle.receives))

        return each(entries, delete)

    answer = await sqs.run(work, queue)
    return Result(answer)


def _delete(tx: Transaction, sqs: SqsService, queue: SqsQueue, text: str, receipt: Receipt) -> None:
    """AWS: a standard queue says nothing of a handle that is not the last; a FIFO queue, whose order

    depends on it, refuses one whose visibility timeout has passed.
    """
    if queue.fifo:
        message = tx.find(queue.queue_id, receipt.sequence)
        if message is None:
            return
        if message.receipt != receipt or message.visible_at_ms <= sqs.clock():
            raise faults.expired_handle(text)
    tx.delete(queue.queue_id, receipt)
