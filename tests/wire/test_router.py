"""Which service, operation and protocol a request is for, signed or not."""

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lambent.model.errors import AwsError
from lambent.model.http import HttpRequest
from lambent.wire import codec, models, router
from lambent.wire.router import Target
from lambent.wire.routes import route_table

Signed = Callable[..., HttpRequest]
FUNCTIONS = "/2015-03-31/functions"
ARN = "arn:aws:lambda:eu-west-1:123456789012:function:f"


@pytest.mark.parametrize("service", ["lambda", "scheduler", "xray", "s3", "apigateway", "efs"])
def test_every_rest_operation_is_found_at_its_own_path(service: str) -> None:
    """Each operation's own template, filled in, with what it requires, leads back to that
    operation."""
    model = models.service_model(service)
    table = route_table(model)
    for name in model.operation_names:
        operation = model.operation_model(name)
        path, _, query = operation.http["requestUri"].partition("?")
        headers = {}
        shape = operation.input_shape
        for member in shape.required_members if shape is not None else ():
            located = shape.members[member].serialization
            key = located.get("name", member)
            path = path.replace(f"{{{key}}}", "x").replace(f"{{{key}+}}", "x/y")
            if located.get("location") == "querystring":
                query = f"{query}&{key}=1"
            elif located.get("location") == "header":
                headers[key.lower()] = "1"
        found = table.match(operation.http["method"], path, query, headers)
        assert found is not None
        if found[0] != name:  # two operations of one route: the model cannot tell them apart
            other = model.operation_model(found[0])
            assert other.http["requestUri"] == operation.http["requestUri"]


@pytest.mark.parametrize(
    ("method", "path", "query", "operation", "labels"),
    [
        ("GET", FUNCTIONS, "", "ListFunctions", {}),
        ("GET", f"{FUNCTIONS}/", "", "ListFunctions", {}),
        ("GET", f"{FUNCTIONS}/f", "", "GetFunction", {"FunctionName": "f"}),
        ("GET", f"{FUNCTIONS}/f/", "", "GetFunction", {"FunctionName": "f"}),
        ("POST", f"{FUNCTIONS}/{ARN}/invocations", "", "Invoke", {"FunctionName": ARN}),
        ("GET", "/2018-10-31/layers", "", "ListLayers", {}),
        ("GET", "/2018-10-31/layers", "find=LayerVersion&Arn=a", "GetLayerVersionByArn", {}),
        ("GET", "/2018-10-31/layers", "find=LayerVersion", "GetLayerVersionByArn", {}),
    ],
)
@pytest.mark.parametrize("credentials", [True, False])
def test_lambda_is_recognised(
    method: str,
    path: str,
    query: str,
    operation: str,
    labels: dict[str, str],
    credentials: bool,
    signed: Signed,
) -> None:
    """Lambda's dated paths name their operation with and without credentials."""
    request = signed("lambda", method, path, query=query)
    if not credentials:
        request = HttpRequest(method, path, query, {"host": "localhost:4566"}, b"")
    assert router.identify(request) == Target("lambda", operation, "rest-json", labels)


def test_percent_encoded_labels_are_decoded(signed: Signed) -> None:
    """An ARN percent-encoded in the path is the label's value, slashes of its own included."""
    path = "/2017-03-31/tags/" + ARN.replace(":", "%3A") + "%2Fx"
    assert router.identify(signed("lambda", "GET", path)).path_params == {"Resource": f"{ARN}/x"}


@pytest.mark.parametrize(
    ("query", "headers", "operation"),
    [
        ("", {}, "PutObject"),
        ("", {"x-amz-copy-source": "/a/b"}, "CopyObject"),
        ("partNumber=1&uploadId=u", {}, "UploadPart"),
        ("partNumber=1&uploadId=u", {"x-amz-copy-source": "/a/b"}, "UploadPartCopy"),
        ("tagging", {}, "PutObjectTagging"),
        ("tagging=", {}, "PutObjectTagging"),
        ("x-id=PutObject", {}, "PutObject"),
    ],
)
def test_s3_tells_operations_of_one_path_apart(
    query: str, headers: dict[str, str], operation: str, signed: Signed
) -> None:
    """Static queries and required members choose between S3's operations on a key."""
    request = signed("s3", "PUT", "/bucket/a/b/", query=query, headers=headers)
    target = router.identify(request)
    assert (target.operation, target.path_params) == (
        operation,
        {"Bucket": "bucket", "Key": "a/b/"},
    )


def test_virtual_hosted_buckets_are_found(signed: Signed) -> None:
    """A bucket in the host is as good as one in the path."""
    headers = {"host": "my.bucket.s3.localhost:4566"}
    target = router.identify(signed("s3", "GET", "/key", headers=headers))
    assert (target.operation, target.path_params["Bucket"]) == ("GetObject", "my.bucket")


@pytest.mark.parametrize(
    ("service", "target", "protocol"),
    [
        ("logs", "Logs_20140328.CreateLogGroup", "json"),
        ("sqs", "AmazonSQS.CreateQueue", "json"),
        ("stepfunctions", "AWSStepFunctions.CreateStateMachine", "json"),
        ("dynamodbstreams", "DynamoDBStreams_20120810.ListStreams", "json"),
        ("cloudwatch", "GraniteServiceVersion20100801.PutMetricData", "json"),
    ],
)
@pytest.mark.parametrize("credentials", [True, False])
def test_target_headers_are_recognised(
    service: str, target: str, protocol: str, credentials: bool, signed: Signed
) -> None:
    """``X-Amz-Target`` names service and operation, signed or not."""
    headers = {"x-amz-target": target}
    request = signed(service.removesuffix("streams"), "POST", "/", b"{}", headers=headers)
    if not credentials:
        request = HttpRequest("POST", "/", "", headers, b"{}")
    assert router.identify(request) == Target(service, target.rpartition(".")[2], protocol)


def test_services_outside_the_tables_are_found_by_their_scope(signed: Signed) -> None:
    """A service no table lists is found by its signing name and its own target prefix."""
    headers = {"x-amz-target": "AmazonEC2ContainerServiceV20141113.ListClusters"}
    assert router.identify(signed("ecs", "POST", "/", headers=headers)).service == "ecs"


@pytest.mark.parametrize("credentials", [True, False])
@pytest.mark.parametrize("place", ["body", "query"])
def test_query_actions_are_recognised(credentials: bool, place: str, signed: Signed) -> None:
    """``Action`` and ``Version`` name a query operation, in the body or the query string."""
    text = "Action=GetCallerIdentity&Version=2011-06-15"
    form = {"content-type": "application/x-www-form-urlencoded; charset=utf-8"}
    body, query = (text.encode(), "") if place == "body" else (b"", text)
    request = signed("sts", "POST", "/", body, query=query, headers=form)
    if not credentials:
        request = HttpRequest("POST", "/", query, form, body)
    assert router.identify(request) == Target("sts", "GetCallerIdentity", "query")


@pytest.mark.parametrize("action", ["ConfirmSubscription", "Unsubscribe"])
def test_the_links_in_messages_of_sns_name_no_version(action: str) -> None:
    """They are recognised by their action alone; no other action is."""
    request = HttpRequest("GET", "/", f"Action={action}&Token=t", {"host": "localhost"}, b"")
    assert router.named_service(request) == "sns"
    assert router.identify(request) == Target("sns", action, "query")
    other = HttpRequest("GET", "/", "Action=Publish", {"host": "localhost"}, b"")
    assert router.named_service(other) is None


def test_rpc_v2_paths_are_recognised(signed: Signed) -> None:
    """The smithy-protocol header and path name service and operation."""
    path = "/service/GraniteServiceVersion20100801/operation/PutMetricData"
    request = signed("cloudwatch", "POST", path, headers={"smithy-protocol": "rpc-v2-cbor"})
    assert router.identify(request).protocol == "smithy-rpc-v2-cbor"


@pytest.mark.parametrize(
    ("service", "method", "path", "headers", "named"),
    [
        ("lambda", "OPTIONS", FUNCTIONS, {}, f"OPTIONS {FUNCTIONS}"),
        ("lambda", "HEAD", f"{FUNCTIONS}/f", {}, f"HEAD {FUNCTIONS}/f"),
        ("lambda", "POST", f"{FUNCTIONS}//invocations", {}, f"POST {FUNCTIONS}//invocations"),
        ("logs", "POST", "/", {"x-amz-target": "Logs_20140328.Nope"}, "Nope"),
        ("logs", "POST", "/", {"x-amz-target": "Nope"}, "Nope"),
        ("nope", "GET", "/nope", {}, "GET /nope"),
        ("../etc", "GET", "/", {}, "GET /"),
        ("sts", "POST", "/", {}, "POST /"),
    ],
)
def test_unknown_operations_are_named(
    service: str, method: str, path: str, headers: dict[str, str], named: str, signed: Signed
) -> None:
    """What nobody serves is 501 ``UnknownOperationException`` naming the operation or method and
    path."""
    with pytest.raises(AwsError) as caught:
        router.identify(signed(service, method, path, headers=headers))
    assert (caught.value.code, caught.value.status) == ("UnknownOperationException", 501)
    assert named in caught.value.message


TOKENS = st.sampled_from(
    ["lambda", "s3", "sts", "logs", "monitoring", "sqs", "ec2", "2015-03-31", "functions", "f"]
)
PIECES = st.one_of(TOKENS, st.text(max_size=8))
METHODS = st.sampled_from(["GET", "PUT", "POST", "DELETE", "HEAD", "OPTIONS", "PATCH", "é"])
HEADERS = st.dictionaries(
    st.sampled_from(
        ["authorization", "x-amz-target", "content-type", "smithy-protocol", "host", "x-amz-date"]
    ),
    st.one_of(
        PIECES,
        TOKENS.map(lambda name: f"Credential=123/20260101/eu-west-1/{name}/aws4_request"),
        st.sampled_from(
            [
                "rpc-v2-cbor",
                "application/x-www-form-urlencoded",
                "Logs_20140328.PutLogEvents",
                "AmazonSQS.SendMessage",
                "GraniteServiceVersion20100801.PutMetricData",
            ]
        ),
    ),
    max_size=4,
)
BODIES = st.one_of(
    st.binary(max_size=60),
    st.sampled_from(
        [
            b"[" * 5000,
            b'{"a":' * 2000,
            b"\x81" * 3000,
            b"<a>" * 3000,
            b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>',
            b"Action=AssumeRole&Tags.member.x=1&Version=2011-06-15",
            b"Action=PutMetricData&MetricData=1",
            b"Action=AssumeRole&" + b"a." * 500 + b"=1",
            b'{"logEvents":[1]}',
            b'{"logGroupName":null}',
            b"\xd8\x1c\x81\xd8\x1d\x00",
            b"\xbf\x6aMetricData\x81\xc1\xfb\x7f\xf0\x00\x00\x00\x00\x00\x00\xff",
        ]
    ),
)


def _refusal(request: HttpRequest, target: Target | None) -> AwsError | None:
    try:
        codec.decode(request, "id", target)
    except AwsError as error:
        return error
    return None


@given(
    method=METHODS,
    path=st.lists(PIECES, max_size=5).map(lambda parts: "/" + "/".join(parts)),
    query=st.lists(PIECES, max_size=3).map("&".join),
    headers=HEADERS,
    body=BODIES,
)
@settings(max_examples=400, deadline=None)
def test_any_request_decodes_or_is_refused(
    method: str, path: str, query: str, headers: dict[str, str], body: bytes
) -> None:
    """Whatever comes in, decoding gives a call or an ``AwsError``, and the error can be encoded."""
    request = HttpRequest(method, path, query, headers, body)
    refusal = _refusal(request, None)
    if refusal is not None:
        answer = codec.encode_error(router.guess(request), refusal, "id")
        assert answer.status == refusal.status


@given(body=BODIES, number=st.integers(0, 6))
@settings(max_examples=200, deadline=None)
def test_any_body_of_a_known_operation_decodes_or_is_refused(body: bytes, number: int) -> None:
    """Random bodies to real operations of every protocol end in a call or an ``AwsError``."""
    target = [
        Target("lambda", "CreateFunction", "rest-json"),
        Target("logs", "PutLogEvents", "json"),
        Target("sts", "AssumeRole", "query"),
        Target("cloudwatch", "PutMetricData", "query"),
        Target("cloudwatch", "PutMetricData", "smithy-rpc-v2-cbor"),
        Target("s3", "PutBucketLifecycleConfiguration", "rest-xml", {"Bucket": "bucket"}),
        Target("ec2", "DescribeInstances", "ec2"),
    ][number]
    headers = {"content-encoding": "gzip"} if body[:1] == b"\x00" else {}
    refusal = _refusal(HttpRequest("POST", "/", "", headers, body), target)
    if refusal is not None:
        assert codec.encode_error(target, refusal, "id").status == refusal.status
