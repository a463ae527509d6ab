"""SendMessage and SendMessageBatch: accepted means on disk."""

from collections.abc import Sequence
from typing import Any

from lambent.model.call import Call, Caller, Result
from lambent.model.errors import AwsError, ClientFault
from lambent.services.sqs import faults
from lambent.services.sqs.attributes import MAX_MESSAGE_BYTES
from lambent.services.sqs.batches import batch_result, check_entries, failed_entry
from lambent.services.sqs.bodies import Draft, check_size, read_draft
from lambent.services.sqs.queue import SqsQueue
from lambent.services.sqs.service import SqsService
from lambent.services.sts.service import user_id
from lambent.store.queues.contract import Sent, Transaction


async def send_message(sqs: SqsService, call: Call) -> Result:
    """Stores one message."""
    queue = sqs.find(call)
    caller = call.caller
    draft = read_draft(queue, call.parameters, sender_id(caller), caller.trace_header)
    check_size(queue, draft)
    (sent,) = await store_drafts(sqs, queue, [draft])
    return Result(draft.answer(queue, sent))


async def send_message_batch(sqs: SqsService, call: Call) -> Result:
    """Stores those of up to ten messages that are good, in one transaction."""
    queue = sqs.find(call)
    entries: list[dict[str, Any]] = call.parameters["Entries"]
    check_entries(entries, "SendMessageBatchRequestEntry")
    if queue.fifo:
        _check_fifo(queue, entries)
    sender, trace = sender_id(call.caller), call.caller.trace_header
    drafts: list[tuple[str, Draft]] = []
    failed: list[dict[str, Any]] = []
    total_bytes = 0
    for entry in entries:
        try:
            draft = read_draft(queue, entry, sender, trace)
            total_bytes += draft.size_bytes
            check_size(queue, draft)
            drafts.append((entry["Id"], draft))
        except AwsError as error:
            failed.append(failed_entry(entry["Id"], error))
    if total_bytes > MAX_MESSAGE_BYTES:
        raise ClientFault(
            "BatchRequestTooLong",
            f"Batch requests cannot be longer than {MAX_MESSAGE_BYTES} bytes. "
            f"You have sent {total_bytes} bytes.",
        )
    all_sent = await store_drafts(sqs, queue, [draft for _, draft in drafts])
    successful = [
        {"Id": entry_id, **draft.answer(queue, sent)}
        for (entry_id, draft), sent in zip(drafts, all_sent, strict=True)
    ]
    return Result(batch_result(successful, failed))


def sender_id(caller: Caller) -> str:
    """``SenderId``: the unique id of who sends, as STS tells it; the account's for its root."""
    if caller.principal_arn is None:
        return caller.account_id
    return user_id(caller.account_id, caller.principal_arn)


async def store_drafts(sqs: SqsService, queue: SqsQueue, drafts: Sequence[Draft]) -> list[Sent]:
    """Stores checked messages; when delayed ones come up, waiting receivers are woken."""
    if not drafts:
        return []

    def work(tx: Transaction) -> list[Sent]:
        now_ms = sqs.clock()
        messages = [draft.message(now_ms) for draft in drafts]
        return tx.send(queue.queue_id, messages, now_ms)

    sent = await sqs.run(work, queue)
    delays = [draft.delay_s for draft in drafts if draft.delay_s]
    if delays:
        sqs.expect(queue, sqs.clock() + min(delays) * 1000)
    return sent


def _check_fifo(queue: SqsQueue, entries: Sequence[dict[str, Any]]) -> None:
    """AWS: what a FIFO queue must be told is missed in the whole batch, under another code."""
    for entry in entries:
        if entry.get("MessageGroupId") is None:
            raise faults.invalid("The request must contain the parameter MessageGroupId.")
        content_based = queue.settings.content_based_deduplication
        if entry.get("MessageDeduplicationId") is None and not content_based:
            raise faults.invalid(faults.NO_DEDUPLICATION)
