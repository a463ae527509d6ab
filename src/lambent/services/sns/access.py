"""Who may do what with a topic: its policy, asked.

The owner's account may do everything that no statement denies; others need one that allows it. What an
identity's own policies say is not asked: requests are not authenticated yet.
"""

from collections.abc import Mapping
from typing import Any

from lambent.model.call import Caller
from lambent.model.outgoing import Outgoing
from lambent.policy import Principal, Request, evaluate
from lambent.services.sns import faults
from lambent.services.sns.topic import Topic

_CONTEXT: Mapping[str, str] = {}


def authorize(
    topic: Topic, action: str, caller: Caller, context: Mapping[str, str] = _CONTEXT
) -> None:
    """Raises ``AuthorizationError`` unless the caller may; ``action`` is ``SNS:Publish`` and the like."""
    known = {"aws:SourceOwner": caller.account_id, **context}
    _ask(
        topic, action, _principal(caller.principal_arn, caller.account_id), caller.account_id, known
    )


def authorize_sender(topic: Topic, outgoing: Outgoing) -> None:
    """The same for a message that another part of the platform publishes."""
    account_id = outgoing.source_account
    context = {
        "aws:SourceArn": outgoing.source_arn,
        "aws:SourceAccount": account_id,
        "aws:SourceOwner": account_id,
    }
    if outgoing.principal.startswith("arn:"):
        principal = _principal(outgoing.principal, account_id)
        account_id = principal.account_id or account_id
    else:
        principal, account_id = Principal.service(outgoing.principal), ""
    _ask(topic, "SNS:Publish", principal, account_id, context)


def _ask(
    topic: Topic, action: str, principal: Principal, account_id: str, context: Mapping[str, Any]
) -> None:
    decision = evaluate([topic.policy], Request(principal, action, topic.arn, context))
    if decision.explicitly_denied or not (decision.allowed or account_id == topic.account_id):
        raise faults.denied(
            principal.name, action, topic.arn, explicitly=decision.explicitly_denied
        )


def _principal(arn: str | None, account_id: str) -> Principal:
    try:
        return Principal.aws(arn) if arn else Principal.account(account_id)
    except ValueError:
        return Principal.account(account_id)
