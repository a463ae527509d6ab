"""Functions: create, get, list, delete."""

import sqlite3
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from lambent.control import paging
from lambent.control.account import check_code_storage
from lambent.control.answers import function_code, function_configuration, listed_configuration
from lambent.control.configuration import (
    choose_architecture,
    configure,
    require_runtime,
    require_tracing,
    revised,
)
from lambent.control.function_code_signing import check_signature_for, required_config
from lambent.control.images import check_settings, image_code, is_image
from lambent.control.lifecycle import pending
from lambent.control.locate import function_of, latest_of, version_of
from lambent.control.plane import ControlPlane
from lambent.control.refusals import refuse_unsupported
from lambent.control.snap_start import check_snap_start
from lambent.control.tags import check_tags
from lambent.control.versions import publish
from lambent.model import limits
from lambent.model.call import Call, Result
from lambent.model.code_signing import CodeSigningConfig
from lambent.model.errors import AwsError, ClientFault, conflict, invalid_parameter
from lambent.model.function import LATEST, CodeRef, FunctionVersion
from lambent.model.function_name import UNQUALIFIED_PATTERN, FunctionName, is_version
from lambent.model.image import ImageCode
from lambent.store import (
    aliases,
    code_signing,
    concurrency,
    event_invoke_configs,
    function_urls,
    functions,
    policies,
    provisioned,
    recursion,
    tags,
)


def create_function(plane: ControlPlane, call: Call) -> Result:
    """``CreateFunction``: Pending when it answers, its code checked, kept and unpacked."""
    parameters = call.parameters
    refuse_unsupported(parameters)
    require_runtime(plane, parameters.get("Runtime"))
    require_tracing(plane, parameters)
    function = _new_name(call)
    tagged = check_tags(parameters.get("Tags") or {})
    cx = plane.database.connection
    if functions.get_version(cx, function, LATEST) is not None:
        raise conflict(f"Function already exist: {function.name}")  # best known
    _require_handler(parameters)
    signing = _signing_config(cx, parameters, function)
    code, image = _code(plane, call)
    architecture = choose_architecture(plane, parameters.get("Architectures"), plane.architecture)
    base = replace(_blank(function, code, architecture), image=image)
    with plane.database.transaction() as cx:
        configured = configure(
            cx, parameters, base, plane.destination_services, plane.file_system_missing
        )
        check_snap_start(configured, plane.snapshots.missing)
        created = pending(revised(plane, configured))
        functions.put_version(cx, created)
        tags.put_tags(cx, function.function_arn, tagged)
        if signing is not None:
            code_signing.assign_config(cx, function, signing.id)
        published = publish(cx, created)[0] if parameters.get("Publish") else None
        check_code_storage(plane, cx, function.account_id, function.region)
    plane.announce(created)
    if published is None:
        return Result(function_configuration(plane.shown(created)), status=201)
    plane.announce(published)
    # AWS: the number of what it published, but the ARN without it. Source: recorded by LocalStack's
    # tests (TestLambdaFunction::test_list_functions).
    return Result(function_configuration(plane.shown(published)), status=201)


def get_function(plane: ControlPlane, call: Call) -> Result:
    """``GetFunction``: configuration, where to fetch the code, tags, and what is reserved."""
    cx = plane.database.connection
    function = function_of(call)
    version, _ = version_of(cx, function)
    output: dict[str, Any] = {
        "Configuration": function_configuration(plane.shown(version), qualifier=function.qualifier),
        "Code": function_code(call.caller, version),
    }
    tagged = tags.list_tags(cx, function.function_arn)
    if tagged:
        output["Tags"] = tagged
    reserved = concurrency.get_reservation(cx, function)
    if reserved is not None and function.qualifier is None:
        # AWS: it is the whole function's, so a qualified answer leaves it out.
        output["Concurrency"] = {"ReservedConcurrentExecutions": reserved}
    return Result(output)


def get_function_configuration(plane: ControlPlane, call: Call) -> Result:
    """``GetFunctionConfiguration`` of ``$LATEST``, a version, or what an alias points to."""
    function = function_of(call)
    version, _ = version_of(plane.database.connection, function)
    return Result(function_configuration(plane.shown(version), qualifier=function.qualifier))


def list_functions(plane: ControlPlane, call: Call) -> Result:
    """``ListFunctions``: each ``$LATEST``, or with ``FunctionVersion=ALL`` every version.

    With ``MasterRegion=ALL`` replicas of Lambda@Edge are listed too, with a region only those of
    functions there: none, since there is no Lambda@Edge here.
    """
    refuse_unsupported(call.parameters)
    if _lists_replicas_only(call.parameters):
        return Result({"Functions": []})
    cx, size = plane.database.connection, paging.page_size(call.parameters)
    place = (call.caller.account_id, call.caller.region)
    if call.parameters.get("FunctionVersion") == "ALL":
        name, number = paging.after(call.parameters, ("", -1))
        found = functions.list_all(cx, *place, after=(str(name), int(number)), limit=size + 1)
        key, show = _name_and_number, _show_qualified
    else:
        (name,) = paging.after(call.parameters, ("",))
        found = functions.list_latest(cx, *place, after=str(name), limit=size + 1)
        key, show = _name_alone, listed_configuration
    return Result(paging.page(found, size, key, show, "Functions"))


def delete_function(plane: ControlPlane, call: Call) -> Result:
    """``DeleteFunction``: the function with all that hangs on it, or one published version."""
    function = function_of(call)
    if function.qualifier is not None:
        gone = _delete_version(plane, function)
    else:
        with plane.database.transaction() as cx:
            latest_of(cx, function)
            gone = functions.list_versions(cx, function, after=-1, limit=-1)
            functions.delete_function(cx, function)
            aliases.delete_aliases(cx, function)
            policies.remove_policies(cx, function.function_arn)
            concurrency.remove_reservation(cx, function)
            provisioned.remove_all_provisioned(cx, function)
            recursion.remove_recursive_loop(cx, function)
            event_invoke_configs.remove_event_invoke_configs(cx, function)
            code_signing.unassign_config(cx, function)
            function_urls.remove_urls(cx, function)
            tags.remove_all_tags(cx, function.function_arn)
    plane.on_change(function.function_arn)
    plane.release_code(gone)
    return Result({"StatusCode": 204}, status=204)


def uploaded_code(
    call: Call, source: Mapping[str, Any], kind: str = "function code"
) -> tuple[bytes, str | None]:
    """The zip of a request, or the one in S3 that it names; and the operation, if a request carried it.

    Raises ``InvalidParameterValueException`` when there is none, or both; and what fetching it met.
    """
    zip_file: bytes | None = source.get("ZipFile")
    if zip_file is not None:
        if source.get("S3Bucket") or source.get("S3Key"):
            # The text is the best known.
            raise invalid_parameter(
                "Please do not provide other FunctionCode parameters when providing a ZipFile."
            )
        return zip_file, call.operation
    if isinstance(call.fetched_code, AwsError):
        raise call.fetched_code
    if not isinstance(call.fetched_code, bytes) or not source.get("S3Bucket"):
        raise invalid_parameter(f"Please provide a source for {kind}.")  # best known
    return call.fetched_code, None


def _lists_replicas_only(parameters: Mapping[str, Any]) -> bool:
    """Raises ``InvalidParameterValueException`` for ``MasterRegion`` without ``FunctionVersion``.

    Source: API_ListFunctions, "If specified, you must set FunctionVersion to ALL"; the text is the
    best known.
    """
    master_region = parameters.get("MasterRegion")
    if master_region is not None and parameters.get("FunctionVersion") != "ALL":
        raise invalid_parameter("FunctionVersion must be ALL when MasterRegion is specified.")
    return master_region not in {None, "ALL"}


def _delete_version(plane: ControlPlane, function: FunctionName) -> list[FunctionVersion]:
    qualifier = function.qualifier or LATEST
    if qualifier == LATEST:
        raise invalid_parameter("$LATEST version cannot be deleted without deleting the function.")
    if not is_version(qualifier):
        raise invalid_parameter("Deletion of aliases is not currently supported.")  # best known
    with plane.database.transaction() as cx:
        latest_of(cx, function)
        pointing = aliases.aliases_pointing_at(cx, function, qualifier)
        if pointing:
            raise conflict(
                "Unable to delete version because the following aliases reference it: "
                f"[{', '.join(pointing)}]"
            )
        # AWS: deleting a version that is not there is a success too.
        gone = functions.get_version(cx, function, qualifier)
        functions.delete_version(cx, function, qualifier)
        event_invoke_configs.remove_event_invoke_config(cx, function, qualifier)
        provisioned.remove_provisioned(cx, function, qualifier)
        policies.remove_policies(cx, function.arn)
    return [] if gone is None else [gone]


def _new_name(call: Call) -> FunctionName:
    function = function_of(call)
    if function.qualifier is not None or "." in function.name:
        raise ClientFault(
            "ValidationException",
            f"1 validation error detected: Value '{call.parameters['FunctionName']}' at "
            "'functionName' failed to satisfy constraint: Member must satisfy regular expression "
            f"pattern: {UNQUALIFIED_PATTERN}",
        )
    if len(function.name) > limits.FUNCTION_NAME.value:
        raise invalid_parameter(
            f"1 validation error detected: Value '{function.name}' at 'functionName' failed to "
            "satisfy constraint: Member must have length less than or equal to "
            f"{limits.FUNCTION_NAME.value}"
        )
    return function


def _code(plane: ControlPlane, call: Call) -> tuple[CodeRef, ImageCode | None]:
    source = call.parameters["Code"]
    if is_image(call.parameters):
        return image_code(call, source)
    return plane.code.put(*uploaded_code(call, source)), None


def _require_handler(parameters: Mapping[str, Any]) -> None:
    check_settings(parameters, of_image=is_image(parameters))
    if is_image(parameters):
        return
    if not parameters.get("Runtime") or not parameters.get("Handler"):
        raise invalid_parameter(
            "Runtime and Handler are mandatory parameters for functions created with deployment "
            "packages."
        )


def _signing_config(
    cx: sqlite3.Connection, parameters: Mapping[str, Any], function: FunctionName
) -> CodeSigningConfig | None:
    """The code signing configuration asked for, if it lets the code through."""
    arn = parameters.get("CodeSigningConfigArn")
    if not arn:
        return None
    config = required_config(cx, arn, function)
    check_signature_for(config, function)
    return config


def _blank(function: FunctionName, code: CodeRef, architecture: str) -> FunctionVersion:
    """A function before its settings: what ``configure`` does not set has AWS's defaults."""
    return FunctionVersion(
        account_id=function.account_id,
        region=function.region,
        name=function.name,
        version=LATEST,
        runtime="",
        handler="",
        role="",
        code=code,
        revision_id="",
        last_modified="",
        architecture=architecture,
        log_group=f"/aws/lambda/{function.name}",
    )


def _name_alone(version: FunctionVersion) -> tuple[paging.Key, ...]:
    return (version.name,)


def _name_and_number(version: FunctionVersion) -> tuple[paging.Key, ...]:
    return version.name, functions.number_of(version)


def _show_qualified(version: FunctionVersion) -> dict[str, Any]:
    return listed_configuration(version, qualifier=version.version)
