"""Where events and their records are sent on to: the outlet of each hosted service, by ARN."""

import uuid
from collections.abc import Callable, Collection, Mapping, MutableMapping
from types import MappingProxyType

from lambent.invoke.events import MAX_PAYLOAD_BYTES, EventAttributes, open_queue, queue_key
from lambent.invoke.frontend import check_payload, too_large_event
from lambent.model.errors import not_found, not_yet
from lambent.model.function_name import FunctionName
from lambent.model.outgoing import Outgoing
from lambent.store.queues.contract import NewMessage, Transaction
from lambent.store.queues.outlet import Outlet

_MAX_TRACE_CHARS = 512


class Outlets:
    """Is an :class:`~lambent.store.queues.outlet.Outlet` over those of services, by their word in an ARN."""

    def __init__(self, outlets: Mapping[str, Outlet] = MappingProxyType({})) -> None:
        self._outlets = dict(outlets)

    def register(self, service: str, outlet: Outlet) -> None:
        """A service is hosted here: its ARNs can be sent to."""
        self._outlets[service] = outlet

    @property
    def services(self) -> Collection[str]:
        """What can be sent to: a view that follows what is registered."""
        return self._outlets.keys()

    def put(self, tx: Transaction, target_arn: str, outgoing: Outgoing, now_ms: int) -> None:
        """See the protocol. A service that is not hosted is refused."""
        outlet = self._outlets.get(service_of(target_arn))
        if outlet is None:
            raise not_yet(f"the destination {target_arn}")
        outlet.put(tx, target_arn, outgoing, now_ms)


class LambdaOutlet:
    """Puts an event into a function's queue, as an asynchronous invocation would.

    ``find`` raises AWS's 404 for a function, version or alias that is not there, ``authorize`` its 403
    where the sender may not invoke it; both are called on the store's thread. ``queues`` (queue id → key)
    is shared with the event queue, which so knows whose an arrival is.
    """

    def __init__(
        self,
        find: Callable[[FunctionName], object],
        authorize: Callable[[FunctionName, Outgoing], None],
        queues: MutableMapping[int, str],
    ) -> None:
        self._find = find
        self._authorize = authorize
        self._queues = queues

    def put(self, tx: Transaction, target_arn: str, outgoing: Outgoing, now_ms: int) -> None:
        """See the protocol. The body has to be JSON and at most 1 MB."""
        function = _function_of(target_arn)
        self._find(function)
        self._authorize(function, outgoing)
        if len(outgoing.body) > MAX_PAYLOAD_BYTES:
            raise too_large_event(len(outgoing.body), MAX_PAYLOAD_BYTES)
        payload = check_payload(outgoing.body)
        attributes = EventAttributes(
            function.qualifier, clean_trace(outgoing.trace_header), outgoing.principal
        )
        message = NewMessage(str(uuid.uuid4()), payload, attributes.encode())
        key = queue_key(function.account_id, function.region, function.name)
        queue_id = open_queue(tx, key).queue_id
        self._queues[queue_id] = key
        tx.send(queue_id, [message], now_ms)


def service_of(arn: str) -> str:
    """``sqs``, ``sns``, ``lambda``, …"""
    parts = arn.split(":", 3)
    return parts[2] if len(parts) > 3 else ""


def clean_trace(trace: str | None) -> str:
    """A trace header that may go into a header line; what could not is as good as none."""
    if trace and len(trace) <= _MAX_TRACE_CHARS and trace.isascii() and trace.isprintable():
        return trace
    return ""


def _function_of(arn: str) -> FunctionName:
    """``arn:aws:lambda:REGION:ACCOUNT:function:NAME[:QUALIFIER]``."""
    parts = arn.split(":")
    if len(parts) not in {7, 8} or parts[5] != "function":
        raise not_found(f"Function not found: {arn}")
    return FunctionName(parts[4], parts[3], parts[6], parts[7] if len(parts) == 8 else None)
