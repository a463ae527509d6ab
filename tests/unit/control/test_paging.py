"""Pages of a list."""

import base64
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambent.control import paging
from lambent.model.errors import ClientFault


def _pages(items: list[str], size: int) -> list[list[str]]:
    """Follows the markers over a sorted list, as the operations do over their tables."""
    pages: list[list[str]] = []
    parameters: dict[str, Any] = {"MaxItems": size}
    while True:
        (start,) = paging.after(parameters, ("",))
        wanted = paging.page_size(parameters)
        found = [item for item in sorted(items) if item > str(start)][: wanted + 1]
        output = paging.page(found, wanted, lambda item: (item,), lambda item: {"v": item}, "L")
        pages.append([item["v"] for item in output["L"]])
        if "NextMarker" not in output:
            return pages
        parameters["Marker"] = output["NextMarker"]


@given(st.sets(st.text(min_size=1, max_size=4), max_size=30), st.integers(1, 40))
def test_every_item_is_on_one_page(items: set[str], size: int) -> None:
    """Following the markers gives each item once, in order, and no page but the last is short."""
    pages = _pages(list(items), size)
    assert [item for page in pages for item in page] == sorted(items)
    assert all(len(page) == size for page in pages[:-1])


@given(st.text() | st.binary().map(lambda raw: base64.urlsafe_b64encode(raw).decode()))
def test_any_marker_is_ours_or_refused(marker: str) -> None:
    """A text that nobody was given as a marker is AWS's error, whatever it decodes to."""
    with suppress(ClientFault):
        (number,) = paging.after({"Marker": marker}, (0,))
        assert isinstance(number, int)


@pytest.mark.parametrize("text", [b"[" * 100_000, b"[9223372036854775808]", b"[%d]" % 10**40])
def test_a_marker_holds_no_more_than_a_key(text: bytes) -> None:
    """Nesting beyond the parser's, and numbers no record has room for, are no markers."""
    with pytest.raises(ClientFault, match="Invalid Marker"):
        paging.after({"Marker": base64.urlsafe_b64encode(text).decode()}, (0,))


@given(st.integers(1, 10_000))
def test_page_holds_at_most_50(wanted: int) -> None:
    """MaxItems is obeyed up to AWS's 50."""
    assert paging.page_size({"MaxItems": wanted}) == min(wanted, 50)
    assert paging.page_size({}) == 50
