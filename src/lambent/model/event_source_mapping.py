"""An event source mapping: what it is set to do, and the states it goes through.

Source: the shape ``EventSourceMappingConfiguration`` of botocore's ``lambda`` model, and "How Lambda
processes records from stream and queue-based event sources".
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Any


class MappingState(StrEnum):
    """Where a mapping is in its life; the words are AWS's."""

    CREATING = "Creating"
    ENABLING = "Enabling"
    ENABLED = "Enabled"
    DISABLING = "Disabling"
    DISABLED = "Disabled"
    UPDATING = "Updating"
    DELETING = "Deleting"


class MappingEvent(StrEnum):
    """What moves a mapping."""

    ENABLE = "enable"
    DISABLE = "disable"
    UPDATE = "update"
    DELETE = "delete"
    POLLER_STARTED = "poller started"
    POLLER_STOPPED = "poller stopped"


_S, _E = MappingState, MappingEvent
TRANSITIONS: Mapping[MappingState, Mapping[MappingEvent, MappingState]] = MappingProxyType(
    {
        _S.CREATING: {_E.POLLER_STARTED: _S.ENABLED, _E.POLLER_STOPPED: _S.DISABLED},
        _S.ENABLING: {_E.POLLER_STARTED: _S.ENABLED},
        _S.ENABLED: {
            _E.ENABLE: _S.ENABLED,
            _E.DISABLE: _S.DISABLING,
            _E.UPDATE: _S.UPDATING,
            _E.DELETE: _S.DELETING,
        },
        _S.DISABLING: {_E.POLLER_STOPPED: _S.DISABLED},
        _S.DISABLED: {
            _E.ENABLE: _S.ENABLING,
            _E.DISABLE: _S.DISABLED,
            _E.UPDATE: _S.UPDATING,
            _E.DELETE: _S.DELETING,
        },
        _S.UPDATING: {_E.POLLER_STARTED: _S.ENABLED, _E.POLLER_STOPPED: _S.DISABLED},
        _S.DELETING: {},
    }
)
"""Every move there is; any other is refused with AWS's ``ResourceInUseException`` and changes nothing.

AWS: a mapping in one of the ``-ing`` states takes no change until it has arrived.
"""


@dataclass(frozen=True, slots=True)
class EventSourceMapping:
    """One mapping as stored. What does not apply to its source is None; ages and times as in the names.

    ``function_arn`` carries the qualifier it was made with. ``document`` has the settings as AWS shows them
    (member names of the model), defaults filled in; the fields beside it are what lists and states go by.
    """

    uuid: str
    account_id: str
    region: str
    function_arn: str
    event_source_arn: str | None
    enabled: bool
    state: MappingState
    state_transition_reason: str
    last_modified_s: float
    last_processing_result: str
    document: Mapping[str, Any]


SELF_MANAGED_KAFKA = "self-managed-kafka"


def source_service(event_source_arn: str | None) -> str:
    """The word for a kind of source: the service in its ARN; a mapping without one is of self-managed Kafka."""
    return event_source_arn.split(":", 3)[2] if event_source_arn else SELF_MANAGED_KAFKA


def mapping_arn(mapping: EventSourceMapping) -> str:
    """``EventSourceMappingArn``: what tags hang on."""
    place = f"{mapping.region}:{mapping.account_id}"
    return f"arn:aws:lambda:{place}:event-source-mapping:{mapping.uuid}"
