"""A function's configuration: what ``CreateFunction`` and ``UpdateFunctionConfiguration`` may set.

Both go through :func:`configure`, so a setting means the same in both. What is not supported was
refused before, by ``refusals``.
"""

import hashlib
import json
import sqlite3
from collections.abc import Collection, Mapping
from dataclasses import asdict, replace
from typing import Any

from lambent.control.environment_variables import check_variables
from lambent.control.event_targets import dead_letter_arn
from lambent.control.file_systems import MissingFileSystem, file_system_config
from lambent.control.function_layers import check_total_size, resolve_layers
from lambent.control.images import image_config
from lambent.control.logging_config import logging_changes
from lambent.control.plane import ControlPlane, new_revision_id
from lambent.control.snap_start import snap_start_changes
from lambent.control.tenancy import tenancy_changes
from lambent.model import limits
from lambent.model.errors import ClientFault, invalid_parameter, not_yet
from lambent.model.function import FunctionVersion

RUNTIMES = frozenset(
    {f"python3.{minor}" for minor in range(9, 15)}
    | {"nodejs20.x", "nodejs22.x", "nodejs24.x"}
    | {"java11", "java17", "java21", "java25"}
    | {"ruby3.2", "ruby3.3", "ruby3.4", "ruby4.0"}
    | {"provided.al2", "provided.al2023"}
)
"""What Lambent runs; the others that AWS knows are refused by name."""
SUCCESSORS: Mapping[str, str] = {
    "dotnetcore3.1": "dotnet6",
    "go1.x": "provided.al2023",
    "java8": "java21",
    "nodejs12.x": "nodejs18.x",
    "nodejs14.x": "nodejs20.x",
    "provided": "provided.al2023",
    "python3.7": "python3.12",
    "ruby2.7": "ruby3.2",
}
"""What AWS itself no longer takes, with what it recommended instead in June 2024.

Source: recorded by LocalStack's tests
(TestRuntimeValidation::test_create_deprecated_function_runtime_with_validation_enabled).
"""

_PLAIN: Mapping[str, str] = {
    "Role": "role",
    "Handler": "handler",
    "Description": "description",
    "Timeout": "timeout_s",
    "MemorySize": "memory_mib",
    "Runtime": "runtime",
}
_CONTENT = (
    "runtime",
    "handler",
    "role",
    "code",
    "description",
    "timeout_s",
    "memory_mib",
    "ephemeral_storage_mib",
    "environment",
    "layers",
    "architecture",
    "log_group",
    "log_format",
    "application_log_level",
    "system_log_level",
)


def configure(
    cx: sqlite3.Connection,
    parameters: Mapping[str, Any],
    base: FunctionVersion,
    destination_services: Collection[str],
    file_system_missing: MissingFileSystem,
) -> FunctionVersion:
    """``base`` with every setting of ``parameters``; what is not given stays.

    Raises ``InvalidParameterValueException`` or ``ValidationException`` for a value Lambda does not
    take.
    """
    changes: dict[str, Any] = {
        field: parameters[member]
        for member, field in _PLAIN.items()
        if parameters.get(member) is not None
    }
    changes |= tenancy_changes(parameters)
    changes |= snap_start_changes(parameters)
    if parameters.get("EphemeralStorage") is not None:
        changes["ephemeral_storage_mib"] = parameters["EphemeralStorage"]["Size"]
    if parameters.get("Environment") is not None:
        variables = parameters["Environment"].get("Variables")
        changes["environment"] = check_variables(variables or {})
        changes["environment_given"] = variables is not None
    if parameters.get("Layers") is not None:
        arns = parameters["Layers"]
        changes["layers"] = resolve_layers(cx, arns, base.account_id, base.region)
    if parameters.get("LoggingConfig") is not None:
        changes |= logging_changes(parameters["LoggingConfig"], base)
    if parameters.get("DeadLetterConfig") is not None:
        given = parameters["DeadLetterConfig"]
        changes["dead_letter_arn"] = dead_letter_arn(given, destination_services)
    if (parameters.get("TracingConfig") or {}).get("Mode"):
        changes["tracing_mode"] = parameters["TracingConfig"]["Mode"]
    if parameters.get("FileSystemConfigs") is not None:
        wanted = parameters["FileSystemConfigs"]
        changes["file_system"] = file_system_config(wanted, file_system_missing)
    config = image_config(parameters)
    if config is not None and base.image is not None:
        changes["image"] = replace(base.image, config=config)
        if base.serving is not None:
            running = replace(base.serving.image, config=config)
            changes["serving"] = replace(base.serving, image=running)
    configured = replace(base, **changes)
    _check_values(configured)
    check_total_size(configured.code, configured.layers)
    return configured


def choose_architecture(plane: ControlPlane, wanted: list[str] | None, present: str) -> str:
    """A function's architecture: what it asks for, else ``present``; the host's own or none."""
    architecture = wanted[0] if wanted else present
    if architecture != plane.architecture:
        raise not_yet(f"the architecture {architecture} on this {plane.architecture} host")
    return architecture


def require_runtime(plane: ControlPlane, runtime: str | None) -> None:
    """Raises for a runtime that AWS refuses too, or that nothing on this host can stand in for.

    The first is ``InvalidParameterValueException``, the second ``NotImplementedException``, with what to do.
    """
    if runtime is not None and runtime in SUCCESSORS:
        raise invalid_parameter(
            f"The runtime parameter of {runtime} is no longer supported for creating or updating AWS "
            f"Lambda functions. We recommend you use the new runtime ({SUCCESSORS[runtime]}) while "
            "creating or updating functions."
        )
    missing = None if runtime is None else plane.runtime_missing(runtime)
    if missing:
        raise not_yet(missing)


def require_tracing(plane: ControlPlane, parameters: Mapping[str, Any]) -> None:
    """Raises ``NotImplementedException`` for active tracing where nobody takes the segments."""
    active = (parameters.get("TracingConfig") or {}).get("Mode") == "Active"
    if active and plane.tracing_missing:
        raise not_yet(f"TracingConfig.Mode Active {plane.tracing_missing}")


def revised(plane: ControlPlane, version: FunctionVersion) -> FunctionVersion:
    """The version as it is written after a change of code or configuration."""
    content = {member: value for member, value in asdict(version).items() if member in _CONTENT}
    if version.dead_letter_arn:  # else versions published before there was one would differ
        content["dead_letter_arn"] = version.dead_letter_arn
    if version.tracing_mode != "PassThrough":
        content["tracing_mode"] = version.tracing_mode
    if version.snap_start:
        content["snap_start"] = True
    if version.file_system:
        content["file_system"] = asdict(version.file_system)
    if version.image:
        content["image"] = asdict(version.image)
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return replace(
        version,
        revision_id=new_revision_id(),
        config_revision=new_revision_id(),
        content_sha256=hashlib.sha256(text.encode()).hexdigest(),
        last_modified=plane.timestamp(),
    )


def _check_values(version: FunctionVersion) -> None:
    if version.image is None and version.runtime not in RUNTIMES:
        raise not_yet(f"the runtime {version.runtime}")
    if version.memory_mib > limits.MEMORY_MAX.value:
        # AWS: its model allows 32,768 for capacity providers; a function has this quota.
        raise invalid_parameter(
            "'MemorySize' value failed to satisfy constraint: "
            f"Member must have value less than or equal to {limits.MEMORY_MAX.value}"
        )
    if version.timeout_s > limits.TIMEOUT_MAX.value:
        raise _over("timeout", version.timeout_s, limits.TIMEOUT_MAX)
    if version.ephemeral_storage_mib > limits.EPHEMERAL_STORAGE_MAX.value:
        size = version.ephemeral_storage_mib
        raise _over("ephemeralStorage.size", size, limits.EPHEMERAL_STORAGE_MAX)


def _over(member: str, value: int, limit: limits.Limit) -> ClientFault:
    return ClientFault(
        "ValidationException",
        f"1 validation error detected: Value '{value}' at '{member}' failed to satisfy constraint: "
        f"Member must have value less than or equal to {limit.value}",
    )
