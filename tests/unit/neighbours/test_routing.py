"""Which requests go to neighbours, and what of them."""

import pytest
from botocore.credentials import Credentials
from hypothesis import given
from hypothesis import strategies as st

from lambent.model.http import HttpRequest
from lambent.neighbours import routing
from lambent.neighbours.signing import sign

SCOPE = "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/{}/aws4_request, SignedHeaders=host"


def request(query: str = "", **headers: str) -> HttpRequest:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return HttpRequest("GET", "/key", query, named, b"")


@pytest.mark.parametrize(
    ("asked", "service"),
    [
        (request(authorization=SCOPE.format("s3")), "s3"),
        (request(authorization=SCOPE.format("states")), "stepfunctions"),
        (request(authorization=SCOPE.format("glue"), x_amz_target="AWSGlue.GetJobs"), "glue"),
        (
            request(
                authorization=SCOPE.format("dynamodb"), x_amz_target="DynamoDBStreams_20120810.X"
            ),
            "dynamodbstreams",
        ),
        (request(x_amz_target="AWSCognitoIdentityProviderService.SignUp"), "cognito-idp"),
        (request("AWSAccessKeyId=a&Signature=b&Expires=1"), "s3"),
        (request(host="bucket.s3.localhost:4566"), "s3"),
        (request(host="127.0.0.1:4566"), None),
    ],
)
def test_the_service_is_told_by_what_the_request_shows(
    asked: HttpRequest, service: str | None
) -> None:
    """The target, the scope, the form of the URL or the host name the service."""
    assert routing.service_of(asked) == service


@pytest.mark.parametrize(
    ("host", "path"),
    [
        ("my.bucket.s3.us-east-1.amazonaws.com", "/my.bucket/key"),
        ("bucket.localhost:4566", "/bucket/key"),
        ("s3.localhost:4566", "/key"),
        ("localhost:4566", "/key"),
        ("127.0.0.1:4566", "/key"),
    ],
)
def test_a_bucket_in_the_host_is_put_into_the_path(host: str, path: str) -> None:
    """Virtual-hosted requests go on in path style."""
    assert routing.in_path_style("s3", request(host=host)).path == path


def test_hop_by_hop_headers_and_foreign_accounts_stay_behind() -> None:
    """Neither a connection's headers nor a client's word on moto's account go on."""
    asked = request(host="h", connection="close", x_moto_account_id="1", x_amz_meta_a="b")
    assert routing.forwarded_headers(asked) == [("x-amz-meta-a", "b")]


@pytest.mark.parametrize(
    "text",
    [
        *("s3", "s3=", "s3=ftp://x", "S3=http://x", "s3=http://x/path", "s3=http://u:p@x"),
        *("s3=amqp://x", "mq=amqp://u:p@x", "mq=amqp://x/host"),
    ],
)
def test_what_is_no_neighbour_is_refused(text: str) -> None:
    """An endpoint is a scheme, a host and a port."""
    with pytest.raises(ValueError):
        routing.parse_neighbour(text)


def test_an_endpoint_is_signed_for_unless_told_otherwise() -> None:
    """``,unsigned`` after the URL asks for no signature."""
    _, signed = routing.parse_neighbour("s3=https://minio.example:9000")
    _, unsigned = routing.parse_neighbour("s3=http://minio.example,unsigned")
    assert (signed.host_header, signed.signed) == ("minio.example:9000", True)
    assert (unsigned.host_header, unsigned.signed) == ("minio.example", False)


@pytest.mark.parametrize(
    ("text", "port", "tls"),
    [("mq=amqp://rabbit", 5672, False), ("mq=amqps://rabbit", 5671, True)],
)
def test_a_broker_has_the_ports_of_its_protocol(text: str, port: int, tls: bool) -> None:
    """``mq=amqp://…`` names a broker: nothing of HTTP goes there."""
    service, endpoint = routing.parse_neighbour(text)
    assert (service, endpoint.port, endpoint.tls, endpoint.is_broker) == ("mq", port, tls, True)
    assert not routing.parse_neighbour("mq=https://mq.example")[1].is_broker


def test_a_request_is_signed_for_the_endpoint_with_the_operator_s_key() -> None:
    """The new signature names the operator's key, covers the endpoint's host, and replaces the old."""
    asked = request(host="127.0.0.1", authorization=SCOPE.format("s3"), x_amz_security_token="t")
    headers = routing.forwarded_headers(asked, signature=False)
    made = dict(
        sign("s3", "eu-west-1", "GET", "https://e/key", headers, b"", Credentials("AKIA", "secret"))
    )
    assert "Credential=AKIA/" in made["Authorization"]
    assert "/eu-west-1/s3/aws4_request" in made["Authorization"]
    assert "SignedHeaders=host;" in made["Authorization"]
    assert "x-amz-security-token" not in made


@given(st.text(max_size=60))
def test_any_host_is_read(host: str) -> None:
    """No host breaks the reading of a bucket."""
    assert routing.bucket_of_host(host) != ""
