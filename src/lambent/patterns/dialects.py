"""The dialects of the pattern language and the limits that tell them apart."""

import enum
import math
from collections.abc import Mapping
from typing import Any

from lambent.patterns.errors import NESTED_ATTRIBUTES, PatternError

MAX_DEPTH = 100
"""POLICY: levels of nesting in a pattern. A 4,096-character pattern of real use has fewer than ten."""

MAX_BRANCHES = 1_000
"""Rule combinations that ``$or`` may make.

Source: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html
"""

MAX_STEPS = 20_000
"""POLICY: steps of paths in all those combinations together; a pattern of that size takes some 20 MB."""

SNS_MAX_KEYS = 5
SNS_MAX_COMBINATIONS = 150
"""Source: https://docs.aws.amazon.com/sns/latest/dg/subscription-filter-policy-constraints.html"""


class Dialect(enum.Enum):
    """Whose pattern it is; ``value`` is the most characters its text may have."""

    EVENTBRIDGE = ("EventBridge rule", 4_096)
    LAMBDA = ("event source mapping filter", 4_096)
    SNS_ATTRIBUTES = ("SNS filter policy, scope MessageAttributes", 262_144)
    SNS_BODY = ("SNS filter policy, scope MessageBody", 262_144)

    def __init__(self, title: str, max_chars: int) -> None:
        self.title = title
        self.max_chars = max_chars

    @property
    def is_sns(self) -> bool:
        """Whether SNS's limits hold: keys, combinations, what ``exists`` means."""
        return self in {Dialect.SNS_ATTRIBUTES, Dialect.SNS_BODY}


def check_limits(pattern: Mapping[str, Any], dialect: Dialect) -> None:
    """Raises :class:`PatternError` where a pattern of good grammar is more than the dialect allows."""
    if dialect is Dialect.SNS_ATTRIBUTES and _nested(pattern):
        raise PatternError(NESTED_ATTRIBUTES)
    if dialect.is_sns:
        # AWS's documentation counts leaf keys in nested policies, its recorded answers top-level
        # ones; for flat policies the two agree.
        if len(pattern) > SNS_MAX_KEYS:
            raise PatternError("Filter policy can not have more than 5 keys")
        if _combinations(pattern, 1) > SNS_MAX_COMBINATIONS:
            raise PatternError("Filter policy is too complex")
    elif _branches(pattern) > MAX_BRANCHES:
        # Best known: the limit is documented, the text is not.
        raise PatternError(f"Rule is too complex: $or makes more than {MAX_BRANCHES} combinations")


def is_or(key: str, value: object) -> bool:
    """Whether a key is the ``$or`` operator; ``{"$or": {...}}`` is a field of that name."""
    return key == "$or" and isinstance(value, list)


def _nested(pattern: Mapping[str, Any]) -> bool:
    return any(
        any(map(_nested, value)) if is_or(key, value) else isinstance(value, dict)
        for key, value in pattern.items()
    )


def _combinations(pattern: Mapping[str, Any], depth: int) -> int:
    """AWS's count: the values of each key times its level, multiplied; ``$or`` adds its branches."""
    product = 1
    for key, value in pattern.items():
        if is_or(key, value):
            product *= sum(_combinations(branch, depth) for branch in value)
        elif isinstance(value, dict):
            product *= _combinations(value, depth + 1)
        else:
            product *= len(value) * depth
    return product


def _branches(pattern: Mapping[str, Any]) -> int:
    return math.prod(
        sum(map(_branches, value)) if is_or(key, value) else _branches(value)
        for key, value in pattern.items()
        if isinstance(value, dict) or is_or(key, value)
    )
