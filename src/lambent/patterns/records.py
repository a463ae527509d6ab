"""Filters of event source mappings: which records reach the function.

Before matching, the payload of a record is read the way the filter expects it:

=================  =====================  ===============================
payload            filter on the payload  what happens
=================  =====================  ===============================
plain string       plain string           filtered
plain string       none                   filtered on the other fields
plain string       JSON                   dropped
JSON               plain string           dropped
JSON               none                   filtered on the other fields
JSON               JSON                   filtered
=================  =====================  ===============================

Kinesis and DynamoDB records take JSON filters only.
Source: https://docs.aws.amazon.com/lambda/latest/dg/invocation-eventfiltering.html
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lambent.patterns.compiled import Pattern, compile_pattern
from lambent.patterns.dialects import Dialect
from lambent.patterns.errors import PatternError

MAX_FILTERS = 5
"""Filters per mapping; 10 where the quota was raised. Source: as above."""


@dataclass(frozen=True, slots=True)
class Payload:
    """Where a source keeps what was sent, and whether filters may read it as a plain string."""

    key: str
    plain: bool


SQS = Payload("body", plain=True)
KINESIS = Payload("data", plain=False)
DYNAMODB = Payload("dynamodb", plain=False)
KAFKA = Payload("value", plain=True)
MQ = Payload("data", plain=True)


@dataclass(frozen=True, slots=True)
class _Filter:
    pattern: Pattern
    wants_json: bool
    wants_plain: bool

    def keeps(self, document: dict[str, Any], *, is_json: bool) -> bool:
        """A filter with both forms, by ``$or``, takes each record in its own form."""
        mismatch = self.wants_plain if is_json else self.wants_json
        if mismatch and not (self.wants_json and self.wants_plain):
            return False
        return self.pattern.matches(document)


@dataclass(frozen=True, slots=True)
class RecordFilter:
    """The compiled ``FilterCriteria`` of one mapping."""

    payload: Payload
    filters: tuple[_Filter, ...]

    def keeps(self, fields: Mapping[str, Any], payload: str | bytes | Mapping[str, Any]) -> bool:
        """Whether a record satisfies one of the filters; without filters every record does.

        Args:
            fields: the record's other fields as the filter names them: of an SQS record those
                beside ``body``, of a Kafka record those beside ``value``, of a broker's those beside
                ``data``, of a Kinesis record those beside ``data`` within ``kinesis``, of a DynamoDB
                record those beside ``dynamodb``.
            payload: the body; the data, decoded from base64; the ``dynamodb`` object.
        """
        if not self.filters:
            return True
        value, is_json = read_payload(payload)
        document = {**fields, self.payload.key: value}
        return any(each.keeps(document, is_json=is_json) for each in self.filters)


def compile_filters(
    patterns: Sequence[str], payload: Payload, max_filters: int = MAX_FILTERS
) -> RecordFilter:
    """Compiles the ``Pattern`` texts of a ``FilterCriteria``.

    Raises:
        PatternError: too many filters, one that does not compile, or one that reads a payload as a
            plain string where the source has JSON only.
    """
    if len(patterns) > max_filters:
        raise PatternError(f"More than {max_filters} filters")
    return RecordFilter(payload, tuple(_compile(text, payload) for text in patterns))


def read_payload(payload: str | bytes | Mapping[str, Any]) -> tuple[Any, bool]:
    """The payload as filters see it, and whether it is JSON.

    POLICY: JSON is an object or an array; ``5`` and ``"x"`` are plain strings, as are bytes that
    are no UTF-8 (with replacement characters, so that no JSON filter and no exact one takes them).
    """
    if isinstance(payload, Mapping):
        return dict(payload), True
    text = payload.decode(errors="replace") if isinstance(payload, bytes) else payload
    if text.lstrip()[:1] in {"{", "["}:
        try:
            return json.loads(text), True
        except (ValueError, RecursionError):
            return text, False
    return text, False


def _compile(text: str, payload: Payload) -> _Filter:
    pattern = compile_pattern(text, Dialect.LAMBDA)
    wants_plain = payload.key in pattern.fields
    wants_json = any(name.startswith(f"{payload.key}.") for name in pattern.fields)
    if wants_plain and not payload.plain:
        raise PatternError(f"The filter pattern for {payload.key} must be JSON")
    return _Filter(pattern, wants_json=wants_json, wants_plain=wants_plain)
