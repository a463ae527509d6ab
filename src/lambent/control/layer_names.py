"""A layer's name, its ARN, and a version's ARN: which layer a request means, and whether it may."""

import re
import sqlite3
from dataclasses import dataclass

from lambent.control.function_layers import access_denied, may_use
from lambent.model.call import Call, Caller
from lambent.model.errors import not_found, not_yet
from lambent.store.functions import number_in
from lambent.store.policies import list_statements

_ARN = re.compile(
    r"arn:(?:aws[a-zA-Z-]*)?:lambda:(?P<region>[^:]+):(?P<account>\d{12}):layer:"
    r"(?P<name>[a-zA-Z0-9_-]+)(?::(?P<number>\d+))?"
)


@dataclass(frozen=True, slots=True)
class LayerName:
    """Where a layer lives and what it is called; ``number`` when an ARN named a version."""

    account_id: str
    region: str
    name: str
    number: int | None = None

    def version_arn(self, number: int) -> str:
        """The ARN of one of its versions."""
        return f"arn:aws:lambda:{self.region}:{self.account_id}:layer:{self.name}:{number}"


def layer_of(call: Call, text: str, *, own: bool = False) -> LayerName:
    """The layer that a name or an ARN means to the caller; ``own`` when no other account's will do."""
    caller = call.caller
    match = _ARN.fullmatch(text)
    if match is None:
        if text.startswith("arn:"):
            raise not_yet(
                f"the layer {text}"
            )  # ``awslayer``: AWS's own, without account and version
        return LayerName(caller.account_id, caller.region, text)
    number = number_in(match["number"]) if match["number"] else None
    layer = LayerName(match["account"], match["region"], match["name"], number)
    if layer.region != caller.region:
        raise not_found("The resource you requested does not exist.")
    if own and layer.account_id != caller.account_id:
        raise access_denied(caller.account_id, text)
    return layer


def access_to(cx: sqlite3.Connection, caller: Caller, layer: LayerName, number: int) -> None:
    """Raises ``AccessDeniedException`` for another account's version without a policy for it."""
    arn = layer.version_arn(number)
    if layer.account_id == caller.account_id or may_use(
        list_statements(cx, arn), caller.account_id
    ):
        return
    raise access_denied(caller.account_id, arn)
