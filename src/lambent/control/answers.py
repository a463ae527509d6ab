"""Records as AWS shows them: botocore's output shapes, without the members AWS leaves out.

A member that is answered though nobody set it would show as a change in every Terraform plan.
"""

import base64
from typing import Any

from lambent.control.file_systems import shown_file_systems
from lambent.control.images import shown_image_config
from lambent.control.logging_config import shown_logging
from lambent.control.snap_start import shown_snap_start
from lambent.model.call import Caller
from lambent.model.function import Alias, CodeRef, FunctionVersion


def function_configuration(
    version: FunctionVersion, *, qualifier: str | None = None
) -> dict[str, Any]:
    """The shape ``FunctionConfiguration``. ``qualifier``, if any, goes behind the ARN."""
    arn = version.function_arn
    output: dict[str, Any] = {
        "FunctionName": version.name,
        "FunctionArn": arn if qualifier is None else f"{arn}:{qualifier}",
        "Runtime": version.runtime,
        "Role": version.role,
        "Handler": version.handler,
        "CodeSize": version.code.size_bytes,
        "Description": version.description,
        "Timeout": version.timeout_s,
        "MemorySize": version.memory_mib,
        "LastModified": version.last_modified,
        "CodeSha256": shown_sha256(version),
        "Version": version.version,
        "TracingConfig": {"Mode": version.tracing_mode},
        "RevisionId": version.revision_id,
        "PackageType": version.package_type,
        "Architectures": [version.architecture],
        "EphemeralStorage": {"Size": version.ephemeral_storage_mib},
        "SnapStart": shown_snap_start(version),
        "LoggingConfig": shown_logging(version),
    }
    if version.image is not None:
        # AWS: an image says itself what is run; what is changed of that is told.
        del output["Runtime"], output["Handler"]
        if changed := shown_image_config(version.image.config):
            output["ImageConfigResponse"] = changed
    if version.environment_given:
        output["Environment"] = {"Variables": dict(version.environment)}
    if version.dead_letter_arn:
        output["DeadLetterConfig"] = {"TargetArn": version.dead_letter_arn}
    if version.tenant_isolation_mode:
        output["TenancyConfig"] = {"TenantIsolationMode": version.tenant_isolation_mode}
    if version.file_system:
        output["FileSystemConfigs"] = shown_file_systems(version.file_system)
    if version.layers:
        output["Layers"] = [
            {"Arn": layer.arn, "CodeSize": layer.code.size_bytes} for layer in version.layers
        ]
    if version.runtime_version_arn:
        output["RuntimeVersionConfig"] = {"RuntimeVersionArn": version.runtime_version_arn}
    return output | _states(version)


def listed_configuration(
    version: FunctionVersion, *, qualifier: str | None = None
) -> dict[str, Any]:
    """The same as it stands in lists, where AWS leaves out the states and the runtime version."""
    output = function_configuration(version, qualifier=qualifier)
    return {member: output[member] for member in output if member not in _states(version)}


def alias_configuration(function_arn: str, alias: Alias) -> dict[str, Any]:
    """The shape ``AliasConfiguration``."""
    output: dict[str, Any] = {
        "AliasArn": f"{function_arn}:{alias.name}",
        "Name": alias.name,
        "FunctionVersion": alias.function_version,
        "Description": alias.description,
        "RevisionId": alias.revision_id,
    }
    if alias.additional_version is not None:
        weights = {alias.additional_version: alias.additional_weight}
        output["RoutingConfig"] = {"AdditionalVersionWeights": weights}
    return output


def code_sha256(code: CodeRef) -> str:
    """``CodeSha256``: the digest of the zip in base64."""
    return base64.b64encode(bytes.fromhex(code.sha256)).decode()


def shown_sha256(version: FunctionVersion) -> str:
    """``CodeSha256``: of an image it is the digest of the manifest, in hex."""
    return code_sha256(version.code) if version.image is None else version.code.sha256


def function_code(caller: Caller, version: FunctionVersion) -> dict[str, str]:
    """The shape ``FunctionCodeLocation``."""
    if version.image is None:
        return {"RepositoryType": "S3", "Location": code_location(caller, version.code)}
    return {
        "RepositoryType": "ECR",
        "ImageUri": version.image.uri,
        "ResolvedImageUri": version.image.resolved_uri,
    }


def code_location(caller: Caller, code: CodeRef) -> str:
    """Where the zip can be fetched: from the endpoint the caller used."""
    return f"{caller.endpoint.rstrip('/')}/_lambent/code/{code.sha256}"


def _states(version: FunctionVersion) -> dict[str, str]:
    """State members that are set. AWS: a version being created has no update status yet."""
    states = {
        "State": version.state,
        "StateReason": version.state_reason,
        "StateReasonCode": version.state_reason_code,
    }
    if version.state != "Pending":
        states |= {
            "LastUpdateStatus": version.last_update_status,
            "LastUpdateStatusReason": version.last_update_status_reason,
            "LastUpdateStatusReasonCode": version.last_update_status_reason_code,
        }
    return {member: value for member, value in states.items() if value is not None}
