"""SQS's own errors. Codes and statuses: the ``awsQueryError`` traits of SQS's Smithy model.

Texts are AWS's, from recordings of its answers, unless a comment calls them the best known.
"""

from lambent.model.errors import ClientFault

NO_QUEUE = "The specified queue does not exist."
BAD_ENTRY_ID = (
    "A batch entry id can only contain alphanumeric characters, hyphens and underscores. "
    "It can be at most 80 letters long."
)
BAD_CHARACTERS = (
    "Invalid characters found. Valid unicode characters are "
    "#x9 | #xA | #xD | #x20 to #xD7FF | #xE000 to #xFFFD | #x10000 to #x10FFFF"
)
NOT_FOR_THIS_TYPE = "The request include parameter that is not valid for this queue type."
NO_DEDUPLICATION = (
    "The queue should either have ContentBasedDeduplication enabled "
    "or MessageDeduplicationId provided explicitly"
)


_MAX_SHOWN = 10**30
"""POLICY: a number beyond that is not repeated: the interpreter refuses to write very long ones."""


def no_queue() -> ClientFault:
    """``QueueDoesNotExist``."""
    return ClientFault("QueueDoesNotExist", NO_QUEUE)


def invalid(message: str) -> ClientFault:
    """``InvalidParameterValue``."""
    return ClientFault("InvalidParameterValue", message)


def invalid_value(value: object, parameter: str, reason: str) -> ClientFault:
    """``InvalidParameterValue`` in its usual words; a value of any length is shown in part."""
    shown = "…" if isinstance(value, int) and abs(value) > _MAX_SHOWN else value
    return invalid(f"Value {shown} for parameter {parameter} is invalid. Reason: {reason}")


def missing(parameter: str) -> ClientFault:
    """``MissingParameter``."""
    return ClientFault("MissingParameter", f"The request must contain the parameter {parameter}.")


def unknown_attribute(name: str) -> ClientFault:
    """``InvalidAttributeName``."""
    return ClientFault("InvalidAttributeName", f"Unknown Attribute {name}.")


def invalid_attribute(name: str, reason: str = "") -> ClientFault:
    """``InvalidAttributeValue``."""
    told = f" Reason: {reason}" if reason else ""
    return ClientFault("InvalidAttributeValue", f"Invalid value for the parameter {name}.{told}")


def not_there(parameter: str) -> ClientFault:
    """404 ``ResourceNotFoundException`` of move tasks."""
    text = f"The resource that you specified for the {parameter} parameter doesn't exist."
    return ClientFault("ResourceNotFoundException", text, 404)


def over_limit(message: str) -> ClientFault:
    """403 ``OverLimit``."""
    return ClientFault("OverLimit", message, 403)


def bad_handle(handle: str) -> ClientFault:
    """404 ``ReceiptHandleIsInvalid``."""
    text = f'The input receipt handle "{handle}" is not a valid receipt handle.'
    return ClientFault("ReceiptHandleIsInvalid", text, 404)


def expired_handle(handle: str) -> ClientFault:
    """A FIFO queue's answer to the handle of a message that is another receiver's, or nobody's."""
    return invalid_value(handle, "ReceiptHandle", "The receipt handle has expired.")
