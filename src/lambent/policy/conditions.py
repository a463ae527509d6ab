"""Conditions: ``{operator: {key: values}}``, all of which must hold.

A key's values are alternatives, for a negated operator exclusions. A key the request lacks fails an
operator and satisfies a negated one; ``…IfExists`` is satisfied without it. ``ForAllValues:`` asks every
value of the request, none included; ``ForAnyValue:`` one of them. Without either, a key with several
values (which AWS leaves undefined) is asked as by ``ForAnyValue:``, for a negated operator as by
``ForAllValues:``.
Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from lambent.policy.errors import PolicyError
from lambent.policy.globs import Values
from lambent.policy.operators import OPERATORS, Comparison, Operand

_SYNTAX = "Syntax errors in policy."
_SETS: Mapping[str, Callable[[Any], bool]] = {"ForAllValues": all, "ForAnyValue": any}


@dataclass(frozen=True, slots=True)
class Condition:
    """One operator with one key. ``quantifier`` is ``ForAllValues``, ``ForAnyValue`` or empty."""

    key: str
    operands: tuple[Operand, ...]
    compare: Comparison
    negated: bool
    quantifier: str
    if_exists: bool

    def holds(self, values: Values) -> bool:
        """Whether the context of a request satisfies the condition. Never raises."""
        found = values.get(self.key)
        if found is None:
            if self.if_exists or self.quantifier == "ForAllValues":
                return True
            return self.negated and not self.quantifier
        quantify = _SETS.get(self.quantifier) or (all if self.negated else any)
        return quantify(self._satisfies(value, values) for value in found)

    def _satisfies(self, value: str, values: Values) -> bool:
        compare = self.compare
        return any(compare(operand, value, values) for operand in self.operands) != self.negated


@dataclass(frozen=True, slots=True)
class NullCondition(Condition):
    """``Null``: ``"true"`` for a key that must not be there."""

    absent: frozenset[bool] = frozenset()

    def holds(self, values: Values) -> bool:
        """Whether the key is absent or present as asked; an empty list of values counts as absent."""
        return (not values.get(self.key)) in self.absent


def parse_conditions(raw: Any, *, variables: bool) -> tuple[Condition, ...]:
    """The ``Condition`` of a statement.

    Raises:
        PolicyError: an unknown operator, or a value the operator cannot take.
    """
    if not isinstance(raw, dict):
        raise PolicyError(_SYNTAX)
    conditions = []
    for name, keys in raw.items():
        if not isinstance(keys, dict):
            raise PolicyError(_SYNTAX)
        for key, listed in keys.items():
            texts = [_text(v) for v in (listed if isinstance(listed, list) else [listed])]
            conditions.append(_condition(name, key.lower(), texts, variables=variables))
    return tuple(conditions)


def _condition(name: str, key: str, texts: list[str], *, variables: bool) -> Condition:
    quantifier, colon, operator_name = name.rpartition(":")
    if colon and quantifier not in _SETS:
        raise _unknown(name)
    if operator_name == "Null":
        wanted = [text.lower() for text in texts]
        if not set(wanted) <= {"true", "false"}:
            raise PolicyError(_SYNTAX)
        absent = frozenset(text == "true" for text in wanted)
        return NullCondition(key, (), _never, False, quantifier, False, absent)
    base = operator_name.removesuffix("IfExists")
    operator = OPERATORS.get(base)
    if operator is None:
        raise _unknown(name)
    return Condition(
        key,
        tuple(operator.parse(text, variables) for text in texts),
        operator.compare,
        operator.negated,
        quantifier,
        base != operator_name,
    )


def _never(*_: object) -> bool:
    return False


def _unknown(name: str) -> PolicyError:
    return PolicyError(f"Invalid Condition type : {name}.")  # best known wording


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return value
    if isinstance(value, float) or (isinstance(value, int) and abs(value) < 10**40):
        return str(value)
    raise PolicyError(_SYNTAX)
