"""Tags of topics."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from lambent.model.call import Call, Result
from lambent.model.errors import ClientFault
from lambent.services.sns import faults
from lambent.services.sns.lookup import find_topic
from lambent.services.sns.service import SnsService, changing
from lambent.services.sns.topic import Topic

MAX_TAGS = 50
"""Source: TagResource in the SNS API reference."""


@changing
async def tag_resource(sns: SnsService, call: Call) -> Result:
    """Add tags or replace their values."""
    topic = _topic(sns, call, "TagResource")
    await sns.save_topic(replace(topic, tags=merge_tags(topic.tags, call.parameters["Tags"])))
    return Result()


@changing
async def untag_resource(sns: SnsService, call: Call) -> Result:
    """Remove tags; those that are not there are no error."""
    topic = _topic(sns, call, "UntagResource")
    gone = set(call.parameters["TagKeys"])
    left = {key: value for key, value in topic.tags.items() if key not in gone}
    await sns.save_topic(replace(topic, tags=left))
    return Result()


async def list_tags_for_resource(sns: SnsService, call: Call) -> Result:
    """The tags of a topic."""
    tags = _topic(sns, call, "ListTagsForResource").tags
    return Result({"Tags": [{"Key": key, "Value": value} for key, value in tags.items()]})


def merge_tags(before: Mapping[str, str], given: Iterable[Mapping[str, str]]) -> dict[str, str]:
    """The tags with those given put in. Raises ``InvalidParameter`` or ``TagLimitExceeded``."""
    listed = list(given)
    added = {tag["Key"]: tag["Value"] for tag in listed}
    if len(added) != len(listed):
        raise faults.invalid("Duplicated keys are not allowed.")
    if any(key.lower().startswith("aws:") for key in added):
        raise faults.invalid("Tags Reason: keys that begin with aws: are AWS's own")  # best known
    merged = {**before, **added}
    if len(merged) > MAX_TAGS:
        raise ClientFault(
            "TagLimitExceededException",
            "Could not complete request: tag quota of per resource exceeded",
        )
    return merged


def _topic(sns: SnsService, call: Call, action: str) -> Topic:
    try:
        return find_topic(sns, call, action, arn=call.parameters["ResourceArn"])
    except ClientFault as error:
        if error.code == "NotFoundException":
            raise faults.no_resource() from error
        raise
