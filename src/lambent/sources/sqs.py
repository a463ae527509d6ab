"""SQS as an event source: the queue through the AWS API, and its messages as functions get them.

Source: "Using Lambda with Amazon SQS" for the event; best known for the members that its examples leave out.
"""

import asyncio
import base64
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from lambent.model.errors import AwsError
from lambent.model.event_source_mapping import EventSourceMapping
from lambent.patterns import records
from lambent.sources.contract import AwsApi, Parts, Poller
from lambent.sources.filter import filter_of
from lambent.sources.provisioned_pollers import SQS_POLLER, ProvisionedPollers
from lambent.sources.queue_contract import QueueMessage, QueueSettings
from lambent.sources.queue_worker import QueueWorker
from lambent.sources.scaling import Concurrency, Scaling

_PER_CALL: Final = 10
"""AWS: entries of one batch call."""
_CALLS_AT_ONCE: Final = 16
_encode = msgspec.json.Encoder().encode


def make_poller(mapping: EventSourceMapping, parts: Parts) -> Poller:
    """The poller of a mapping of a queue."""
    document = mapping.document
    arn = mapping.event_source_arn or ""
    settings = QueueSettings(
        function_arn=mapping.function_arn,
        batch_size=document["BatchSize"],
        window_s=document["MaximumBatchingWindowInSeconds"],
        fifo=arn.endswith(".fifo"),
        reports_failures="ReportBatchItemFailures" in document["FunctionResponseTypes"],
    )
    queue = SqsQueue(mapping, parts.api)
    return QueueWorker(mapping, settings, queue, parts, _concurrency(document))


def _concurrency(document: Mapping[str, Any]) -> Concurrency:
    """How much of a mapping may run: by provisioned pollers, or as AWS scales without them."""
    provisioned: Mapping[str, int] = document.get("ProvisionedPollerConfig") or {}
    if provisioned:
        minimum, maximum = provisioned["MinimumPollers"], provisioned["MaximumPollers"]
        return ProvisionedPollers(SQS_POLLER, minimum, maximum)
    scaling: Mapping[str, int] = document.get("ScalingConfig") or {}
    return Scaling(0.0, scaling.get("MaximumConcurrency"))


async def describe_queue(api: AwsApi, arn: str, account_id: str, region: str) -> Mapping[str, Any]:
    """``VisibilityTimeout`` in seconds. Raises AwsError as GetQueueAttributes does."""
    answer = await api.call(
        "sqs",
        "GetQueueAttributes",
        {"QueueUrl": queue_url(arn), "AttributeNames": ["VisibilityTimeout"]},
        account_id=account_id,
        region=region,
    )
    return {"VisibilityTimeout": int(answer["Attributes"]["VisibilityTimeout"])}


def queue_url(arn: str) -> str:
    """A URL that names the queue to whatever endpoint serves it."""
    *_, region, account_id, name = arn.split(":")
    return f"https://sqs.{region}.amazonaws.com/{account_id}/{name}"


class SqsQueue:
    """Is a :class:`~lambent.sources.queue_worker.QueueSource`."""

    def __init__(self, mapping: EventSourceMapping, api: AwsApi) -> None:
        self._api = api
        self._mapping = mapping
        self._arn = mapping.event_source_arn or ""
        self._url = queue_url(self._arn)
        self._filter = filter_of(mapping.document, records.SQS)

    async def receive(
        self, limit: int, wait_s: int
    ) -> tuple[list[QueueMessage], list[QueueMessage]]:
        """See the protocol."""
        answer = await self._call(
            "ReceiveMessage",
            MaxNumberOfMessages=limit,
            WaitTimeSeconds=wait_s,
            MessageSystemAttributeNames=["All"],
            MessageAttributeNames=["All"],
        )
        now_s = asyncio.get_running_loop().time()
        wanted: list[QueueMessage] = []
        unwanted: list[QueueMessage] = []
        for shown in answer.get("Messages") or ():
            record = make_record(shown, self._arn)
            keeps = self._keeps(record)
            (wanted if keeps else unwanted).append(_message(record, now_s))
        return wanted, unwanted

    async def delete(self, messages: Sequence[QueueMessage]) -> None:
        """See the protocol. A handle that FIFO holds no more, or of a deleted queue, is nothing to delete."""
        await self._each_ten("DeleteMessageBatch", messages, {})

    async def release(self, messages: Sequence[QueueMessage]) -> None:
        """See the protocol."""
        await self._each_ten("ChangeMessageVisibilityBatch", messages, {"VisibilityTimeout": 0})

    async def visibility_timeout_s(self) -> float:
        """See the protocol."""
        return float((await self._attributes("VisibilityTimeout"))["VisibilityTimeout"])

    async def lag(self) -> int | None:
        """See the protocol."""
        name = "ApproximateNumberOfMessages"
        return int((await self._attributes(name))[name])

    def _keeps(self, record: Mapping[str, Any]) -> bool:
        if not self._filter.filters:
            return True
        fields = {name: value for name, value in record.items() if name != "body"}
        return self._filter.keeps(fields, record["body"])

    async def _attributes(self, *names: str) -> Mapping[str, str]:
        answer = await self._call("GetQueueAttributes", AttributeNames=list(names))
        attributes: Mapping[str, str] = answer["Attributes"]
        return attributes

    async def _each_ten(
        self, operation: str, messages: Sequence[QueueMessage], more: Mapping[str, Any]
    ) -> None:
        """In calls of ten; several of them at once, so that the queue's commits are shared."""
        chunks = [
            messages[start : start + _PER_CALL] for start in range(0, len(messages), _PER_CALL)
        ]
        for start in range(0, len(chunks), _CALLS_AT_ONCE):
            calls = [self._ten(operation, chunk, more) for chunk in chunks[start:][:_CALLS_AT_ONCE]]
            failures = await asyncio.gather(*calls, return_exceptions=True)
            for failure in failures:
                if failure is not None:
                    raise failure

    async def _ten(
        self, operation: str, messages: Sequence[QueueMessage], more: Mapping[str, Any]
    ) -> None:
        entries = [
            {"Id": str(number), "ReceiptHandle": message.receipt_handle, **more}
            for number, message in enumerate(messages)
        ]
        answer = await self._call(operation, Entries=entries)
        for failure in answer.get("Failed") or ():
            if not failure.get("SenderFault", True):
                raise AwsError(failure["Code"], failure.get("Message", ""), 503)

    async def _call(self, operation: str, **parameters: Any) -> Mapping[str, Any]:
        return await self._api.call(
            "sqs",
            operation,
            {"QueueUrl": self._url, **parameters},
            account_id=self._mapping.account_id,
            region=self._mapping.region,
        )


def make_record(shown: Mapping[str, Any], arn: str) -> dict[str, Any]:
    """A message as it stands in the event's ``Records``."""
    record: dict[str, Any] = {
        "messageId": shown["MessageId"],
        "receiptHandle": shown["ReceiptHandle"],
        "body": shown["Body"],
        "attributes": dict(shown.get("Attributes") or {}),
        "messageAttributes": {
            name: _attribute(value)
            for name, value in (shown.get("MessageAttributes") or {}).items()
        },
        "md5OfBody": shown["MD5OfBody"],
        "eventSource": "aws:sqs",
        "eventSourceARN": arn,
        "awsRegion": arn.split(":")[3],
    }
    if shown.get("MD5OfMessageAttributes"):
        record["md5OfMessageAttributes"] = shown["MD5OfMessageAttributes"]
    return record


def _attribute(value: Mapping[str, Any]) -> dict[str, Any]:
    shown: dict[str, Any] = {}
    if value.get("StringValue") is not None:
        shown["stringValue"] = value["StringValue"]
    if value.get("BinaryValue") is not None:
        shown["binaryValue"] = base64.b64encode(value["BinaryValue"]).decode()
    return shown | {
        "stringListValues": [],
        "binaryListValues": [],
        "dataType": value["DataType"],
    }


def _message(record: Mapping[str, Any], now_s: float) -> QueueMessage:
    attributes: Mapping[str, str] = record["attributes"]
    return QueueMessage(
        record["messageId"],
        record["receiptHandle"],
        attributes.get("MessageGroupId"),
        _encode(record),
        attributes.get("AWSTraceHeader"),
        now_s,
    )
