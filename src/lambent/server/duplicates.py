"""Deliveries on purpose: an event that its function gets several times, to test that it may.

AWS delivers an asynchronous event at least once and leaves more to chance. With the header
``x-lambent-deliveries`` an ``Event`` invocation is put into the queue so many times, in one transaction and
under one request id: everything after is as for a duplicate that happened. The answer repeats the header,
so that its sender knows that it was understood.
"""

from collections.abc import Mapping
from ipaddress import ip_address

from lambent.model.errors import ClientFault

HEADER = b"x-lambent-deliveries"
MAX_DELIVERIES = 100
"""POLICY: a test of idempotency needs two."""


def deliveries_of(headers: Mapping[bytes, bytes], peer: str) -> int:
    """How many times; 1 without the header.

    Raises InvalidParameterValueException for what is no number up to 100, and AccessDeniedException for
    callers from elsewhere than this machine.
    """
    given = headers.get(HEADER)
    if given is None:
        return 1
    if not _is_loopback(peer):
        raise ClientFault(
            "AccessDeniedException", "Duplicates are made for callers on this machine only.", 403
        )
    if not (given.isdigit() and len(given) <= 3 and 1 <= int(given) <= MAX_DELIVERIES):
        raise ClientFault(
            "InvalidParameterValueException",
            f"{HEADER.decode()} has to be a number from 1 to {MAX_DELIVERIES}.",
            400,
            fields={"Type": "User"},
        )
    return int(given)


def _is_loopback(peer: str) -> bool:
    try:
        return ip_address(peer).is_loopback
    except ValueError:
        return False
