"""The event pattern language: one engine for EventBridge rules, Lambda's record filters and SNS policies.

Pure: text in, a compiled :class:`Pattern` out, no I/O, standard library only. Compile once, match often.

>>> pattern = compile_pattern('{"detail": {"state": [{"prefix": "run"}]}}', Dialect.EVENTBRIDGE)
>>> pattern.matches({"detail": {"state": "running"}})
True
"""

from lambent.patterns.attributes import message_attributes_document
from lambent.patterns.compiled import Pattern, compile_pattern
from lambent.patterns.dialects import Dialect
from lambent.patterns.errors import PatternError, error_message
from lambent.patterns.records import DYNAMODB, KINESIS, SQS, RecordFilter, compile_filters

__all__ = [
    "DYNAMODB",
    "KINESIS",
    "SQS",
    "Dialect",
    "Pattern",
    "PatternError",
    "RecordFilter",
    "compile_filters",
    "compile_pattern",
    "error_message",
    "message_attributes_document",
]
