"""Published versions: immutable, numbered from 1, no number given twice.

Source: https://docs.aws.amazon.com/lambda/latest/dg/configuration-versions.html
"""

import sqlite3
from dataclasses import replace

from lambent.control import paging
from lambent.control.account import check_code_storage
from lambent.control.answers import function_configuration, listed_configuration, shown_sha256
from lambent.control.lifecycle import is_settled, pending
from lambent.control.locate import (
    check_revision,
    check_settled,
    function_of,
    latest_of,
    unqualified_function_of,
)
from lambent.control.plane import ControlPlane, touched
from lambent.control.refusals import refuse_unsupported
from lambent.control.snap_start import check_snap_start
from lambent.model.call import Call, Result
from lambent.model.errors import invalid_parameter
from lambent.model.function import FunctionVersion
from lambent.model.function_name import FunctionName
from lambent.store import functions


def publish_version(plane: ControlPlane, call: Call) -> Result:
    """``PublishVersion``: freezes ``$LATEST``, or answers the last version if it is the same."""
    parameters = call.parameters
    refuse_unsupported(parameters)
    function = unqualified_function_of(call)
    with plane.database.transaction() as cx:
        latest = latest_of(cx, function)
        check_settled(latest)
        check_revision(parameters.get("RevisionId"), latest.revision_id)
        _check_code(parameters.get("CodeSha256"), latest)
        check_snap_start(latest, plane.snapshots.missing)
        version, is_new = publish(cx, latest, parameters.get("Description"))
        if is_new:
            functions.put_version(cx, touched(latest))
            check_code_storage(plane, cx, latest.account_id, latest.region)
    if is_new:
        plane.announce(version)
    return Result(function_configuration(plane.shown(version), qualifier=version.version))


def list_versions_by_function(plane: ControlPlane, call: Call) -> Result:
    """``ListVersionsByFunction``: ``$LATEST`` first, then by number."""
    function = function_of(call)
    size = paging.page_size(call.parameters)
    (start,) = paging.after(call.parameters, (-1,))
    cx = plane.database.connection
    latest_of(cx, function)
    found = functions.list_versions(cx, function, after=int(start), limit=size + 1)
    return Result(
        paging.page(
            found,
            size,
            lambda version: (functions.number_of(version),),
            lambda version: listed_configuration(version, qualifier=version.version),
            "Versions",
        )
    )


def publish(
    cx: sqlite3.Connection, latest: FunctionVersion, description: str | None = None
) -> tuple[FunctionVersion, bool]:
    """``latest`` under the next number, and True; or the last version, if it is the same."""
    place = (latest.account_id, latest.region)
    last = functions.last_published(cx, FunctionName(*place, latest.name))
    if last is not None and last.content_sha256 == latest.content_sha256:
        return last, False
    number = functions.take_number(cx, *place, "function", latest.name)
    version = touched(replace(latest, version=str(number), serving=None))
    # And what is initialised before it may be invoked.
    if version.snap_start or not is_settled(latest) or latest.serving is not None:
        version = pending(version)  # AWS: only what is published while it is made is Pending
    if description is not None:
        version = replace(version, description=description)
    functions.put_version(cx, version)
    return version, True


def _check_code(given: str | None, latest: FunctionVersion) -> None:
    current = shown_sha256(latest)
    if given and given != current:
        raise invalid_parameter(
            f"CodeSHA256 ({given}) is different from current CodeSHA256 in $LATEST ({current}). "
            "Please try again with the CodeSHA256 in $LATEST."
        )
