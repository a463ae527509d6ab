"""What the on-failure destination gets of a batch that was given up: where it is in the stream, not the records.

Source: the example in "Retain discarded batch records for a Kinesis Data Streams event source in Lambda using
destinations", and its like for DynamoDB; there, too: an S3 bucket gets the whole event with it, as text.
"""

import json
import uuid
from typing import Any

from lambent.invoke.delivery_requests import object_key
from lambent.model.outgoing import Delivery, Outgoing
from lambent.sources.checkpoints import Sending
from lambent.sources.stream_failures import GivenUp
from lambent.sources.stream_form import RECORDS, StreamForm, timestamp
from lambent.sources.stream_settings import StreamSettings
from lambent.sources.stream_work import StreamWork


def batch_record(
    given_up: GivenUp,
    *,
    settings: StreamSettings,
    shard_id: str,
    now_s: float,
    form: StreamForm = RECORDS,
    whole: bool = False,
) -> bytes:
    """The record, with the ``whole`` event or without. Where the function was never asked there is no

    ``responseContext``.

    POLICY: ``requestId`` is the record's own: the invocation path does not tell the one of the last attempt.
    """
    piece, result = given_up.piece, given_up.result
    document: dict[str, Any] = {
        "requestContext": {
            "requestId": str(uuid.uuid4()),
            "functionArn": settings.function_arn,
            "condition": given_up.condition,
            "approximateInvokeCount": piece.invoked,
        },
    }
    if result is not None:
        response = {"statusCode": 200, "executedVersion": result.executed_version}
        if result.function_error:
            response["functionError"] = result.function_error
        document["responseContext"] = response
    document["version"] = "1.0"
    document["timestamp"] = timestamp(now_s)
    name, info = form.batch_info(piece, settings, shard_id)
    document[name] = info
    if whole:
        document["payload"] = form.event(shard_id, piece.records).decode()
    return json.dumps(document, separators=(",", ":")).encode()


def sending_of(given_up: GivenUp, work: StreamWork, shard_id: str) -> Sending | None:
    """What is sent of a piece that was given up, in the name of the function's role; None without a target."""
    settings = work.settings
    if not settings.destination_arn:
        return None
    now_s = work.now_s()
    now_ms = round(now_s * 1000)
    body = batch_record(
        given_up,
        settings=settings,
        shard_id=shard_id,
        now_s=now_s,
        form=work.form,
        whole=is_bucket(settings.destination_arn),
    )
    delivery = Delivery(
        object_key=object_key(f"aws/lambda/{work.mapping_uuid}/{shard_id}", now_ms),
        mapping_uuid=work.mapping_uuid,
        events=len(given_up.piece.records),
    )
    outgoing = Outgoing(
        body, work.role(), settings.function_arn, work.account_id, delivery=delivery
    )
    return Sending(settings.destination_arn, outgoing, now_ms)


def is_bucket(destination_arn: str) -> bool:
    """Whether it is S3: delivered, and counted, when the bucket took it, not when the batch is let go of."""
    return destination_arn.startswith("arn:") and destination_arn.split(":", 3)[2] == "s3"
