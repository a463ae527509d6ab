"""Paging tokens, and the tokens by which endpoints confirm subscriptions. Pure but for ``new_token``."""

import base64
import binascii
import secrets
from bisect import bisect_right
from collections.abc import Sequence

from lambent.services.sns import faults

PAGE = 100
"""Source: ListTopics and ListSubscriptions return at most 100 results."""
_CONFIRMATION_BYTES = 144
CONFIRMATION_MS = 2 * 24 * 3600 * 1000
"""Source: Subscribe in botocore's model: confirmation tokens are valid for two days."""


def new_token() -> str:
    """A confirmation token: 288 hexadecimal characters, as AWS's are."""
    return secrets.token_hex(_CONFIRMATION_BYTES)


def page_of(keys: Sequence[str], next_token: str | None) -> tuple[Sequence[str], str | None]:
    """The page of sorted ``keys`` after the token's, and the token of the next one.

    Keys that come or go between two pages neither repeat nor hide others. Raises
    ``InvalidParameter`` for what is no token.
    """
    start = bisect_right(keys, parse_page_token(next_token)) if next_token else 0
    page = keys[start : start + PAGE]
    more = start + PAGE < len(keys)
    return page, format_page_token(page[-1]) if more else None


def format_page_token(last_key: str) -> str:
    """Opaque to clients: where the page ended."""
    return base64.urlsafe_b64encode(last_key.encode()).decode()


def parse_page_token(token: str) -> str:
    """The inverse. Raises ``InvalidParameter`` (best known: AWS's text is not recorded)."""
    try:
        return base64.b64decode(token.encode(), b"-_", validate=True).decode()
    except (binascii.Error, ValueError) as error:
        raise faults.invalid("NextToken") from error
