"""Who may do what with a queue: its owner unless a policy denies, others if a policy allows."""

from collections.abc import Mapping

from lambent.model.call import Caller
from lambent.model.errors import ClientFault
from lambent.policy import Principal, Request, evaluate
from lambent.services.sqs import faults
from lambent.services.sqs.queue import SqsQueue

OWNERS_ONLY = frozenset(
    {
        "AddPermission",
        "CancelMessageMoveTask",
        "CreateQueue",
        "DeleteQueue",
        "ListMessageMoveTasks",
        "ListQueues",
        "ListQueueTags",
        "RemovePermission",
        "SetQueueAttributes",
        "StartMessageMoveTask",
        "TagQueue",
        "UntagQueue",
    }
)
"""Operations no policy opens to other accounts. Source: "Cross-account permissions don't apply"."""


def check_caller(queue: SqsQueue, caller: Caller, action: str) -> None:
    """Raises 403 ``AccessDenied`` unless the caller may."""
    owned = caller.account_id == queue.name.account_id
    if owned and queue.settings.policy is None:
        return
    arn = caller.principal_arn or f"arn:aws:iam::{caller.account_id}:root"
    if not owned and action in OWNERS_ONLY:
        raise _denied(queue, arn, action)
    check_principal(queue, Principal.aws(arn), arn, action, {}, owned=owned)


def check_service(
    queue: SqsQueue, principal: str, source_arn: str, source_account: str, action: str
) -> None:
    """The same for what a part of the platform does.

    ``principal`` is a service (``sns.amazonaws.com``), which needs an allow, or the ARN of a role: of
    the queue's account it needs none.
    """
    # AWS: only services tell for whom they act; a role is the caller itself.
    context = {"aws:SourceArn": source_arn, "aws:SourceAccount": source_account}
    if not principal.startswith("arn:"):
        check_principal(
            queue, Principal.service(principal), principal, action, context, owned=False
        )
        return
    owned = principal.split(":", 5)[4] == queue.name.account_id
    if owned and queue.settings.policy is None:
        return
    check_principal(queue, Principal.aws(principal), principal, action, {}, owned=owned)


def check_principal(
    queue: SqsQueue,
    principal: Principal,
    shown: str,
    action: str,
    context: Mapping[str, str],
    *,
    owned: bool,
) -> None:
    """Asks the queue's policy; ``owned``: a principal of the queue's account, refused by a deny only."""
    policy = queue.settings.policy
    request = Request(principal, f"sqs:{action}", queue.arn, context)
    decision = evaluate([policy] if policy is not None else [], request)
    if decision.allowed or (owned and not decision.explicitly_denied):
        return
    raise _denied(queue, shown, action, explicitly=decision.explicitly_denied)


def _denied(
    queue: SqsQueue, principal: str, action: str, *, explicitly: bool = False
) -> ClientFault:
    if action == "GetQueueUrl":  # AWS: a stranger is not told that there is such a queue
        return faults.no_queue()
    why = (
        "with an explicit deny in a resource-based policy"
        if explicitly
        else f"because no resource-based policy allows the sqs:{action.lower()} action"
    )
    return ClientFault(
        "AccessDenied",
        f"User: {principal} is not authorized to perform: sqs:{action.lower()} "
        f"on resource: {queue.arn} {why}",
        403,
    )
