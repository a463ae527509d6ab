"""The topics and subscriptions that operations name, and whether the caller may have them."""

from collections.abc import Mapping

from lambent.model.call import Call, Caller
from lambent.services.sns import faults
from lambent.services.sns.access import authorize
from lambent.services.sns.arns import parse_topic_arn, split_arn
from lambent.services.sns.service import SnsService
from lambent.services.sns.subscription import Subscription
from lambent.services.sns.topic import Topic

_CONTEXT: Mapping[str, str] = {}


def find_topic(
    sns: SnsService,
    call: Call,
    action: str,
    *,
    arn: str | None = None,
    context: Mapping[str, str] = _CONTEXT,
) -> Topic:
    """The topic of ``TopicArn``, or of ``arn``, which the caller may do ``action`` with.

    Raises ``InvalidParameter``, ``NotFound``, ``AuthorizationError``. AWS: it is one of the Region called.
    """
    wanted = arn if arn is not None else call.parameters["TopicArn"]
    if parse_topic_arn(wanted).region != call.caller.region:
        raise faults.invalid("TopicArn")
    topic = sns.directory.topics.get(wanted)
    if topic is None:
        raise faults.no_topic()
    authorize(topic, f"SNS:{action}", call.caller, context)
    return topic


def find_subscription(sns: SnsService, call: Call) -> Subscription:
    """The subscription of ``SubscriptionArn``, the caller's own or of the caller's topic.

    Raises ``InvalidParameter``, ``NotFound``, ``AuthorizationError``.
    """
    arn = call.parameters["SubscriptionArn"]
    check_subscription_arn(arn)
    found = sns.directory.visible(arn)
    if found is None:
        raise faults.no_subscription()
    if not owns(call.caller, found):
        raise faults.unauthorized("Access denied to the subscription")  # best known
    return found


def check_subscription_arn(text: str) -> None:
    """Raises ``InvalidParameter`` for what is no ARN of a subscription."""
    arn = split_arn(text)
    if arn is None:
        count = len(text.split(":"))
        raise faults.invalid(
            f"SubscriptionArn Reason: An ARN must have at least 6 elements, not {count}"
        )
    if arn.service != "sns" or arn.resource.count(":") != 1:
        raise faults.invalid("SubscriptionId")


def owns(caller: Caller, subscription: Subscription) -> bool:
    """Whether the caller's account is the subscription's, or the topic's."""
    topic_owner = parse_topic_arn(subscription.topic_arn).account_id
    return caller.account_id in {subscription.owner, topic_owner}


def sender_arn(caller: Caller) -> str:
    """Who the caller is, as attributes show it."""
    return caller.principal_arn or f"arn:aws:iam::{caller.account_id}:root"
