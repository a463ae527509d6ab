"""Subscriptions: lists and attributes."""

from collections.abc import Iterable
from dataclasses import replace

from lambent.model.call import Call, Result
from lambent.services.sns import faults
from lambent.services.sns.arns import topic_arn
from lambent.services.sns.delivery_policy import DeliveryPolicy
from lambent.services.sns.lookup import find_subscription, find_topic
from lambent.services.sns.service import SnsService, changing
from lambent.services.sns.subscribing import subject_of
from lambent.services.sns.subscription import State, Subscription
from lambent.services.sns.subscription_attributes import merge_attributes
from lambent.services.sns.tokens import page_of


async def list_subscriptions(sns: SnsService, call: Call) -> Result:
    """The caller's subscriptions of the Region, 100 a page."""
    caller = call.caller
    region = topic_arn(caller.region, "", "").removesuffix(":")
    own = (
        one
        for one in sns.directory.subscriptions.values()
        if one.owner == caller.account_id and one.topic_arn.startswith(region)
    )
    return _page(own, call.parameters.get("NextToken"))


async def list_subscriptions_by_topic(sns: SnsService, call: Call) -> Result:
    """A topic's subscriptions, 100 a page."""
    topic = find_topic(sns, call, "ListSubscriptionsByTopic")
    return _page(sns.directory.of_topic(topic.arn), call.parameters.get("NextToken"))


async def get_subscription_attributes(sns: SnsService, call: Call) -> Result:
    """Everything AWS shows of a subscription."""
    subscription = find_subscription(sns, call)
    topic = sns.directory.topics.get(subscription.topic_arn)
    above = topic.delivery_policy if topic is not None else DeliveryPolicy()
    return Result({"Attributes": subscription.describe(above)})


@changing
async def set_subscription_attributes(sns: SnsService, call: Call) -> Result:
    """Set one attribute; it holds for messages published from now on."""
    subscription = find_subscription(sns, call)
    topic = sns.directory.topics.get(subscription.topic_arn)
    if topic is None:
        raise faults.no_topic()
    subject = subject_of(topic, subscription.protocol, subscription.endpoint, creating=False)
    given = {call.parameters["AttributeName"]: call.parameters.get("AttributeValue") or ""}
    attributes = merge_attributes(subject, subscription.attributes, given)
    await sns.save_subscription(replace(subscription, attributes=attributes))
    return Result()


def _page(found: Iterable[Subscription], next_token: str | None) -> Result:
    by_arn = {one.arn: one for one in found if one.state is not State.DEACTIVATED}
    arns, token = page_of(sorted(by_arn), next_token)
    shown = [by_arn[arn].summarize() for arn in arns]
    return Result({"Subscriptions": shown, "NextToken": token})
