"""Invocations of a function of another account, by its ARN: what the function's resource policy allows.

Without it, and for everything but invoking, another account's functions are refused where their name is parsed.
"""

from typing import Protocol

from lambent.http1.exchange import Exchange
from lambent.model.function_name import FunctionName, account_in, parse_function_name
from lambent.server.callers import LookUp, refine, to_request
from lambent.wire.codec import caller_of


class Policies(Protocol):
    """Asks resource policies: :class:`lambent.control.resource_policies.ResourcePolicies`."""

    def authorize_account(
        self, function: FunctionName, account_id: str, principal_arn: str | None
    ) -> None: ...


class CrossAccount:
    """Knows whose a function is that somebody invokes."""

    def __init__(self, policies: Policies, look_up: LookUp) -> None:
        self._policies = policies
        self._look_up = look_up

    def owner_of(
        self, exchange: Exchange, account_id: str, region: str, name: str, qualifier: str | None
    ) -> str:
        """The account a function is to be looked for in: the caller's own, or the one its name states.

        Raises ``AccessDeniedException`` when that is another's and its policy does not let the caller in.
        What the caller's own policies say is not asked: they are not known here.
        """
        owner = account_in(name)
        if owner is None or owner == account_id:
            return account_id
        function = parse_function_name(name, account_id=owner, region=region, qualifier=qualifier)
        caller = refine(caller_of(to_request(exchange), ""), self._look_up)
        self._policies.authorize_account(function, account_id, caller.principal_arn)
        return owner
