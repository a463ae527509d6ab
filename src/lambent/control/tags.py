"""Tags of functions, code signing configurations and event source mappings.

Source: https://docs.aws.amazon.com/lambda/latest/dg/configuration-tags.html
"""

import re
import sqlite3
from collections.abc import Mapping

from lambent.control.locate import latest_of
from lambent.control.plane import ControlPlane, touched
from lambent.model import limits
from lambent.model.call import Call, Result
from lambent.model.code_signing import config_id_in
from lambent.model.errors import ClientFault, invalid_parameter, not_found
from lambent.model.event_source_mapping import mapping_arn
from lambent.model.function_name import FunctionName, parse_function_name
from lambent.store import code_signing, event_source_mappings, functions, tags

_FUNCTION_ARN = re.compile(r"arn:aws[a-zA-Z-]*:lambda:[^:]+:\d{12}:function:.+")


def list_tags(plane: ControlPlane, call: Call) -> Result:
    """``ListTags`` of a resource."""
    cx = plane.database.connection
    return Result({"Tags": tags.list_tags(cx, _resource(cx, call))})


def tag_resource(plane: ControlPlane, call: Call) -> Result:
    """``TagResource``: adds tags to a resource, or changes them."""
    given = check_tags(call.parameters["Tags"])
    if not given:
        raise invalid_parameter("An error occurred and the request cannot be processed.")
    with plane.database.transaction() as cx:
        arn = _resource(cx, call, touches=True)
        tags.put_tags(cx, arn, given)
        check_tags(tags.list_tags(cx, arn))
    return Result(status=204)


def untag_resource(plane: ControlPlane, call: Call) -> Result:
    """``UntagResource``: a key that is not there is no error."""
    with plane.database.transaction() as cx:
        arn = _resource(cx, call, touches=True)
        tags.remove_tags(cx, arn, call.parameters["TagKeys"])
    return Result(status=204)


def check_tags(given: Mapping[str, str]) -> Mapping[str, str]:
    """The tags, if a resource may have them.

    Raises ``InvalidParameterValueException`` for more than 50, or a key that is AWS's own.
    """
    if len(given) > limits.TAGS.value:
        raise invalid_parameter("Number of tags exceeds resource tag limit.")
    if any(key.lower().startswith("aws:") for key in given):
        # Best known.
        raise invalid_parameter("aws: prefixed tag key names are not allowed for external use.")
    return given


def _resource(cx: sqlite3.Connection, call: Call, *, touches: bool = False) -> str:
    """The ARN that tags hang on. Raises ``ResourceNotFoundException`` for what is not there."""
    resource: str = call.parameters["Resource"]
    if ":code-signing-config:" in resource:
        place = (call.caller.account_id, call.caller.region)
        config_id = config_id_in(resource, *place)
        if config_id is None or code_signing.get_config(cx, *place, config_id) is None:
            raise not_found(f"The resource you requested does not exist: {resource}")
        return resource
    if ":event-source-mapping:" in resource:
        return _mapping_arn(cx, call, resource)
    function = _function(call, resource)
    latest = latest_of(cx, function)
    if touches:  # AWS: tags are part of what RevisionId stands for
        functions.put_version(cx, touched(latest))
    return function.function_arn


def _mapping_arn(cx: sqlite3.Connection, call: Call, resource: str) -> str:
    mapping = event_source_mappings.get_mapping(cx, resource.rpartition(":")[2])
    place = (call.caller.account_id, call.caller.region)
    if mapping is None or (mapping.account_id, mapping.region) != place:
        raise not_found(f"The resource you requested does not exist: {resource}")
    return mapping_arn(mapping)


def _function(call: Call, resource: str) -> FunctionName:
    if not _FUNCTION_ARN.fullmatch(resource):
        # The model's pattern lets only a few other kinds through, none of which Lambent has.
        raise not_found(f"The resource you requested does not exist: {resource}")
    function = parse_function_name(
        resource, account_id=call.caller.account_id, region=call.caller.region
    )
    if function.qualifier is not None:
        raise _qualified()
    return function


def _qualified() -> ClientFault:
    return invalid_parameter(
        "Tags on function aliases and versions are not supported. Please specify a function ARN."
    )
