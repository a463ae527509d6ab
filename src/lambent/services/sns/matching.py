"""Which subscriptions a publication is for. Pure."""

import json
from typing import Any

from lambent.patterns import Dialect, message_attributes_document
from lambent.services.sns.publication import Publication
from lambent.services.sns.subscription import Subscription


def matches(subscription: Subscription, publication: Publication) -> bool:
    """Whether the filter policy, if there is one, lets the publication through."""
    pattern = subscription.pattern
    if pattern is None:
        return True
    if pattern.dialect is Dialect.SNS_BODY:
        return pattern.matches(_json(publication.text_for(subscription.protocol)))
    given = {
        name: (one.data_type, one.value if isinstance(one.value, str) else None)
        for name, one in publication.attributes.items()
    }
    return pattern.matches(message_attributes_document(given))


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
