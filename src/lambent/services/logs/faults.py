"""CloudWatch Logs' own errors. All are 400 in its protocol. Source: the service's API reference."""

from lambent.model.errors import ClientFault

NO_GROUP = "The specified log group does not exist."
NO_STREAM = "The specified log stream does not exist."
GROUP_EXISTS = "The specified log group already exists"
STREAM_EXISTS = "The specified log stream already exists"
BAD_TOKEN = "The specified nextToken is invalid."  # noqa: S105


def not_found(message: str) -> ClientFault:
    """``ResourceNotFoundException``."""
    return ClientFault("ResourceNotFoundException", message)


def already_exists(message: str) -> ClientFault:
    """``ResourceAlreadyExistsException``."""
    return ClientFault("ResourceAlreadyExistsException", message)


def invalid(message: str) -> ClientFault:
    """``InvalidParameterException``."""
    return ClientFault("InvalidParameterException", message)
