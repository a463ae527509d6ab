"""Tenant isolation: real environments, one tenant each."""

import json
from collections.abc import Callable
from typing import Any

import pytest

COUNTER = """
    import uuid
    me, seen = str(uuid.uuid4()), []
    def handler(event, context):
        seen.append(context.tenant_id)
        return {"me": me, "seen": seen}
"""
PER_TENANT = {"TenancyConfig": {"TenantIsolationMode": "PER_TENANT"}}


@pytest.fixture
def function(deploy: Callable[..., Any]) -> Any:
    """A function with tenants."""
    return deploy(COUNTER, LoggingConfig={"LogFormat": "JSON"}, **PER_TENANT)


def test_tenants_never_share_an_environment(function: Any) -> None:
    """Each finds its own again, and what another left behind is nowhere."""
    rounds = [(tenant, function(TenantId=tenant).payload) for tenant in "abcab" for _ in range(2)]
    owners: dict[str, str] = {}
    for tenant, answer in rounds:
        assert set(answer["seen"]) == {tenant}
        assert owners.setdefault(answer["me"], tenant) == tenant
    assert len(owners) == 3


def test_the_log_says_whose_it_was(function: Any) -> None:
    """Records of the platform carry the tenant's id."""
    log = function(TenantId="a b@example").log
    records = [json.loads(line) for line in log.splitlines() if line.startswith("{")]
    found = {one["type"]: one["record"].get("tenantId") for one in records if "type" in one}
    assert found["platform.start"] == found["platform.report"] == "a b@example"


def test_an_asynchronous_event_keeps_its_tenant(
    function: Any, logs: Any, poll: Callable[..., Any]
) -> None:
    """It is checked when it is accepted, and runs as the tenant's."""
    with pytest.raises(function.client.exceptions.InvalidParameterValueException):
        function(InvocationType="Event", LogType="None")
    assert function(1, InvocationType="Event", LogType="None", TenantId="later").raw == b""

    def ran() -> bool:
        group = f"/aws/lambda/{function.name}"
        try:
            events = logs.filter_log_events(logGroupName=group)["events"]
        except logs.exceptions.ResourceNotFoundException:
            return False
        return any('"tenantId":"later"' in one["message"] for one in events)

    assert poll(ran, 20, "the event to run")


def test_without_an_id_it_is_refused(function: Any, deploy: Callable[..., Any]) -> None:
    """AWS's text; and an id for a function that has no tenants is refused as well, a bad one by its pattern."""
    with pytest.raises(function.client.exceptions.InvalidParameterValueException) as refused:
        function(1)
    assert refused.value.response["Error"]["Message"] == (
        "The invoked function is enabled with tenancy configuration. "
        "Add a valid tenant ID in your request and try again."
    )
    with pytest.raises(function.client.exceptions.InvalidParameterValueException):
        deploy(COUNTER)(TenantId="a")
    with pytest.raises(function.client.exceptions.ClientError) as invalid:
        function(TenantId="no|bars")
    assert "'tenantId' failed to satisfy constraint" in invalid.value.response["Error"]["Message"]


def test_an_update_ends_every_tenants_environments(function: Any) -> None:
    """After a change of configuration each tenant gets a new one."""
    before = {tenant: function(TenantId=tenant).payload["me"] for tenant in "ab"}
    function.client.update_function_configuration(FunctionName=function.name, Timeout=9)
    function.client.get_waiter("function_updated_v2").wait(FunctionName=function.name)
    after = {tenant: function(TenantId=tenant).payload for tenant in "ab"}
    assert all(after[tenant]["me"] != before[tenant] for tenant in "ab")
    again = {tenant: function(TenantId=tenant).payload["me"] for tenant in "ab"}
    assert again == {tenant: answer["me"] for tenant, answer in after.items()}
