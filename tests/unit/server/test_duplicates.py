"""Duplicates on purpose: how many were asked for, and who may ask."""

import pytest

from lambent.model.errors import ClientFault
from lambent.server.duplicates import HEADER, MAX_DELIVERIES, deliveries_of


@pytest.mark.parametrize("peer", ["127.0.0.1", "::1", "127.9.9.9"])
def test_callers_here_may_ask(peer: str) -> None:
    """For one to a hundred; without the header it is one, wherever the caller is."""
    assert deliveries_of({HEADER: b"1"}, peer) == 1
    assert deliveries_of({HEADER: b"100"}, peer) == MAX_DELIVERIES
    assert deliveries_of({}, "192.0.2.1") == 1


@pytest.mark.parametrize("peer", ["192.0.2.1", "", "localhost"])
def test_others_may_not(peer: str) -> None:
    """A caller on another machine is refused, and one of whom nothing is known."""
    with pytest.raises(ClientFault, match="this machine") as refused:
        deliveries_of({HEADER: b"2"}, peer)
    assert refused.value.status == 403


@pytest.mark.parametrize(
    "given", [b"", b"0", b"101", b"-1", b"2.0", b"9" * 5000, b"two", "²".encode(), b" 2"]
)
def test_what_is_no_such_number_is_refused(given: bytes) -> None:
    """With 400, and without trying."""
    with pytest.raises(ClientFault, match="from 1 to 100") as refused:
        deliveries_of({HEADER: given}, "127.0.0.1")
    assert refused.value.status == 400
