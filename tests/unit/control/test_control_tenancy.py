"""TenancyConfig: given at creation, kept, and not with what AWS excludes."""

from typing import Any

import pytest

from lambent.control.directory import Directory
from lambent.control.tenancy import tenancy_changes
from lambent.model.errors import ClientFault

PER_TENANT = {"TenancyConfig": {"TenantIsolationMode": "PER_TENANT"}}


def test_it_stays_with_the_function_and_its_versions(client: Any) -> None:
    """It is answered by every operation, through updates, and the invocation path knows of it."""
    assert client.create(**PER_TENANT)["TenancyConfig"] == PER_TENANT["TenancyConfig"]
    client("UpdateFunctionConfiguration", FunctionName="f", Timeout=5)
    version = client("PublishVersion", FunctionName="f")
    assert version["TenancyConfig"] == PER_TENANT["TenancyConfig"]
    assert "TenancyConfig" not in client.create("plain")
    directory = Directory(client.plane.database, client.plane.code)
    place = ("000000000000", "us-east-1")
    assert directory.resolve(*place, "f", "1").primary.is_per_tenant
    assert not directory.resolve(*place, "plain", None).primary.is_per_tenant


@pytest.mark.parametrize(
    ("operation", "parameters", "what"),
    [
        ("CreateFunctionUrlConfig", {"AuthType": "NONE"}, "A function URL"),
        (
            "PutProvisionedConcurrencyConfig",
            {"Qualifier": "1", "ProvisionedConcurrentExecutions": 1},
            "Provisioned concurrency",
        ),
    ],
)
def test_what_does_not_go_with_tenants_is_refused(
    client: Any, operation: str, parameters: dict[str, Any], what: str
) -> None:
    """Nothing there could say which tenant an event is for, or be initialised for none."""
    client.create(**PER_TENANT)
    client("PublishVersion", FunctionName="f")
    with pytest.raises(ClientFault) as refused:
        client(operation, FunctionName="f", **parameters)
    assert (refused.value.code, refused.value.status) == ("InvalidParameterValueException", 400)
    assert refused.value.message.startswith(what)


def test_snapstart_and_tenants_exclude_each_other() -> None:
    """A snapshot is of no tenant's environment."""
    given = {**PER_TENANT, "SnapStart": {"ApplyOn": "PublishedVersions"}}
    with pytest.raises(ClientFault, match="SnapStart is not supported"):
        tenancy_changes(given)
    assert tenancy_changes({**given, "SnapStart": {"ApplyOn": "None"}})
