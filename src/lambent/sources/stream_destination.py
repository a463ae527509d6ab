"""What the on-failure destination gets of a batch that was given up: where it is in the stream, not the records.

Source: the example in "Retain discarded batch records for a Kinesis Data Streams event source in Lambda using
destinations", and its like for DynamoDB.
"""

import json
import uuid
from typing import Any

from lambent.model.outgoing import Outgoing
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
) -> bytes:
    """The record. Where the function was never asked there is no ``responseContext``.

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
    return json.dumps(document, separators=(",", ":")).encode()


def sending_of(given_up: GivenUp, work: StreamWork, shard_id: str) -> Sending | None:
    """What is sent of a piece that was given up, in the name of the function's role; None without a target."""
    settings = work.settings
    if not settings.destination_arn:
        return None
    now_s = work.now_s()
    body = batch_record(given_up, settings=settings, shard_id=shard_id, now_s=now_s, form=work.form)
    outgoing = Outgoing(body, work.role(), settings.function_arn, work.account_id)
    return Sending(settings.destination_arn, outgoing, round(now_s * 1000))
