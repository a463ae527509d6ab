"""Queues as targets of others: SNS deliveries, dead letters and destinations of functions."""

import asyncio
from typing import Final

from lambent.model.errors import ClientFault
from lambent.model.outgoing import Outgoing
from lambent.services.sqs import faults
from lambent.services.sqs.access import check_service
from lambent.services.sqs.bodies import check_size, make_draft
from lambent.services.sqs.message_attributes import MAX_ATTRIBUTES, check_text
from lambent.services.sqs.queue import SqsQueue
from lambent.services.sqs.service import SqsService
from lambent.services.sts.service import user_id
from lambent.store.queues.contract import Transaction

PREFIX: Final = "arn:aws:sqs:"


class SqsOutlet:
    """The :class:`~lambent.store.queues.outlet.Outlet` of ``arn:aws:sqs:…``. Make it on the loop."""

    def __init__(self, sqs: SqsService) -> None:
        self._sqs = sqs
        self._loop = asyncio.get_running_loop()

    def put(self, tx: Transaction, target_arn: str, outgoing: Outgoing, now_ms: int) -> None:
        """Sends to the queue as the principal would by SendMessage.

        Raises ``QueueDoesNotExist``, ``AccessDenied``, ``InvalidParameterValue``,
        ``InvalidMessageContents``, ``MissingParameter`` (a FIFO queue without a group).
        """
        queue = self._sqs.find_arn(target_arn)
        if queue is None:
            raise faults.no_queue()
        check_service(
            queue,
            outgoing.principal,
            outgoing.source_arn,
            outgoing.source_account,
            "SendMessage",
        )
        _check(outgoing)
        draft = make_draft(
            queue,
            outgoing.body,
            outgoing.attributes,
            sender_id=user_id(outgoing.source_account, outgoing.principal),
            trace_header=outgoing.trace_header,
            group_id=outgoing.group_id,
            deduplication_id=outgoing.deduplication_id if queue.fifo else None,
            delay_s=queue.settings.delay_s,
        )
        check_size(queue, draft)
        try:
            tx.send(queue.queue_id, [draft.message(now_ms)], now_ms)
        except KeyError:
            raise faults.no_queue() from None
        if draft.delay_s:
            self._expect(queue, now_ms + draft.delay_s * 1000)

    def _expect(self, queue: SqsQueue, visible_at_ms: int) -> None:
        """The work runs on the store's thread; receivers wait on the loop."""
        self._loop.call_soon_threadsafe(self._sqs.expect, queue, visible_at_ms)


def _check(outgoing: Outgoing) -> None:
    if not outgoing.body:
        raise faults.missing("MessageBody")
    if len(outgoing.attributes) > MAX_ATTRIBUTES:
        raise faults.invalid(
            f"Number of message attributes [{len(outgoing.attributes)}] exceeds "
            f"the allowed maximum [{MAX_ATTRIBUTES}]."
        )
    try:
        check_text(outgoing.body.decode())
    except UnicodeDecodeError:
        raise ClientFault("InvalidMessageContents", faults.BAD_CHARACTERS) from None
