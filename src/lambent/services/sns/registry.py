"""SNS's operations by AWS name."""

from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType
from typing import Final

from lambent.model.call import Call, Result
from lambent.services.sns import (
    permissions,
    publishing,
    subscribing,
    subscriptions,
    tags,
    topics,
)
from lambent.services.sns.service import SnsService

OPERATIONS: Final[Mapping[str, Callable[[SnsService, Call], Awaitable[Result]]]] = MappingProxyType(
    {
        "CreateTopic": topics.create_topic,
        "DeleteTopic": topics.delete_topic,
        "ListTopics": topics.list_topics,
        "GetTopicAttributes": topics.get_topic_attributes,
        "SetTopicAttributes": topics.set_topic_attributes,
        "AddPermission": permissions.add_permission,
        "RemovePermission": permissions.remove_permission,
        "TagResource": tags.tag_resource,
        "UntagResource": tags.untag_resource,
        "ListTagsForResource": tags.list_tags_for_resource,
        "Subscribe": subscribing.subscribe,
        "ConfirmSubscription": subscribing.confirm_subscription,
        "Unsubscribe": subscribing.unsubscribe,
        "ListSubscriptions": subscriptions.list_subscriptions,
        "ListSubscriptionsByTopic": subscriptions.list_subscriptions_by_topic,
        "GetSubscriptionAttributes": subscriptions.get_subscription_attributes,
        "SetSubscriptionAttributes": subscriptions.set_subscription_attributes,
        "Publish": publishing.publish,
        "PublishBatch": publishing.publish_batch,
    }
)
