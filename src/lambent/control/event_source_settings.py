"""The settings of event source mappings: what each kind of source takes, checked, defaults filled in.

Ranges of single values stand in the model and are checked by the wire; here is what AWS checks beyond them.
The texts are best known (most are LocalStack's), where nothing else is said.
"""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any, Final

from lambent.control import event_source_kinds as kinds
from lambent.control.event_source_brokers import check_access, check_source, with_fixed
from lambent.control.event_source_kinds import SourceKind
from lambent.control.event_source_pollers import check_scaling, metrics_config, poller_config
from lambent.control.event_targets import names_place
from lambent.model.errors import ClientFault, invalid_parameter, not_yet
from lambent.patterns.errors import PatternError
from lambent.patterns.records import compile_filters

_NOT_SETTINGS: Final = frozenset({"EventSourceArn", "FunctionName", "Enabled", "Tags", "UUID"})
REFUSED: Final = frozenset({"KMSKeyArn"})
"""What every kind of source takes on AWS and Lambent has not yet."""
BY_VALUE: Final[Mapping[str, str]] = {
    "EventSourceArn": f"it is of {', '.join(kinds.TITLES)} (RabbitMQ)",
    "DestinationConfig": "its service is there",
    "LoggingConfig": "it is empty",
    "ProvisionedPollerConfig": "it is of SQS",
    "SourceAccessConfigurations": "they name secrets, or a virtual host",
    "SelfManagedKafkaEventSourceConfig": "it has a consumer group alone",
    "AmazonManagedKafkaEventSourceConfig": "it has a consumer group alone",
}
"""Obeyed settings with values that are refused."""
_REMOVABLE: Final = ("FilterCriteria", "MetricsConfig", "ProvisionedPollerConfig", "ScalingConfig")
"""What an update takes away by giving it empty."""
_FIFO_MAX_BATCH: Final = 10
_NO_WINDOW_MAX_BATCH: Final = 10
_MIN_RECORD_AGE_S: Final = 60
_FAILURE_SERVICES: Final = frozenset({"sqs", "sns", "s3", "kafka"})


def new_settings(
    kind: SourceKind, parameters: Mapping[str, Any], destinations: Collection[str]
) -> dict[str, Any]:
    """The document of a new mapping. Raises AWS's error for what its kind does not take."""
    given = _given(kind, parameters)
    if kind in kinds.BROKERS:
        check_source(parameters, kind)
    if "StartingPosition" in kind.settings:
        _check_position(kind, parameters)
    settings = {**kind.defaults, **given}
    check_settings(kind, parameters.get("EventSourceArn") or "", settings, destinations)
    return settings


def changed_settings(
    kind: SourceKind,
    arn: str,
    present: Mapping[str, Any],
    parameters: Mapping[str, Any],
    destinations: Collection[str],
) -> dict[str, Any]:
    """The document after an update: what is given is put in place, an empty structure takes away."""
    settings = {**present, **_given(kind, parameters)}
    for member in _REMOVABLE:
        if member in parameters and _empty(parameters[member]):
            settings.pop(member, None)
    check_settings(kind, arn, settings, destinations)
    return with_fixed(present, settings, kind) if kind in kinds.BROKERS else settings


def has_settings(parameters: Mapping[str, Any]) -> bool:
    """Whether an update asks for more than to enable or disable."""
    more = set(parameters) - {"UUID", "Enabled"}
    return any(parameters[member] is not None for member in more)


def refused_unless(member: str) -> str | None:
    """When a member of a creation or an update is not refused, in words; None for one that is always obeyed.

    The fidelity page goes by this. What no kind takes (a member of a newer botocore, say) all of them refuse.
    """
    if member in BY_VALUE:
        return BY_VALUE[member]
    return None if member in kinds.SETTINGS - REFUSED else "it is empty"


def check_settings(
    kind: SourceKind, arn: str, settings: Mapping[str, Any], destinations: Collection[str]
) -> None:
    """Raises ``InvalidParameterValueException`` for settings that do not go together."""
    if kind is kinds.SQS:
        _check_queue_batch(settings, fifo=kinds.is_fifo(arn))
        check_scaling(settings)
    elif "DestinationConfig" in kind.settings:
        _check_stream(settings, destinations)
    if kind in kinds.BROKERS:
        check_access(settings, kind)
    patterns = [each.get("Pattern", "") for each in _filters(settings)]
    try:
        compile_filters(patterns, kind.payload)
    except PatternError as error:
        raise invalid_parameter("Invalid filter pattern definition.") from error


def _given(kind: SourceKind, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """What was set, as it is stored. Raises for what the kind does not take or Lambent has not."""
    given: dict[str, Any] = {}
    for member, value in parameters.items():
        if value is None or member in _NOT_SETTINGS:
            continue
        if member in REFUSED:
            if not _empty(value):
                raise not_yet(f"{member} of an event source mapping")
        elif member not in kind.settings:
            if not _empty(value) or member == "StartingPosition":
                raise _unsupported(kind, member)
        elif member == "DestinationConfig":
            given[member] = _destination(value)
        elif member == "ProvisionedPollerConfig" and kind.pollers and not _empty(value):
            given[member] = poller_config(value, kind.title, kind.pollers)
        elif member == "MetricsConfig" and not _empty(value):
            given[member] = metrics_config(value, kind.title, kind.metrics, kind.metrics_missing)
        elif isinstance(value, datetime):
            given[member] = value.timestamp()
        elif not isinstance(value, Mapping) or not _empty(value):
            given[member] = value
    return given


def _check_queue_batch(settings: Mapping[str, Any], *, fifo: bool) -> None:
    size, window_s = settings["BatchSize"], settings["MaximumBatchingWindowInSeconds"]
    if fifo and window_s > 0:
        raise invalid_parameter("Batching window is not supported for FIFO queues")
    if fifo and size > _FIFO_MAX_BATCH:
        # Best known: AWS documents the limit, no recording of the text is known.
        raise invalid_parameter(
            f"Batch size {size} is invalid: the maximum for FIFO queues is {_FIFO_MAX_BATCH}"
        )
    if size > _NO_WINDOW_MAX_BATCH and window_s == 0:
        raise invalid_parameter(
            "Maximum batch window in seconds must be greater than 0 if maximum batch size is "
            "greater than 10"
        )


def _check_position(kind: SourceKind, parameters: Mapping[str, Any]) -> None:
    """Source of the texts, but for one: recorded by LocalStack's tests
    (test_create_starting_position_validation_exceptions, test_create_event_source_validation)."""
    position = parameters.get("StartingPosition")
    timestamp = parameters.get("StartingPositionTimestamp")
    if not position:
        raise invalid_parameter(
            "1 validation error detected: Value null at 'startingPosition' failed to satisfy "
            "constraint: Member must not be null."
        )
    if position == "AT_TIMESTAMP" and kind is kinds.DYNAMODB:
        raise invalid_parameter(
            f"Unsupported starting position for arn type: {parameters['EventSourceArn']}"
        )
    if position != "AT_TIMESTAMP" and timestamp is not None:
        raise invalid_parameter("Timestamp only valid with StartingPosition AT_TIMESTAMP")
    if position == "AT_TIMESTAMP" and timestamp is None:
        # Best known: the rule is the API's, the text is ours.
        raise invalid_parameter(
            "StartingPositionTimestamp is required with the StartingPosition AT_TIMESTAMP."
        )
    if timestamp is not None and timestamp.timestamp() < 0:
        raise invalid_parameter(
            "Received Exception while reading from provided stream. class java.lang.Long can not be "
            "converted to a Timestamp"
        )


def _check_stream(settings: Mapping[str, Any], destinations: Collection[str]) -> None:
    age_s = settings["MaximumRecordAgeInSeconds"]
    if age_s != -1 and age_s < _MIN_RECORD_AGE_S:
        # Best known: AWS documents -1, or 60 to 604,800; the text is ours.
        raise invalid_parameter(
            f"MaximumRecordAgeInSeconds {age_s} is invalid: it must be -1, or between 60 and 604800."
        )
    arn = settings["DestinationConfig"]["OnFailure"].get("Destination", "")
    if not arn:
        return
    service = arn.split(":", 3)[2] if arn.startswith("arn:") else arn.partition(":")[0]
    misplaced = service == "s3" and not names_place(arn)
    if service not in _FAILURE_SERVICES or arn.endswith(".fifo") or misplaced:
        raise invalid_parameter(
            "The provided destination config DestinationConfig(onSuccess=null, "
            f"onFailure=OnFailure(destination={arn})) is invalid."
        )
    if service not in destinations:
        raise not_yet(f"the destination {arn}")


def _destination(value: Mapping[str, Any]) -> dict[str, Any]:
    """AWS: a mapping has an on-failure destination only."""
    if (value.get("OnSuccess") or {}).get("Destination"):
        raise invalid_parameter(
            "Unsupported DestinationConfig parameter for given event source mapping type."
        )
    arn = (value.get("OnFailure") or {}).get("Destination")
    return {"OnFailure": {"Destination": arn} if arn else {}}


def _filters(settings: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return list((settings.get("FilterCriteria") or {}).get("Filters") or [])


def _empty(value: Any) -> bool:
    """Nothing set: ``""``, ``[]``, ``{}``, 0, False, or a structure with only such members."""
    if isinstance(value, Mapping):
        return all(_empty(member) for member in value.values())
    return not value


def _unsupported(kind: SourceKind, member: str) -> ClientFault:
    """Source: the first text is recorded by LocalStack's tests, the other quoted by users of AWS
    (hashicorp/terraform-provider-aws#17888, aws/aws-cdk#17934)."""
    if kind is kinds.SQS and member == "StartingPosition":
        return invalid_parameter("StartingPosition is not valid for SQS event sources.")
    shown = member[0].lower() + member[1:]
    return invalid_parameter(
        f"Unsupported '{shown}' parameter for given event source mapping type."
    )
