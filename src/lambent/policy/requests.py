"""The question: may this principal do this with that?"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from lambent.policy.principals import Principal

ContextValue = str | int | float | bool | Sequence[str]


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked of a policy.

    ``context`` holds condition keys (``aws:SourceArn``, ``lambda:FunctionUrlAuthType``, …) in any
    case. ``aws:PrincipalArn``, ``aws:PrincipalAccount``, ``aws:PrincipalIsAWSService`` and
    ``aws:PrincipalServiceName`` follow from the principal where the context does not give them.
    """

    principal: Principal
    action: str
    resource: str
    context: Mapping[str, ContextValue] = field(default_factory=dict)
    values: Mapping[str, tuple[str, ...]] = field(init=False, repr=False, compare=False)
    """The context with keys in lower case and values as strings."""

    def __post_init__(self) -> None:
        values = _of_principal(self.principal)
        values.update((key.lower(), _strings(value)) for key, value in self.context.items())
        object.__setattr__(self, "values", MappingProxyType(values))


def _of_principal(principal: Principal) -> dict[str, tuple[str, ...]]:
    values = {"aws:principalisawsservice": _strings(principal.kind == "Service")}
    if principal.kind == "Service":
        values["aws:principalservicename"] = (principal.name,)
    if principal.kind == "AWS":
        # AWS: of a session, the key holds the role's ARN.
        values["aws:principalarn"] = (principal.role_arn or principal.name,)
        if principal.account_id:
            values["aws:principalaccount"] = (principal.account_id,)
    return values


def _strings(value: ContextValue) -> tuple[str, ...]:
    if isinstance(value, bool):
        return ("true" if value else "false",)
    if isinstance(value, str | int | float):
        return (str(value),)
    return tuple(value)
