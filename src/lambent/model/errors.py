"""Whose fault: a refused request is a :class:`ClientFault`, a failure of ours a :class:`PlatformFault`.

A function that fails is neither: it is :attr:`lambent.model.invocation.InvocationResult.function_error`.
"""

from collections.abc import Mapping
from types import MappingProxyType

_NO_FIELDS: Mapping[str, object] = MappingProxyType({})


class AwsError(Exception):
    """An error with AWS's own code, HTTP status, message and extra members (``Type``, ``Reason``, …).

    The wire encodes it in the caller's protocol. ``fields`` are members of the error's shape in the
    service model, by their model names; ``headers`` go out as they are (``Retry-After``).
    """

    fault = "Sender"

    def __init__(
        self,
        code: str,
        message: str,
        status: int = 400,
        *,
        fields: Mapping[str, object] = _NO_FIELDS,
        headers: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status
        self.fields = fields
        self.headers = headers


class ClientFault(AwsError):
    """4xx: the request cannot be served as it is; nothing was changed and nothing ran."""


class PlatformFault(AwsError):
    """5xx: the platform could not do what it should; the caller may try again."""

    fault = "Receiver"

    def __init__(self, message: str, code: str = "ServiceException", status: int = 500) -> None:
        super().__init__(code, message, status, fields={"Type": "Service"})


def invalid_parameter(message: str) -> ClientFault:
    """400 ``InvalidParameterValueException``, Lambda's answer to a value it cannot take."""
    return ClientFault("InvalidParameterValueException", message, 400, fields={"Type": "User"})


def not_found(message: str) -> ClientFault:
    """404 ``ResourceNotFoundException``."""
    return ClientFault("ResourceNotFoundException", message, 404, fields={"Type": "User"})


def conflict(message: str) -> ClientFault:
    """409 ``ResourceConflictException``."""
    return ClientFault("ResourceConflictException", message, 409, fields={"Type": "User"})


def mount_failure(arn: str, local_mount_path: str, reason: str) -> ClientFault:
    """403 ``EFSMountFailureException``.

    Source: the shape of that name in botocore's ``lambda`` model. The text is best known;
    the reason is ours.
    """
    return ClientFault(
        "EFSMountFailureException",
        f"The function couldn't mount the Amazon EFS file system {arn} with local path "
        f"{local_mount_path}: {reason}.",
        403,
        fields={"Type": "User"},
    )


def precondition_failed(message: str) -> ClientFault:
    """412 ``PreconditionFailedException``: the ``RevisionId`` given is not the latest."""
    return ClientFault("PreconditionFailedException", message, 412, fields={"Type": "User"})


def not_yet(what: str) -> ClientFault:
    """501 for what AWS has and Lambent has not: refused, never half done.

    ``what`` names the setting or operation, e.g. ``"VpcConfig"``.
    """
    return ClientFault(
        "NotImplementedException",
        f"Lambent does not support {what} yet, so it is refused rather than ignored. "
        "See docs/reference/fidelity.md.",
        501,
    )
