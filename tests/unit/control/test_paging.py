"""Pages of a list."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from lambent.control import paging


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


@given(st.integers(1, 10_000))
def test_page_holds_at_most_50(wanted: int) -> None:
    """MaxItems is obeyed up to AWS's 50."""
    assert paging.page_size({"MaxItems": wanted}) == min(wanted, 50)
    assert paging.page_size({}) == 50
