"""Subscribe, ConfirmSubscription, Unsubscribe."""

import uuid
from dataclasses import replace

from lambent.model.call import Call, Caller, Result
from lambent.model.errors import ClientFault
from lambent.services.sns import faults
from lambent.services.sns.arns import split_arn
from lambent.services.sns.confirmations import make_confirmation, put_confirmation
from lambent.services.sns.endpoints import check_endpoint, endpoint_account
from lambent.services.sns.envelope import SUBSCRIPTION, UNSUBSCRIPTION
from lambent.services.sns.lookup import check_subscription_arn, find_topic, owns, sender_arn
from lambent.services.sns.service import SnsService, changing
from lambent.services.sns.subscription import State, Subscription
from lambent.services.sns.subscription_attributes import Subject, merge_attributes
from lambent.services.sns.tokens import CONFIRMATION_MS, new_token
from lambent.services.sns.topic import Topic
from lambent.services.sns.topics import check_large_messages

MAX_SUBSCRIPTIONS = 1_000
"""POLICY: of one topic (AWS: 12,500,000); a message of 256 KiB reaches them all in one transaction."""
_PENDING = "pending confirmation"


@changing
async def subscribe(sns: SnsService, call: Call) -> Result:
    """Subscribe an endpoint, or name the subscription there is if it is the same.

    A queue or function of the caller's account is subscribed at once; other endpoints are sent a
    confirmation, again where they have not answered the last one.
    """
    parameters = call.parameters
    protocol, endpoint = parameters["Protocol"], parameters.get("Endpoint")
    context = {"sns:Protocol": protocol, "sns:Endpoint": endpoint or ""}
    topic = find_topic(sns, call, "Subscribe", context=context)
    check_endpoint(topic, protocol, endpoint)
    subject = subject_of(topic, protocol, endpoint, creating=True)
    attributes = merge_attributes(subject, {}, parameters.get("Attributes") or {})
    existing = _find_same(sns, topic, protocol, endpoint)
    if existing is None:
        _check_room(sns, topic)
        check_large_messages(sns, topic, protocol)
        subscription = _new(topic, call.caller, protocol, endpoint)
        subscription = replace(subscription, attributes=attributes)
        await _save_new(sns, topic, subscription)
    else:
        subscription = existing
        if any(existing.attributes.get(name) != value for name, value in attributes.items()):
            raise faults.invalid(
                "Attributes Reason: Subscription already exists with different attributes"
            )
        if existing.state is State.PENDING:
            await _save_new(sns, topic, existing)
    shown = subscription.state is State.CONFIRMED or parameters.get("ReturnSubscriptionArn")
    return Result({"SubscriptionArn": subscription.arn if shown else _PENDING})


@changing
async def confirm_subscription(sns: SnsService, call: Call) -> Result:
    """Confirm by the token that was sent to the endpoint; works once more for who did it before.

    AWS: it need not be signed, except with AuthenticateOnUnsubscribe.
    """
    parameters = call.parameters
    if split_arn(parameters["TopicArn"]) is None:
        raise faults.invalid("Topic")
    subscription = sns.directory.by_token(parameters["Token"])
    if subscription is None or subscription.topic_arn != parameters["TopicArn"]:
        raise faults.invalid("Token")
    if subscription.state is State.CONFIRMED:
        return Result({"SubscriptionArn": subscription.arn})
    if subscription.expires_ms <= sns.now_ms():
        raise faults.invalid("Token")
    authenticated = parameters.get("AuthenticateOnUnsubscribe", "").lower() == "true"
    if authenticated and call.caller.access_key_id is None:
        raise faults.unauthorized("AuthenticateOnUnsubscribe needs a signed request")  # best known
    confirmed = replace(subscription, state=State.CONFIRMED, authenticated=authenticated)
    await sns.save_subscription(confirmed)
    return Result({"SubscriptionArn": subscription.arn})


@changing
async def unsubscribe(sns: SnsService, call: Call) -> Result:
    """End a subscription. AWS: one that is not there is no error.

    Where neither the subscription's owner nor the topic's asks, an HTTP endpoint is told, and can have
    it back for two days.
    """
    arn = call.parameters["SubscriptionArn"]
    check_subscription_arn(arn)
    subscription = sns.directory.visible(arn)
    if subscription is None:
        return Result()
    by_owner = call.caller.access_key_id is not None and owns(call.caller, subscription)
    if subscription.authenticated and not by_owner:
        raise faults.unauthorized(
            "Only the owner of the subscription or of the topic can end it"  # best known
        )
    topic = sns.directory.topics.get(subscription.topic_arn)
    if by_owner or not subscription.by_http or topic is None:
        await sns.drop_subscription(subscription)
    else:
        await _deactivate(sns, topic, subscription)
    return Result()


def subject_of(topic: Topic, protocol: str, endpoint: str | None, *, creating: bool) -> Subject:
    """Whose attributes are to be checked. A dead-letter queue is in the topic's account and Region."""
    arn = split_arn(topic.arn)
    region, account_id = (arn.region, arn.account_id) if arn else ("", "")
    return Subject(topic.arn, protocol, endpoint or "", region, account_id, creating)


def _find_same(
    sns: SnsService, topic: Topic, protocol: str, endpoint: str | None
) -> Subscription | None:
    for one in sns.directory.of_topic(topic.arn):
        same = one.protocol == protocol and one.endpoint == endpoint
        if same and one.state is not State.DEACTIVATED:
            return one
    return None


def _check_room(sns: SnsService, topic: Topic) -> None:
    if sum(1 for _ in sns.directory.of_topic(topic.arn)) >= MAX_SUBSCRIPTIONS:
        raise ClientFault(
            "SubscriptionLimitExceededException", "Subscription limit exceeded", 403  # best known
        )  # fmt: skip


def _new(topic: Topic, caller: Caller, protocol: str, endpoint: str | None) -> Subscription:
    owner = endpoint_account(endpoint or "")
    own = protocol in {"sqs", "lambda"} and owner == caller.account_id
    if protocol == "lambda" and not own:
        # Best known.
        raise faults.unauthorized(
            f"The account {caller.account_id} is not the owner of the lambda function {endpoint}"
        )
    return Subscription(
        arn=f"{topic.arn}:{uuid.uuid4()}",
        topic_arn=topic.arn,
        protocol=protocol,
        endpoint=endpoint or "",
        owner=caller.account_id,
        state=State.CONFIRMED if own else State.PENDING,
        principal=sender_arn(caller),
        authenticated=own,
        from_function=caller.inside,
    )


async def _save_new(sns: SnsService, topic: Topic, subscription: Subscription) -> None:
    if subscription.state is State.CONFIRMED:
        await sns.save_subscription(subscription)
        return
    await _save_with_confirmation(sns, topic, subscription, SUBSCRIPTION)


async def _deactivate(sns: SnsService, topic: Topic, subscription: Subscription) -> None:
    ended = replace(subscription, state=State.DEACTIVATED, token="")
    await _save_with_confirmation(sns, topic, ended, UNSUBSCRIPTION)


async def _save_with_confirmation(
    sns: SnsService, topic: Topic, subscription: Subscription, kind: str
) -> None:
    now_ms = sns.now_ms()
    saved = replace(
        subscription,
        token=subscription.token or new_token(),
        expires_ms=now_ms + CONFIRMATION_MS,
    )
    confirmation = await sns.on_thread(
        lambda: make_confirmation(topic, saved, kind, sns.signer, sns.endpoint, now_ms)
    )
    await sns.save_subscription(
        saved, lambda tx: put_confirmation(tx, sns.outlets, saved, confirmation, now_ms)
    )
