"""What is sent on when an event ends: to a destination its record, to a dead-letter target the event. Pure."""

from dataclasses import dataclass, replace

from lambent.invoke import lineage
from lambent.invoke.delivery_requests import object_key
from lambent.invoke.destinations import Ending, dead_letter_attributes, invocation_record
from lambent.invoke.events import EventAttributes, Function
from lambent.invoke.outlets import service_of
from lambent.model.function import LATEST
from lambent.model.invocation import Target
from lambent.model.outgoing import Delivery, Outgoing
from lambent.store.queues.contract import Message

MAX_SNS_BYTES = 256 * 1024
"""AWS: over it the payloads are left out of the record. Source: the shape ``OnFailure``."""


@dataclass(frozen=True, slots=True)
class Event:
    """A message with what it means."""

    function: Function
    queue_id: int
    message: Message
    attributes: EventAttributes


@dataclass(frozen=True, slots=True)
class Sending:
    """Something to be sent on."""

    is_dead_letter: bool
    target_arn: str
    outgoing: Outgoing


def sendings_of(event: Event, target: Target, ending: Ending, now_ms: int) -> list[Sending]:
    """None, one, or both, as ``target`` is configured and as it ended."""
    config = target.event_invoke_config
    succeeded = ending.condition == "Success"
    arn = config.on_success if succeeded else config.on_failure
    sendings = []
    if arn:
        record = _record(event, ending, arn, now_ms)
        outgoing = replace(
            _outgoing(event, target, record), delivery=_delivery(event, succeeded, now_ms)
        )
        sendings.append(Sending(False, arn, outgoing))
    if target.primary.dead_letter_arn and not succeeded:
        dead = replace(
            _outgoing(event, target, event.message.body),
            attributes=dead_letter_attributes(event.message.message_id, ending),
        )
        sendings.append(Sending(True, target.primary.dead_letter_arn, dead))
    return sendings


def _outgoing(event: Event, target: Target, body: bytes) -> Outgoing:
    trace = event.attributes.trace
    return Outgoing(
        body,
        target.primary.role,
        _function_arn(event),
        event.function[0],
        trace_header=lineage.extend(trace, *event.function)[0] if trace else None,
    )


def _delivery(event: Event, succeeded: bool, now_ms: int) -> Delivery:
    """Source of both names: "Capturing records of Lambda asynchronous invocations"."""
    return Delivery(
        object_key(f"aws/lambda/async/{event.function[2]}", now_ms),
        f"Lambda Function Invocation Result - {'Success' if succeeded else 'Failure'}",
        f"{_function_arn(event)}:{event.attributes.qualifier or LATEST}",
    )


def _record(event: Event, ending: Ending, arn: str, now_ms: int) -> bytes:
    def build(*, payloads: bool) -> bytes:
        return invocation_record(
            ending,
            request_id=event.message.message_id,
            function_arn=f"{_function_arn(event)}:{event.attributes.qualifier or LATEST}",
            request_payload=event.message.body,
            now_ms=now_ms,
            payloads=payloads,
        )

    record = build(payloads=True)
    if service_of(arn) == "sns" and len(record) > MAX_SNS_BYTES:
        return build(payloads=False)
    return record


def _function_arn(event: Event) -> str:
    account_id, region, name = event.function
    return f"arn:aws:lambda:{region}:{account_id}:function:{name}"
