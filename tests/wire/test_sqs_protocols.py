"""SQS's two protocols: JSON by ``X-Amz-Target``, and forms answered in XML."""

import json
from urllib.parse import urlencode

import pytest

from lambent.model.call import Result
from lambent.model.errors import ClientFault
from lambent.model.http import HttpRequest
from lambent.wire import codec, router
from lambent.wire.router import Target

FORM = {"content-type": "application/x-www-form-urlencoded"}
JSON = Target("sqs", "ReceiveMessage", "json")
QUERY = Target("sqs", "ReceiveMessage", "query")


def form(path: str, **fields: str) -> HttpRequest:
    """A form as an old client posts it."""
    fields = {"Version": "2012-11-05"} | fields
    return HttpRequest("POST", path, "", FORM, urlencode(fields).encode())


def spoken(operation: str, **parameters: object) -> HttpRequest:
    """A request in JSON."""
    headers = {"x-amz-target": f"AmazonSQS.{operation}"}
    return HttpRequest("POST", "/", "", headers, json.dumps(parameters).encode())


def test_a_form_names_members_as_the_query_protocol_did() -> None:
    """Attributes, tags and entries of a form are read by their names of the query days."""
    call = codec.decode(
        form(
            "/", Action="CreateQueue", QueueName="q",
            **{"Attribute.1.Name": "DelaySeconds", "Attribute.1.Value": "3",
               "Tag.1.Key": "team", "Tag.1.Value": "blue"},
        ), "id",
    )  # fmt: skip
    assert call.parameters == {
        "QueueName": "q",
        "Attributes": {"DelaySeconds": "3"},
        "tags": {"team": "blue"},
    }


def test_a_form_posted_to_a_queue_means_that_queue() -> None:
    """Without ``QueueUrl`` the path of the request is it; entries and attributes are read."""
    call = codec.decode(
        form(
            "/000000000000/q", Action="SendMessageBatch",
            **{"SendMessageBatchRequestEntry.1.Id": "a",
               "SendMessageBatchRequestEntry.1.MessageBody": "x",
               "SendMessageBatchRequestEntry.1.MessageAttribute.1.Name": "n",
               "SendMessageBatchRequestEntry.1.MessageAttribute.1.Value.DataType": "Binary",
               "SendMessageBatchRequestEntry.1.MessageAttribute.1.Value.BinaryValue": "eHg="},
        ), "id",
    )  # fmt: skip
    attribute = {"DataType": "Binary", "BinaryValue": b"xx"}
    entry = {"Id": "a", "MessageBody": "x", "MessageAttributes": {"n": attribute}}
    assert call.parameters == {"QueueUrl": "/000000000000/q", "Entries": [entry]}


def test_answers_in_xml_are_named_as_they_were() -> None:
    """Messages are ``Message``, their attributes ``Attribute`` with ``Name`` and ``Value``."""
    message = {"MessageId": "m", "Body": "b", "Attributes": {"SenderId": "1"}}
    answer = codec.encode_result(QUERY, Result({"Messages": [message]}), "id")
    assert answer.body.decode() == (
        '<ReceiveMessageResponse xmlns="http://queue.amazonaws.com/doc/2012-11-05/">'
        "<ReceiveMessageResult><Message><MessageId>m</MessageId><Body>b</Body>"
        "<Attribute><Name>SenderId</Name><Value>1</Value></Attribute></Message>"
        "</ReceiveMessageResult><ResponseMetadata><RequestId>id</RequestId></ResponseMetadata>"
        "</ReceiveMessageResponse>"
    )


@pytest.mark.parametrize(
    ("code", "json_type", "query_code"),
    [
        (
            "QueueDoesNotExist",
            "com.amazonaws.sqs#QueueDoesNotExist",
            "AWS.SimpleQueueService.NonExistentQueue",
        ),
        ("QueueNameExists", "com.amazonaws.sqs#QueueNameExists", "QueueAlreadyExists"),
        (
            "InvalidParameterValue",
            "com.amazon.coral.service#InvalidParameterValueException",
            "InvalidParameterValue",
        ),
        ("ReceiptHandleIsInvalid", "com.amazonaws.sqs#ReceiptHandleIsInvalid", None),
    ],
)
def test_an_error_has_its_code_of_the_query_days(
    code: str, json_type: str, query_code: str | None
) -> None:
    """JSON tells the type and, in a header, the code that XML has."""
    fault, wanted = ClientFault(code, "No."), query_code or code
    answer = codec.encode_error(JSON, fault, "id")
    assert json.loads(answer.body) == {"__type": json_type, "message": "No."}
    assert dict(answer.headers)["x-amzn-query-error"] == f"{wanted};Sender"
    assert f"<Code>{wanted}</Code>" in codec.encode_error(QUERY, fault, "id").body.decode()


@pytest.mark.parametrize(
    ("operation", "parameters", "missing"),
    [
        ("SendMessage", {"QueueUrl": "u"}, "MessageBody"),
        ("SendMessage", {"MessageBody": "u"}, "QueueUrl"),
        ("DeleteMessageBatch", {"QueueUrl": "u", "Entries": [{"Id": "a"}]}, "ReceiptHandle"),
        ("DeleteMessageBatch", {"QueueUrl": "u", "Entries": [None]}, "Entries.1"),
        ("CreateQueue", {"QueueName": "u", "Attributes": {"DelaySeconds": None}}, "DelaySeconds"),
        ("SendMessage", {"QueueUrl": "u", "MessageBody": "b", "MessageAttributes": {"a": {}}}, "a"),
    ],
)
def test_what_is_missing_is_named(
    operation: str, parameters: dict[str, object], missing: str
) -> None:
    """A required parameter that is absent or null is 400 ``MissingParameter``, wherever it is."""
    with pytest.raises(ClientFault) as raised:
        codec.decode(spoken(operation, **parameters), "id")
    assert (raised.value.code, raised.value.status) == ("MissingParameter", 400)
    assert missing in raised.value.message


def test_what_the_model_would_refuse_reaches_the_operation() -> None:
    """An attribute name that is no member of the enum is refused by SQS, in its own words."""
    call = codec.decode(spoken("GetQueueAttributes", QueueUrl="u", AttributeNames=["x"]), "id")
    assert call.parameters["AttributeNames"] == ["x"]


def test_the_trace_header_is_the_callers() -> None:
    """``X-Amzn-Trace-Id`` reaches the operation."""
    request = spoken("ListQueues")
    traced = {**request.headers, "x-amzn-trace-id": "Root=1-2-3"}
    caller = codec.decode(HttpRequest("POST", "/", "", traced, b"{}"), "id").caller
    assert caller.trace_header == "Root=1-2-3"


def test_an_unsigned_form_is_recognised_by_its_version() -> None:
    """``Version=2012-11-05`` is SQS."""
    assert router.identify(form("/", Action="ListQueues")) == Target("sqs", "ListQueues", "query")
