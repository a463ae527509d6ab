"""Requests to real endpoints, signed again: a signature covers the host, and ours is not theirs.

The credentials are the operator's, found as the AWS CLI finds them, and never logged.
"""

import asyncio
from collections.abc import Callable, Iterable
from typing import Any, Final

from lambent.model.errors import PlatformFault
from lambent.wire.models import service_model

CREDENTIALS_DEADLINE_S: Final = 15.0
"""Finding or renewing them may ask other programs and hosts."""


class OperatorCredentials:
    """Looked for at first use, on a thread; renewed by botocore when they run out."""

    def __init__(self, find: Callable[[], Any] | None = None) -> None:
        self._find = find or _find
        self._found: Any = None

    async def get(self) -> Any:
        """botocore's frozen credentials. Raises 503 where there are none."""
        try:
            async with asyncio.timeout(CREDENTIALS_DEADLINE_S):
                return await asyncio.get_running_loop().run_in_executor(None, self._frozen)
        except TimeoutError:
            raise PlatformFault(
                "Looking for credentials takes too long.", "ServiceUnavailable", 503
            ) from None

    def _frozen(self) -> Any:
        if self._found is None:
            self._found = self._find()
        if self._found is None:
            raise PlatformFault(
                "The platform has no AWS credentials to sign requests to this neighbour with: set "
                "AWS_PROFILE or AWS_ACCESS_KEY_ID where `lambent up` runs, or add ,unsigned to --neighbour.",
                "ServiceUnavailable",
                503,
            )
        return self._found.get_frozen_credentials()


def _find() -> Any:
    import botocore.session  # noqa: PLC0415 - as in sign

    return botocore.session.Session().get_credentials()


def sign(
    service: str,
    region: str,
    method: str,
    url: str,
    headers: Iterable[tuple[str, str]],
    body: bytes,
    credentials: Any,
) -> list[tuple[str, str]]:
    """``headers`` with SigV4's for ``credentials``. ``url``: whole, its host the one that is asked."""
    # Imported when a real endpoint is asked first: the platform starts without it.
    from botocore.auth import S3SigV4Auth, SigV4Auth  # noqa: PLC0415
    from botocore.awsrequest import AWSRequest  # noqa: PLC0415

    request = AWSRequest(method=method, url=url, data=body, headers=dict(headers))
    # A body with a trailer says so by its hash, which is made anew as the same.
    given = request.headers.get("X-Amz-Content-SHA256")
    model = service_model(service)
    name = model.signing_name if model is not None else service
    make = S3SigV4Auth if service == "s3" else SigV4Auth
    signer = make(credentials, name, region)
    if given is not None and given.startswith("STREAMING-UNSIGNED-"):
        request.context["checksum"] = {"request_algorithm": {"in": "trailer"}}
        request.context["has_streaming_input"] = True
    signer.add_auth(request)
    return list(request.headers.items())
