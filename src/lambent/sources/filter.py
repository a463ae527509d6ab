"""The filter of a mapping: its ``FilterCriteria``, compiled."""

from collections.abc import Mapping
from typing import Any

from lambent.patterns.records import Payload, RecordFilter, compile_filters


def filter_of(document: Mapping[str, Any], payload: Payload) -> RecordFilter:
    """Of a mapping's document, which was checked when it was recorded."""
    filters = (document.get("FilterCriteria") or {}).get("Filters") or ()
    return compile_filters([each.get("Pattern", "") for each in filters], payload)
