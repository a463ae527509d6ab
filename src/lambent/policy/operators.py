"""Condition operators: how each reads the values of a policy and compares those of a request.

Values of a policy are read once, when it is parsed; a value of a request that is not of the
operator's type equals nothing.
"""

import base64
import datetime as dt
import ipaddress
import math
import operator
import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from lambent.policy.arns import arn_matches
from lambent.policy.errors import PolicyError
from lambent.policy.globs import Template, Values

Operand = Any
"""A policy's value in the form its operator compares."""

Comparison = Callable[[Operand, str, Values], bool]
"""(value of the policy, value of the request, context) → whether they compare."""

_NUMBER = re.compile(r"[+-]?(\d{1,40}(\.\d{0,40})?|\.\d{1,40})([eE][+-]?\d{1,3})?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Operator:
    """``parse`` takes a value's text and whether variables are known; it raises PolicyError."""

    parse: Callable[[str, bool], Operand]
    compare: Comparison
    negated: bool = False


def _exact(text: str, variables: bool) -> Template:
    return Template(text, wild=False, variables=variables)


def _folded(text: str, variables: bool) -> Template:
    """Lower case throughout; the names of variables are in no case anyway."""
    return _exact(text.lower(), variables)


def _wild(text: str, variables: bool) -> Template:
    return Template(text, variables=variables)


def _matches(operand: Template, value: str, values: Values) -> bool:
    return operand.matches(value, values)


def _matches_folded(operand: Template, value: str, values: Values) -> bool:
    if operand.variables and "${" in operand.text:
        values = {key: tuple(map(str.lower, found)) for key, found in values.items()}
    return operand.matches(value.lower(), values)


def _arn(operand: Template, value: str, values: Values) -> bool:
    return arn_matches(operand, value, values)


def _parsed(parse: Callable[[str], Any], kind: str) -> Callable[[str, bool], Operand]:
    def parse_operand(text: str, _: bool) -> Operand:
        operand = parse(text)
        if operand is None:
            raise PolicyError(f"Invalid {kind} in condition: {text}")  # best known
        return operand

    return parse_operand


def _comparing(parse: Callable[[str], Any], compare: Callable[[Any, Any], bool]) -> Comparison:
    def comparison(operand: Operand, value: str, _: Values) -> bool:
        found = parse(value)
        return found is not None and compare(found, operand)

    return comparison


def _number(text: str) -> Decimal | None:
    return Decimal(text) if _NUMBER.fullmatch(text) else None


def _date(text: str) -> float | None:
    """Seconds since the epoch, given as such or in ISO 8601 (without a zone: UTC)."""
    if _NUMBER.fullmatch(text):
        seconds = float(text)
        return seconds if math.isfinite(seconds) else None
    try:
        moment = dt.datetime.fromisoformat(text)
        return moment.replace(tzinfo=moment.tzinfo or dt.UTC).timestamp()
    except (ValueError, OverflowError):
        return None


def _bool(text: str) -> str | None:
    folded = text.lower()
    return folded if folded in {"true", "false"} else None


def _binary(text: str) -> bytes | None:
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        return None


def _network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        return None


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def _within(address: Any, network: Any) -> bool:
    return address in network


def _ordered(prefix: str, parse: Callable[[str], Any], kind: str) -> dict[str, Operator]:
    """The six comparisons of numbers, or of dates."""
    operand = _parsed(parse, kind)
    comparisons = {
        "Equals": operator.eq,
        "LessThan": operator.lt,
        "LessThanEquals": operator.le,
        "GreaterThan": operator.gt,
        "GreaterThanEquals": operator.ge,
    }
    table = {
        prefix + name: Operator(operand, _comparing(parse, compare))
        for name, compare in comparisons.items()
    }
    table[f"{prefix}NotEquals"] = Operator(operand, _comparing(parse, operator.eq), negated=True)
    return table


_IP = Operator(_parsed(_network, "IP address"), _comparing(_address, _within))
_ARN = Operator(_wild, _arn)
_NOT_ARN = Operator(_wild, _arn, negated=True)

OPERATORS: dict[str, Operator] = {
    "StringEquals": Operator(_exact, _matches),
    "StringNotEquals": Operator(_exact, _matches, negated=True),
    "StringEqualsIgnoreCase": Operator(_folded, _matches_folded),
    "StringNotEqualsIgnoreCase": Operator(_folded, _matches_folded, negated=True),
    "StringLike": Operator(_wild, _matches),
    "StringNotLike": Operator(_wild, _matches, negated=True),
    **_ordered("Numeric", _number, "number"),
    **_ordered("Date", _date, "date"),
    "Bool": Operator(_parsed(_bool, "boolean"), _comparing(_bool, operator.eq)),
    "BinaryEquals": Operator(_parsed(_binary, "base64"), _comparing(_binary, operator.eq)),
    "IpAddress": _IP,
    "NotIpAddress": Operator(_IP.parse, _IP.compare, negated=True),
    "ArnEquals": _ARN,
    "ArnLike": _ARN,
    "ArnNotEquals": _NOT_ARN,
    "ArnNotLike": _NOT_ARN,
}
"""By name; ``Null``, the suffix ``IfExists`` and the set prefixes are the conditions' own."""
