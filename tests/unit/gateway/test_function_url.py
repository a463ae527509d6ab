"""Function URLs, request by request: who gets in, what the function is told, what the caller is."""

import asyncio
import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambent.gateway.function_url import MAX_EVENT_BYTES
from lambent.model.errors import ClientFault, PlatformFault, conflict, not_found
from lambent.model.function_url import Cors
from lambent.testing.loop import on_loop

FORBIDDEN = {
    "Message": "Forbidden. For troubleshooting Function URL authorization issues, see: "
    "https://docs.aws.amazon.com/lambda/latest/dg/urls-auth.html"
}
ACCOUNT = {"AWS": "arn:aws:iam::000000000000:root"}
INVOKE_URL, INVOKE = "lambda:InvokeFunctionUrl", "lambda:InvokeFunction"


def allow(action: str, principal: Any = "*", **conditions: Any) -> dict[str, Any]:
    """One statement."""
    arn = "arn:aws:lambda:us-east-1:000000000000:function:f"
    made = {"Effect": "Allow", "Principal": principal, "Action": action, "Resource": arn}
    return made | ({"Condition": conditions} if conditions else {})


FOR_THE_ACCOUNT = (allow(INVOKE_URL, ACCOUNT), allow(INVOKE, ACCOUNT))


@on_loop
async def test_a_public_url_invokes_the_function(site: Any) -> None:
    """The function gets the request as an event, the caller its answer with the ids of both."""
    site.result = {"statusCode": 201, "headers": {"x": "1"}, "body": "made"}
    answer = await site.ask("POST", "/p?a=1", b"hi", headers={"content-type": "text/plain"})
    assert (answer.status, answer.body, answer.headers["x"]) == (201, b"made", "1")
    assert site.asked == [("000000000000", "us-east-1", "f", None)]
    (event,) = site.events
    assert (event["rawPath"], event["body"], event["isBase64Encoded"]) == ("/p", "hi", False)
    context = event["requestContext"]
    assert context["accountId"] == "anonymous"
    assert context["domainName"] == f"{context['apiId']}.lambda-url.us-east-1.localhost"
    assert answer.headers["x-amzn-requestid"] == context["requestId"] == site.request_ids[0]
    assert event["headers"]["x-amzn-trace-id"] == answer.headers["x-amzn-trace-id"]
    assert event["headers"]["x-forwarded-port"] == "4566"


@on_loop
async def test_a_trace_goes_on(site: Any) -> None:
    """A new trace is a root, undecided; one the caller began is passed on as it is."""
    answer = await site.ask()
    root = answer.headers["x-amzn-trace-id"]
    assert re.fullmatch(r"Root=1-[0-9a-f]{8}-[0-9a-f]{24}", root)
    assert site.trace_ids == [root]
    given = "Root=1-00000000-000000000000000000000001;Parent=0000000000000001;Sampled=1"
    answer = await site.ask(headers={"x-amzn-trace-id": given})
    assert answer.headers["x-amzn-trace-id"] == site.trace_ids[1] == given


@on_loop
async def test_an_alias_is_invoked_by_its_name(site: Any) -> None:
    """The URL of an alias invokes the alias, under the policy of the alias."""
    site.set(qualifier="live")
    assert (await site.ask()).status == 403
    arn = site.url.function_arn
    site.statements = tuple({**one, "Resource": arn} for one in site.statements)
    assert (await site.ask()).status == 200
    assert site.asked == [("000000000000", "us-east-1", "f", "live")]


@on_loop
@pytest.mark.parametrize(
    "host", ["{id}.lambda-url.eu-west-1.on.aws", "{ID}.LAMBDA-URL.x", "{id}.lambda-url.a.b:80"]
)
async def test_any_domain_behind_the_id_will_do(site: Any, host: str) -> None:
    """What stands behind <id>.lambda-url does not matter."""
    url_id = site.url.url_id
    assert (await site.ask(host=host.format(id=url_id, ID=url_id.upper()))).status in (200, 404)
    known = host.format(id=url_id, ID=url_id)
    assert (await site.ask(host=known)).status == 200


@on_loop
@pytest.mark.parametrize(
    "host",
    [
        "x.lambda-url.a",
        f"{'b' * 32}.lambda-url.a",
        ".lambda-url.",
        "a.b.lambda-url.c",
        "é.lambda-url.a",
    ],
)
async def test_an_unknown_id_is_404(site: Any, host: str) -> None:
    """A host that is no URL's is 404, whatever it looks like."""
    answer = await site.ask(host=host)
    assert (answer.status, json.loads(answer.body)) == (404, {"Message": None})
    assert site.events == []


@on_loop
@pytest.mark.parametrize(
    "statements",
    [
        (),
        (allow(INVOKE_URL),),
        (allow(INVOKE),),
        (allow(INVOKE_URL, ACCOUNT), allow(INVOKE, ACCOUNT)),
        (allow(INVOKE_URL, StringEquals={"lambda:FunctionUrlAuthType": "AWS_IAM"}), allow(INVOKE)),
        (allow(INVOKE_URL), allow(INVOKE, Bool={"lambda:InvokedViaFunctionUrl": "false"})),
        (allow(INVOKE_URL), allow(INVOKE), {**allow(INVOKE), "Effect": "Deny"}),
    ],
)
async def test_without_both_permissions_it_is_forbidden(site: Any, statements: Any) -> None:
    """Everyone must be let in by both actions and their conditions; a denial ends it."""
    site.statements = statements
    answer = await site.ask()
    assert (answer.status, json.loads(answer.body)) == (403, FORBIDDEN)
    assert answer.headers["x-amzn-errortype"] == "AccessDeniedException"
    assert site.events == []


@on_loop
@pytest.mark.parametrize("presigned", [False, True])
async def test_a_signed_request_is_let_in(site: Any, presigned: bool) -> None:
    """AWS_IAM: a role's signature is verified, and the function told whose it is."""
    site.set(auth_type="AWS_IAM")
    site.statements = FOR_THE_ACCOUNT
    target, headers = site.signed("POST", "/p?a=1", b"" if presigned else b"x", presigned=presigned)
    answer = await site.ask("POST", target, b"" if presigned else b"x", headers=headers)
    assert answer.status == 200, answer.body
    context = site.events[0]["requestContext"]
    iam = context["authorizer"]["iam"]
    assert context["accountId"] == iam["accountId"] == "000000000000"
    assert iam["userArn"] == "arn:aws:sts::000000000000:assumed-role/r/session"
    assert iam["userId"] == iam["callerId"]
    assert iam["userId"].endswith(":session")
    assert site.mint.lookup(iam["accessKey"]) is not None


@on_loop
async def test_what_is_not_signed_well_is_refused(site: Any) -> None:
    """AWS_IAM: unsigned, changed, unknown, revoked, without its token, of another service or region: 403."""
    site.set(auth_type="AWS_IAM")
    site.statements = FOR_THE_ACCOUNT
    unsigned = await site.ask()
    assert (unsigned.status, json.loads(unsigned.body)) == (403, FORBIDDEN)
    target, headers = site.signed("POST", "/", b"x")
    revoked = site.mint.mint("000000000000", "arn:aws:iam::000000000000:role/r", "s")
    attempts = [
        (target, headers, b"y"),
        ("/other", headers, b"x"),
        (target, headers | {"x-amz-security-token": "other"}, b"x"),
        (target, {k: v for k, v in headers.items() if k != "x-amz-security-token"}, b"x"),
        (*site.signed("POST", "/", b"x", service="s3"), b"x"),
        (*site.signed("POST", "/", b"x", region="eu-west-1"), b"x"),
        (*site.signed("POST", "/", b"x", key=revoked), b"x"),
    ]
    site.mint.revoke(revoked.access_key_id)
    for where, headers, body in attempts:
        answer = await site.ask("POST", where, body, headers=headers)
        assert answer.status == 403, answer.body
        assert json.loads(answer.body)["Message"]
    assert site.events == []


@on_loop
async def test_a_signature_is_not_enough(site: Any) -> None:
    """AWS_IAM: whom the resource policy does not let in stays out; no IAM policies are known here."""
    site.set(auth_type="AWS_IAM")
    for statements in ((), (allow(INVOKE_URL, ACCOUNT),), (allow(INVOKE_URL, {"AWS": "1" * 12}),)):
        site.statements = statements
        target, headers = site.signed()
        answer = await site.ask("GET", target, headers=headers)
        assert (answer.status, json.loads(answer.body)) == (403, FORBIDDEN)


@on_loop
@pytest.mark.parametrize("result", [{"statusCode": "x"}, {"statusCode": 200, "body": []}, b"{"])
async def test_a_malformed_answer_is_502(site: Any, result: Any) -> None:
    """An answer that is none, or a function that failed, is AWS's plain 502."""
    site.result = result
    answer = await site.ask()
    assert (answer.status, answer.body) == (502, b"Internal Server Error")
    site.result, site.function_error = {"statusCode": 200}, "Unhandled"
    failed = await site.ask()
    assert (failed.status, failed.body) == (502, b"Internal Server Error")


THROTTLED = ClientFault(
    "TooManyRequestsException", "Rate Exceeded.", 429,
    fields={"Reason": "ReservedFunctionConcurrentInvocationLimitExceeded", "Type": "User"},
)  # fmt: skip


@on_loop
@pytest.mark.parametrize(
    ("fault", "status"),
    [
        (THROTTLED, 429),
        (not_found("Function not found: f"), 404),
        (conflict("The function is currently in the following state: Pending"), 502),
        (PlatformFault("no sandbox"), 502),
        (ClientFault("InvalidRequestContentException", "m", 400), 502),
        (ClientFault("RequestEntityTooLargeException", "m", 413), 413),
    ],
)
async def test_faults_of_the_invocation(site: Any, fault: Any, status: int) -> None:
    """A throttled request is 429 with AWS's reason; what is the platform's affair stays its own."""
    site.fault = fault
    answer = await site.ask()
    assert answer.status == status
    if status == 429:
        assert json.loads(answer.body) == {
            "Reason": "ReservedFunctionConcurrentInvocationLimitExceeded",
            "Type": "User",
            "message": "Rate Exceeded.",
        }
        assert answer.headers["x-amzn-errortype"] == "TooManyRequestsException"
    if status == 502:
        assert answer.body == b"Internal Server Error"


@on_loop
async def test_six_megabytes_are_the_end(site: Any) -> None:
    """What does not fit into an event is 413, also what was thrown away while it came."""
    text = {"content-type": "text/plain"}
    fits = b"a" * (MAX_EVENT_BYTES - 4096)
    assert (await site.ask("POST", "/", fits, headers=text)).status == 200
    assert (await site.ask("POST", "/", fits)).status == 413  # a third more in base64
    large = await site.ask("POST", "/", b"a" * MAX_EVENT_BYTES, headers=text)
    text_of = "Request must be smaller than 6291456 bytes for the InvokeFunction operation"
    assert (large.status, json.loads(large.body)) == (413, {"Message": text_of})
    assert large.headers["x-amzn-errortype"] == "RequestEntityTooLargeException"
    assert (await site.ask("POST", "/", b"a" * 100, max_body_bytes=10)).status == 413
    assert len(site.events) == 1


@on_loop
async def test_cors_is_answered_for_the_function(site: Any) -> None:
    """A preflight never reaches the function; every other answer, refusals too, has CORS headers."""
    origin = {"origin": "https://example.com"}
    preflight = origin | {"access-control-request-method": "PUT"}
    assert (await site.ask("OPTIONS", headers=preflight)).body == b"ok"
    site.set(cors=Cors(allow_origins=("https://example.com",), allow_methods=("PUT",)))
    site.events.clear()
    answer = await site.ask("OPTIONS", headers=preflight)
    assert (answer.status, answer.body) == (200, b"")
    assert answer.headers["access-control-allow-methods"] == "PUT"
    assert site.events == []
    answer = await site.ask(headers=origin)
    assert answer.headers["access-control-allow-origin"] == "https://example.com"
    site.statements = ()
    refused = await site.ask(headers=origin)
    assert refused.status == 403
    assert refused.headers["access-control-allow-origin"] == "https://example.com"
    assert "access-control-allow-origin" not in (await site.ask()).headers


@on_loop
async def test_what_a_client_claims_of_its_way_is_overwritten(site: Any) -> None:
    """X-Forwarded-For is the connection's address, not the client's word for it."""
    await site.ask(headers={"x-forwarded-for": "10.0.0.1", "x-forwarded-proto": "https"})
    headers = site.events[0]["headers"]
    assert headers["x-forwarded-for"] != "10.0.0.1"
    assert headers["x-forwarded-proto"] == "http"
    assert headers["x-forwarded-for"] == site.events[0]["requestContext"]["http"]["sourceIp"]


HEADER_TEXT = st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=60)


@given(
    host=st.sampled_from(["{id}.lambda-url.a", "{id}.LAMBDA-URL.a:1", "x.{id}.lambda-url.a:"])
    | HEADER_TEXT.filter(lambda text: not set("{}") & set(text)),
    target=st.text("/a%20?&=;#\\'\"", max_size=30),
    headers=st.dictionaries(
        st.sampled_from(
            ["authorization", "cookie", "origin", "content-type", "x-amz-date", "x-amzn-trace-id"]
        ),
        HEADER_TEXT,
    ),
    auth_type=st.sampled_from(["NONE", "AWS_IAM"]),
    body=st.binary(max_size=50),
)
def test_any_request_is_answered(
    new_site: Any,
    host: str,
    target: str,
    headers: dict[str, str],
    auth_type: str,
    body: bytes,
) -> None:
    """Whatever stands in a request, it is answered, and never by a failure of the gateway's own."""
    site = new_site()
    site.set(auth_type=auth_type, cors=Cors(allow_origins=("*",)))
    host = host.format(id=site.url.url_id)
    answer = asyncio.run(site.ask("POST", f"/{target}", body, host=host, headers=headers))
    assert answer.status in (200, 400, 403, 404)
    assert (answer.status == 200) <= (auth_type == "NONE")
