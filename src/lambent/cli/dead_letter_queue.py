"""A queue of dead letters through the SQS API: looked through, held, given back, emptied one by one.

SQS shows a message only by receiving it: what is looked at is held for a time, and given back when the
command ends. Were it killed, the messages come back by themselves when that time is over. Nothing is
deleted but by :meth:`DeadLetterQueue.delete`.
"""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any, Self

from lambent.cli.dead_letters import DeadLetter, read
from lambent.cli.failures import EXIT_USAGE, CliError

HOLD_S = 60
"""POLICY: how long a message is invisible to others after a listing that was killed."""
_PAGE = 10
"""AWS: at most so many messages a call."""


class DeadLetterQueue:
    """One queue by its name, URL or ARN; ``sqs`` is a boto3 client.

    Raises CliError for what names no queue, and SQS's errors.
    """

    def __init__(self, sqs: Any, name: str) -> None:
        self._sqs = sqs
        self.url = _find(sqs, name)
        answer = sqs.get_queue_attributes(
            QueueUrl=self.url, AttributeNames=["QueueArn", "ApproximateNumberOfMessages"]
        )
        self.arn = str(answer["Attributes"]["QueueArn"])
        self.visible = int(answer["Attributes"]["ApproximateNumberOfMessages"])
        self._held: dict[str, str] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Gives back what is held; what cannot be given back comes by itself."""
        with suppress(Exception):
            self._release(list(self._held.values()))

    def letters(self, hold_s: int = HOLD_S, page: int = _PAGE) -> Iterator[DeadLetter]:
        """Every message once, held for ``hold_s``; in the order in which SQS gives them."""
        seen: set[str] = set()
        while True:
            answer = self._sqs.receive_message(
                QueueUrl=self.url,
                MaxNumberOfMessages=page,
                VisibilityTimeout=hold_s,
                # AWS: without waiting, only some of the servers are asked.
                WaitTimeSeconds=1 if len(seen) < self.visible else 0,
                MessageAttributeNames=["All"],
                MessageSystemAttributeNames=["All"],
            )
            letters = [read(message) for message in answer.get("Messages", [])]
            fresh = [letter for letter in letters if letter.message_id not in seen]
            for letter in letters:
                self._held[letter.message_id] = letter.receipt_handle
            if not fresh:
                return
            seen.update(letter.message_id for letter in fresh)
            yield from fresh

    def delete(self, letter: DeadLetter) -> None:
        """It has been replayed."""
        self._sqs.delete_message(QueueUrl=self.url, ReceiptHandle=letter.receipt_handle)
        self._held.pop(letter.message_id, None)

    def hold(self, letter: DeadLetter, hold_s: int) -> None:
        """Keeps a held message for longer. Raises SQS's errors when it is no longer ours."""
        self._sqs.change_message_visibility(
            QueueUrl=self.url, ReceiptHandle=letter.receipt_handle, VisibilityTimeout=hold_s
        )

    def _release(self, handles: list[str]) -> None:
        for start in range(0, len(handles), _PAGE):
            entries = [
                {"Id": str(n), "ReceiptHandle": handle, "VisibilityTimeout": 0}
                for n, handle in enumerate(handles[start : start + _PAGE])
            ]
            self._sqs.change_message_visibility_batch(QueueUrl=self.url, Entries=entries)


def functions_with_dead_letters_in(functions: Any, queue_arn: str) -> list[str]:
    """The functions of which a version has this queue as its dead-letter target. ``functions``: of Lambda."""
    pages = functions.get_paginator("list_functions").paginate(FunctionVersion="ALL")
    return sorted(
        {
            str(function["FunctionName"])
            for page in pages
            for function in page["Functions"]
            if _target_of(function) == queue_arn
        }
    )


def _target_of(function: Mapping[str, Any]) -> str:
    return str(function.get("DeadLetterConfig", {}).get("TargetArn", ""))


def _find(sqs: Any, name: str) -> str:
    """A queue's URL."""
    if name.startswith(("http://", "https://")):
        return name
    owner = {}
    if name.startswith("arn:"):
        parts = name.split(":")
        if len(parts) != 6 or parts[2] != "sqs":
            raise CliError(
                f"{name} is no queue's ARN.", "Give a queue's name, URL or ARN.", EXIT_USAGE
            )
        name, owner = parts[5], {"QueueOwnerAWSAccountId": parts[4]}
    return str(sqs.get_queue_url(QueueName=name, **owner)["QueueUrl"])
