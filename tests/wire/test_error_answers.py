"""Errors in every protocol: botocore reads the code, the message, the members and the request
id."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.awsrequest import HeadersDict
from botocore.parsers import create_parser
from hypothesis import given, settings
from hypothesis import strategies as st

from lambent.model.call import Call, Caller
from lambent.model.errors import (
    AwsError,
    ClientFault,
    PlatformFault,
    invalid_parameter,
    not_found,
    not_yet,
)
from lambent.model.http import HttpRequest, HttpResponse
from lambent.wire import codec, models, router
from lambent.wire.errors import error_plan
from lambent.wire.router import Target


def read(target: Target, answer: HttpResponse) -> dict[str, Any]:
    """The error as botocore's client shows it."""
    headers = HeadersDict(dict(answer.headers))
    response = {"status_code": answer.status, "headers": headers, "body": answer.body}
    parsed: dict[str, Any] = create_parser(target.protocol).parse(response, None)
    return parsed


CASES = [
    (Target("lambda", "GetFunction", "rest-json"), "ResourceNotFoundException", None),
    (Target("lambda", "GetFunction", "rest-json"), "NoModelKnowsThis", None),
    (Target("logs", "PutLogEvents", "json"), "ResourceNotFoundException", None),
    (
        Target("sqs", "SendMessage", "json"),
        "QueueDoesNotExist",
        "AWS.SimpleQueueService.NonExistentQueue",
    ),
    (
        Target("sts", "AssumeRole", "query"),
        "MalformedPolicyDocumentException",
        "MalformedPolicyDocument",
    ),
    (Target("sns", "Publish", "query"), "NotFoundException", "NotFound"),
    (Target("cloudwatch", "GetDashboard", "query"), "DashboardNotFoundError", "ResourceNotFound"),
    (
        Target("cloudwatch", "GetDashboard", "smithy-rpc-v2-cbor"),
        "DashboardNotFoundError",
        "ResourceNotFound",
    ),
    (Target("s3", "GetObject", "rest-xml"), "NoSuchKey", None),
    (Target("cloudfront", "GetDistribution", "rest-xml"), "NoSuchDistribution", None),
    (Target("ec2", "DescribeInstances", "ec2"), "InvalidInstanceID.NotFound", None),
]


@pytest.mark.parametrize(("target", "code", "on_the_wire"), CASES)
@given(message=st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), min_size=1))
@settings(max_examples=15, deadline=None)
def test_botocore_reads_code_and_message(
    target: Target, code: str, on_the_wire: str | None, message: str
) -> None:
    """Code, message, status and request id of an error survive the way to a botocore client."""
    answer = codec.encode_error(target, ClientFault(code, message, 404), "the-id")
    parsed = read(target, answer)
    assert parsed["Error"]["Code"] == (on_the_wire or code)
    shown = message.replace("\ufffe", "\ufffd").replace("\uffff", "\ufffd")
    assert parsed["Error"]["Message"] in (message, shown)
    assert parsed["ResponseMetadata"]["RequestId"] == "the-id"
    assert parsed["ResponseMetadata"]["HTTPStatusCode"] == 404


def test_either_name_of_an_error_gives_the_same_answer() -> None:
    """A query-compatible error may be raised by its shape's name or its query code."""
    target = Target("sqs", "SendMessage", "json")
    both = [
        codec.encode_error(target, ClientFault(code, "m"), "id")
        for code in ("QueueDoesNotExist", "AWS.SimpleQueueService.NonExistentQueue")
    ]
    assert both[0] == both[1]
    assert ("x-amzn-query-error", "AWS.SimpleQueueService.NonExistentQueue;Sender") in both[
        0
    ].headers


@pytest.mark.parametrize(
    ("error", "kind", "body"),
    [
        (not_found("m"), "ResourceNotFoundException", {"Type": "User", "Message": "m"}),
        (
            invalid_parameter("m"),
            "InvalidParameterValueException",
            {"Type": "User", "message": "m"},
        ),
        (PlatformFault("m"), "ServiceException", {"Type": "Service", "Message": "m"}),
        (
            not_yet("X").__class__("NotImplementedException", "m", 501),
            "NotImplementedException",
            {"message": "m"},
        ),
        (ClientFault("ValidationException", "m"), "ValidationException", {"message": "m"}),
    ],
)
def test_lambda_spells_members_as_its_model_does(
    error: AwsError, kind: str, body: dict[str, str]
) -> None:
    """Lambda's body has ``Type`` and the shape's own ``message`` or ``Message``, the code a
    header."""
    answer = codec.encode_error(Target("lambda", "GetFunction", "rest-json"), error, "id")
    assert json.loads(answer.body) == body
    assert dict(answer.headers)["x-amzn-ErrorType"] == kind


def test_members_of_an_error_travel_where_the_model_says() -> None:
    """``Retry-After`` goes out as a header, ``Reason`` in the body, ``error.headers`` as they
    are."""
    fields = {"Type": "User", "Reason": "CallerRateLimitExceeded", "retryAfterSeconds": "7"}
    error = ClientFault(
        "TooManyRequestsException",
        "Rate Exceeded.",
        429,
        fields=fields,
        headers={"X-Own": "a\r\nb"},
    )
    answer = codec.encode_error(Target("lambda", "Invoke", "rest-json"), error, "id")
    assert json.loads(answer.body) == {
        "Type": "User",
        "message": "Rate Exceeded.",
        "Reason": "CallerRateLimitExceeded",
    }
    assert dict(answer.headers)["Retry-After"] == "7"
    assert dict(answer.headers)["X-Own"] == "a  b"


def test_s3_says_what_an_error_is_about() -> None:
    """S3's ``<Error>`` bears the members its model does not know, and its own request id header."""
    error = ClientFault("NoSuchBucket", "gone", 404, fields={"BucketName": "b&c"})
    target = Target("s3", "GetObject", "rest-xml")
    answer = codec.encode_error(target, error, "id")
    assert read(target, answer)["Error"]["BucketName"] == "b&c"
    assert ("x-amz-request-id", "id") in answer.headers


@pytest.mark.parametrize("service", [None, "", "nobody-knows"])
def test_an_error_without_a_target_is_rest_json(service: str | None) -> None:
    """Nothing known of the caller's protocol, the answer has the code in body-less headers and
    JSON."""
    target = None if service is None else Target(service, "", "nothing")
    answer = codec.encode_error(target, ClientFault("Code", "m", 501), "id")
    assert (answer.status, json.loads(answer.body)) == (501, {"message": "m"})
    assert ("x-amzn-RequestId", "id") in answer.headers


def test_a_call_is_answered_in_its_default_protocol() -> None:
    """A ``Call`` without its target gets the service's default protocol."""
    call = Call("sts", "AssumeRole", {}, Caller("1" * 12, "eu-west-1", "id"))
    assert codec.encode_error(call, ClientFault("A", "m"), "id").body.startswith(b"<ErrorResponse")


@pytest.mark.parametrize(
    ("service", "path", "headers", "protocol"),
    [
        ("sts", "/", {"content-type": "application/x-www-form-urlencoded"}, "query"),
        ("sqs", "/", {"x-amz-target": "AmazonSQS.Nope"}, "json"),
        (
            "cloudwatch",
            "/service/x/operation/y",
            {"smithy-protocol": "rpc-v2-cbor"},
            "smithy-rpc-v2-cbor",
        ),
        ("s3", "/", {}, "rest-xml"),
        ("lambda", "/nope", {}, "rest-json"),
    ],
)
def test_unknown_operations_are_refused_in_the_callers_protocol(
    service: str,
    path: str,
    headers: dict[str, str],
    protocol: str,
    signed: Callable[..., HttpRequest],
) -> None:
    """An operation nobody knows is refused in words the client's parser understands."""
    request = signed(service, "PATCH" if not headers else "POST", path, headers=headers)
    with pytest.raises(AwsError) as caught:
        codec.decode(request, "id")
    guessed = router.guess(request)
    assert guessed is not None
    assert guessed.protocol == protocol
    parsed = read(guessed, codec.encode_error(guessed, caught.value, "id"))
    assert parsed["Error"]["Code"] == "UnknownOperationException"


@pytest.mark.parametrize("service", ["lambda", "logs", "sqs", "sts", "iam", "cloudwatch", "s3"])
def test_every_modeled_error_can_be_said(service: str) -> None:
    """Each error shape of a service, raised with only a code and a message, is read back by
    botocore."""
    model = models.service_model(service)
    for shape in model.error_shapes:
        for protocol in models.protocols_of(model):
            target = Target(service, "", protocol)
            answer = codec.encode_error(target, ClientFault(shape.name, "text", 400), "id")
            parsed = read(target, answer)["Error"]
            own = error_plan(service, shape.name).code
            assert parsed["Code"] in (own, shape.name)
            assert parsed["Message"] == "text"
