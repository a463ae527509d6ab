"""AddPermission and RemovePermission: statements of a topic's policy, by label."""

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from lambent.model.call import Call, Result
from lambent.services.sns import faults
from lambent.services.sns.lookup import find_topic
from lambent.services.sns.service import SnsService, changing
from lambent.services.sns.topic_attributes import check_topic_attribute

_ACTIONS = {
    "AddPermission", "DeleteTopic", "GetDataProtectionPolicy", "GetTopicAttributes",
    "ListSubscriptionsByTopic", "ListTagsForResource", "Publish", "PutDataProtectionPolicy",
    "RemovePermission", "SetTopicAttributes", "Subscribe",
}  # fmt: skip
_ACCOUNT = re.compile(r"[0-9]{12}")


@changing
async def add_permission(sns: SnsService, call: Call) -> Result:
    """Let other accounts do some actions with a topic. Raises ``InvalidParameter`` for a label in use."""
    topic = find_topic(sns, call, "AddPermission")
    parameters = call.parameters
    document = json.loads(topic.policy_text)
    statements = _statements(document)
    label = parameters["Label"]
    if any(one.get("Sid") == label for one in statements):
        raise faults.invalid("Statement already exists")
    statement = _statement(label, parameters["AWSAccountId"], parameters["ActionName"], topic.arn)
    await _save(sns, call, {**document, "Statement": [*statements, statement]})
    return Result()


@changing
async def remove_permission(sns: SnsService, call: Call) -> Result:
    """Take the statement of a label out. AWS: a label that is not there is no error."""
    topic = find_topic(sns, call, "RemovePermission")
    document = json.loads(topic.policy_text)
    left = [one for one in _statements(document) if one.get("Sid") != call.parameters["Label"]]
    if not left:
        # A policy without statements is none: the owner's account has its rights all the same.
        await sns.save_topic(
            replace(topic, attributes={k: v for k, v in topic.attributes.items() if k != "Policy"})
        )
    else:
        await _save(sns, call, {**document, "Statement": left})
    return Result()


async def _save(sns: SnsService, call: Call, document: dict[str, Any]) -> None:
    topic = sns.directory.topics[call.parameters["TopicArn"]]
    text = json.dumps(document, separators=(",", ":"))
    kept = check_topic_attribute("Policy", text, fifo=topic.fifo, creating=False)
    await sns.save_topic(replace(topic, attributes={**topic.attributes, "Policy": kept or ""}))


def _statement(
    label: str, accounts: Sequence[str], actions: Sequence[str], arn: str
) -> dict[str, Any]:
    if not accounts or any(not _ACCOUNT.fullmatch(account) for account in accounts):
        raise faults.invalid("AWSAccountId")
    if not actions:
        raise faults.invalid("ActionName")
    for action in actions:
        if action != "*" and action not in _ACTIONS:
            raise faults.invalid("Policy statement action out of service scope!")
    principals = [f"arn:aws:iam::{account}:root" for account in accounts]
    named = [f"SNS:{action}" for action in actions]
    return {
        "Sid": label,
        "Effect": "Allow",
        "Principal": {"AWS": principals[0] if len(principals) == 1 else principals},
        "Action": named[0] if len(named) == 1 else named,
        "Resource": arn,
    }


def _statements(document: dict[str, Any]) -> list[dict[str, Any]]:
    found = document.get("Statement", [])
    return [found] if isinstance(found, dict) else list(found)
