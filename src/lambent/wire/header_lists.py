"""Lists in one header: comma-separated, strings quoted where they hold a comma or a quote."""

import re
from collections.abc import Callable, Sequence
from typing import Any

_ITEM = re.compile(r'\s*(?:"((?:[^"\\]|\\.)*)"|([^,]*))\s*(?:,|$)')


def split_header_list(text: str, read: Callable[[str], Any]) -> list[str]:
    """The items of a header's list; ``read`` tells dates apart, which hold commas of their own."""
    if "," not in text:
        return [_unquote(text.strip())] if text.strip() else []
    if _holds_http_dates(text) and read is not str:
        parts = [part.strip() for part in text.split(",")]
        return [", ".join(parts[at : at + 2]) for at in range(0, len(parts), 2)]
    return _split(text)


def _split(text: str) -> list[str]:
    items, at = [], 0
    while at < len(text):
        found = _ITEM.match(text, at)
        if found is None:  # text behind a closing quote: taken as it stands
            end = text.find(",", at + 1)
            end = len(text) if end < 0 else end
            items.append(text[at:end].strip())
            at = end + 1
            continue
        items.append(_unescape(found[1]) if found[1] is not None else found[2].strip())
        at = max(found.end(), at + 1)
    return items


def _unquote(item: str) -> str:
    if len(item) >= 2 and item[0] == item[-1] == '"':
        return _unescape(item[1:-1])
    return item


def _unescape(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text)


def _holds_http_dates(text: str) -> bool:
    return text[:3] in ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun") and text[3:4] == ","


def format_header_list(items: Sequence[str], quoted: bool) -> str:
    """``a, b``; with ``quoted`` an item that holds a comma or a quote stands in quotes."""
    return ", ".join(_quote(item) if quoted else item for item in items)


def _quote(item: str) -> str:
    if '"' in item or "," in item:
        return '"' + item.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return item
