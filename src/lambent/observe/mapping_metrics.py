"""What Lambda counts of each event source mapping, in CloudWatch's names, for mappings that ask for it.

Counted on the loop's thread, whether anybody asks or not; published while the mapping is polled, as far as its
``MetricsConfig`` says. Source: "Event source mapping metrics" in
https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final

from lambent.model.event_source_mapping import SELF_MANAGED_KAFKA, source_service

MAX_MAPPINGS: Final = 10_000
"""POLICY: beyond it the mapping that was seen first is forgotten."""
_EVERYWHERE: Final = {
    "PolledEventCount": "polled_event_count",
    "FilteredOutEventCount": "filtered_out_event_count",
    "InvokedEventCount": "invoked_event_count",
    "FailedInvokeEventCount": "failed_invoke_event_count",
}
_STREAM_COUNTS: Final = {
    **_EVERYWHERE,
    "DroppedEventCount": "dropped_event_count",
    "OnFailureDestinationDeliveredEventCount": "on_failure_destination_delivered_event_count",
}
METRICS: Final[Mapping[str, Mapping[str, Mapping[str, str]]]] = MappingProxyType(
    {
        "sqs": {"EventCount": {**_EVERYWHERE, "DeletedEventCount": "deleted_event_count"}},
        "kinesis": {"EventCount": _STREAM_COUNTS},
        "dynamodb": {"EventCount": _STREAM_COUNTS},
        "kafka": {"EventCount": _STREAM_COUNTS},
        SELF_MANAGED_KAFKA: {"EventCount": _STREAM_COUNTS},
    }
)
"""Service of the source → group of ``MetricsConfig.Metrics`` → CloudWatch's name → the attribute.

Source: the table of the page above: of the three groups queues and streams have ``EventCount`` only; Kafka's
``CommittedEventCount`` is not counted here.
"""
_PUBLISHED: Final = {
    name: attribute
    for groups in METRICS.values()
    for names in groups.values()
    for name, attribute in names.items()
}


@dataclass(slots=True)
class MappingCounts:
    """Events of one mapping since the platform started.

    ``provisioned_pollers`` is a gauge, None outside of provisioned mode.
    """

    polled_event_count: int = 0
    filtered_out_event_count: int = 0
    invoked_event_count: int = 0
    failed_invoke_event_count: int = 0
    deleted_event_count: int = 0
    dropped_event_count: int = 0
    on_failure_destination_delivered_event_count: int = 0
    provisioned_pollers: int | None = None


@dataclass(slots=True)
class _Entry:
    labels: str = ""
    attributes: frozenset[str] = frozenset()
    counts: MappingCounts = field(default_factory=MappingCounts)


class MappingMetrics:
    """The counts of every mapping, by UUID."""

    def __init__(self) -> None:
        self._entries: dict[str, _Entry] = {}

    def of(self, uuid: str) -> MappingCounts:
        """The counts of one mapping, to be added to."""
        return self._entry(uuid).counts

    def publish(
        self, uuid: str, function_arn: str, source_arn: str, document: Mapping[str, Any]
    ) -> MappingCounts:
        """It is polled from now on: its counts are shown as ``document`` (its settings) says."""
        asked: Collection[str] = (document.get("MetricsConfig") or {}).get("Metrics") or ()
        groups = METRICS.get(source_service(source_arn), {})
        entry = self._entry(uuid)
        entry.labels = _labels(uuid, function_arn)
        entry.attributes = frozenset(
            attribute for group in asked for attribute in groups.get(group, {}).values()
        )
        return entry.counts

    def withhold(self, uuid: str) -> None:
        """AWS: "If your event source mapping is disabled, you won't receive event source mapping metrics"."""
        entry = self._entries.get(uuid)
        if entry is not None:
            entry.attributes = frozenset()
            entry.counts.provisioned_pollers = None

    def forget(self, uuid: str) -> None:
        """It is no more."""
        self._entries.pop(uuid, None)

    def lines(self) -> Iterator[str]:
        """Of a scrape; nothing where no mapping asks."""
        for name, attribute in _PUBLISHED.items():
            entries = [each for each in self._entries.values() if attribute in each.attributes]
            shown = f"aws_lambda_{attribute}_total"
            yield from _family(shown, "counter", name, entries, attribute)
        provisioned = [
            each for each in self._entries.values() if each.counts.provisioned_pollers is not None
        ]
        name = "ProvisionedPollers"
        shown = "aws_lambda_provisioned_pollers"
        yield from _family(shown, "gauge", name, provisioned, "provisioned_pollers")

    def _entry(self, uuid: str) -> _Entry:
        entry = self._entries.get(uuid)
        if entry is None:
            if len(self._entries) >= MAX_MAPPINGS:
                del self._entries[next(iter(self._entries))]
            entry = self._entries[uuid] = _Entry()
        return entry


def _family(
    shown: str, kind: str, name: str, entries: Collection[_Entry], attribute: str
) -> Iterator[str]:
    if not entries:
        return
    yield f"# HELP {shown} AWS/Lambda {name}"
    yield f"# TYPE {shown} {kind}"
    for entry in entries:
        yield f"{shown}{{{entry.labels}}} {getattr(entry.counts, attribute)}"


def _labels(uuid: str, function_arn: str) -> str:
    """Nothing to escape: names, regions, accounts and UUIDs have neither quotes nor backslashes."""
    _, _, _, region, account_id, _, name, *_ = function_arn.split(":")
    function = f'account_id="{account_id}",region="{region}",function_name="{name}"'
    return f'{function},event_source_mapping_uuid="{uuid}"'
