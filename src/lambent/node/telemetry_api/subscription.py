"""What an extension asks for when it subscribes: read, checked, and given its defaults. No I/O.

Source: "Lambda Telemetry API reference" (AWS Lambda) for names, bounds and defaults; the subscription's JSON
schema in AWS's runtime interface emulator.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

TYPES = ("platform", "function", "extension")
SCHEMA_VERSIONS = ("2022-07-01", "2022-12-13", "2025-01-29")
HOSTS = ("sandbox.localdomain", "sandbox")
"""AWS: the names under which an environment knows itself; a destination is nowhere else."""
_BUFFERING = {
    # name: least, most, default
    "maxItems": (1_000, 10_000, 1_000),
    "maxBytes": (262_144, 1_048_576, 262_144),
    "timeoutMs": (25, 30_000, 1_000),
}


class InvalidSubscriptionError(ValueError):
    """The request is not one; the message says why."""


@dataclass(frozen=True, slots=True)
class Subscription:
    """Who gets what, where, and in what portions. ``path``: where a POST goes, with its query."""

    schema_version: str
    types: tuple[str, ...]
    port: int
    path: str
    host: str
    max_items: int = 1_000
    max_bytes: int = 262_144
    timeout_s: float = 1.0

    @property
    def embeds_json(self) -> bool:
        """AWS: since 2022-12-13 a line that is a JSON object is a record as it is, where the format is JSON."""
        return self.schema_version != "2022-07-01"


def parse_subscription(document: Mapping[str, Any]) -> Subscription:
    """Raises InvalidSubscriptionError."""
    version = document.get("schemaVersion")
    if version not in SCHEMA_VERSIONS:
        raise InvalidSubscriptionError(f"schemaVersion must be one of {', '.join(SCHEMA_VERSIONS)}")
    types = document.get("types")
    if not isinstance(types, list) or not types or any(kind not in TYPES for kind in types):
        raise InvalidSubscriptionError(f"types must be a list of {', '.join(TYPES)}")
    host, port, path = _destination(document.get("destination"))
    items, size_bytes, timeout_ms = _buffering(document.get("buffering"))
    return Subscription(
        version, tuple(dict.fromkeys(types)), port, path, host, items, size_bytes, timeout_ms / 1000
    )


def _destination(destination: object) -> tuple[str, int, str]:
    if not isinstance(destination, dict):
        raise InvalidSubscriptionError("destination is missing")
    if destination.get("protocol") != "HTTP":
        # AWS has TCP as well, and recommends HTTP.
        raise InvalidSubscriptionError(
            "destination.protocol must be HTTP: this platform has no TCP"
        )
    uri = destination.get("URI")
    if not isinstance(uri, str) or not uri.isascii() or not uri.isprintable() or " " in uri:
        raise InvalidSubscriptionError("destination.URI is missing or not a URI")
    try:
        parts = urlsplit(uri)
        port = parts.port
    except ValueError as error:
        raise InvalidSubscriptionError(f"destination.URI: {error}") from None
    if parts.scheme != "http" or parts.hostname not in HOSTS or parts.username is not None:
        raise InvalidSubscriptionError(f"destination.URI must be http://{HOSTS[0]}:<port>")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return parts.hostname, 80 if port is None else port, path


def _buffering(buffering: object) -> list[int]:
    if buffering is None:
        buffering = {}
    if not isinstance(buffering, dict):
        raise InvalidSubscriptionError("buffering must be an object")
    chosen = []
    for name, (least, most, default) in _BUFFERING.items():
        value = buffering.get(name, default)
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            raise InvalidSubscriptionError(
                f"buffering.{name} must be an integer from {least} to {most}"
            )
        chosen.append(value)
    return chosen
