"""``ProvisionedPollerConfig`` and ``MetricsConfig`` of event source mappings, checked.

Source of the rules: the shapes of botocore's ``lambda`` model, "How Lambda processes records from stream and
queue-based event sources" (provisioned mode), "Event source mapping metrics". The texts are ours where nothing
else is said: no recording of AWS's is known.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from lambent.model.errors import invalid_parameter, not_yet


@dataclass(frozen=True, slots=True)
class PollerRange:
    """How many event pollers a kind of source may be given, and what it has where nothing is said."""

    least: int
    most: int
    default_minimum: int
    default_maximum: int = 200
    groups: bool = False
    """Whether it takes ``PollerGroupName``."""


SQS_POLLERS: Final = PollerRange(least=2, most=10_000, default_minimum=2)
"""Source: the shape ``ProvisionedPollerConfig`` ("minimum 2 required", "between 2 and 10,000")."""
KAFKA_POLLERS: Final = PollerRange(least=1, most=2_000, default_minimum=1, groups=True)
"""Source: the same."""


def poller_config(given: Mapping[str, Any], title: str, allowed: PollerRange) -> dict[str, Any]:
    """``ProvisionedPollerConfig`` with its defaults filled in. ``given`` has at least one member.

    Raises ``InvalidParameterValueException`` for what is out of range or upside down.
    """
    if given.get("PollerGroupName") and not allowed.groups:
        raise invalid_parameter(f"PollerGroupName is not valid for {title} event sources.")
    config = {
        "MinimumPollers": given.get("MinimumPollers") or allowed.default_minimum,
        "MaximumPollers": given.get("MaximumPollers") or allowed.default_maximum,
    }
    for member, value in config.items():
        if not allowed.least <= value <= allowed.most:
            raise invalid_parameter(
                f"{member} {value} is invalid for {title} event sources: it must be between "
                f"{allowed.least} and {allowed.most}."
            )
    if config["MinimumPollers"] > config["MaximumPollers"]:
        raise invalid_parameter("MinimumPollers must be less than or equal to MaximumPollers.")
    if given.get("PollerGroupName"):
        config["PollerGroupName"] = given["PollerGroupName"]
    return config


def check_scaling(settings: Mapping[str, Any]) -> None:
    """AWS: "You cannot use the maximum concurrency setting and provisioned mode at the same time"."""
    if settings.get("ProvisionedPollerConfig") and settings.get("ScalingConfig"):
        raise invalid_parameter(
            "You cannot use the maximum concurrency setting and provisioned mode at the same time."
        )


def metrics_config(
    given: Mapping[str, Any], title: str, groups: frozenset[str], missing: frozenset[str]
) -> dict[str, list[str]]:
    """``MetricsConfig``, each group once. Raises for a group that the kind of source has not.

    501 for one of ``missing``, which it has on AWS.
    """
    asked = list(dict.fromkeys(given.get("Metrics") or ()))
    for group in asked:
        if group in missing:
            raise not_yet(f"the metric {group} of an event source mapping")
        if group not in groups:
            raise invalid_parameter(
                f"The metric {group} is not supported for {title} event sources."
            )
    return {"Metrics": asked}
