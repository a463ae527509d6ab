"""What AWS has and Lambent has not yet: refused, unless it says what is so anyway."""

from collections.abc import Callable, Mapping
from typing import Any

from lambent.model.errors import not_yet


def _empty(value: Any) -> bool:
    """Nothing set: ``""``, ``[]``, ``{}``, False, or a structure with only such members."""
    if isinstance(value, Mapping):
        return all(_empty(member) for member in value.values())
    return not value


def _is(member: str, default: str) -> Callable[[Any], bool]:
    return lambda value: value.get(member, default) == default


def _never(_: Any) -> bool:
    return False


_MEMBERS: Mapping[str, Callable[[Any], bool]] = {
    "VpcConfig": _empty,
    "DeadLetterConfig": _empty,
    "KMSKeyArn": _empty,
    "TracingConfig": _is("Mode", "PassThrough"),
    "FileSystemConfigs": _empty,
    "ImageConfig": _empty,
    "CodeSigningConfigArn": _empty,
    "SnapStart": _is("ApplyOn", "None"),
    "DurableConfig": _never,
    "CapacityProviderConfig": _never,
    "TenancyConfig": _never,
    "RuntimeConfig": _never,
    "AcceleratorConfig": _never,
    "PublishTo": _never,
    "MasterRegion": _never,
    "S3Bucket": _empty,
    "S3Key": _empty,
    "S3ObjectVersion": _empty,
    "S3ObjectStorageMode": _empty,
    "ImageUri": _empty,
    "SourceKMSKeyArn": _empty,
}


def refuse_unsupported(parameters: Mapping[str, Any]) -> None:
    """Raises ``NotImplementedException`` for the first member that asks for what is not there."""
    for member, value in parameters.items():
        harmless = _MEMBERS.get(member)
        if harmless is not None and value is not None and not harmless(value):
            raise not_yet(member)
    if parameters.get("PackageType", "Zip") != "Zip":
        raise not_yet(f"PackageType {parameters['PackageType']}")
    logging = parameters.get("LoggingConfig") or {}
    if logging.get("LogFormat", "Text") != "Text":
        raise not_yet(f"LoggingConfig.LogFormat {logging['LogFormat']}")
    for member in ("ApplicationLogLevel", "SystemLogLevel"):
        if logging.get(member):
            raise not_yet(f"LoggingConfig.{member}")
