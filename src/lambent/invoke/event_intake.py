"""An event as it comes in: checked as AWS checks it, and made a message of its function's queue."""

from lambent.invoke.events import EventAttributes, Function
from lambent.invoke.frontend import check_payload, too_large_event
from lambent.invoke.tenancy import check_tenant
from lambent.model.errors import PlatformFault
from lambent.model.invocation import Target
from lambent.store.queues.contract import NewMessage


def read_event(
    target: Target,
    payload: bytes,
    *,
    request_id: str,
    trace: str,
    max_bytes: int,
    tenant_id: str | None = None,
) -> tuple[Function, NewMessage]:
    """Whose it is, and what is stored. Raises AWS's errors for a payload too large, or no JSON."""
    if len(payload) > max_bytes:
        raise too_large_event(len(payload), max_bytes)
    spec = target.primary
    check_tenant(spec, tenant_id)
    attributes = EventAttributes(_qualifier_of(target), trace, tenant_id=tenant_id)
    message = NewMessage(request_id, check_payload(payload), attributes.encode())
    return (spec.account_id, spec.region, spec.function_name), message


def disk_full() -> PlatformFault:
    """What a sender is told when nothing can be stored."""
    return PlatformFault(
        "The disk has no room for another event. Those accepted before are processed.",
        "ServiceException",
        507,
    )


def _qualifier_of(target: Target) -> str | None:
    """The qualifier the caller used: what stands behind the function's name in the invoked ARN."""
    parts = target.invoked_arn.split(":")
    return parts[7] if len(parts) > 7 else None
