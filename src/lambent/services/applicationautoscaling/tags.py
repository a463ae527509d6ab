"""Tags of scalable targets."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from lambent.model.call import Call, Result
from lambent.model.errors import ClientFault
from lambent.services.applicationautoscaling.faults import invalid
from lambent.services.applicationautoscaling.lookup import place_of
from lambent.store import scaling, tags

if TYPE_CHECKING:
    from lambent.services.applicationautoscaling.service import AutoScaling

_MAX_TAGS = 50


def tag_resource(service: "AutoScaling", call: Call) -> Result:
    """``TagResource``."""
    arn, given = _arn_of(service, call), call.parameters["Tags"]
    check_tags(given)
    with service.plane.database.transaction() as cx:
        tags.put_tags(cx, arn, given)
        check_tags(tags.list_tags(cx, arn), arn)
    return Result()


def untag_resource(service: "AutoScaling", call: Call) -> Result:
    """``UntagResource``; a key that is not there is no error."""
    arn = _arn_of(service, call)
    with service.plane.database.transaction() as cx:
        tags.remove_tags(cx, arn, call.parameters["TagKeys"])
    return Result()


def list_tags_for_resource(service: "AutoScaling", call: Call) -> Result:
    """``ListTagsForResource``."""
    arn = _arn_of(service, call)
    return Result({"Tags": tags.list_tags(service.plane.database.connection, arn)})


def check_tags(given: Mapping[str, str], arn: str = "") -> None:
    """Raises ``TooManyTagsException`` for more than 50, ``ValidationException`` for AWS's own keys."""
    if len(given) > _MAX_TAGS:
        raise ClientFault(
            "TooManyTagsException",
            f"No more than {_MAX_TAGS} tags are allowed.",
            fields={"ResourceName": arn},
        )
    if any(key.lower().startswith("aws:") for key in given):
        raise invalid("Tag keys must not begin with aws:.")


def _arn_of(service: "AutoScaling", call: Call) -> str:
    arn: str = call.parameters["ResourceARN"]
    cx = service.plane.database.connection
    targets = scaling.list_records(cx, place_of(call), "target")
    if all(target.document["Arn"] != arn for target in targets):
        raise ClientFault(
            "ResourceNotFoundException",
            f"The resource you requested does not exist: {arn}",
            fields={"ResourceName": arn},
        )
    return arn
