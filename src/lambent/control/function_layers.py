"""The layers a function asks for: which there are, which it may use, and whether they fit."""

import re
import sqlite3
from collections.abc import Sequence
from typing import Any

from lambent.model import limits
from lambent.model.errors import ClientFault, invalid_parameter, not_yet
from lambent.model.function import CodeRef, LayerRef
from lambent.store.functions import number_in
from lambent.store.layers import LayerVersion, get_layer_version
from lambent.store.policies import list_statements

LAYER_VERSION_ARN = re.compile(
    r"arn:(?:aws[a-zA-Z-]*)?:lambda:(?P<region>[^:]+):(?P<account>\d{12}):"
    r"layer:(?P<name>[a-zA-Z0-9_-]+):(?P<number>\d+)"
)

_INSIGHTS = ("LambdaInsightsExtension", "LambdaInsightsExtension-Arm64")
_INSIGHTS_ACCOUNTS = (
    "580247275435",
    "012438385374",
    "519774774795",
    "339249233099",
    "285320876703",
)
"""AWS: the second to fifth in af-south-1, ap-east-1, eu-south-1 and me-south-1. Source: "Available versions of
the Lambda Insights extension" (Amazon CloudWatch user guide). What it does is built in: lambent.node.insights.
"""


def resolve_layers(
    cx: sqlite3.Connection, arns: Sequence[str], account_id: str, region: str
) -> tuple[LayerRef, ...]:
    """The layer versions named, in their order.

    Raises ``InvalidParameterValueException`` for too many, two versions of one layer, another
    region or one that is not there; ``AccessDeniedException`` for another account's without a
    policy that allows it.
    """
    if len(arns) > limits.LAYERS.value:
        raise invalid_parameter(f"Cannot reference more than {limits.LAYERS.value} layers.")
    found = [_resolve(cx, arn, account_id, region) for arn in arns]
    first_of: dict[str, LayerVersion] = {}
    for version in found:
        earlier = first_of.setdefault(version.layer_arn, version)
        if earlier is not version:
            # AWS: so it says of the same version given twice, too. Source: recorded by LocalStack's
            # tests (TestLambdaLayer::test_layer_function_exceptions).
            raise invalid_parameter(
                "Two different versions of the same layer are not allowed to be referenced in the "
                f"same function. {earlier.arn} and {version.arn} are versions of the same layer."
            )
    return tuple(LayerRef(version.arn, version.code) for version in found)


def check_total_size(code: CodeRef, layers: Sequence[LayerRef]) -> None:
    """Raises ``InvalidParameterValueException`` when code and layers are over 250 MiB unpacked."""
    most = limits.UNZIPPED.value
    of_layers = sum(layer.code.unzipped_bytes for layer in layers)
    if of_layers > most:
        raise invalid_parameter(f"Layers consume more than the available size of {most} bytes")
    total = code.unzipped_bytes + of_layers
    if total > most:
        raise invalid_parameter(
            "Function code combined with layers exceeds the maximum allowed size of "
            f"{most} bytes. The actual size is {total} bytes."
        )


def may_use(statements: Sequence[dict[str, Any]], account_id: str) -> bool:
    """Whether a layer version's policy lets an account have it.

    A statement for an organisation lets no one in here: Lambent has no organisations.
    """
    allowed = {"*", account_id, f"arn:aws:iam::{account_id}:root"}
    for statement in statements:
        principal = statement["Principal"]
        named = principal["AWS"] if isinstance(principal, dict) else principal
        if named in allowed and "Condition" not in statement:
            return True
    return False


def access_denied(account_id: str, layer_version_arn: str) -> ClientFault:
    """403 for another account's layer version."""
    return ClientFault(
        "AccessDeniedException",
        f"User: arn:aws:iam::{account_id}:root is not authorized to perform: "
        f"lambda:GetLayerVersion on resource: {layer_version_arn} because no resource-based policy "
        "allows the lambda:GetLayerVersion action",
        403,
    )


def _resolve(cx: sqlite3.Connection, arn: str, account_id: str, region: str) -> LayerVersion:
    match = LAYER_VERSION_ARN.fullmatch(arn)
    if match is None:
        raise not_yet(f"the layer {arn}")  # ``awslayer``: AWS's own, without account and version
    if match["region"] != region:
        raise invalid_parameter(
            "Layers are not in the same region as the function. "
            f"Layers are expected to be in region {region}."
        )
    place = (match["account"], match["region"], match["name"], number_in(match["number"]))
    if match["name"] in _INSIGHTS and match["account"] in _INSIGHTS_ACCOUNTS:
        # AWS's extension: any version of it, a layer without code.
        return LayerVersion(*place, CodeRef("", 0, 0), created_date="", revision_id="")
    version = get_layer_version(cx, *place)
    if match["account"] != account_id and (
        version is None or not may_use(list_statements(cx, arn), account_id)
    ):
        raise access_denied(account_id, arn)
    if version is None:
        raise invalid_parameter(f"Layer version {arn} does not exist.")
    return version
