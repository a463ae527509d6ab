"""Runtime management: when a version's runtime may change under it.

The runtime is the interpreter this host has, and Lambent never changes it. ``Auto`` and
``FunctionUpdate`` therefore run what is there; ``Manual`` takes the runtime version in use and no
other, and what it pins is not run under another once the host's interpreter has changed. Source:
https://docs.aws.amazon.com/lambda/latest/dg/runtimes-update.html
"""

import sqlite3
from dataclasses import replace
from typing import Any

from lambent.control.locate import function_of, version_of
from lambent.control.plane import ControlPlane, touched
from lambent.model.call import Call, Result
from lambent.model.errors import ClientFault, invalid_parameter
from lambent.model.function import FunctionVersion
from lambent.model.function_name import is_version
from lambent.store import functions


def put_runtime_management_config(plane: ControlPlane, call: Call) -> Result:
    """``PutRuntimeManagementConfig`` of ``$LATEST`` or a published version."""
    mode: str = call.parameters["UpdateRuntimeOn"]
    arn: str = call.parameters.get("RuntimeVersionArn") or ""
    with plane.database.transaction() as cx:
        version = _version(cx, call)
        _check(plane, version, mode, arn)
        changed = replace(version, update_runtime_on=mode, pinned_runtime_version_arn=arn)
        functions.put_version(cx, touched(changed))
    plane.on_change(changed.function_arn)
    return Result(_shown(changed))


def get_runtime_management_config(plane: ControlPlane, call: Call) -> Result:
    """``GetRuntimeManagementConfig``: ``Auto`` unless it was set; an ARN for ``Manual`` alone."""
    return Result(_shown(_version(plane.database.connection, call)))


def check_pinned(plane: ControlPlane, version: FunctionVersion) -> None:
    """Raises ``InvalidParameterValueException`` for a runtime other than the pinned version's."""
    if version.pinned_runtime_version_arn:
        _check_arn(plane, version, version.pinned_runtime_version_arn)


def runtime_gone(version: FunctionVersion) -> ClientFault:
    """502 ``InvalidRuntimeException``, which Invoke answers when the pinned runtime version is gone.

    Source: the shape of that name of botocore's ``lambda`` model; the text is Lambent's.
    """
    return ClientFault(
        "InvalidRuntimeException",
        f"The runtime version {version.pinned_runtime_version_arn} is no longer on this host. Put a "
        "runtime management configuration of Auto, or of Manual with the one that is.",
        502,
        fields={"Type": "User"},
    )


def _version(cx: sqlite3.Connection, call: Call) -> FunctionVersion:
    function = function_of(call)
    if function.qualifier is not None and not is_version(function.qualifier):
        # Best known: AWS says that the qualifier "can be $LATEST or a published version number".
        raise invalid_parameter(
            "Runtime management configuration is supported on $LATEST and published versions only, "
            f"not on the alias {function.qualifier}."
        )
    return version_of(cx, function)[0]


def _check(plane: ControlPlane, version: FunctionVersion, mode: str, arn: str) -> None:
    """The texts are the best known, but for the members they name: no recording was found."""
    if mode != "Manual":
        if arn:
            raise invalid_parameter(
                "RuntimeVersionArn is only valid when UpdateRuntimeOn is Manual."
            )
        return
    if not arn:
        raise invalid_parameter("RuntimeVersionArn is required when UpdateRuntimeOn is Manual.")
    _check_arn(plane, version, arn)


def _check_arn(plane: ControlPlane, version: FunctionVersion, arn: str) -> None:
    there = plane.runtime_version_arn(version)
    if arn != there:
        raise invalid_parameter(
            f"The runtime version {arn} is not available for the runtime {version.runtime}. "
            f"This host has {there or 'none that could be pinned'}."
        )


def _shown(version: FunctionVersion) -> dict[str, Any]:
    output = {
        "UpdateRuntimeOn": version.update_runtime_on,
        "FunctionArn": version.qualified_arn,
    }
    if version.pinned_runtime_version_arn:
        output["RuntimeVersionArn"] = version.pinned_runtime_version_arn
    return output
