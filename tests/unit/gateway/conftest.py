"""Function URLs over one function ``f``, a fake node, and a policy given by tests."""

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.auth import SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as Signer

from lambent.gateway.function_url import FunctionUrls
from lambent.model.errors import AwsError
from lambent.model.function_url import FunctionUrl, url_id_of
from lambent.model.invocation import InvocationResult, ResponseSink
from lambent.policy import Policy, parse_policy
from lambent.services.sts.credentials import CredentialMint
from lambent.services.sts.service import user_id
from lambent.testing.ask import Answer, ask

ARN = "arn:aws:lambda:us-east-1:000000000000:function:f"
URL_ID = url_id_of("000000000000", "us-east-1", "f", "$LATEST")
HOST = f"{URL_ID}.lambda-url.us-east-1.localhost:4566"
ROLE = "arn:aws:iam::000000000000:role/r"


def statement(action: str, principal: Any = "*", **conditions: Any) -> dict[str, Any]:
    """One statement of the function's policy."""
    made = {"Effect": "Allow", "Principal": principal, "Action": action, "Resource": ARN}
    return made | ({"Condition": conditions} if conditions else {})


OPEN = (
    statement("lambda:InvokeFunctionUrl", StringEquals={"lambda:FunctionUrlAuthType": "NONE"}),
    statement("lambda:InvokeFunction", Bool={"lambda:InvokedViaFunctionUrl": "true"}),
)
"""What AWS's documentation tells people to add for public access."""


@dataclass
class Site:
    """A URL of ``f``, which answers ``result``; tests set what they need."""

    url: FunctionUrl = field(
        default_factory=lambda: FunctionUrl(
            URL_ID, "000000000000", "us-east-1", "f", "$LATEST", "NONE", "", ""
        )
    )
    statements: tuple[Mapping[str, Any], ...] = OPEN
    result: Any = field(default_factory=lambda: {"statusCode": 200, "body": "ok"})
    function_error: str | None = None
    fault: AwsError | None = None
    play: Callable[[ResponseSink], Awaitable[None]] | None = None
    mint: CredentialMint = field(default_factory=CredentialMint)
    events: list[Any] = field(default_factory=list)
    asked: list[tuple[str, str, str, str | None]] = field(default_factory=list)
    request_ids: list[str | None] = field(default_factory=list)
    trace_ids: list[str | None] = field(default_factory=list)

    def set(self, **changes: Any) -> None:
        """Changes the URL."""
        self.url = replace(self.url, **changes)

    def find(self, url_id: str) -> tuple[FunctionUrl, Policy] | None:
        """Is its own directory."""
        if url_id != URL_ID:
            return None
        if not self.statements:
            return self.url, Policy(None, ())
        return self.url, parse_policy({"Version": "2012-10-17", "Statement": list(self.statements)})

    async def invoke(
        self,
        account_id: str,
        region: str,
        function_name: str,
        qualifier: str | None,
        payload: bytes,
        *,
        request_id: str | None = None,
        client_context: str | None = None,
        trace_id: str | None = None,
        sink: ResponseSink | None = None,
    ) -> InvocationResult:
        """Is its own frontend. ``play`` writes to the sink, where there is one, and may fail after it."""
        del client_context
        self.trace_ids.append(trace_id)
        self.asked.append((account_id, region, function_name, qualifier))
        self.events.append(json.loads(payload))
        self.request_ids.append(request_id)
        if self.fault is not None:
            raise self.fault
        if sink is not None and self.play is not None:
            await self.play(sink)
            return InvocationResult(b"", "$LATEST", self.function_error)
        body = self.result if isinstance(self.result, bytes) else json.dumps(self.result).encode()
        return InvocationResult(body, "$LATEST", self.function_error)

    async def ask(
        self, method: str = "GET", target: str = "/", body: bytes = b"", **more: Any
    ) -> Answer:
        """One request to the URL; ``host`` and ``headers`` as they are given."""
        urls = FunctionUrls(self, self, self.mint.lookup, user_id, lambda: datetime.now(UTC))
        headers = {"host": more.pop("host", HOST)} | more.pop("headers", {})

        def handle(exchange: Any) -> None:
            import asyncio  # noqa: PLC0415

            task = asyncio.get_running_loop().create_task(urls.serve(exchange))
            tasks.append(task)

        tasks: list[Any] = []
        return await ask(handle, method, target, body, headers, **more)

    def signed(
        self, method: str = "GET", target: str = "/", body: bytes = b"", **more: Any
    ) -> tuple[str, dict[str, str]]:
        """The target and headers of a request that botocore signed with a role's credentials."""
        key = more.pop("key", None) or self.mint.mint("000000000000", ROLE, "session")
        signer = Signer(key.access_key_id, key.secret_access_key, key.session_token)
        presigned, service = more.pop("presigned", False), more.pop("service", "lambda")
        request = AWSRequest(method, f"http://{HOST}{target}", data=body)
        kind = SigV4QueryAuth if presigned else SigV4Auth
        kind(signer, service, more.pop("region", "us-east-1")).add_auth(request)
        prepared = request.prepare()
        headers = {str(k).lower(): _text(v) for k, v in prepared.headers.items()}
        headers.pop("content-length", None)
        return str(prepared.url).removeprefix(f"http://{HOST}"), headers


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


@pytest.fixture(scope="session")
def new_site() -> type[Site]:
    """Makes public URLs over fakes."""
    return Site


@pytest.fixture
def site() -> Site:
    """A public URL over fakes."""
    return Site()
