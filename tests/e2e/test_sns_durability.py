"""Kill -9 while publishers are at work: what was acknowledged is in every queue, once, in order."""

import json
import random
import signal
import threading
import time
from collections.abc import Callable
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

GROUPS = 4
KILLS = 5
TOPIC = "arn:aws:sns:us-east-1:000000000000:t.fifo"


def _make(sns: Any, sqs: Any, name: str) -> None:
    """A FIFO queue of that name, subscribed."""
    arn = f"arn:aws:sqs:us-east-1:000000000000:{name}"
    statement = {
        "Effect": "Allow", "Principal": {"Service": "sns.amazonaws.com"},
        "Action": "sqs:SendMessage", "Resource": arn,
    }  # fmt: skip
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    sqs.create_queue(QueueName=name, Attributes={"FifoQueue": "true", "Policy": policy})
    sns.subscribe(
        TopicArn=TOPIC, Protocol="sqs", Endpoint=arn, Attributes={"RawMessageDelivery": "true"}
    )


def _drain(sqs: Any, name: str) -> list[tuple[int, int]]:
    """Everything in a queue: (group, number), as received."""
    url = sqs.get_queue_url(QueueName=name)["QueueUrl"]
    found: list[tuple[int, int]] = []
    while True:
        answer = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=1)
        messages = answer.get("Messages", [])
        if not messages:
            return found
        for message in messages:
            group, _, number = message["Body"].partition("-")
            found.append((int(group), int(number)))
        entries = [
            {"Id": str(n), "ReceiptHandle": message["ReceiptHandle"]}
            for n, message in enumerate(messages)
        ]
        sqs.delete_message_batch(QueueUrl=url, Entries=entries)


class Publishers:
    """One thread a group, publishing 0, 1, 2 … to whichever platform is there; ``acknowledged`` so far."""

    def __init__(self, sns: Any) -> None:
        self.sns = sns
        self.acknowledged: set[tuple[int, int]] = set()
        self._stopped = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(n,)) for n in range(GROUPS)]
        for thread in self._threads:
            thread.start()

    def _run(self, group: int) -> None:
        number = 0
        while not self._stopped.is_set():
            text = f"{group}-{number}"
            try:
                self.sns.publish(
                    TopicArn=TOPIC, Message=text, MessageGroupId=str(group),
                    MessageDeduplicationId=text,
                )  # fmt: skip
                self.acknowledged.add((group, number))
            except (BotoCoreError, ClientError):
                self._stopped.wait(0.02)
            number += 1

    def stop(self) -> None:
        """Ends them."""
        self._stopped.set()
        for thread in self._threads:
            thread.join()


def test_nothing_acknowledged_is_lost(start_platform: Callable[..., Any]) -> None:
    """Killed at random moments and started again, five times."""
    platform = start_platform()
    sns, sqs = platform.client("sns"), platform.client("sqs")
    attributes = {"FifoTopic": "true"}
    assert sns.create_topic(Name="t.fifo", Attributes=attributes)["TopicArn"] == TOPIC
    for name in ("a.fifo", "b.fifo"):
        _make(sns, sqs, name)
    publishers = Publishers(sns)
    try:
        for _ in range(KILLS):
            time.sleep(random.uniform(0.1, 0.5))  # the moment is what is random here
            platform.stop(signal.SIGKILL)
            platform = start_platform()
            publishers.sns = platform.client("sns")
    finally:
        publishers.stop()
    assert publishers.acknowledged
    for name in ("a.fifo", "b.fifo"):
        received = _drain(platform.client("sqs"), name)
        assert publishers.acknowledged <= set(received)
        assert len(received) == len(set(received))
        for group in range(GROUPS):
            numbers = [number for one, number in received if one == group]
            assert numbers == sorted(numbers)
