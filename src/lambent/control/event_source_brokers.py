"""Kafka and RabbitMQ as event sources: what their mappings take beyond what queues and streams do, checked.

Source of the rules: the shapes of botocore's ``lambda`` model, "All self-managed Apache Kafka event source
configuration parameters in Lambda", "Using Lambda with Amazon MQ". No recording of AWS's texts is known; where
nothing else is said they are ours.
"""

import re
import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any, Final

from lambent.control import event_source_kinds as kinds
from lambent.control.event_source_kinds import SourceKind
from lambent.model.errors import conflict, invalid_parameter, not_yet
from lambent.model.event_source_mapping import EventSourceMapping
from lambent.store import event_source_mappings as mappings

CONFIGS: Final[Mapping[str, str]] = {
    kinds.KAFKA.service: "SelfManagedKafkaEventSourceConfig",
    kinds.MSK.service: "AmazonManagedKafkaEventSourceConfig",
}
"""Where a kind of Kafka keeps its consumer group."""
_SECRET = re.compile(r"arn:aws[a-zA-Z-]*:secretsmanager:[a-z0-9-]+:\d{12}:secret:.+")
_SASL: Final = frozenset({"SASL_SCRAM_512_AUTH", "SASL_SCRAM_256_AUTH", "BASIC_AUTH"})
_CLIENT_CERTIFICATE: Final = "CLIENT_CERTIFICATE_TLS_AUTH"
_ROOT_CA: Final = "SERVER_ROOT_CA_CERTIFICATE"
_TAKEN: Final[Mapping[str, frozenset[str]]] = {
    kinds.KAFKA.service: _SASL | {_CLIENT_CERTIFICATE, _ROOT_CA},
    kinds.MSK.service: frozenset({"SASL_SCRAM_512_AUTH", _CLIENT_CERTIFICATE}),
    kinds.MQ.service: frozenset({"BASIC_AUTH", "VIRTUAL_HOST"}),
}
_AWS_TAKES: Final[Mapping[str, tuple[str, ...]]] = {
    kinds.KAFKA.service: ("VPC_", "OAUTHBEARER_", "IAM_"),
    kinds.MSK.service: ("IAM_", "VPC_"),
    kinds.MQ.service: (),
}
"""What AWS takes and Lambent has not: beginnings of their names."""


def check_source(parameters: Mapping[str, Any], kind: SourceKind) -> None:
    """What a creation says of its brokers. Raises ``InvalidParameterValueException``, or 501."""
    if kind is kinds.KAFKA:
        if parameters.get("EventSourceArn"):
            raise invalid_parameter("EventSourceArn is not valid with SelfManagedEventSource.")
        endpoints = parameters["SelfManagedEventSource"].get("Endpoints") or {}
        if not endpoints.get("KAFKA_BOOTSTRAP_SERVERS") or len(endpoints) > 1:
            raise invalid_parameter(
                "SelfManagedEventSource must have the endpoints KAFKA_BOOTSTRAP_SERVERS."
            )
    if kind.service in CONFIGS and not parameters.get("Topics"):
        raise invalid_parameter(f"Topics is required for {kind.title} event sources.")
    if kind is kinds.MQ and not parameters.get("Queues"):
        raise invalid_parameter(f"Queues is required for {kind.title} event sources.")


def check_access(settings: Mapping[str, Any], kind: SourceKind) -> None:
    """``SourceAccessConfigurations`` and what is said of the consumer group. Raises as :func:`check_source`."""
    given: Sequence[Mapping[str, Any]] = settings.get("SourceAccessConfigurations") or ()
    types = [str(each.get("Type")) for each in given]
    for each, named in zip(given, types, strict=True):
        _check_configuration(kind, named, str(each.get("URI")))
    if len(set(types)) < len(types) or len(_SASL & set(types)) > 1:
        raise invalid_parameter("SourceAccessConfigurations names more than one of a kind.")
    if _CLIENT_CERTIFICATE in types and _SASL & set(types):
        raise invalid_parameter(
            "SourceAccessConfigurations has more than one authentication protocol."
        )
    if kind is kinds.MQ and "BASIC_AUTH" not in types:
        raise invalid_parameter("SourceAccessConfigurations must have BASIC_AUTH for Amazon MQ.")
    for member in ("ProvisionedPollerConfig", "LoggingConfig"):
        if settings.get(member):
            raise not_yet(f"{member} of {kind.title} event sources")
    config: Mapping[str, Any] = settings.get(CONFIGS.get(kind.service, "")) or {}
    if config.get("SchemaRegistryConfig"):
        raise not_yet("SchemaRegistryConfig of an event source mapping")
    if config.get("ConsumptionMode") == "Queue":
        raise not_yet("ConsumptionMode Queue of an event source mapping")


def _check_configuration(kind: SourceKind, named: str, uri: str) -> None:
    if named not in _TAKEN[kind.service]:
        if named.startswith(_AWS_TAKES[kind.service]):
            raise not_yet(f"{named} of an event source mapping")
        raise invalid_parameter(
            f"SourceAccessConfigurations of the type {named} is not valid for {kind.title} event sources."
        )
    if named != "VIRTUAL_HOST" and not _SECRET.fullmatch(uri):
        raise invalid_parameter(f"{uri} is not the ARN of a secret in AWS Secrets Manager.")


def with_group(settings: Mapping[str, Any], kind: SourceKind, uuid: str) -> dict[str, Any]:
    """The settings with their consumer group: AWS's default is the mapping's UUID."""
    name = CONFIGS.get(kind.service)
    if name is None:
        return dict(settings)
    return {**settings, name: {"ConsumerGroupId": uuid} | dict(settings.get(name) or {})}


def with_fixed(
    present: Mapping[str, Any], settings: Mapping[str, Any], kind: SourceKind
) -> dict[str, Any]:
    """What an update leaves as it is: a consumer group, a virtual host.

    Raises ``InvalidParameterValueException`` where one would be changed. Source: the model ("you cannot update
    this value", "This property cannot be specified in an UpdateEventSourceMapping API call").
    """
    kept = dict(settings)
    name = CONFIGS.get(kind.service)
    if name is not None:
        kept[name] = {**present[name], **(settings.get(name) or {})}
        if kept[name]["ConsumerGroupId"] != present[name]["ConsumerGroupId"]:
            raise invalid_parameter("ConsumerGroupId cannot be updated.")
    if kind is kinds.MQ:
        kept["SourceAccessConfigurations"] = _with_host(
            present["SourceAccessConfigurations"], settings["SourceAccessConfigurations"]
        )
    return kept


def _with_host(
    present: Sequence[Mapping[str, Any]], given: Sequence[Mapping[str, Any]]
) -> list[Mapping[str, Any]]:
    if present is given:
        return list(present)
    if any(each["Type"] == "VIRTUAL_HOST" for each in given):
        raise invalid_parameter("VIRTUAL_HOST cannot be updated.")
    return [*given, *(each for each in present if each["Type"] == "VIRTUAL_HOST")]


def check_unique(cx: sqlite3.Connection, mapping: EventSourceMapping, kind: SourceKind) -> None:
    """One mapping of a topic or queue to a function, and of a consumer group. Best known, as to the first text.

    Source of the second: the model ("must be unique among all your Kafka event sources").
    """
    name = mapping.function_arn.split(":")[6]
    for other in _others(cx, mapping):
        ask = f"Please update or delete the existing mapping with UUID {other.uuid}"
        if other.function_arn == mapping.function_arn and _place(other) == _place(mapping):
            what = mapping.event_source_arn or ",".join(_servers(mapping))
            raise conflict(
                f'An event source mapping with event source (" {what} "), function (" {name} "), '
                f'{_member(kind)} (" {_place(mapping)[2]} ") already exists. {ask}'
            )
        group = _group(mapping)
        if group and _group(other) == group and _servers(other) == _servers(mapping):
            raise conflict(f'The consumer group (" {group} ") is used by another mapping. {ask}')


def _others(cx: sqlite3.Connection, mapping: EventSourceMapping) -> list[EventSourceMapping]:
    there = mappings.every_mapping(cx)
    place = (mapping.account_id, mapping.region)
    return [
        each
        for each in there
        if each.uuid != mapping.uuid and (each.account_id, each.region) == place
    ]


def _place(mapping: EventSourceMapping) -> tuple[str, tuple[str, ...], str]:
    document = mapping.document
    named = (document.get("Topics") or document.get("Queues") or [""])[0]
    return mapping.event_source_arn or "", _servers(mapping), named


def _servers(mapping: EventSourceMapping) -> tuple[str, ...]:
    source: Mapping[str, Any] = mapping.document.get("SelfManagedEventSource") or {}
    return tuple(sorted((source.get("Endpoints") or {}).get("KAFKA_BOOTSTRAP_SERVERS") or ()))


def _group(mapping: EventSourceMapping) -> str:
    for name in CONFIGS.values():
        if name in mapping.document:
            return str(mapping.document[name]["ConsumerGroupId"])
    return ""


def _member(kind: SourceKind) -> str:
    return "queues" if kind is kinds.MQ else "topics"
