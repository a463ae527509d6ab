"""Provisioned concurrency: AWS's rules, answers and refusals."""

from typing import Any

import pytest

from lambent.control.plane import ControlPlane
from lambent.control.provisioned_concurrency import provisioned_of
from lambent.model.errors import ClientFault

ARN = "arn:aws:lambda:us-east-1:000000000000:function:f"
PUT, GET, DELETE = (f"{verb}ProvisionedConcurrencyConfig" for verb in ("Put", "Get", "Delete"))
LIST = "ListProvisionedConcurrencyConfigs"


@pytest.fixture
def published(client: Any) -> Any:
    """A client whose function ``f`` has versions 1 and 2 and the alias ``live`` to 1."""
    client.create(Publish=True)
    client("UpdateFunctionConfiguration", FunctionName="f", Description="second")
    client("PublishVersion", FunctionName="f")
    client("CreateAlias", FunctionName="f", Name="live", FunctionVersion="1")
    return client


def put(client: Any, qualifier: str | None, executions: int = 5) -> Any:
    """Provisions; without a qualifier none is given."""
    given = {} if qualifier is None else {"Qualifier": qualifier}
    return client(PUT, FunctionName="f", ProvisionedConcurrentExecutions=executions, **given)


def refusal(call: Any) -> tuple[str, int, str]:
    """Code, status and message of what is refused."""
    with pytest.raises(ClientFault) as caught:
        call()
    return caught.value.code, caught.value.status, caught.value.message


@pytest.mark.parametrize("qualifier", ["1", "live"])
def test_a_config_is_put_got_listed_and_deleted(
    published: Any, changed: list[str], plane: ControlPlane, qualifier: str
) -> None:
    """For a version and for an alias alike, and the invocation path is told."""
    changed.clear()
    answer = put(published, qualifier)
    assert answer["Status"] == "IN_PROGRESS"
    assert answer["RequestedProvisionedConcurrentExecutions"] == 5
    assert changed == [ARN]
    assert [c.executions for c in provisioned_of(plane.database.connection, ARN)] == [5]
    got = published(GET, FunctionName="f", Qualifier=qualifier)
    (listed,) = published(LIST, FunctionName="f")["ProvisionedConcurrencyConfigs"]
    assert listed == {"FunctionArn": f"{ARN}:{qualifier}", **got}
    assert published.result(DELETE, FunctionName="f", Qualifier=qualifier).status == 204
    assert published.result(DELETE, FunctionName="f", Qualifier=qualifier).status == 204
    assert refusal(lambda: published(GET, FunctionName="f", Qualifier=qualifier)) == (
        "ProvisionedConcurrencyConfigNotFoundException",
        404,
        "No Provisioned Concurrency Config found for this function",
    )


def test_put_again_replaces(published: Any) -> None:
    """The last number counts."""
    put(published, "live", 5)
    put(published, "live", 2)
    got = published(GET, FunctionName="f", Qualifier="live")
    assert got["RequestedProvisionedConcurrentExecutions"] == 2


def test_only_what_is_published(published: Any) -> None:
    """``$LATEST``, and an alias that leads to it, are refused; so is a function without a qualifier."""
    unpublished = (
        "Provisioned Concurrency Configs cannot be applied to unpublished function versions."
    )
    published("CreateAlias", FunctionName="f", Name="head", FunctionVersion="$LATEST")
    for qualifier in ("$LATEST", "head"):
        assert refusal(lambda: put(published, qualifier))[2] == unpublished  # noqa: B023
    needed = "The function resource provided must be an alias or a published version."
    assert refusal(lambda: put(published, None))[2] == needed
    assert refusal(lambda: published(GET, FunctionName="f", Qualifier="$LATEST"))[2] == needed


def test_what_is_not_there_is_named(published: Any) -> None:
    """A missing version and a missing alias are told apart as AWS does."""
    assert refusal(lambda: put(published, "9")) == (
        "ResourceNotFoundException",
        404,
        f"Function not found: {ARN}:9",
    )
    assert refusal(lambda: put(published, "gone"))[2] == f"Cannot find alias arn: {ARN}:gone"


def test_a_version_and_its_alias_are_not_both_provisioned(published: Any) -> None:
    """Whichever comes second is refused, an alias that moves to a provisioned version too."""
    put(published, "1")
    alias = refusal(lambda: put(published, "live"))
    assert alias[:2] == ("ResourceConflictException", 409)
    assert alias[2].startswith("Alias can't be used")
    published(DELETE, FunctionName="f", Qualifier="1")
    put(published, "live")
    assert refusal(lambda: put(published, "1"))[2] == (
        "Version is pointed by a Provisioned Concurrency alias"
    )
    put(published, "2")
    moved = refusal(
        lambda: published("UpdateAlias", FunctionName="f", Name="live", FunctionVersion="2")
    )
    assert moved[2].startswith("Alias can't be used")


def test_what_is_provisioned_is_taken_from_the_account(published: Any) -> None:
    """The account settings show it gone, and at least 100 stay for the others."""
    put(published, "live", 300)
    left = published("GetAccountSettings")["AccountLimit"]["UnreservedConcurrentExecutions"]
    assert left == 700
    assert "minimum value of [100]" in refusal(lambda: put(published, "2", 601))[2]
    put(published, "2", 600)
    put(published, "2", 500)


def test_it_stays_within_a_reservation(published: Any) -> None:
    """With a reservation it is part of that, and a reservation is no smaller than it."""
    reserve = {"FunctionName": "f", "ReservedConcurrentExecutions": 10}
    published("PutFunctionConcurrency", **reserve)
    assert refusal(lambda: put(published, "live", 11))[2] == (
        "Requested Provisioned Concurrency should not be greater than the "
        "reservedConcurrentExecution for function"
    )
    put(published, "live", 6)
    put(published, "2", 4)
    left = published("GetAccountSettings")["AccountLimit"]["UnreservedConcurrentExecutions"]
    assert left == 990
    reserve["ReservedConcurrentExecutions"] = 9
    assert "[10]" in refusal(lambda: published("PutFunctionConcurrency", **reserve))[2]


def test_it_goes_with_what_it_hangs_on(published: Any, plane: ControlPlane) -> None:
    """Deleting the version, the alias, or the function leaves nothing provisioned."""
    put(published, "live")
    put(published, "2")
    published("DeleteAlias", FunctionName="f", Name="live")
    published("DeleteFunction", FunctionName="f", Qualifier="2")
    assert provisioned_of(plane.database.connection, ARN) == []
    put(published, "1")
    published("DeleteFunction", FunctionName="f")
    assert provisioned_of(plane.database.connection, ARN) == []


def test_lists_are_paged(published: Any) -> None:
    """A page has so many, and the marker leads to the rest."""
    put(published, "live")
    put(published, "2")
    first = published(LIST, FunctionName="f", MaxItems=1)
    rest = published(LIST, FunctionName="f", Marker=first["NextMarker"])
    configs = first["ProvisionedConcurrencyConfigs"] + rest["ProvisionedConcurrencyConfigs"]
    assert [c["FunctionArn"].rpartition(":")[2] for c in configs] == ["2", "live"]
