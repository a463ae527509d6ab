"""Layers: published versions of shared code. There is no ``$LATEST``; a version never changes.

Source: https://docs.aws.amazon.com/lambda/latest/dg/chapter-layers.html
"""

from typing import Any

from lambent.control import paging
from lambent.control.account import check_code_storage
from lambent.control.answers import code_location, code_sha256
from lambent.control.functions import uploaded_code
from lambent.control.layer_names import LayerName, access_to, layer_of
from lambent.control.plane import ControlPlane
from lambent.control.refusals import refuse_unsupported
from lambent.model.call import Call, Caller, Result
from lambent.model.errors import invalid_parameter, not_found
from lambent.store import functions, layers, policies
from lambent.store.layers import NEWEST, LayerVersion


def publish_layer_version(plane: ControlPlane, call: Call) -> Result:
    """``PublishLayerVersion``: the next version of a layer, its content checked and unpacked."""
    parameters = call.parameters
    content = parameters["Content"]
    refuse_unsupported(content)
    layer = layer_of(call, parameters["LayerName"], own=True)
    code = plane.code.put(*uploaded_code(call, content, "layer content"))
    with plane.database.transaction() as cx:
        number = functions.take_number(cx, layer.account_id, layer.region, "layer", layer.name)
        version = LayerVersion(
            account_id=layer.account_id,
            region=layer.region,
            name=layer.name,
            number=number,
            code=code,
            created_date=plane.timestamp(),
            revision_id="",
            description=parameters.get("Description") or "",
            compatible_runtimes=_as_tuple(parameters.get("CompatibleRuntimes")),
            compatible_architectures=_as_tuple(parameters.get("CompatibleArchitectures")),
            license_info=parameters.get("LicenseInfo"),
        )
        layers.put_layer_version(cx, version)
        check_code_storage(plane, cx, layer.account_id, layer.region)
    return Result(_show(call.caller, version), status=201)


def get_layer_version(plane: ControlPlane, call: Call) -> Result:
    """``GetLayerVersion``, by the layer's name or ARN and a number."""
    layer = layer_of(call, call.parameters["LayerName"])
    return _get(plane, call, layer, _checked(call.parameters["VersionNumber"]))


def get_layer_version_by_arn(plane: ControlPlane, call: Call) -> Result:
    """``GetLayerVersionByArn``: the same by the version's own ARN."""
    layer = layer_of(call, call.parameters["Arn"])
    if layer.number is None:
        raise not_found("The resource you requested does not exist.")
    return _get(plane, call, layer, layer.number)


def list_layers(plane: ControlPlane, call: Call) -> Result:
    """``ListLayers``: each layer with the newest of its versions that match."""
    size = paging.page_size(call.parameters)
    (start,) = paging.after(call.parameters, ("",))
    place = (call.caller.account_id, call.caller.region)
    found: list[LayerVersion] = []
    cx = plane.database.connection
    for name in layers.layer_names(cx, *place, after=str(start)):
        found += layers.list_layer_versions(
            cx, (*place, name), **_compatible(call), after=NEWEST, limit=1
        )
        if len(found) > size:
            break
    return Result(
        paging.page(found, size, lambda version: (version.name,), _show_as_latest, "Layers")
    )


def list_layer_versions(plane: ControlPlane, call: Call) -> Result:
    """``ListLayerVersions``: newest first; a layer that is not there has none."""
    layer = layer_of(call, call.parameters["LayerName"], own=True)
    size = paging.page_size(call.parameters)
    (start,) = paging.after(call.parameters, (NEWEST,))
    found = layers.list_layer_versions(
        plane.database.connection,
        (layer.account_id, layer.region, layer.name),
        **_compatible(call),
        after=int(start),
        limit=size + 1,
    )
    return Result(
        paging.page(found, size, lambda version: (version.number,), _listed, "LayerVersions")
    )


def delete_layer_version(plane: ControlPlane, call: Call) -> Result:
    """``DeleteLayerVersion``. Functions that use it keep it; one that is not there is no error."""
    layer = layer_of(call, call.parameters["LayerName"], own=True)
    number = _checked(call.parameters["VersionNumber"])
    with plane.database.transaction() as cx:
        gone = layers.get_layer_version(cx, layer.account_id, layer.region, layer.name, number)
        layers.delete_layer_version(cx, layer.account_id, layer.region, layer.name, number)
        policies.remove_policies(cx, layer.version_arn(number))
    if gone is not None:
        plane.release_code(code=[gone.code.sha256])
    return Result(status=204)


def _get(plane: ControlPlane, call: Call, layer: LayerName, number: int) -> Result:
    cx = plane.database.connection
    access_to(cx, call.caller, layer, number)
    version = layers.get_layer_version(cx, layer.account_id, layer.region, layer.name, number)
    if version is None:
        raise not_found("The resource you requested does not exist.")
    return Result(_show(call.caller, version))


def _checked(number: int) -> int:
    if number < 1:
        raise invalid_parameter("Layer Version Cannot be less than 1")
    return number


def _as_tuple(values: list[str] | None) -> tuple[str, ...] | None:
    return None if values is None else tuple(values)


def _compatible(call: Call) -> dict[str, Any]:
    return {
        "runtime": call.parameters.get("CompatibleRuntime"),
        "architecture": call.parameters.get("CompatibleArchitecture"),
    }


def _show(caller: Caller, version: LayerVersion) -> dict[str, Any]:
    """The shapes ``PublishLayerVersionResponse`` and ``GetLayerVersionResponse``."""
    content = {
        "Location": code_location(caller, version.code),
        "CodeSha256": code_sha256(version.code),
        "CodeSize": version.code.size_bytes,
    }
    return {"Content": content, "LayerArn": version.layer_arn} | _listed(version)


def _listed(version: LayerVersion) -> dict[str, Any]:
    """The shape ``LayerVersionsListItem``."""
    output: dict[str, Any] = {
        "LayerVersionArn": version.arn,
        "Version": version.number,
        "Description": version.description,
        "CreatedDate": version.created_date,
    }
    if version.compatible_runtimes is not None:
        output["CompatibleRuntimes"] = list(version.compatible_runtimes)
    if version.compatible_architectures is not None:
        output["CompatibleArchitectures"] = list(version.compatible_architectures)
    if version.license_info is not None:
        output["LicenseInfo"] = version.license_info
    return output


def _show_as_latest(version: LayerVersion) -> dict[str, Any]:
    """The shape ``LayersListItem``."""
    return {
        "LayerName": version.name,
        "LayerArn": version.layer_arn,
        "LatestMatchingVersion": _listed(version),
    }
