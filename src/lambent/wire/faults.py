"""The errors the wire itself raises, in AWS's words."""

import re

from lambent.model.errors import ClientFault

_BYTE = re.compile(r"\(byte (\d+)\)")


def serialization(message: str) -> ClientFault:
    """400 ``SerializationException``: the body is not what the operation's shape says."""
    return ClientFault("SerializationException", message, 400)


def unknown_operation(what: str) -> ClientFault:
    """501 ``UnknownOperationException``; ``what`` names the operation, or the method and path."""
    return ClientFault("UnknownOperationException", f"Unknown operation: {what}", 501)


def validation(message: str) -> ClientFault:
    """400 ``ValidationException``."""
    return ClientFault("ValidationException", message, 400)


def unparsable_json(body: bytes, reason: str) -> str:
    """What Jackson, AWS's JSON parser, says of ``body``; ``reason`` is ours and names the byte.

    Example: ``Unexpected character ('h' (code 104)): expected a valid value …``.
    """
    at = _BYTE.search(reason)
    position = int(at[1]) if at else len(body)
    text = body[:position].decode("utf-8", "replace")
    line, column = text.count("\n") + 1, len(text) - (text.rfind("\n") + 1) + 1
    where = f"\n at [Source: (byte[]); line: {line}, column: {column}]"
    if position >= len(body):
        return f"Unexpected end-of-input{where}"
    character = body[position]
    return (
        f"Unexpected character ('{chr(character)}' (code {character})): expected a valid value "
        f"(JSON String, Number, Array, Object or token 'null', 'true' or 'false'){where}"
    )
