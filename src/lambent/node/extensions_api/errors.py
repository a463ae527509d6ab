"""``POST /2020-01-01/extension/init/error`` and ``/exit/error``: an extension tells that it failed, and why."""

from lambent.http1.exchange import Exchange
from lambent.node.extensions_api.answers import Refusal, accept, header
from lambent.node.extensions_api.extension import Extension
from lambent.node.extensions_api.registry import change
from lambent.node.extensions_api.states import Event

_ERROR_TYPE = "Lambda-Extension-Function-Error-Type"
_MAX_TYPE_CHARACTERS = 1024
"""POLICY: what of the type is kept and shown."""


def tell_error(extension: Extension, event: Event, exchange: Exchange) -> None:
    """Raises Refusal. Source: ``agentiniterror.go`` of AWS's runtime interface emulator."""
    error_type = header(exchange, _ERROR_TYPE)
    if not error_type:
        raise Refusal("Extension.MissingHeader", f"{_ERROR_TYPE} not found")
    change(extension, event, extension.identifier)
    extension.error_type = error_type[:_MAX_TYPE_CHARACTERS]
    accept(exchange)
