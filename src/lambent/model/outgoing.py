"""A message that one part of the platform sends on to a queue, a topic or a function."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Attribute:
    """A message attribute as SQS and SNS know it: ``String``, ``Number`` or ``Binary``, with any ``.suffix``."""

    data_type: str
    value: str | bytes


@dataclass(frozen=True, slots=True)
class Delivery:
    """What destinations behind an API need beside: S3 the object's key, EventBridge the detail type.

    ``resource`` is the invoked function's ARN with its qualifier. Of a stream's batch: whose (``mapping_uuid``)
    and how many ``events`` it was, for what is counted.
    """

    object_key: str = ""
    detail_type: str = ""
    resource: str = ""
    mapping_uuid: str = ""
    events: int = 0


@dataclass(frozen=True, slots=True)
class Outgoing:
    """What is sent, and in whose name, so that the receiver's policy can be asked.

    ``principal`` is a service (``sns.amazonaws.com``) or the ARN of a role; ``source_arn`` is what it acts
    for (``aws:SourceArn``), ``source_account`` its account. ``trace_header`` is the
    ``X-Amzn-Trace-Id`` to pass on, lineage included.
    """

    body: bytes
    principal: str
    source_arn: str
    source_account: str
    attributes: Mapping[str, Attribute] = field(default_factory=dict)
    subject: str | None = None
    group_id: str | None = None
    deduplication_id: str | None = None
    trace_header: str | None = None
    delivery: Delivery | None = None
