"""Topics: create, delete, list, attributes."""

from dataclasses import replace

from lambent.model.call import Call, Result
from lambent.model.errors import ClientFault, not_yet
from lambent.services.sns import faults
from lambent.services.sns.arns import check_topic_name, parse_topic_arn, topic_arn
from lambent.services.sns.lookup import find_topic
from lambent.services.sns.service import SnsService, changing
from lambent.services.sns.subscription import State
from lambent.services.sns.tags import merge_tags
from lambent.services.sns.tokens import page_of
from lambent.services.sns.topic import MAX_MESSAGE_BYTES, Topic
from lambent.services.sns.topic_attributes import check_topic_attribute

MAX_TOPICS = 100_000
"""Source: "Amazon SNS endpoints and quotas": standard topics per account."""
LARGE_MESSAGE_SUBSCRIPTIONS = 100
"""Source: MaximumMessageSize of CreateTopic: above 256 KiB at most so many, to SQS and Lambda only."""


@changing
async def create_topic(sns: SnsService, call: Call) -> Result:
    """Create a topic, or name the one there is if it is the same.

    Raises ``InvalidParameter`` when there is one with other attributes or tags.
    """
    parameters = call.parameters
    if parameters.get("DataProtectionPolicy"):
        raise not_yet("DataProtectionPolicy of a topic")
    given = dict(parameters.get("Attributes") or {})
    asked_fifo = given.pop("FifoTopic", "false").lower()
    if asked_fifo not in {"true", "false"}:
        raise faults.invalid_attribute(
            "FifoTopic", f"Invalid value [{asked_fifo}]. Must be true or false.", creating=True
        )
    fifo = asked_fifo == "true"
    check_topic_name(parameters["Name"], fifo=fifo)
    checked = {
        name: check_topic_attribute(name, value, fifo=fifo, creating=True)
        for name, value in given.items()
    }
    attributes = {name: value for name, value in checked.items() if value is not None}
    caller = call.caller
    arn = topic_arn(caller.region, caller.account_id, parameters["Name"])
    tags = merge_tags({}, parameters.get("Tags") or [])
    existing = sns.directory.topics.get(arn)
    if existing is not None:
        _check_same(existing, attributes, tags)
        return Result({"TopicArn": arn})
    _check_count(sns, arn)
    await sns.save_topic(Topic(arn, attributes, tags))
    return Result({"TopicArn": arn})


@changing
async def delete_topic(sns: SnsService, call: Call) -> Result:
    """Delete a topic and its subscriptions. AWS: one that is not there is no error."""
    try:
        topic = find_topic(sns, call, "DeleteTopic")
    except ClientFault as error:
        if error.code != "NotFoundException":
            raise
        return Result()
    await sns.drop_topic(topic)
    return Result()


async def list_topics(sns: SnsService, call: Call) -> Result:
    """The caller's topics of the Region, 100 a page."""
    prefix = topic_arn(call.caller.region, call.caller.account_id, "")
    arns = sorted(arn for arn in sns.directory.topics if arn.startswith(prefix))
    page, next_token = page_of(arns, call.parameters.get("NextToken"))
    return Result({"Topics": [{"TopicArn": arn} for arn in page], "NextToken": next_token})


async def get_topic_attributes(sns: SnsService, call: Call) -> Result:
    """Everything AWS shows of a topic."""
    topic = find_topic(sns, call, "GetTopicAttributes")
    counts = dict.fromkeys(State, 0)
    for subscription in sns.directory.of_topic(topic.arn):
        counts[subscription.state] += 1
    shown = topic.describe(
        counts[State.CONFIRMED], counts[State.PENDING], counts[State.DEACTIVATED]
    )
    return Result({"Attributes": shown})


@changing
async def set_topic_attributes(sns: SnsService, call: Call) -> Result:
    """Set one attribute; what a topic's messages and subscriptions are subject to from now on."""
    topic = find_topic(sns, call, "SetTopicAttributes")
    name, value = call.parameters["AttributeName"], call.parameters.get("AttributeValue") or ""
    kept = check_topic_attribute(name, value, fifo=topic.fifo, creating=False)
    attributes = {key: one for key, one in topic.attributes.items() if key != name}
    if kept is not None:
        attributes[name] = kept
    changed = replace(topic, attributes=attributes)
    check_large_messages(sns, changed)
    await sns.save_topic(changed)
    return Result()


def check_large_messages(sns: SnsService, topic: Topic, *protocols: str) -> None:
    """Raises ``InvalidParameter`` where a topic of large messages has subscriptions that cannot take them.

    ``protocols`` are those of subscriptions about to be made.
    """
    if topic.max_message_bytes <= MAX_MESSAGE_BYTES:
        return
    found = [one.protocol for one in sns.directory.of_topic(topic.arn)] + list(protocols)
    if len(found) > LARGE_MESSAGE_SUBSCRIPTIONS or not set(found) <= {"sqs", "lambda"}:
        # Best known: the rule is documented, the text is not.
        raise faults.invalid(
            "MaximumMessageSize Reason: a topic with messages above 256 KiB has at most"
            f" {LARGE_MESSAGE_SUBSCRIPTIONS} subscriptions, to SQS and Lambda only"
        )


def _check_same(topic: Topic, attributes: dict[str, str], tags: dict[str, str]) -> None:
    """AWS: what is given must be as it is; what is not given is not asked about."""
    shown = topic.describe(0, 0, 0)
    if any(shown.get(name) != value for name, value in attributes.items()):
        raise faults.invalid("Attributes Reason: Topic already exists with different attributes")
    if any(topic.tags.get(key) != value for key, value in tags.items()):
        raise faults.invalid("Tags Reason: Topic already exists with different tags")


def _check_count(sns: SnsService, arn: str) -> None:
    wanted = parse_topic_arn(arn)
    prefix = topic_arn(wanted.region, wanted.account_id, "")
    if len(sns.directory.topics) >= MAX_TOPICS and (
        sum(one.startswith(prefix) for one in sns.directory.topics) >= MAX_TOPICS
    ):
        raise ClientFault("TopicLimitExceededException", "Topic limit exceeded", 403)  # best known
