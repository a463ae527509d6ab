"""ARNs against patterns: segment by segment, so that a ``*`` never reaches over a colon before the last.

Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
"""

from dataclasses import replace

from lambent.policy.globs import Template, Values

_SEGMENTS = 6
"""arn, partition, service, region, account, resource (which may hold colons)."""


def resource_matches(pattern: Template, arn: str, values: Values) -> bool:
    """Whether a ``Resource`` of a statement covers an ARN.

    A pattern of fewer segments than an ARN has (``*``, ``arn:aws:s3*``) is matched as a whole.
    """
    return _matches(pattern, arn, values, loose=True)


def arn_matches(pattern: Template, arn: str, values: Values) -> bool:
    """``ArnEquals`` and ``ArnLike``, which are the same; ``*`` alone is any ARN."""
    return _matches(pattern, arn, values, loose=pattern.text == "*")


def _matches(pattern: Template, arn: str, values: Values, *, loose: bool) -> bool:
    text = pattern.text
    has_variables = pattern.variables and "${" in text
    patterns = _segments(text) if has_variables else text.split(":", _SEGMENTS - 1)
    if len(patterns) < _SEGMENTS:
        return loose and pattern.matches(arn, values)
    if not has_variables and "*" not in text and "?" not in text:
        return text == arn
    parts = arn.split(":", _SEGMENTS - 1)
    return len(parts) == _SEGMENTS and all(
        (segment == part and not has_variables)
        or replace(pattern, text=segment).matches(part, values)
        for segment, part in zip(patterns, parts, strict=True)
    )


def _segments(text: str) -> list[str]:
    """The segments of a pattern; the colons within ``${…}`` are the variable's."""
    segments: list[str] = []
    start = index = 0
    last_closing = text.rfind("}")
    while index < len(text) and len(segments) < _SEGMENTS - 1:
        if index < last_closing and text.startswith("${", index):
            index = text.index("}", index)
        elif text[index] == ":":
            segments.append(text[start:index])
            start = index + 1
        index += 1
    return [*segments, text[start:]]
