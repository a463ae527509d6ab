"""``POST /2020-01-01/extension/register``."""

from lambent.http1.exchange import Exchange
from lambent.model.invocation import EnvironmentSpec
from lambent.node.extensions_api.answers import Refusal, answer, header, read_object
from lambent.node.extensions_api.extension import Extension
from lambent.node.extensions_api.registry import Registry


def register(registry: Registry, spec: EnvironmentSpec, exchange: Exchange) -> Extension:
    """Registers whoever asks, and answers with what function this is. Raises Refusal.

    Source: ``agentregister.go`` of AWS's runtime interface emulator.
    """
    name = header(exchange, "Lambda-Extension-Name")
    if not name:
        raise Refusal("Extension.InvalidExtensionName", "Empty extension name")
    extension = registry.register(name, _events(exchange))
    document = {
        "functionName": spec.function_name,
        "functionVersion": spec.version,
        "handler": spec.handler,
    }
    features = header(exchange, "Lambda-Extension-Accept-Feature").split(",")
    if "accountId" in [feature.strip() for feature in features]:
        document["accountId"] = spec.account_id
    answer(exchange, document, f"Lambda-Extension-Identifier: {extension.identifier}\r\n")
    return extension


def _events(exchange: Exchange) -> list[str]:
    try:
        document = read_object(exchange)
    except ValueError as error:
        raise Refusal("InvalidRequestFormat", str(error)) from error
    if document.get("configurationKeys"):
        message = "configurationKeys are deprecated; use environment variables instead"
        raise Refusal("InvalidRequestFormat", message)
    events = document.get("events") or []
    if not isinstance(events, list) or not all(isinstance(event, str) for event in events):
        raise Refusal("InvalidRequestFormat", "events is to be a list of strings")
    return events
