"""Documented errors that no request can lead to here, each with the reason: the third state of the parity table.

What is in neither the cases nor here is missing. A case comes before an exemption: what arises after all is shown.
"""

from collections.abc import Mapping
from typing import Final

_NO_VPC: Final = "there is no VPC: VpcConfig is refused"
_NO_KMS: Final = "there are no keys: KMSKeyArn is refused"
_HOST_DIRECTORY: Final = (
    "a file system is a directory of the host: it is mounted or not, without a network"
)
_S3_FILES: Final = "S3 Files is refused"
_NO_CAPACITY: Final = "there are no capacity providers"
_NO_QUOTA: Final = "there is no such quota here"
_IN_TURN: Final = "operations run one after the other, so no two changes of one thing overlap"
_MODEL_FIRST: Final = (
    "no request is known that AWS answers so: what is wrong breaks the model's constraints first "
    "(ValidationException), or names what is not there"
)
_NOT_AWAITED: Final = "it answers before the function runs"
_UNSIGNED: Final = "AWS Signer's signatures cannot be verified: all code counts as unsigned"
_IN_USE: Final = "a code signing configuration cannot be deleted while a function has it"

EVERYWHERE: Final[Mapping[str, str]] = {
    "AliasLimitExceededException": _NO_QUOTA,
    "CodeArtifactUserDeletedException": "code is on disk before a function is Active",
    "CodeArtifactUserFailedException": "code is on disk before a function is Active",
    "CodeArtifactUserPendingException": "code is on disk before a function is Active",
    "DurableExecutionAlreadyStartedException": "there are no durable executions",
    "EC2AccessDeniedException": _NO_VPC,
    "EC2ThrottledException": _NO_VPC,
    "EC2UnexpectedException": _NO_VPC,
    "EFSIOException": _HOST_DIRECTORY,
    "EFSMountConnectivityException": _HOST_DIRECTORY,
    "EFSMountTimeoutException": _HOST_DIRECTORY,
    "ENILimitReachedException": _NO_VPC,
    "ENINotReadyException": _NO_VPC,
    "FunctionVersionsPerCapacityProviderLimitExceededException": _NO_CAPACITY,
    "InvalidCodeSignatureException": _UNSIGNED,
    "InvalidSecurityGroupIDException": _NO_VPC,
    "InvalidSubnetIDException": _NO_VPC,
    "InvalidZipFileException": "a zip is checked when it is uploaded, and never again",
    "KMSAccessDeniedException": _NO_KMS,
    "KMSDisabledException": _NO_KMS,
    "KMSInvalidStateException": _NO_KMS,
    "KMSNotFoundException": _NO_KMS,
    "ModeNotSupportedException": _NO_CAPACITY,
    "NoPublishedVersionException": _NO_CAPACITY,
    "PublicPolicyException": "the operations that block public access are no longer in AWS's model",
    "RequestTooLargeException": (
        "AWS sends RequestEntityTooLargeException instead, by its users; that has its cases"
    ),
    "ResourceNotReadyException": _NO_VPC,
    "RuntimeAliasDeletedException": "RuntimeConfig is refused",
    "RuntimeVersionDeletedException": "RuntimeConfig is refused",
    "S3FilesMountConnectivityException": _S3_FILES,
    "S3FilesMountFailureException": _S3_FILES,
    "S3FilesMountTimeoutException": _S3_FILES,
    "SerializedRequestEntityTooLargeException": "there is one limit on a body, the event's",
    "ServiceQuotaExceededException": _NO_QUOTA,
    "SnapStartRegenerationFailureException": (
        "a snapshot that is gone after a restart is made again before the version is Active"
    ),
    "SubnetIPAddressLimitReachedException": _NO_VPC,
    "UnsupportedMediaTypeException": (
        "an event is read whatever its Content-Type says; AWS's SDKs send several"
    ),
}
"""By error, for every operation that documents it."""

_RECORDED_OTHERWISE: Final = {
    ("CreateEventSourceMapping", "ResourceNotFoundException"): (
        "AWS answers InvalidParameterValueException, as recorded: Function does not exist"
    ),
    ("CreateFunction", "ResourceNotFoundException"): (
        "AWS answers InvalidParameterValueException for what a new function names and is not there"
    ),
    ("DeleteLayerVersion", "ResourceNotFoundException"): (
        "AWS answers 204 for a layer version that is not there, as recorded"
    ),
    ("ListLayerVersions", "ResourceNotFoundException"): (
        "AWS answers an empty list for a layer that is not there, as recorded"
    ),
    ("PublishLayerVersion", "ResourceNotFoundException"): "a layer that is not there is made",
    ("InvokeAsync", "SnapStartException"): _NOT_AWAITED,
    ("InvokeAsync", "SnapStartTimeoutException"): _NOT_AWAITED,
}
_SERIAL: Final = (
    *("DeleteAlias", "DeleteEventSourceMapping", "DeleteFunctionCodeSigningConfig"),
    *("DeleteFunctionConcurrency", "DeleteFunctionEventInvokeConfig", "DeleteFunctionUrlConfig"),
    *("DeleteProvisionedConcurrencyConfig", "PutFunctionCodeSigningConfig"),
    *("PutFunctionConcurrency", "PutFunctionEventInvokeConfig", "PutFunctionRecursionConfig"),
    *("PutRuntimeManagementConfig", "RemoveLayerVersionPermission", "TagResource"),
    *("UntagResource", "UpdateFunctionEventInvokeConfig", "UpdateFunctionUrlConfig"),
)
_VALID: Final = (
    *("AddLayerVersionPermission", "DeleteAlias", "DeleteCodeSigningConfig"),
    *("DeleteEventSourceMapping", "GetAlias", "GetCodeSigningConfig", "GetEventSourceMapping"),
    *("GetFunctionRecursionConfig", "GetLayerVersionByArn", "GetLayerVersionPolicy"),
    *("PutFunctionRecursionConfig", "RemoveLayerVersionPermission", "UpdateCodeSigningConfig"),
)
_ATTACHED: Final = (
    *("DeleteFunctionCodeSigningConfig", "GetFunctionCodeSigningConfig"),
    *("UpdateFunctionCode", "UpdateFunctionConfiguration"),
)
FOR_OPERATIONS: Final[Mapping[tuple[str, str], str]] = {
    **_RECORDED_OTHERWISE,
    **{(operation, "ResourceConflictException"): _IN_TURN for operation in _SERIAL},
    **{(operation, "InvalidParameterValueException"): _MODEL_FIRST for operation in _VALID},
    **{(operation, "CodeSigningConfigNotFoundException"): _IN_USE for operation in _ATTACHED},
}
"""By operation and error."""


def why_never(operation: str, error: str) -> str | None:
    """Why a documented error of an operation cannot arise here; None where it can."""
    return FOR_OPERATIONS.get((operation, error)) or EVERYWHERE.get(error)
