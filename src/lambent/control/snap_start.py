"""``SnapStart``: a version published with it is initialised once, and its environments start from that state.

Source: https://docs.aws.amazon.com/lambda/latest/dg/snapstart.html
"""

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from lambent.control.tenancy import refuse_tenants
from lambent.model.errors import ClientFault, invalid_parameter, not_yet
from lambent.model.function import LATEST, FunctionVersion

PUBLISHED_VERSIONS = "PublishedVersions"
_WRAPPER = "AWS_LAMBDA_EXEC_WRAPPER"
_STORAGE_MAX_MIB = 512
_RUNTIMES_OF_AWS = frozenset(
    {f"python3.{minor}" for minor in range(12, 15)}
    | {"java11", "java17", "java21", "java25", "dotnet8", "dotnet10"}
)
_NEITHER = "SnapStart of {}, which can neither be forked nor restored by CRIU here,"
INIT_FAILED = ("An error occurred during function initialization.", "FunctionError")
"""``StateReason`` and its code. Source: hashicorp/terraform-provider-aws#49904 and serverless/serverless#13847."""


class Snapshots(Protocol):
    """Who makes them."""

    def missing(self, runtime: str) -> str | None:
        """What this host lacks for it; None where it has all. May wait for processes."""
        ...

    def prepare(
        self, version: FunctionVersion, done: Callable[[tuple[str, str] | None], None]
    ) -> None:
        """Has a version initialised, whose code stands.

        Then ``done`` is called, on the control plane's thread, with ``StateReason`` and its code where it failed.
        """
        ...


class NoSnapshots:
    """Where there are no environments."""

    def missing(self, runtime: str) -> str | None:  # noqa: ARG002
        """Everything."""
        return "environments"

    def prepare(
        self, version: FunctionVersion, done: Callable[[tuple[str, str] | None], None]
    ) -> None:
        """It cannot be: it was refused before."""
        done((f"There is nobody here to initialise {version.qualified_arn}.", "InternalError"))


def snap_start_changes(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """What ``SnapStart`` sets."""
    apply_on = (parameters.get("SnapStart") or {}).get("ApplyOn")
    return {} if apply_on is None else {"snap_start": apply_on == PUBLISHED_VERSIONS}


def check_snap_start(version: FunctionVersion, missing: Callable[[str], str | None]) -> None:
    """Raises what AWS says where it has no SnapStart, or ``NotImplementedException`` where Lambent has none.

    ``missing``: see :class:`Snapshots`. Source of the first text: recorded by LocalStack's tests and users;
    the others follow it and are the best known.
    """
    if not version.snap_start:
        return
    refuse_tenants(version, "SnapStart")
    if not version.runtime:
        raise not_yet("SnapStart of container images")
    if version.runtime not in _RUNTIMES_OF_AWS:
        raise _not_supported(version.runtime)
    if version.file_system is not None:
        raise _not_supported("FileSystemConfigs")
    if version.ephemeral_storage_mib > _STORAGE_MAX_MIB:
        raise _not_supported(f"EphemeralStorage greater than {_STORAGE_MAX_MIB} MB")
    if not version.runtime.startswith(("python", "java")):
        raise not_yet(_NEITHER.format(version.runtime))
    if _WRAPPER in version.environment:
        raise not_yet(f"SnapStart together with {_WRAPPER}")
    lacking = missing(version.runtime)
    if lacking is not None:
        raise not_yet(f"SnapStart of {version.runtime} on this host, for want of {lacking},")


def refuse_snap_start(version: FunctionVersion | None) -> None:
    """Raises for what cannot be together with it: provisioned concurrency."""
    if version is not None and version.snap_start:
        raise _not_supported("Provisioned Concurrency")


def has_snapshot(version: FunctionVersion) -> bool:
    """Whether environments of the version start from a snapshot."""
    return version.snap_start and version.version != LATEST


def shown_snap_start(version: FunctionVersion) -> dict[str, str]:
    """The shape ``SnapStartResponse``. AWS: ``On`` for a version alone, when its snapshot is there."""
    is_on = has_snapshot(version) and version.state == "Active"
    return {
        "ApplyOn": PUBLISHED_VERSIONS if version.snap_start else "None",
        "OptimizationStatus": "On" if is_on else "Off",
    }


def not_ready() -> ClientFault:
    """409 ``SnapStartNotReadyException``. Source: "Troubleshooting SnapStart errors for Lambda functions"."""
    return ClientFault(
        "SnapStartNotReadyException",
        "Lambda is initializing your function. It will be ready to invoke once your function state "
        "becomes ACTIVE.",
        409,
        fields={"Type": "User"},
    )


def _not_supported(what: str) -> ClientFault:
    return invalid_parameter(f"{what} is not supported for SnapStart enabled functions.")
