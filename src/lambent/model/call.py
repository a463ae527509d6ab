"""A decoded AWS request and its result: what the wire hands to an operation, and gets back."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from lambent.model.errors import AwsError
from lambent.model.image import FoundImage


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls and where: from the request's SigV4 credential scope.

    ``account_id``: 12 digits; ``region``: from the scope, ``us-east-1`` else; ``endpoint``: the URL the
    client used (``http://127.0.0.1:4566``), for links in answers; ``trace_header``: its ``X-Amzn-Trace-Id``.
    """

    account_id: str
    region: str
    request_id: str
    access_key_id: str | None = None
    principal_arn: str | None = None
    endpoint: str = "http://127.0.0.1:4566"
    trace_header: str | None = None
    inside: bool = False
    """Whether a function asks, from its environment: told of services whose operations are awaited."""


@dataclass(frozen=True, slots=True)
class Call:
    """One operation asked for: ``parameters`` are shaped as botocore's input shape of ``operation``.

    Member names are the model's (``FunctionName``); blobs are ``bytes``, timestamps aware
    ``datetime``, a streaming payload ``bytes``. Already validated against the model's constraints.
    """

    service: str
    operation: str
    parameters: Mapping[str, Any]
    caller: Caller
    fetched_code: bytes | FoundImage | AwsError | None = None
    """What ``S3Bucket`` and ``S3Key`` name, or ``ImageUri``, got before the operation runs; or why it was not."""


@dataclass(frozen=True, slots=True)
class Result:
    """An operation's answer, shaped as botocore's output shape (absent members are left out).

    ``status`` overrides the model's HTTP status; ``headers`` are sent besides the shape's own.
    """

    output: Mapping[str, Any] = field(default_factory=dict)
    status: int | None = None
    headers: tuple[tuple[str, str], ...] = ()
