"""Where a message can be put, within the transaction in which its sender lets go of it."""

from typing import Protocol

from lambent.model.outgoing import Outgoing
from lambent.store.queues.contract import Transaction


class Outlet(Protocol):
    """SQS queues, SNS topics or functions, by ARN.

    So a dead letter is in its queue in the same commit in which it leaves the function's: never in
    neither, never in both.
    """

    def put(self, tx: Transaction, target_arn: str, outgoing: Outgoing, now_ms: int) -> None:
        """Puts the message there. Raises AwsError – no such target, its policy refuses, too large – having

        changed nothing.
        """
        ...
