"""Whether a queue may name another one as its dead-letter queue."""

from lambent.services.sqs import faults
from lambent.services.sqs.names import parse_arn
from lambent.services.sqs.queue import SqsQueue
from lambent.services.sqs.service import SqsService


def check_dead_letters(sqs: SqsService, queue: SqsQueue) -> None:
    """Raises ``InvalidParameterValue`` for a redrive policy whose target cannot be one.

    A target is there, is another queue of the same type, account and region, and allows it. A queue
    deleted later is no error: messages then stay where they are.
    """
    redrive = queue.settings.redrive
    if redrive is None:
        return
    target = sqs.find_arn(redrive.target_arn)
    reason = None
    name = parse_arn(redrive.target_arn)
    if name is None or name[:2] != queue.name[:2]:  # the best known text
        reason = "Dead-letter queue must be in the same account and region as the source."
    elif name == queue.name:  # the best known text
        reason = "Dead-letter queue cannot be the same as the source queue."
    elif target is None:
        reason = "Dead letter target does not exist."
    elif target.fifo != queue.fifo:
        reason = "Dead-letter queue must be same type of queue as the source."
    elif not target.settings.redrive_allow.allows(queue.arn):  # the best known text
        reason = "Queue does not have permission to use the specified dead-letter queue."
    if reason is not None:
        raise faults.invalid_value(queue.attributes["RedrivePolicy"], "RedrivePolicy", reason)
