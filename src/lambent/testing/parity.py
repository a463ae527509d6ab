"""Cases of AWS's answers: an operation, its parameters, and what AWS says, with the source it is known from."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from lambent.testing.lambda_account import FUNCTION
from lambent.testing.lambda_api import NOW, LambdaApi, Reply, filled

API: Final = "best known: members as the API reference has them, not compared with a recording"
RECORDED: Final = (
    "best known: the text in the operation's code, with the source it says; no recording was found"
)
_SNAPSHOTS: Final = "localstack/localstack, tests/aws/services/lambda_"


def recorded(test: str, file: str = "test_lambda_api") -> str:
    """The source of a case that was compared with an answer of AWS, recorded for ``test`` of LocalStack's."""
    return f"recorded from AWS: {_SNAPSHOTS}/{file}.snapshot.json, {test}"


def seen(where: str) -> str:
    """The source of a text that users of AWS quote: an issue, or a client's code that looks for it."""
    return f"quoted by users of AWS: {where}"


MODEL: Final = "the constraint of botocore's lambda model; the words around it best known"
REPORTED: Final = "best known: not compared with a recording"
TIME: Final = f"{NOW:%Y-%m-%dT%H:%M:%S}.000+0000"
NOWHERE: Final = f"Function not found: {FUNCTION}nothing"
MISMATCH: Final = (
    "The derived qualifier from the function name does not match the specified qualifier."
)
FUNCTIONS_ONLY = (
    "This operation is permitted on Lambda functions only. Aliases and versions do not support this "
    "operation. Please specify either a function name or an unqualified function ARN."
)
STALE: Final = (
    "The Revision Id provided does not match the latest Revision Id. Call the GetFunction/GetAlias "
    "API to retrieve the latest Revision Id"
)
INVALID, MISSING, CONFLICT = (
    "InvalidParameterValueException",
    "ResourceNotFoundException",
    "ResourceConflictException",
)


@dataclass(frozen=True, slots=True)
class Like:
    """Equals every text its pattern matches whole: for ids nobody can foretell."""

    pattern: str

    def __eq__(self, other: object) -> bool:
        return isinstance(other, str) and re.fullmatch(self.pattern, other) is not None

    __hash__ = None  # type: ignore[assignment]


UUID: Final = Like("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@dataclass(frozen=True, slots=True)
class Case:
    """What AWS answers to ``parameters``: ``output`` whole, or ``error`` as code and message.

    ``source`` names where that is known from. ``before`` are calls that come first. A case without
    output and error is answered by an empty output. ``typeless``: the error has no ``Type``. ``settings``: what
    the control plane was made with, by field. ``headers``: what an invocation carries beside its parameters.
    """

    operation: str
    shows: str
    parameters: Mapping[str, Any]
    source: str
    output: Mapping[str, Any] = field(default_factory=dict)
    error: tuple[str, str | Like] | None = None
    status: int = 200
    before: tuple[tuple[str, Mapping[str, Any]], ...] = ()
    typeless: bool = False
    settings: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.operation}-{self.shows}".replace(" ", "_")

    def after(self, *before: tuple[str, Mapping[str, Any]]) -> "Case":
        """The same case with calls that come first."""
        return replace(self, before=before)

    def on(self, **settings: Any) -> "Case":
        """The same case on a platform with these settings."""
        return replace(self, settings=settings)

    def without_type(self) -> "Case":
        """The same case for an error that AWS leaves without its ``Type``."""
        return replace(self, typeless=True)

    def check(self, api: LambdaApi) -> None:
        """Raises AssertionError unless ``api`` answers exactly so."""
        api = self.configured(api)
        for operation, parameters in self.before:
            api.must(operation, parameters)
        self.check_reply(api.call(self.operation, self.parameters), api.ids)

    def configured(self, api: LambdaApi) -> LambdaApi:
        """The API over a control plane with this case's settings."""
        if not self.settings:
            return api
        return LambdaApi(replace(api.plane, **self.settings), api.ids)

    def check_reply(self, reply: Reply, ids: Mapping[str, str]) -> None:
        """The same for an answer that is there."""
        if self.error is None:
            expected: Any = (self.status, filled(self.output, ids))
            found: Any = (reply.status, reply.parsed)
        else:
            code, message = self.error
            expected = (self.status, code, filled(message, ids))
            error = reply.parsed.get("Error", {})
            found = (reply.status, error.get("Code"), error.get("Message"))
            if self.typeless and "Type" in reply.parsed:
                found = (*found, reply.parsed["Type"])
        if found != expected:
            raise AssertionError(f"{self}\n  AWS:  {expected}\n  here: {found}")


def refused(
    operation: str, shows: str, parameters: dict[str, Any], source: str, code: str, text: str | Like
) -> Case:
    """A case that is refused with the status AWS has for the code."""
    status = {
        "ResourceNotFoundException": 404,
        "CodeSigningConfigNotFoundException": 404,
        "ProvisionedConcurrencyConfigNotFoundException": 404,
        "ResourceConflictException": 409,
        "PreconditionFailedException": 412,
        "AccessDeniedException": 403,
        "RequestEntityTooLargeException": 413,
        "TooManyRequestsException": 429,
        "EFSMountFailureException": 403,
        "InvalidRuntimeException": 502,
        "SnapStartNotReadyException": 409,
        "SnapStartTimeoutException": 408,
        "NotImplementedException": 501,
    }.get(code, 400)
    return Case(operation, shows, parameters, source, error=(code, text), status=status)
