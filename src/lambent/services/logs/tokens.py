"""Page tokens: a place in a list of names, or in a sequence of events."""

import base64
import binascii
import re
from typing import Final, NamedTuple

from lambent.services.logs import faults

_EVENT_TOKEN: Final = re.compile(r"([fb])/([0-9]{56})/s")


class EventToken(NamedTuple):
    """Go on strictly beyond ``position``, forward or backward."""

    backward: bool
    position: int


def format_name_token(name: str) -> str:
    """A token for what comes after ``name``."""
    return base64.urlsafe_b64encode(name.encode()).decode()


def parse_name_token(token: str | None) -> str:
    """The name to go on after, "" at the start. Raises ``InvalidParameterException``."""
    try:
        return base64.b64decode((token or "").encode(), b"-_", validate=True).decode()
    except (binascii.Error, UnicodeError) as error:
        raise faults.invalid(faults.BAD_TOKEN) from error


def format_event_token(position: int, *, backward: bool = False) -> str:
    """As AWS writes them: ``f/<56 digits>/s``."""
    return f"{'b' if backward else 'f'}/{max(0, position):056d}/s"


def parse_event_token(token: str | None) -> EventToken | None:
    """The inverse; None stays None. Raises ``InvalidParameterException``."""
    if token is None:
        return None
    found = _EVENT_TOKEN.fullmatch(token)
    if found is None:
        raise faults.invalid(faults.BAD_TOKEN)
    return EventToken(found[1] == "b", int(found[2]))
