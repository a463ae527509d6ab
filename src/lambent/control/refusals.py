"""Which settings Lambent obeys, and which it refuses because AWS has them and Lambent has not yet.

The tables are all there is: :func:`refuse_unsupported` goes by them, and so does the fidelity page. A
member that stands in none of them – of a botocore newer than Lambent, say – is refused, not ignored.
A path is a member's name, or ``Structure.Member`` inside the structures of ``OPENED``.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from lambent.model.errors import not_yet


def _empty(value: Any) -> bool:
    """Nothing set: ``""``, ``[]``, ``{}``, False, or a structure with only such members."""
    if isinstance(value, Mapping):
        return all(_empty(member) for member in value.values())
    return not value


@dataclass(frozen=True, slots=True)
class Refusal:
    """Refused unless ``harmless(value)``, which ``unless`` says in words: None where it never is.

    ``names_value``: the error names the value besides the member.
    """

    unless: str | None
    harmless: Callable[[Any], bool]
    names_value: bool = False


def _is(member: str, default: str) -> Refusal:
    return Refusal(f"{member} is {default}", lambda value: value.get(member, default) == default)


def _only(default: str) -> Refusal:
    return Refusal(f"it is {default}", lambda value: value == default, names_value=True)


_ALWAYS = Refusal(None, lambda _: False)
_UNLESS_EMPTY = Refusal("it is empty", _empty)

OBEYED = frozenset(
    [
        *("FunctionName", "Runtime", "Role", "Handler", "Description", "Timeout", "MemorySize"),
        *("Architectures", "Environment.Variables", "EphemeralStorage.Size", "Layers", "Tags"),
        *("S3Bucket", "S3Key", "S3ObjectVersion"),
        *("PackageType", "ImageUri", "ImageConfig"),
        *("LoggingConfig.LogGroup", "LoggingConfig.LogFormat", "ZipFile"),
        *("LoggingConfig.ApplicationLogLevel", "LoggingConfig.SystemLogLevel"),
        "DeadLetterConfig.TargetArn",
        "FileSystemConfigs",
        "SnapStart.ApplyOn",
        "TracingConfig.Mode",
        "TenancyConfig.TenantIsolationMode",
        *("Publish", "DryRun", "RevisionId", "CodeSha256", "CodeSigningConfigArn"),
        *("FunctionVersion", "MasterRegion", "Marker", "MaxItems"),
    ]
)
"""What the operations that ask :func:`refuse_unsupported` do as they are told."""

OPENED: Mapping[str, str] = {
    "Code": "",
    "DeadLetterConfig": "DeadLetterConfig.",
    "Environment": "Environment.",
    "EphemeralStorage": "EphemeralStorage.",
    "LoggingConfig": "LoggingConfig.",
    "SnapStart": "SnapStart.",
    "TracingConfig": "TracingConfig.",
    "TenancyConfig": "TenancyConfig.",
}
"""Structures obeyed member by member, with the prefix of their members' paths.

``Code`` has none: ``UpdateFunctionCode`` and layers take the same members without a structure.
"""

REFUSED: Mapping[str, Refusal] = {
    "VpcConfig": _UNLESS_EMPTY,
    "KMSKeyArn": _UNLESS_EMPTY,
    "DurableConfig": _ALWAYS,
    "CapacityProviderConfig": _ALWAYS,
    "RuntimeConfig": _ALWAYS,
    "AcceleratorConfig": _ALWAYS,
    "PublishTo": _ALWAYS,
    "S3ObjectStorageMode": _only("COPY"),
    "SourceKMSKeyArn": _UNLESS_EMPTY,
}


def refusal_of(path: str) -> Refusal | None:
    """How a member is refused; None for one that is obeyed."""
    return None if path in OBEYED else REFUSED.get(path, _ALWAYS)


def refuse_unsupported(parameters: Mapping[str, Any], prefix: str = "") -> None:
    """Raises ``NotImplementedException`` for the first member that asks for what is not there."""
    for member, value in parameters.items():
        path = prefix + member
        if value is None:
            continue
        if path in OPENED:
            refuse_unsupported(value, OPENED[path])
            continue
        refusal = refusal_of(path)
        if refusal is not None and not refusal.harmless(value):
            raise not_yet(f"{path} {value}" if refusal.names_value else path)
