"""SNS's own errors, by the names of botocore's ``sns`` model; the wire gives them their query codes.

The texts are AWS's recorded answers where nothing else is said beside them.
"""

from lambent.model.errors import ClientFault, PlatformFault


def invalid(message: str) -> ClientFault:
    """400 ``InvalidParameter``: ``Invalid parameter: `` and what is wrong."""
    return ClientFault("InvalidParameterException", f"Invalid parameter: {message}")


def invalid_attribute(name: str, reason: str, *, creating: bool) -> ClientFault:
    """The same of an attribute's value; worded differently where the resource is being made."""
    where = "Attributes Reason: " if creating else ""
    return invalid(f"{where}{name}: {reason}")


def invalid_value(message: str) -> ClientFault:
    """400 ``ParameterValueInvalid``, of message attributes."""
    return ClientFault("InvalidParameterValueException", message)


def no_topic() -> ClientFault:
    """404 ``NotFound``."""
    return ClientFault("NotFoundException", "Topic does not exist", 404)


def no_subscription() -> ClientFault:
    """404 ``NotFound``."""
    return ClientFault("NotFoundException", "Subscription does not exist", 404)


def no_resource() -> ClientFault:
    """404 ``ResourceNotFound``, of the tagging operations."""
    return ClientFault("ResourceNotFoundException", "Resource does not exist", 404)


def denied(who: str, action: str, resource: str, *, explicitly: bool) -> ClientFault:
    """403 ``AuthorizationError``. Best known: the ending says which kind of policy decided."""
    why = (
        "with an explicit deny in a resource-based policy"
        if explicitly
        else f"because no resource-based policy allows the {action} action"
    )
    return ClientFault(
        "AuthorizationErrorException",
        f"User: {who} is not authorized to perform: {action} on resource: {resource} {why}",
        403,
    )


def unauthorized(message: str) -> ClientFault:
    """403 ``AuthorizationError`` in other words."""
    return ClientFault("AuthorizationErrorException", message, 403)


def store_full() -> PlatformFault:
    """507: nothing was accepted. AWS has no such state, and so no text for it."""
    return PlatformFault("The disk is full: nothing was stored.", "InternalErrorException", 507)
