"""Application Auto Scaling's errors. Texts: recorded where nothing else is said, "best known" elsewhere."""

from lambent.model.errors import ClientFault

NAMESPACE = "lambda"
DIMENSION = "lambda:function:ProvisionedConcurrency"


def invalid(message: str) -> ClientFault:
    """400 ``ValidationException``."""
    return ClientFault("ValidationException", message)


def not_registered(resource_id: str) -> ClientFault:
    """400 ``ObjectNotFoundException`` for a resource without a scalable target."""
    return _missing("scalable target", resource_id)


def no_policy(resource_id: str, name: str) -> ClientFault:
    """400 ``ObjectNotFoundException`` for a scaling policy."""
    return _missing("scaling policy", resource_id, f", policy name: {name}")


def no_action(resource_id: str, name: str) -> ClientFault:
    """400 ``ObjectNotFoundException`` for a scheduled action."""
    return _missing("scheduled action", resource_id, f", scheduled action name: {name}")


def limit_exceeded(message: str) -> ClientFault:
    """400 ``LimitExceededException``. Best known wording."""
    return ClientFault("LimitExceededException", message)


def _missing(what: str, resource_id: str, more: str = "") -> ClientFault:
    return ClientFault(
        "ObjectNotFoundException",
        f"No {what} found for service namespace: {NAMESPACE}, resource ID: {resource_id}, "
        f"scalable dimension: {DIMENSION}{more}",
    )
