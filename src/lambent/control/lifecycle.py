"""From Pending to Active, from InProgress to Successful: what happens after the acknowledgement.

An operation commits a version as Pending or InProgress and leaves a work item; the server calls
:func:`drain` right after, on the same thread. :func:`recover` does so at start for what a crash
left in between.
"""

import logging
from dataclasses import replace
from functools import partial

from lambent.control.images import wrong_architecture
from lambent.control.plane import ControlPlane, WorkItem, touched
from lambent.control.snap_start import has_snapshot
from lambent.model.errors import PlatformFault
from lambent.model.function import FunctionVersion
from lambent.model.function_name import FunctionName
from lambent.model.image import ImageCode, ImageFailure
from lambent.store import functions
from lambent.store.images import images_in_use

_CREATING = ("The function is being created.", "Creating")
_log = logging.getLogger("lambent.control")


def pending(version: FunctionVersion) -> FunctionVersion:
    """The version as it is while it is being created."""
    reason, code = _CREATING
    return replace(
        version,
        state="Pending",
        state_reason=reason,
        state_reason_code=code,
        last_update_status="Successful",
        last_update_status_reason=None,
        last_update_status_reason_code=None,
    )


def updating(version: FunctionVersion) -> FunctionVersion:
    """The version as it is while an update is being taken over. AWS: the reason is the same."""
    reason, code = _CREATING
    return replace(
        version,
        last_update_status="InProgress",
        last_update_status_reason=reason,
        last_update_status_reason_code=code,
    )


def is_settled(version: FunctionVersion) -> bool:
    """Whether no creation or update of the version is under way."""
    return version.state != "Pending" and version.last_update_status != "InProgress"


def activate(plane: ControlPlane, function_arn: str, version: str) -> None:
    """Finishes the creation or update of a version: its code and layers stand, or it has failed.

    Does nothing when the version is gone or already settled.
    """
    found = _unsettled(plane, function_arn, version)
    if found is None:
        return
    if found.image is not None:
        _activate_image(plane, found, found.image)
        return
    try:
        plane.code.task_dir(found.code.sha256)
        plane.code.opt_dir(found.layer_code)
    except (PlatformFault, OSError) as error:
        settled = _failed(found, str(error))
    else:
        if has_snapshot(found):
            finish = partial(snapshot_made, plane, function_arn, version, found.config_revision)
            plane.snapshots.prepare(found, finish)
            return
        settled = _succeeded(found)
    with plane.database.transaction() as cx:
        functions.put_version(cx, touched(settled))
    plane.on_change(function_arn)


def snapshot_made(
    plane: ControlPlane,
    function_arn: str,
    version: str,
    config_revision: str,
    failure: tuple[str, str] | None,
) -> None:
    """A version's snapshot is there, or cannot be: it is Active, or Failed.

    Does nothing when the version is gone, or another one has its number by now.
    """
    found = _unsettled(plane, function_arn, version)
    if found is None or found.config_revision != config_revision:
        return
    settled = _succeeded(found) if failure is None else _failed(found, *failure)
    with plane.database.transaction() as cx:
        functions.put_version(cx, touched(settled))
    plane.on_change(function_arn)


def _unsettled(plane: ControlPlane, function_arn: str, version: str) -> FunctionVersion | None:
    *_, region, account_id, _, name = function_arn.split(":")
    function = FunctionName(account_id, region, name)
    found = functions.get_version(plane.database.connection, function, version)
    return None if found is None or is_settled(found) else found


def _activate_image(plane: ControlPlane, version: FunctionVersion, image: ImageCode) -> None:
    """At once where its image is unpacked; else when it is, which may take minutes."""
    sha256 = version.code.sha256
    finish = partial(image_prepared, plane, version.function_arn, version.version, sha256)
    if plane.images.is_ready(sha256):
        finish(None)
    else:
        plane.images.prepare(
            sha256, image.uri, lambda failure: plane.later(partial(finish, failure))
        )


def image_prepared(
    plane: ControlPlane,
    function_arn: str,
    version: str,
    sha256: str,
    failure: ImageFailure | None,
) -> None:
    """An image is unpacked, or cannot be: what waits for it is Active, or Failed and runs what it ran.

    Does nothing when the version is gone, settled, or of another image by now.
    """
    found = _unsettled(plane, function_arn, version)
    if found is None or found.code.sha256 != sha256:
        plane.release_code()
        return
    failure = failure or wrong_architecture(plane, found)
    if failure is None:
        settled = replace(_succeeded(found), serving=None)
    else:
        settled = _failed(found, failure.reason, failure.code)
    with plane.database.transaction() as cx:
        functions.put_version(cx, touched(settled))
    plane.on_change(function_arn)
    plane.release_code([found])


def drain(plane: ControlPlane) -> None:
    """Does all pending work."""
    while plane.pending_work:
        item = plane.pending_work.pop(0)
        activate(plane, item.function_arn, item.version)


def recover(plane: ControlPlane) -> None:
    """At start: finishes what was acknowledged only, and removes code nothing refers to."""
    for version in functions.unsettled(plane.database.connection):
        plane.pending_work.append(WorkItem(version.function_arn, version.version))
    drain(plane)
    plane.collect_code()
    _prepare_lost(plane)


def _prepare_lost(plane: ControlPlane) -> None:
    """Images that versions run, and that are not here any more, are fetched once more; nothing waits for them."""
    for sha256, uri in images_in_use(plane.database.connection):
        if not plane.images.is_ready(sha256):
            plane.images.prepare(sha256, uri, partial(_tell_lost, uri))


def _tell_lost(uri: str, failure: ImageFailure | None) -> None:
    if failure is not None:
        _log.warning("The image %s is lost: %s", uri, failure.reason)


def _succeeded(version: FunctionVersion) -> FunctionVersion:
    return replace(
        version,
        state="Active",
        state_reason=None,
        state_reason_code=None,
        last_update_status="Successful",
        last_update_status_reason=None,
        last_update_status_reason_code=None,
    )


def _failed(version: FunctionVersion, reason: str, code: str = "InternalError") -> FunctionVersion:
    if version.state == "Pending":
        return replace(version, state="Failed", state_reason=reason, state_reason_code=code)
    return replace(
        version,
        last_update_status="Failed",
        last_update_status_reason=reason,
        last_update_status_reason_code=code,
    )
