"""invoke.tenancy: one tenant's environments are nobody else's."""

import asyncio
import string
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambent.invoke.counting import Counting
from lambent.invoke.frontend import Frontend
from lambent.invoke.placement import Placement
from lambent.invoke.tenancy import spec_for
from lambent.model.errors import ClientFault
from lambent.model.invocation import Invocation, InvocationResult, Target
from lambent.testing.loop import on_loop
from lambent.testing.node import make_spec

ARN = "arn:aws:lambda:us-east-1:000000000000:function:f"
PLACE = ("000000000000", "us-east-1", "f", None)
tenants = st.text(string.ascii_letters + string.digits + "._:/=+-@ ", min_size=1, max_size=20)


class Recorder:
    """A placement that keeps what it is asked, and a directory of one function."""

    def __init__(self, **changes: Any) -> None:
        self.spec = make_spec(**changes)
        self.invocations: list[Invocation] = []

    def resolve(self, account_id: str, region: str, name: str, qualifier: str | None) -> Target:
        """The target."""
        return Target(ARN, self.spec)

    def invoke(self, invocation: Invocation) -> "asyncio.Future[InvocationResult]":
        """Answers at once."""
        self.invocations.append(invocation)
        answer = asyncio.get_running_loop().create_future()
        answer.set_result(InvocationResult(b"{}", "$LATEST"))
        return answer

    @property
    def frontend(self) -> Frontend:
        """Over both."""
        return Frontend(self, Counting(10), cast("Placement", self))


@given(tenants, tenants)
def test_two_tenants_have_two_pools(one: str, other: str) -> None:
    """Keys, by which environments are found, are equal for one tenant only, and never the version's own."""
    spec = make_spec(is_per_tenant=True)
    first, second = spec_for(spec, one), spec_for(spec, other)
    assert (first.key == second.key) == (one == other)
    assert spec.key not in (first.key, second.key)
    assert (first.tenant_id, second.tenant_id) == (one, other)


@on_loop
async def test_an_event_says_whose_it_is() -> None:
    """The invocation's spec is the tenant's; a dry run takes the id too."""
    place = Recorder(is_per_tenant=True)
    await place.frontend.invoke(*PLACE, b"{}", tenant_id="blue")
    assert place.invocations[0].spec == spec_for(place.spec, "blue")
    assert place.frontend.check(*PLACE, "blue") == "$LATEST"


@pytest.mark.parametrize(
    ("per_tenant", "tenant_id", "text"),
    [
        (True, None, "is enabled with tenancy configuration. Add a valid tenant ID"),
        (False, "blue", "is not enabled with tenancy configuration. Remove the tenant ID"),
    ],
)
@on_loop
async def test_the_id_and_the_function_go_together(
    per_tenant: bool, tenant_id: str | None, text: str
) -> None:
    """One without the other is AWS's 400, for a dry run too, and nothing runs or is counted."""
    place = Recorder(is_per_tenant=per_tenant)
    frontend = place.frontend
    for _ in range(11):  # more than may run at once
        with pytest.raises(ClientFault) as refused:
            await frontend.invoke(*PLACE, b"{}", tenant_id=tenant_id)
        assert (refused.value.code, refused.value.status) == ("InvalidParameterValueException", 400)
        assert text in refused.value.message
    with pytest.raises(ClientFault):
        frontend.check(*PLACE, tenant_id)
    assert place.invocations == []
