"""What SQS refuses: with its code and text, never with a failure of ours."""

from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lambent.model.errors import AwsError
from lambent.model.http import HttpRequest
from lambent.services.sqs.registry import OPERATIONS
from lambent.testing.loop import on_loop
from lambent.testing.sqs import FakeSqs, queue_arn
from lambent.wire import codec, router
from lambent.wire.catalogue import operation_names
from lambent.wire.json_values import dump_json

URL = "http://host:1/000000000000/q"


def test_every_operation_of_the_model_is_there() -> None:
    """All 23."""
    assert set(OPERATIONS) == set(operation_names("sqs"))


def attribute(data_type: str = "String", **values: Any) -> dict[str, Any]:
    """One message attribute named ``a``."""
    return {"MessageAttributes": {"a": {"DataType": data_type, **values}}}


@pytest.mark.parametrize(
    ("parameters", "code", "text"),
    [
        ({"MessageBody": ""}, "MissingParameter", "The request must contain the parameter Mess"),
        ({"MessageBody": "a\0b"}, "InvalidMessageContents", "#x20 to #xD7FF"),
        ({"MessageBody": "\ufffe"}, "InvalidMessageContents", "#x20 to #xD7FF"),
        ({"MessageBody": "x" * 1025}, "InvalidParameterValue",
         "One or more parameters are invalid. Reason: Message must be shorter than 1024 bytes."),
        ({"MessageBody": "é" * 513}, "InvalidParameterValue", "shorter than 1024"),
        ({"MessageBody": "x" * 1000, **attribute(StringValue="y" * 30)},
         "InvalidParameterValue", "shorter than 1024"),
        ({"DelaySeconds": 901}, "InvalidParameterValue", "DelaySeconds must be >= 0 and <= 900."),
        ({"DelaySeconds": -1}, "InvalidParameterValue", "Value -1 for parameter DelaySeconds"),
        ({"DelaySeconds": 10**5000}, "InvalidParameterValue", "for parameter DelaySeconds"),
        (attribute("", StringValue="x"), "InvalidParameterValue", "non-empty attribute type"),
        (attribute("Text", StringValue="x"), "InvalidParameterValue",
         "following supported type prefixes: Binary, Number, String"),
        (attribute(StringValue=""), "InvalidParameterValue",
         "Message (user) attribute 'a' must contain a non-empty value of type 'String'."),
        (attribute("Binary", StringValue="x"), "InvalidParameterValue", "non-empty value of type"),
        (attribute("Number", StringValue="x"), "InvalidParameterValue",
         "Can't cast the value of message (user) attribute 'a' to a number."),
        (attribute("Number", StringValue="nan"), "InvalidParameterValue", "to a number"),
        (attribute("Number", StringValue="1e127"), "InvalidParameterValue", "to a number"),
        (attribute("Number", StringValue="1" * 39), "InvalidParameterValue", "to a number"),
        (attribute(StringValue="\1"), "InvalidMessageContents", "Invalid characters"),
        (attribute(StringListValues=["x"], StringValue="x"), "UnsupportedOperation", "list values"),
        ({"MessageAttributes": {str(n): {"DataType": "String", "StringValue": "x"}
                                for n in range(11)}},
         "InvalidParameterValue",
         "Number of message attributes [11] exceeds the allowed maximum [10]."),
        ({"MessageSystemAttributes": {"Other": {"DataType": "String", "StringValue": "x"}}},
         "InvalidParameterValue", "Other"),
        ({"MessageSystemAttributes": {"AWSTraceHeader": {"DataType": "Number", "StringValue": "1"}}},
         "InvalidParameterValue", "AWSTraceHeader"),
    ],
)  # fmt: skip
def test_messages_that_are_refused(
    sqs: FakeSqs, parameters: dict[str, Any], code: str, text: str
) -> None:
    """Nothing is stored."""

    @on_loop
    async def run() -> None:
        url = await sqs.queue(MaximumMessageSize="1024")
        sent = {"QueueUrl": url, "MessageBody": "x", **parameters}
        error = await sqs.refused("SendMessage", sent)
        assert error.code == code
        assert text in error.message
        assert await sqs.bodies(url) == []

    run()


@pytest.mark.parametrize(
    "name", ["", "a b", "AWS.x", "aws.x", "Amazon.x", ".a", "a.", "a..b", "ä", "x" * 257]
)
def test_names_no_attribute_can_have(sqs: FakeSqs, name: str) -> None:
    """By the rules of MessageAttributeNames."""

    @on_loop
    async def run() -> None:
        url = await sqs.queue()
        attributes = {name: {"DataType": "String", "StringValue": "x"}}
        sent = {"QueueUrl": url, "MessageBody": "x", "MessageAttributes": attributes}
        assert (await sqs.refused("SendMessage", sent)).code == "InvalidParameterValue"

    run()


@on_loop
async def test_the_largest_message_is_taken(sqs: FakeSqs) -> None:
    """1 MiB to the byte, attributes counted; allowed control characters too."""
    url = await sqs.queue()
    fixed = {"n": {"DataType": "String.x", "StringValue": "v"}}
    await sqs.send(url, "\t\n\r" + "x" * (1_048_576 - 13), MessageAttributes=fixed)
    assert len((await sqs.bodies(url))[0]) == 1_048_576 - 10


@pytest.mark.parametrize(
    ("parameters", "text"),
    [
        ({"MaxNumberOfMessages": 0}, "Must be between 1 and 10, if provided."),
        ({"MaxNumberOfMessages": 11}, "Value 11 for parameter MaxNumberOfMessages is invalid."),
        ({"WaitTimeSeconds": 21}, "Must be >= 0 and <= 20, if provided."),
        ({"WaitTimeSeconds": -1}, "Must be >= 0 and <= 20, if provided."),
        ({"VisibilityTimeout": 43_201}, "VisibilityTimeout"),
        ({"VisibilityTimeout": -1}, "VisibilityTimeout"),
        ({"MessageAttributeNames": ["x"] * 300}, "attribute names"),
    ],
)
def test_receives_that_are_refused(sqs: FakeSqs, parameters: dict[str, Any], text: str) -> None:
    """The limits of the API reference."""

    @on_loop
    async def run() -> None:
        error = await sqs.refused("ReceiveMessage", {"QueueUrl": await sqs.queue(), **parameters})
        assert error.code == "InvalidParameterValue"
        assert text in error.message

    run()


@pytest.mark.parametrize(
    ("url", "code"),
    [
        (URL, None),
        ("https://sqs.us-east-1.amazonaws.com/000000000000/q", None),
        ("http://localhost:4566/queue/us-east-1/000000000000/q", None),
        ("/000000000000/q", None),
        ("http://host:1/000000000000/other", "QueueDoesNotExist"),
        ("http://host:1/111111111111/q", "QueueDoesNotExist"),
        ("q", "InvalidAddress"),
        ("", "InvalidAddress"),
        ("http://host:1/q", "InvalidAddress"),
        ("http://host:1/000000000000/q/../x", "InvalidAddress"),
    ],
)
def test_a_queue_is_found_by_the_path_of_its_url(sqs: FakeSqs, url: str, code: str | None) -> None:
    """Whatever host it names."""

    @on_loop
    async def run() -> None:
        await sqs.queue()
        if code is None:
            await sqs.send(url)
        else:
            sent = {"QueueUrl": url, "MessageBody": "x"}
            assert (await sqs.refused("SendMessage", sent)).code == code

    run()


@on_loop
async def test_handles_that_are_none(sqs: FakeSqs) -> None:
    """Invented, of another queue, or altered: 404 before anything is looked up."""
    url, other = await sqs.queue(), await sqs.queue("other")
    await sqs.send(other)
    (message,) = await sqs.receive(other)
    good = message["ReceiptHandle"]
    for handle in ("", "INVALID", "é" * 56, "A" * 56, good[:-1] + "!", good[:-1], good):
        for operation in ("DeleteMessage", "ChangeMessageVisibility"):
            held = {"QueueUrl": url, "ReceiptHandle": handle, "VisibilityTimeout": 1}
            error = await sqs.refused(operation, held)
            assert (error.code, error.status) == ("ReceiptHandleIsInvalid", 404)
            assert error.message == (
                f'The input receipt handle "{handle}" is not a valid receipt handle.'
            )


@on_loop
async def test_visibility_that_cannot_be_changed(sqs: FakeSqs) -> None:
    """Beyond twelve hours in all; of a deleted message; of one that somebody else has now."""
    url = await sqs.queue(VisibilityTimeout="43200")
    await sqs.send(url)
    (message,) = await sqs.receive(url)
    held = {"QueueUrl": url, "ReceiptHandle": message["ReceiptHandle"]}
    sqs.clock.advance(1)
    for seconds, text in (
        (43_201, "Must be between 0 and 43200"),
        (-1, "Must be between 0 and 43200"),
        (43_200, "Total VisibilityTimeout for the message is beyond the limit [43200 seconds]"),
    ):
        change = held | {"VisibilityTimeout": seconds}
        error = await sqs.refused("ChangeMessageVisibility", change)
        assert error.code == "InvalidParameterValue"
        assert text in error.message
    await sqs("ChangeMessageVisibility", **held, VisibilityTimeout=0)
    # AWS: who had it last may have it again, as long as nobody else has.
    await sqs("ChangeMessageVisibility", **held, VisibilityTimeout=2)
    assert await sqs.bodies(url) == []
    sqs.clock.advance(2)
    (again,) = await sqs.receive(url)
    error = await sqs.refused("ChangeMessageVisibility", held | {"VisibilityTimeout": 1})
    assert error.code == "MessageNotInflight"
    await sqs("DeleteMessage", QueueUrl=url, ReceiptHandle=again["ReceiptHandle"])
    error = await sqs.refused("ChangeMessageVisibility", held | {"VisibilityTimeout": 1})
    assert "Message does not exist or is not available" in error.message


@pytest.mark.parametrize(
    ("operation", "kind", "entry"),
    [
        ("SendMessageBatch", "SendMessageBatchRequestEntry", {"MessageBody": "x"}),
        ("DeleteMessageBatch", "DeleteMessageBatchRequestEntry", {"ReceiptHandle": "x"}),
        ("ChangeMessageVisibilityBatch", "ChangeMessageVisibilityBatchRequestEntry",
         {"ReceiptHandle": "x", "VisibilityTimeout": 1}),
    ],
)  # fmt: skip
def test_batches_that_are_refused_whole(
    sqs: FakeSqs, operation: str, kind: str, entry: dict[str, Any]
) -> None:
    """Empty, too many, wrong or repeated ids."""

    @on_loop
    async def run() -> None:
        url = await sqs.queue()
        for ids, code, text in (
            ([], "EmptyBatchRequest", f"There should be at least one {kind} in the request."),
            ([str(n) for n in range(20)], "TooManyEntriesInBatchRequest",
             "Maximum number of entries per request are 10. You have sent 20."),
            ([""], "InvalidBatchEntryId", "It can be at most 80 letters long."),
            (["invalid:id"], "InvalidBatchEntryId", "alphanumeric characters, hyphens"),
            (["x" * 81], "InvalidBatchEntryId", "It can be at most 80 letters long."),
            (["a", "b", "a"], "BatchEntryIdsNotDistinct", "Id a repeated."),
        ):  # fmt: skip
            entries = [{"Id": entry_id, **entry} for entry_id in ids]
            error = await sqs.refused(operation, {"QueueUrl": url, "Entries": entries})
            assert error.code == code
            assert text in error.message

    run()


@on_loop
async def test_good_entries_of_a_batch_are_done(sqs: FakeSqs) -> None:
    """The others fail for themselves, with the codes of the query protocol."""
    url = await sqs.queue(MaximumMessageSize="1024")
    answer = await sqs(
        "SendMessageBatch",
        QueueUrl=url,
        Entries=[
            {"Id": "good", "MessageBody": "x"},
            {"Id": "long", "MessageBody": "x" * 1025},
            {"Id": "bad", "MessageBody": "\0"},
            {"Id": "empty", "MessageBody": ""},
        ],
    )
    assert [entry["Id"] for entry in answer["Successful"]] == ["good"]
    assert {e["Id"]: (e["Code"], e["SenderFault"]) for e in answer["Failed"]} == {
        "long": ("InvalidParameterValue", True),
        "bad": ("InvalidMessageContents", True),
        "empty": ("MissingParameter", True),
    }
    (message,) = await sqs.receive(url)
    handles = [("a", message["ReceiptHandle"]), ("b", "nothing")]
    for operation, more in (
        ("ChangeMessageVisibilityBatch", {"VisibilityTimeout": 9}),
        ("DeleteMessageBatch", {}),
    ):
        entries = [{"Id": i, "ReceiptHandle": handle, **more} for i, handle in handles]
        answer = await sqs(operation, QueueUrl=url, Entries=entries)
        assert answer["Successful"] == [{"Id": "a"}]
        (failed,) = answer["Failed"]
        assert (failed["Id"], failed["Code"]) == ("b", "ReceiptHandleIsInvalid")


@on_loop
async def test_a_batch_larger_than_one_message_may_be_is_refused(sqs: FakeSqs) -> None:
    """Whole, saying how large it was."""
    url = await sqs.queue()
    entries = [{"Id": str(n), "MessageBody": "x" * 600_000} for n in range(2)]
    error = await sqs.refused("SendMessageBatch", {"QueueUrl": url, "Entries": entries})
    assert error.code == "BatchRequestTooLong"
    assert error.message == (
        "Batch requests cannot be longer than 1048576 bytes. You have sent 1200000 bytes."
    )


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20)
    | st.sampled_from([URL, "q", "DelaySeconds", "FifoQueue", queue_arn("q"), "String"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)  # fmt: skip
NAMES = st.sampled_from(
    ["QueueUrl", "QueueName", "Attributes", "AttributeNames", "Entries", "MessageBody", "Label",
     "MessageAttributes", "ReceiptHandle", "VisibilityTimeout", "NextToken", "MaxResults", "Tags",
     "TagKeys", "tags", "SourceArn", "TaskHandle", "Actions", "AWSAccountIds", "QueueNamePrefix",
     "MessageSystemAttributes", "MessageAttributeNames", "MaxNumberOfMessages", "DestinationArn"]
)  # fmt: skip


@settings(deadline=None)
@given(
    operation=st.sampled_from(sorted(OPERATIONS)),
    parameters=st.dictionaries(NAMES, VALUES, max_size=6),
    queue=st.booleans(),
)
def test_no_input_is_our_failure(operation: str, parameters: dict[str, Any], queue: bool) -> None:
    """Whatever comes is answered or refused with a 4xx (or what is not there yet, 501)."""

    @on_loop
    async def run() -> None:
        sqs = FakeSqs()
        await sqs.queue()
        given = parameters | ({"QueueUrl": URL} if queue else {})
        headers = {"x-amz-target": f"AmazonSQS.{operation}"}
        request = HttpRequest("POST", "/", "", headers, dump_json(given))
        status = 200
        try:
            call = codec.decode(request, "id")
            result = await OPERATIONS[operation](sqs.service, call)
            codec.encode_result(call, result)
        except AwsError as error:
            status = codec.encode_error(None, error, "id").status
        assert status < 500 or status == 501

    run()


FIELDS = st.sampled_from(
    ["QueueUrl", "QueueName", "Attribute.1.Name", "Attribute.1.Value", "Attribute", "Tag.1.Key",
     "Tag.1.Value", "AttributeName.1", "AttributeName.x", "MessageBody", "ReceiptHandle", "Label",
     "MessageAttribute.1.Name", "MessageAttribute.1.Value.DataType", "MaxNumberOfMessages",
     "MessageAttribute.1.Value.BinaryValue", "MessageAttribute.1.Value.StringValue", "MaxResults",
     "SendMessageBatchRequestEntry.1.Id", "SendMessageBatchRequestEntry.1.MessageBody",
     "DeleteMessageBatchRequestEntry.2.ReceiptHandle", "ActionName.1", "AWSAccountId.1", "TagKey.1"]
)  # fmt: skip
TEXTS = st.text(max_size=20) | st.sampled_from([URL, "q", "1", "DelaySeconds", "String", "e30="])


@settings(deadline=None)
@given(
    operation=st.sampled_from(sorted(OPERATIONS)),
    fields=st.dictionaries(FIELDS, TEXTS, max_size=8),
)
def test_no_form_is_our_failure(operation: str, fields: dict[str, str]) -> None:
    """The same of forms, posted to the queue's URL."""

    @on_loop
    async def run() -> None:
        sqs = FakeSqs()
        await sqs.queue()
        form = {"Version": "2012-11-05", "Action": operation, **fields}
        headers = {"content-type": "application/x-www-form-urlencoded"}
        body = urlencode(form, errors="replace").encode()
        request = HttpRequest("POST", "/000000000000/q", "", headers, body)
        target = router.identify(request)
        status = 200
        try:
            call = codec.decode(request, "id", target)
            result = await OPERATIONS[operation](sqs.service, call)
            codec.encode_result(target, result, "id")
        except AwsError as error:
            status = codec.encode_error(target, error, "id").status
        assert status < 500 or status == 501

    run()
