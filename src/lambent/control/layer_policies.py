"""Policies of layer versions: which accounts may use them. Each has a revision of its own."""

import json
import sqlite3
from dataclasses import replace

from lambent.control.layer_names import LayerName, layer_of
from lambent.control.locate import check_revision
from lambent.control.plane import ControlPlane, new_revision_id
from lambent.control.statements import build_statement, check_policy_size, policy_text
from lambent.model.call import Call, Result
from lambent.model.errors import conflict, not_found
from lambent.store import layers, policies
from lambent.store.layers import LayerVersion

_ASK = "GetLayerPolicy"


def add_layer_version_permission(plane: ControlPlane, call: Call) -> Result:
    """``AddLayerVersionPermission``: one more statement for a layer version."""
    parameters = call.parameters
    statement_id = parameters["StatementId"]
    with plane.database.transaction() as cx:
        version = _version(cx, call)
        present = policies.list_statements(cx, version.arn)
        if any(statement["Sid"] == statement_id for statement in present):
            raise conflict(
                f"The statement id ({statement_id}) provided already exists. Please provide a new "
                "statement id, or remove the existing statement."
            )
        check_revision(parameters.get("RevisionId"), version.revision_id, ask=_ASK)
        statement = build_statement(parameters, version.arn)
        check_policy_size([*present, statement])
        policies.add_statement(cx, version.arn, statement_id, statement)
        revision_id = _touch(cx, version)
    text = json.dumps(statement, separators=(",", ":"))
    return Result({"Statement": text, "RevisionId": revision_id}, status=201)


def remove_layer_version_permission(plane: ControlPlane, call: Call) -> Result:
    """``RemoveLayerVersionPermission``: one statement less."""
    parameters = call.parameters
    statement_id = parameters["StatementId"]
    with plane.database.transaction() as cx:
        version = _version(cx, call)
        check_revision(parameters.get("RevisionId"), version.revision_id, ask=_ASK)
        if not policies.remove_statement(cx, version.arn, statement_id):
            raise not_found(f"Statement {statement_id} is not found in resource policy.")
        _touch(cx, version)
    return Result(status=204)


def get_layer_version_policy(plane: ControlPlane, call: Call) -> Result:
    """``GetLayerVersionPolicy``: the policy as JSON text."""
    cx = plane.database.connection
    version = _version(cx, call)
    statements = policies.list_statements(cx, version.arn)
    if not statements:
        raise not_found("No policy is associated with the given resource.")
    return Result({"Policy": policy_text(statements), "RevisionId": version.revision_id})


def _version(cx: sqlite3.Connection, call: Call) -> LayerVersion:
    layer: LayerName = layer_of(call, call.parameters["LayerName"], own=True)
    number: int = call.parameters["VersionNumber"]
    version = layers.get_layer_version(cx, layer.account_id, layer.region, layer.name, number)
    if version is None:
        raise not_found(f"Layer version {layer.version_arn(number)} does not exist.")
    return version


def _touch(cx: sqlite3.Connection, version: LayerVersion) -> str:
    touched = replace(version, revision_id=new_revision_id())
    layers.put_layer_version(cx, touched)
    return touched.revision_id
