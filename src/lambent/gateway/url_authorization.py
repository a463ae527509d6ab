"""Who may call a function URL: signatures (``AWS_IAM``) and the function's resource policy.

There is no IAM here yet, so two things are narrower than on AWS: only keys the platform minted itself
(those of execution roles) can be verified, and a caller's own policies are not known, so that the
resource policy alone decides. Source: https://docs.aws.amazon.com/lambda/latest/dg/urls-auth.html
"""

import hmac
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Protocol

from lambent.model.errors import ClientFault
from lambent.model.function_url import FunctionUrl
from lambent.model.http import HttpRequest
from lambent.policy import ANONYMOUS, Policy, Principal, Request, evaluate
from lambent.wire.sigv4 import verify
from lambent.wire.sigv4_scope import parse_scope, presigned_parameters

FORBIDDEN = (
    "Forbidden. For troubleshooting Function URL authorization issues, see: "
    "https://docs.aws.amazon.com/lambda/latest/dg/urls-auth.html"
)
_ACTIONS = ("lambda:InvokeFunctionUrl", "lambda:InvokeFunction")
"""AWS: since October 2025 both are needed."""


class Key(Protocol):
    """Credentials that are known here."""

    @property
    def access_key_id(self) -> str: ...
    @property
    def secret_access_key(self) -> str: ...
    @property
    def session_token(self) -> str: ...
    @property
    def principal_arn(self) -> str: ...
    @property
    def account_id(self) -> str: ...


LookUp = Callable[[str], Key | None]
"""Access key id → the key, if it is known and still good."""


def authenticate(request: HttpRequest, url: FunctionUrl, look_up: LookUp, now: datetime) -> Key:
    """Whose signature a request bears. Raises 403 when it bears none that is good."""
    scope = parse_scope(request)
    if scope is None:
        raise forbidden()
    key = look_up(scope.access_key_id)
    token = request.headers.get("x-amz-security-token")
    if token is None:
        token = presigned_parameters(request.query).get("X-Amz-Security-Token", "")
    if key is None or not hmac.compare_digest(token.encode(), key.session_token.encode()):
        raise refused("The security token included in the request is invalid.")
    if (scope.service, scope.region) != ("lambda", url.region):
        raise refused(f"Credential should be scoped to a valid region: {url.region}, lambda.")
    verify(request, scope, key.secret_access_key, now)
    return key


def authorize(url: FunctionUrl, policy: Policy, key: Key | None) -> None:
    """Raises 403 unless the resource policy lets the caller in, by both actions."""
    principal = ANONYMOUS if key is None else Principal.aws(key.principal_arn)
    context: Mapping[str, Any] = {
        "lambda:FunctionUrlAuthType": url.auth_type,
        "lambda:InvokedViaFunctionUrl": True,
    }
    for action in _ACTIONS:
        if not evaluate([policy], Request(principal, action, url.function_arn, context)).allowed:
            raise forbidden()


def identity_of(key: Key, user_id: str) -> dict[str, Any]:
    """The ``authorizer`` of the event."""
    return {
        "iam": {
            "accessKey": key.access_key_id,
            "accountId": key.account_id,
            "callerId": user_id,
            "cognitoIdentity": None,
            "principalOrgId": None,
            "userArn": key.principal_arn,
            "userId": user_id,
        }
    }


def forbidden() -> ClientFault:
    """403 as function URLs say it."""
    return refused(FORBIDDEN)


def refused(message: str) -> ClientFault:
    """403 with another reason."""
    return ClientFault("AccessDeniedException", message, 403)
