"""Function URLs over a real connection, with boto3 configuring them."""

import base64
import http.client
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import pytest

ECHO = """
    def handler(event, context):
        if event["rawPath"] == "/raise":
            raise RuntimeError("no")
        if event["rawPath"] == "/plain":
            return {"arn": context.invoked_function_arn}
        return {
            "statusCode": 201,
            "headers": {"x-arn": context.invoked_function_arn},
            "cookies": ["a=1", "b=2"],
            "body": __import__("json").dumps(event),
        }
"""


@dataclass(frozen=True)
class Answer:
    """One HTTP answer."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes


@dataclass(frozen=True)
class Site:
    """A function's URL, asked at 127.0.0.1 under its own name."""

    function: Any
    address: str
    port: int

    def ask(
        self,
        method: str = "GET",
        target: str = "/",
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """One request."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            host = {"Host": urlsplit(self.address).netloc}
            connection.request(method, target, body, host | dict(headers or {}))
            answer = connection.getresponse()
            return Answer(answer.status, answer.headers, answer.read())
        finally:
            connection.close()

    def allow_everyone(self) -> None:
        """The two statements that AWS's documentation asks for."""
        call = {"FunctionName": self.function.name, "Principal": "*"}
        self.function.client.add_permission(
            **call, StatementId="url", Action="lambda:InvokeFunctionUrl", FunctionUrlAuthType="NONE"
        )
        self.function.client.add_permission(
            **call, StatementId="via", Action="lambda:InvokeFunction", InvokedViaFunctionUrl=True
        )


@pytest.fixture
def site(deploy: Any, platform: Any) -> Site:
    """The URL of a function that echoes; nobody is let in yet."""
    function = deploy(ECHO)
    made = function.client.create_function_url_config(FunctionName=function.name, AuthType="NONE")
    return Site(function, made["FunctionUrl"], platform.port)


def test_a_public_url_from_creation_to_deletion(site: Site) -> None:
    """Forbidden until both permissions are there, then the function's answers, then not found."""
    parts = urlsplit(site.address)
    assert parts.port == site.port
    assert (parts.hostname or "").endswith(".lambda-url.us-east-1.localhost")
    refused = site.ask()
    assert refused.status == 403
    assert json.loads(refused.body)["Message"].startswith("Forbidden.")
    site.allow_everyone()
    text = {"Content-Type": "text/plain", "Cookie": "c=3; d=4"}
    answer = site.ask("POST", "/a/b?q=1&q=2", b"hello", text)
    assert answer.status == 201
    assert answer.headers.get_all("set-cookie") == ["a=1", "b=2"]
    assert answer.headers["x-arn"] == site.function.arn
    event = json.loads(answer.body)
    assert (event["version"], event["rawPath"], event["body"]) == ("2.0", "/a/b", "hello")
    assert event["queryStringParameters"] == {"q": "1,2"}
    assert event["cookies"] == ["c=3", "d=4"]
    context = event["requestContext"]
    assert context["http"]["sourceIp"] == "127.0.0.1"
    assert context["http"]["method"] == "POST"
    assert context["domainName"] == parts.hostname
    assert context["requestId"] == answer.headers["x-amzn-requestid"]
    site.function.client.delete_function_url_config(FunctionName=site.function.name)
    assert site.ask().status == 404


def test_results_and_errors(site: Site) -> None:
    """Plain JSON is a 200, a failure the plain 502, a throttled request 429 with its reason."""
    site.allow_everyone()
    plain = site.ask("GET", "/plain")
    assert (plain.status, plain.headers["content-type"]) == (200, "application/json")
    assert json.loads(plain.body) == {"arn": site.function.arn}
    failed = site.ask("GET", "/raise")
    assert (failed.status, failed.body) == (502, b"Internal Server Error")
    reserve = {"FunctionName": site.function.name, "ReservedConcurrentExecutions": 0}
    site.function.client.put_function_concurrency(**reserve)
    throttled = site.ask()
    assert throttled.status == 429
    assert (
        json.loads(throttled.body)["Reason"] == "ReservedFunctionConcurrentInvocationLimitExceeded"
    )


def test_an_alias_and_cors(site: Site) -> None:
    """An alias has a URL of its own, is told so in its context, and its CORS is answered for it."""
    client, name = site.function.client, site.function.name
    client.publish_version(FunctionName=name)
    client.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
    cors = {"AllowOrigins": ["https://example.com"], "AllowMethods": ["PUT"], "MaxAge": 60}
    call = {"FunctionName": name, "Qualifier": "live"}
    made = client.create_function_url_config(**call, AuthType="NONE", Cors=cors)
    assert client.get_function_url_config(**call)["Cors"] == cors
    for more in (
        {"Action": "lambda:InvokeFunctionUrl", "FunctionUrlAuthType": "NONE"},
        {"Action": "lambda:InvokeFunction"},
    ):
        client.add_permission(**call, StatementId=more["Action"][7:], Principal="*", **more)
    alias = Site(site.function, made["FunctionUrl"], site.port)
    asked = alias.ask("GET", "/plain", headers={"Origin": "https://example.com"})
    assert json.loads(asked.body) == {"arn": f"{site.function.arn}:live"}
    assert asked.headers["access-control-allow-origin"] == "https://example.com"
    preflight = {"Origin": "https://example.com", "Access-Control-Request-Method": "PUT"}
    allowed = alias.ask("OPTIONS", "/", headers=preflight)
    assert (allowed.status, allowed.body) == (200, b"")
    assert allowed.headers["access-control-max-age"] == "60"
    assert site.ask().status == 403


def test_bytes_pass_both_ways(site: Site, deploy: Any) -> None:
    """A body that is no text reaches the function in base64, and comes back as the bytes it was."""
    function = deploy("""
        def handler(event, context):
            return {"statusCode": 200, "body": event["body"], "isBase64Encoded": True,
                    "headers": {"content-type": "application/octet-stream"}}
    """)
    call = {"FunctionName": function.name}
    made = function.client.create_function_url_config(**call, AuthType="NONE")
    mirror = Site(function, made["FunctionUrl"], site.port)
    mirror.allow_everyone()
    content = bytes(range(256)) * 1000
    answer = mirror.ask("POST", "/", content, {"Content-Type": "image/png"})
    assert (answer.status, answer.body) == (200, content)
    assert mirror.ask("POST", "/", b"a" * 7_000_000).status == 413


SIGNER = """
    import http.client, os
    from botocore.auth import SigV4Auth
    from botocore.awsrequest import AWSRequest
    from botocore.session import Session

    def handler(event, context):
        endpoint = os.environ["AWS_ENDPOINT_URL"].partition("://")[2]
        request = AWSRequest("GET", "http://" + event["host"] + "/signed")
        if event["signs"]:
            SigV4Auth(Session().get_credentials(), "lambda", os.environ["AWS_REGION"]).add_auth(request)
        headers = dict(request.prepare().headers.items()) | {"Host": event["host"]}
        connection = http.client.HTTPConnection(endpoint, timeout=10)
        connection.request("GET", "/signed", headers=headers)
        answer = connection.getresponse()
        return {"status": answer.status, "body": answer.read().decode()}
"""


def test_a_function_signs_for_another(site: Site, deploy: Any) -> None:
    """AWS_IAM: a function's own credentials open a URL whose policy names its account; others' do not."""
    client, name = site.function.client, site.function.name
    client.update_function_url_config(FunctionName=name, AuthType="AWS_IAM")
    for action in ("lambda:InvokeFunctionUrl", "lambda:InvokeFunction"):
        statement_id = action.partition(":")[2]
        client.add_permission(
            FunctionName=name, StatementId=statement_id, Action=action, Principal="000000000000"
        )
    caller = deploy(SIGNER, Timeout=30)
    host = urlsplit(site.address).netloc
    signed = caller({"host": host, "signs": True}).payload
    assert signed["status"] == 201, signed
    iam = json.loads(signed["body"])["requestContext"]["authorizer"]["iam"]
    assert iam["userArn"].startswith("arn:aws:sts::000000000000:assumed-role/e2e/")
    assert caller({"host": host, "signs": False}).payload["status"] == 403
    stranger = base64.b64encode(b"x").decode()
    credential = f"Credential={stranger}/20260101/us-east-1/lambda/aws4_request"
    header = {"Authorization": f"AWS4-HMAC-SHA256 {credential}, SignedHeaders=host, Signature=0"}
    assert site.ask(headers=header).status == 403


def test_urls_survive_a_restart(start_platform: Any, zip_of: Any, poll: Any) -> None:
    """After kill -9 the URL is served again, to those who were let in."""
    first = start_platform()
    client = first.client("lambda")
    client.create_function(
        FunctionName="f", Runtime="python3.12", Role="arn:aws:iam::000000000000:role/r",
        Handler="app.handler", Code={"ZipFile": zip_of({"app.py": ECHO})},
    )  # fmt: skip
    made = client.create_function_url_config(FunctionName="f", AuthType="NONE")

    class Named:
        name = "f"

    Named.client = client  # type: ignore[attr-defined]
    site = Site(Named, made["FunctionUrl"], first.port)
    site.allow_everyone()
    first.process.kill()
    first.process.wait()
    second = start_platform()
    again = Site(Named, made["FunctionUrl"], second.port)
    assert again.ask("GET", "/plain").status == 200
    shown = second.client("lambda").get_function_url_config(FunctionName="f")["FunctionUrl"]
    assert urlsplit(shown).port == second.port
