"""Changes to ``$LATEST``: its code and its configuration.

Both answer InProgress; the change is taken over by ``lifecycle.drain``. What was published never
changes.
"""

from collections.abc import Callable
from dataclasses import replace
from sqlite3 import Connection

from lambent.control.account import check_code_storage
from lambent.control.answers import function_configuration
from lambent.control.configuration import (
    choose_architecture,
    configure,
    require_runtime,
    require_tracing,
    revised,
)
from lambent.control.function_code_signing import check_signature
from lambent.control.function_layers import check_total_size
from lambent.control.functions import uploaded_code
from lambent.control.images import check_settings, check_update, image_code, still_serving
from lambent.control.lifecycle import updating
from lambent.control.locate import (
    check_revision,
    check_settled,
    latest_of,
    unqualified_function_of,
)
from lambent.control.plane import ControlPlane, new_revision_id
from lambent.control.refusals import refuse_unsupported
from lambent.control.runtime_management import check_pinned
from lambent.control.snap_start import check_snap_start
from lambent.control.versions import publish
from lambent.model.call import Call, Result
from lambent.model.function import FunctionVersion
from lambent.store import functions


def update_function_code(plane: ControlPlane, call: Call) -> Result:
    """``UpdateFunctionCode``: new code for ``$LATEST``; with ``Publish`` also a version of it.

    ``DryRun`` checks everything and answers what would be, but changes nothing.
    """
    parameters = call.parameters
    refuse_unsupported(parameters)
    cx = plane.database.connection
    latest = _changeable(cx, call)  # before a large zip is looked at
    check_update(latest, parameters)
    architecture = choose_architecture(plane, parameters.get("Architectures"), latest.architecture)
    if latest.image is not None:
        code, image = image_code(call, parameters, latest.image.config)
        return _update(
            plane,
            call,
            lambda _, version: replace(
                version,
                code=code,
                image=image,
                serving=still_serving(version),
                architecture=architecture,
            ),
        )
    check_signature(cx, unqualified_function_of(call))
    content, operation = uploaded_code(call, parameters)
    keep = plane.code.check if parameters.get("DryRun") else plane.code.put
    code = keep(content, operation)

    def change(_: Connection, version: FunctionVersion) -> FunctionVersion:
        check_total_size(code, version.layers)
        return replace(version, code=code, architecture=architecture)

    return _update(plane, call, change)


def update_function_configuration(plane: ControlPlane, call: Call) -> Result:
    """``UpdateFunctionConfiguration``: the settings given; the others stay as they are."""
    refuse_unsupported(call.parameters)
    require_runtime(plane, call.parameters.get("Runtime"))
    require_tracing(plane, call.parameters)

    def change(cx: Connection, version: FunctionVersion) -> FunctionVersion:
        configured = configure(
            cx, call.parameters, version, plane.destination_services, plane.file_system_missing
        )
        check_settings(call.parameters, of_image=version.image is not None)
        check_snap_start(configured, plane.snapshots.missing)
        if configured.layers and configured.layers != version.layers:
            check_signature(cx, unqualified_function_of(call))
        if configured.runtime != version.runtime:
            check_pinned(plane, configured)
        if configured.serving is not None:
            serving = replace(configured.serving, config_revision=new_revision_id())
            configured = replace(configured, serving=serving)
        return configured

    return _update(plane, call, change)


def _update(
    plane: ControlPlane,
    call: Call,
    change: Callable[[Connection, FunctionVersion], FunctionVersion],
) -> Result:
    parameters = call.parameters
    published = None
    with plane.database.transaction() as cx:
        latest = _changeable(cx, call)
        changed = change(cx, latest)
        if parameters.get("DryRun"):
            return Result(function_configuration(plane.shown(changed)))
        updated = updating(revised(plane, changed))
        functions.put_version(cx, updated)
        if parameters.get("Publish"):
            published, _ = publish(cx, updated)
        check_code_storage(plane, cx, latest.account_id, latest.region)
    plane.announce(updated)
    if (latest.code, latest.layers) != (updated.code, updated.layers):
        plane.release_code([latest])
    if published is None:
        return Result(function_configuration(plane.shown(updated)))
    plane.announce(published)
    return Result(function_configuration(plane.shown(published), qualifier=published.version))


def _changeable(cx: Connection, call: Call) -> FunctionVersion:
    """``$LATEST``, if no other change is under way and the caller knows its revision."""
    latest = latest_of(cx, unqualified_function_of(call))
    check_settled(latest)
    check_revision(call.parameters.get("RevisionId"), latest.revision_id)
    return latest
