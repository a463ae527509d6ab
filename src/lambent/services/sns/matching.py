"""Which subscriptions a publication is for. Pure."""

import json
from functools import cached_property
from typing import Any

from lambent.patterns import Dialect, message_attributes_document
from lambent.services.sns.publication import Publication
from lambent.services.sns.subscription import Subscription


class Filter:
    """One publication, asked about by its topic's subscriptions; what they look at is parsed once."""

    def __init__(self, publication: Publication) -> None:
        self._publication = publication
        self._bodies: dict[str, Any] = {}

    def passes(self, subscription: Subscription) -> bool:
        """Whether the filter policy, if there is one, lets the publication through."""
        pattern = subscription.pattern
        if pattern is None:
            return True
        if pattern.dialect is Dialect.SNS_BODY:
            return pattern.matches(self._body(self._publication.text_for(subscription.protocol)))
        return pattern.matches(self._attributes)

    @cached_property
    def _attributes(self) -> dict[str, Any]:
        given = {
            name: (one.data_type, one.value if isinstance(one.value, str) else None)
            for name, one in self._publication.attributes.items()
        }
        return message_attributes_document(given)

    def _body(self, text: str) -> Any:
        if text not in self._bodies:
            self._bodies[text] = _parse(text)
        return self._bodies[text]


def _parse(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
