"""AddPermission and RemovePermission: statements of the queue's policy, by label."""

import json
import re
from typing import Any, Final

from lambent.model.call import Call, Result
from lambent.services.sqs import faults
from lambent.services.sqs.access import OWNERS_ONLY
from lambent.services.sqs.attributes import read_policy
from lambent.services.sqs.queue import SqsQueue
from lambent.services.sqs.queue_attributes import change_attributes
from lambent.services.sqs.service import SqsService
from lambent.wire.catalogue import operation_names

MAX_ACTIONS: Final = 7
_LABEL = re.compile(r"[A-Za-z0-9_-]{1,80}")
_ACCOUNT = re.compile(r"[0-9]{12}")
_BATCHES = frozenset({"SendMessageBatch", "DeleteMessageBatch", "ChangeMessageVisibilityBatch"})


async def add_permission(sqs: SqsService, call: Call) -> Result:
    """Adds a statement that allows accounts some actions."""
    parameters = call.parameters
    label, actions = parameters["Label"], parameters["Actions"]
    accounts = parameters["AWSAccountIds"]
    if not _LABEL.fullmatch(label):  # the best known text
        raise faults.invalid_value(
            label[:256],
            "Label",
            "Label can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length.",
        )
    _check_actions(actions)
    _check_accounts(accounts)
    async with sqs.changes:
        queue = sqs.find(call)
        document = _document(queue)
        if any(statement.get("Sid") == label for statement in document["Statement"]):
            raise faults.invalid_value(label, "Label", "Already exists.")
        arns = [f"arn:aws:iam::{account}:root" for account in accounts]
        names = [f"SQS:{action}" for action in actions]
        document["Statement"].append(
            {
                "Sid": label,
                "Effect": "Allow",
                "Principal": {"AWS": _one_or_all(arns)},
                "Action": _one_or_all(names),
                "Resource": queue.arn,
            }
        )
        await _keep(sqs, queue, document)
    return Result()


async def remove_permission(sqs: SqsService, call: Call) -> Result:
    """Removes the statement of that label; with the last one the policy goes."""
    label = call.parameters["Label"]
    async with sqs.changes:
        queue = sqs.find(call)
        document = _document(queue)
        kept = [each for each in document["Statement"] if each.get("Sid") != label]
        if len(kept) == len(document["Statement"]):
            raise faults.invalid_value(label[:256], "Label", "can't find label.")
        await _keep(sqs, queue, {**document, "Statement": kept})
    return Result()


def _document(queue: SqsQueue) -> dict[str, Any]:
    text = queue.attributes.get("Policy")
    if not text:
        policy_id = f"{queue.arn}/SQSDefaultPolicy"
        return {"Version": "2008-10-17", "Id": policy_id, "Statement": []}
    document: dict[str, Any] = json.loads(text)
    statements = document["Statement"]
    return {
        **document,
        "Statement": list(statements) if isinstance(statements, list) else [statements],
    }


async def _keep(sqs: SqsService, queue: SqsQueue, document: dict[str, Any]) -> None:
    text = json.dumps(document, separators=(",", ":")) if document["Statement"] else ""
    if text:
        read_policy(text)  # it may have become too large
    await change_attributes(sqs, queue, {**queue.attributes, "Policy": text})


def _check_actions(actions: list[str]) -> None:
    if not actions:
        raise faults.missing("Actions")
    if len(actions) > MAX_ACTIONS:
        raise faults.over_limit(
            f"{len(actions)} Actions were found, maximum allowed is {MAX_ACTIONS}."
        )
    known = frozenset(operation_names("sqs")) - _BATCHES | {"*"}
    for action in actions:
        if action in OWNERS_ONLY:
            reason = "Only the queue owner is allowed to invoke this action."
        elif action not in known:
            reason = "Please refer to the appropriate WSDL for a list of valid actions."
        else:
            continue
        raise faults.invalid_value(f"SQS:{action[:256]}", "ActionName", reason)


def _check_accounts(accounts: list[str]) -> None:
    if not accounts:
        raise faults.missing("AWSAccountIds")
    if any(not _ACCOUNT.fullmatch(account) for account in accounts):
        shown = ", ".join(account[:64] for account in accounts[:10])
        raise faults.invalid_value(f"[{shown}]", "PrincipalId", "Unable to verify.")


def _one_or_all(values: list[str]) -> str | list[str]:
    return values[0] if len(values) == 1 else values
