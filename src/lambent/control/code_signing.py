"""Code signing configurations: create, get, list, update, delete.

That the signing profiles they name exist is not checked: there is no AWS Signer here. What a
configuration does to uploads is in ``function_code_signing``. Source:
https://docs.aws.amazon.com/lambda/latest/dg/configuration-codesigning.html
"""

import secrets
import sqlite3
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from lambent.control import paging
from lambent.control.plane import ControlPlane
from lambent.control.tags import check_tags
from lambent.model.call import Call, Result
from lambent.model.code_signing import CodeSigningConfig, config_id_in
from lambent.model.errors import ClientFault, conflict
from lambent.store import code_signing, tags

_DEFAULT_POLICY = "Warn"
"""Source: the shape ``CodeSigningPolicies`` of botocore's ``lambda`` model."""


def create_code_signing_config(plane: ControlPlane, call: Call) -> Result:
    """``CreateCodeSigningConfig``; unsigned code is let through with a warning unless it says so."""
    parameters = call.parameters
    tagged = check_tags(parameters.get("Tags") or {})
    config = CodeSigningConfig(
        call.caller.account_id,
        call.caller.region,
        f"csc-{secrets.token_hex(9)[:17]}",
        tuple(parameters["AllowedPublishers"]["SigningProfileVersionArns"]),
        _policy(parameters) or _DEFAULT_POLICY,
        plane.timestamp(),
        parameters.get("Description"),
    )
    with plane.database.transaction() as cx:
        code_signing.put_config(cx, config)
        tags.put_tags(cx, config.arn, tagged)
    return Result({"CodeSigningConfig": _shown(config)}, status=201)


def get_code_signing_config(plane: ControlPlane, call: Call) -> Result:
    """``GetCodeSigningConfig``."""
    return Result({"CodeSigningConfig": _shown(config_of(plane.database.connection, call))})


def list_code_signing_configs(plane: ControlPlane, call: Call) -> Result:
    """``ListCodeSigningConfigs``, by id."""
    size = paging.page_size(call.parameters)
    (after,) = paging.after(call.parameters, ("",))
    cx, place = plane.database.connection, (call.caller.account_id, call.caller.region)
    found = code_signing.list_configs(cx, *place, after=str(after), limit=size + 1)
    return Result(
        paging.page(found, size, lambda config: (config.id,), _shown, "CodeSigningConfigs")
    )


def update_code_signing_config(plane: ControlPlane, call: Call) -> Result:
    """``UpdateCodeSigningConfig``: what is given changes, for the next upload to each function."""
    parameters = call.parameters
    changes: dict[str, Any] = {"last_modified": plane.timestamp()}
    if parameters.get("Description") is not None:
        changes["description"] = parameters["Description"]
    if parameters.get("AllowedPublishers") is not None:
        publishers = parameters["AllowedPublishers"]["SigningProfileVersionArns"]
        changes["publishers"] = tuple(publishers)
    if _policy(parameters) is not None:
        changes["untrusted_artifact_on_deployment"] = _policy(parameters)
    with plane.database.transaction() as cx:
        config = replace(config_of(cx, call), **changes)
        code_signing.put_config(cx, config)
    return Result({"CodeSigningConfig": _shown(config)})


def delete_code_signing_config(plane: ControlPlane, call: Call) -> Result:
    """``DeleteCodeSigningConfig``, if no function has it."""
    with plane.database.transaction() as cx:
        config = config_of(cx, call)
        if code_signing.list_functions_with(cx, config, after="", limit=1):
            # Best known: AWS documents the rule and the code, not the text.
            raise conflict(
                "The code signing configuration cannot be deleted because functions use it: "
                f"{config.arn}"
            )
        code_signing.remove_config(cx, config)
        tags.remove_all_tags(cx, config.arn)
    return Result(status=204)


def list_functions_by_code_signing_config(plane: ControlPlane, call: Call) -> Result:
    """``ListFunctionsByCodeSigningConfig``, by name."""
    size = paging.page_size(call.parameters)
    (after,) = paging.after(call.parameters, ("",))
    cx = plane.database.connection
    config = config_of(cx, call)
    found = code_signing.list_functions_with(cx, config, after=str(after), limit=size + 1)
    return Result(
        paging.page(
            found,
            size,
            lambda function: (function.name,),
            lambda function: function.function_arn,
            "FunctionArns",
        )
    )


def config_of(cx: sqlite3.Connection, call: Call) -> CodeSigningConfig:
    """The configuration that ``CodeSigningConfigArn`` means. Raises ``ResourceNotFoundException``."""
    arn = call.parameters["CodeSigningConfigArn"]
    config = find_config(cx, arn, call.caller.account_id, call.caller.region)
    if config is None:
        # Source: recorded by LocalStack's tests, which have it without a Type.
        raise ClientFault(
            "ResourceNotFoundException",
            f"The Lambda code signing configuration {arn} can not be found.",
            404,
        )
    return config


def find_config(
    cx: sqlite3.Connection, arn: str, account_id: str, region: str
) -> CodeSigningConfig | None:
    """The configuration of an ARN in this account and region, or None."""
    config_id = config_id_in(arn, account_id, region)
    if config_id is None:
        return None
    return code_signing.get_config(cx, account_id, region, config_id)


def _policy(parameters: Mapping[str, Any]) -> str | None:
    policies = parameters.get("CodeSigningPolicies") or {}
    policy: str | None = policies.get("UntrustedArtifactOnDeployment")
    return policy


def _shown(config: CodeSigningConfig) -> dict[str, Any]:
    policy = config.untrusted_artifact_on_deployment
    output = {
        "CodeSigningConfigId": config.id,
        "CodeSigningConfigArn": config.arn,
        "AllowedPublishers": {"SigningProfileVersionArns": list(config.publishers)},
        "CodeSigningPolicies": {"UntrustedArtifactOnDeployment": policy},
        "LastModified": config.last_modified,
    }
    return output if config.description is None else output | {"Description": config.description}
