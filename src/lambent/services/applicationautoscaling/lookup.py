"""What requests name: the namespace and dimension hosted here, resources, pages."""

import base64
import re
from collections.abc import Callable, Sequence
from typing import Any

from lambent.model.call import Call
from lambent.model.errors import ClientFault, not_yet
from lambent.services.applicationautoscaling.faults import DIMENSION, NAMESPACE, invalid
from lambent.store.scaling import ScalingRecord

_RESOURCE = re.compile(r"function:([a-zA-Z0-9-_]{1,64}):([a-zA-Z0-9-_]{1,128})")
_MAX_RESULTS = 50
_UNSUPPORTED = "Unsupported service namespace, resource type or scalable dimension"


def place_of(call: Call) -> tuple[str, str]:
    """Account and region."""
    return call.caller.account_id, call.caller.region


def check_namespace(call: Call) -> None:
    """Raises 501 for a service that is not scaled here, AWS's 400 for a dimension that is not the service's."""
    namespace = call.parameters["ServiceNamespace"]
    if namespace != NAMESPACE:
        raise not_yet(f"ServiceNamespace {namespace}")
    dimension = call.parameters.get("ScalableDimension", DIMENSION)
    if dimension != DIMENSION:
        raise invalid(_UNSUPPORTED)


def resource_of(call: Call) -> str:
    """``function:NAME:QUALIFIER``. Raises what :func:`check_namespace` raises, and 400 for another form."""
    check_namespace(call)
    resource_id: str = call.parameters["ResourceId"]
    split_resource(resource_id)
    return resource_id


def split_resource(resource_id: str) -> tuple[str, str]:
    """Function and qualifier."""
    match = _RESOURCE.fullmatch(resource_id)
    if match is None:
        raise invalid(_UNSUPPORTED)
    return match[1], match[2]


def qualified_arn(account_id: str, region: str, resource_id: str) -> str:
    """The ARN of the version or alias that a resource is."""
    return f"arn:aws:lambda:{region}:{account_id}:{resource_id}"


def page(
    call: Call,
    records: Sequence[ScalingRecord],
    member: str,
    show: Callable[[ScalingRecord], dict[str, Any]],
) -> dict[str, Any]:
    """At most ``MaxResults`` (50) of ``records``, which are what :func:`after` left, and how to go on."""
    size = call.parameters.get("MaxResults", _MAX_RESULTS)
    if not 1 <= size <= _MAX_RESULTS:
        raise invalid(f"MaxResults must be between 1 and {_MAX_RESULTS}.")
    shown: dict[str, Any] = {member: [show(record) for record in records[:size]]}
    if len(records) > size:
        last = records[size - 1]
        token = f"{last.resource_id}\n{last.name}".encode()
        shown["NextToken"] = base64.urlsafe_b64encode(token).decode()
    return shown


def after(call: Call) -> tuple[str, str]:
    """The key that ``NextToken`` stands for. Raises ``InvalidNextTokenException``."""
    token = call.parameters.get("NextToken")
    if token is None:
        return "", ""
    try:
        resource_id, _, name = (
            base64.b64decode(token, b"-_", validate=True).decode().partition("\n")
        )
    except ValueError:
        raise ClientFault("InvalidNextTokenException", "The next token is invalid.") from None
    return resource_id, name
