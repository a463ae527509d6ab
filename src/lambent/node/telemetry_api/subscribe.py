"""``PUT /2022-07-01/telemetry``."""

import time

from lambent.http1.exchange import Exchange
from lambent.node.extensions_api.answers import Refusal, answer, read_object
from lambent.node.extensions_api.extension import Extension
from lambent.node.telemetry_api.hub import Hub
from lambent.node.telemetry_api.records import subscription_event
from lambent.node.telemetry_api.subscription import InvalidSubscriptionError, parse_subscription


def subscribe(hub: Hub, extension: Extension, exchange: Exchange, *, is_open: bool) -> None:
    """Subscribes an extension. Raises Refusal; nothing changed then.

    Source: ``subscription_api.go`` of AWS's runtime interface emulator for answers and types.
    """
    if not is_open:
        message = "Telemetry API subscription is closed"
        raise Refusal("Telemetry.SubscriptionClosed", message)
    try:
        subscription = parse_subscription(read_object(exchange))
    except (InvalidSubscriptionError, ValueError) as error:
        raise Refusal("ValidationError", str(error), 400) from error
    hub.subscribe(extension.name, subscription)
    now_ms = time.time_ns() // 1_000_000
    hub.platform(subscription_event(now_ms, extension.name, subscription.types))
    answer(exchange, "OK")
