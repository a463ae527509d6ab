"""Code signing of functions: who has which configuration, and what it does to their uploads.

AWS Signer's signatures cannot be verified here, so all code counts as unsigned: under ``Enforce`` a
new upload is refused, under ``Warn`` it is taken with a warning in the platform's log. Code that is
there already is left alone. Source:
https://docs.aws.amazon.com/lambda/latest/dg/configuration-codesigning.html
"""

import logging
import sqlite3

from lambent.control.code_signing import find_config
from lambent.control.images import not_signed
from lambent.control.locate import latest_of, whole_function_of
from lambent.control.plane import ControlPlane
from lambent.model.call import Call, Result
from lambent.model.code_signing import CodeSigningConfig, config_arn
from lambent.model.errors import ClientFault
from lambent.model.function_name import FunctionName
from lambent.store import code_signing

_log = logging.getLogger("lambent.control")


def put_function_code_signing_config(plane: ControlPlane, call: Call) -> Result:
    """``PutFunctionCodeSigningConfig``: it counts from the next upload on."""
    function = whole_function_of(call)
    with plane.database.transaction() as cx:
        config = required_config(cx, call.parameters["CodeSigningConfigArn"], function)
        refused = not_signed(latest_of(cx, function))
        if refused is not None:
            raise refused
        code_signing.assign_config(cx, function, config.id)
    return Result({"CodeSigningConfigArn": config.arn, "FunctionName": function.name})


def get_function_code_signing_config(plane: ControlPlane, call: Call) -> Result:
    """``GetFunctionCodeSigningConfig``: nothing at all for a function that has none."""
    function = whole_function_of(call)
    cx = plane.database.connection
    latest_of(cx, function)
    config_id = code_signing.assigned_config(cx, function)
    if config_id is None:
        return Result({})
    arn = config_arn(function.account_id, function.region, config_id)
    return Result({"CodeSigningConfigArn": arn, "FunctionName": function.name})


def delete_function_code_signing_config(plane: ControlPlane, call: Call) -> Result:
    """``DeleteFunctionCodeSigningConfig``; none is no error."""
    function = whole_function_of(call)
    with plane.database.transaction() as cx:
        latest_of(cx, function)
        code_signing.unassign_config(cx, function)
    return Result(status=204)


def required_config(cx: sqlite3.Connection, arn: str, function: FunctionName) -> CodeSigningConfig:
    """The configuration of an ARN. Raises 404 ``CodeSigningConfigNotFoundException``."""
    config = find_config(cx, arn, function.account_id, function.region)
    if config is None:
        raise ClientFault(
            "CodeSigningConfigNotFoundException",
            "The code signing configuration cannot be found. "
            f"Check that the provided configuration is not deleted: {arn}.",
            404,
            fields={"Type": "User"},
        )
    return config


def check_signature(cx: sqlite3.Connection, function: FunctionName) -> None:
    """Called before new code or layers of a function are taken over.

    Raises 400 ``CodeVerificationFailedException`` under ``Enforce``, as for unsigned code.
    """
    config_id = code_signing.assigned_config(cx, function)
    if config_id is None:
        return
    config = code_signing.get_config(cx, function.account_id, function.region, config_id)
    if config is not None:
        check_signature_for(config, function)


def check_signature_for(config: CodeSigningConfig, function: FunctionName) -> None:
    """The same, for a configuration the function is about to have."""
    enforced = config.untrusted_artifact_on_deployment == "Enforce"
    # AWS: both count as SignatureValidationErrors; the log is what there is for that here.
    _log.warning(
        "Code of %s is not signed as %s wants it: %s.",
        function.function_arn,
        config.arn,
        "refused" if enforced else "taken all the same",
    )
    if enforced:
        # Best known: the text as users of AWS report it.
        raise ClientFault(
            "CodeVerificationFailedException",
            "Lambda cannot deploy the function. The function or layer might be signed using a "
            "signature that the client is not configured to accept. Check the provided signature "
            "for unsigned.",
            400,
            fields={"Type": "User"},
        )
