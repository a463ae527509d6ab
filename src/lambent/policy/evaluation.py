"""The decision: an explicit deny wins, an allow comes next, and what nobody allows is denied.

Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
"""

from collections.abc import Iterable
from dataclasses import dataclass

from lambent.policy.document import Effect, Policy, Statement
from lambent.policy.requests import Request


@dataclass(frozen=True, slots=True)
class Decision:
    """What the policies say: ``statement`` decided, or none had anything to say (a default deny)."""

    statement: Statement | None

    @property
    def allowed(self) -> bool:
        """Whether a statement allows and none denies."""
        return self.statement is not None and self.statement.effect is Effect.ALLOW

    @property
    def explicitly_denied(self) -> bool:
        """Whether a statement denies: no other policy can make up for it."""
        return self.statement is not None and self.statement.effect is Effect.DENY


def evaluate(policies: Iterable[Policy], request: Request) -> Decision:
    """The decision of these policies together. Never raises."""
    allowing: Statement | None = None
    for policy in policies:
        for statement in policy.statements:
            if statement.effect is Effect.ALLOW and allowing is not None:
                continue
            if statement.applies(request):
                if statement.effect is Effect.DENY:
                    return Decision(statement)
                allowing = statement
    return Decision(allowing)
