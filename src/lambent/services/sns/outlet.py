"""Topics as an :class:`Outlet`: dead letters and destinations of functions are published to them.

In the transaction that is given, and on its thread: the signature is made there.
"""

import uuid

from lambent.model.outgoing import Outgoing
from lambent.services.sns import faults
from lambent.services.sns.access import authorize_sender
from lambent.services.sns.arns import parse_topic_arn
from lambent.services.sns.fan_out import deliver, prepare
from lambent.services.sns.message_attributes import size_bytes
from lambent.services.sns.publication import (
    Publication,
    check_grouping,
    check_size,
    check_subject,
)
from lambent.services.sns.service import SnsService
from lambent.services.sns.subscription import State
from lambent.services.sns.topic import Topic
from lambent.store.queues.contract import Transaction


class SnsOutlet:
    """See :class:`lambent.store.queues.outlet.Outlet`: for ``arn:aws:sns:…`` targets."""

    def __init__(self, sns: SnsService) -> None:
        self._sns = sns

    def put(self, tx: Transaction, target_arn: str, outgoing: Outgoing, now_ms: int) -> None:
        """Publishes the message, to all or to nobody.

        Raises ``NotFound``, ``AuthorizationError``, ``InvalidParameter``, having changed nothing.
        """
        parse_topic_arn(target_arn)
        directory = self._sns.directory
        topic = directory.topics.get(target_arn)
        if topic is None:
            raise faults.no_topic()
        authorize_sender(topic, outgoing)
        publication = _to_publication(topic, outgoing)
        confirmed = [one for one in directory.of_topic(topic.arn) if one.state is State.CONFIRMED]
        prepared = prepare(topic, publication, confirmed, self._sns.signer, now_ms)
        deliver(tx, [prepared], self._sns.outlets, self._sns.endpoint, now_ms)


def _to_publication(topic: Topic, outgoing: Outgoing) -> Publication:
    try:
        message = outgoing.body.decode()
    except UnicodeDecodeError:
        raise faults.invalid("Message") from None
    if not message:
        raise faults.invalid("Empty message")
    if outgoing.subject is not None:
        check_subject(outgoing.subject)
    check_grouping(topic, outgoing.group_id, outgoing.deduplication_id)
    check_size(topic, len(outgoing.body) + size_bytes(outgoing.attributes))
    return Publication(
        str(uuid.uuid4()),
        message,
        outgoing.attributes,
        subject=outgoing.subject,
        group_id=outgoing.group_id,
        deduplication_id=outgoing.deduplication_id,
        trace_header=outgoing.trace_header,
    )
