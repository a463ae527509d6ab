"""Aliases and the traffic they split."""

from typing import Any

import pytest

from lambent.control.directory import Directory
from lambent.model.errors import ClientFault

ARN = "arn:aws:lambda:us-east-1:000000000000:function:f"


@pytest.fixture
def aliased(client: Any) -> Any:
    """A client whose function f has the versions 1 and 2."""
    client.create(Publish=True)
    client("UpdateFunctionConfiguration", FunctionName="f", Timeout=9)
    client("PublishVersion", FunctionName="f")
    return client


def _create(client: Any, name: str = "live", version: str = "1", **more: Any) -> dict[str, Any]:
    output: dict[str, Any] = client(
        "CreateAlias", FunctionName="f", Name=name, FunctionVersion=version, **more
    )
    return output


def test_alias_is_answered_as_it_was_made(aliased: Any) -> None:
    """An alias has AWS's members, and no RoutingConfig unless it splits traffic."""
    made = _create(aliased)
    revision = made.pop("RevisionId")
    assert made == {
        "AliasArn": f"{ARN}:live",
        "Name": "live",
        "FunctionVersion": "1",
        "Description": "",
    }
    got = aliased("GetAlias", FunctionName="f", Name="live")
    assert got == made | {"RevisionId": revision}


def test_update_changes_only_what_is_given(aliased: Any) -> None:
    """What an update leaves out stays; the revision is new each time."""
    made = _create(aliased, Description="d")
    weights = {"AdditionalVersionWeights": {"2": 0.25}}
    split = aliased("UpdateAlias", FunctionName="f", Name="live", RoutingConfig=weights)
    assert (split["FunctionVersion"], split["Description"]) == ("1", "d")
    assert split["RoutingConfig"] == weights
    assert split["RevisionId"] != made["RevisionId"]
    ended = aliased("UpdateAlias", FunctionName="f", Name="live", RoutingConfig={})
    assert "RoutingConfig" not in ended


@pytest.mark.parametrize(
    ("more", "code", "message"),
    [
        (
            {"version": "9"},
            "ResourceNotFoundException",
            f"Function not found: {ARN}:9",
        ),
        (
            {"name": "123"},
            "ValidationException",
            (
                "1 validation error detected: Value '123' at 'name' failed to satisfy constraint: "
                "Member must satisfy regular expression pattern: (?!^[0-9]+$)([a-zA-Z0-9-_]+)"
            ),
        ),
        (
            {"RoutingConfig": {"AdditionalVersionWeights": {"2": 0.1, "$LATEST": 0.1}}},
            "InvalidParameterValueException",
            "Number of items in AdditionalVersionWeights cannot be greater than 1",
        ),
        (
            {"RoutingConfig": {"AdditionalVersionWeights": {"1": 0.1}}},
            "InvalidParameterValueException",
            (
                "Invalid function version 1. Function version 1 is already included in routing "
                "configuration."
            ),
        ),
        (
            {"version": "$LATEST", "RoutingConfig": {"AdditionalVersionWeights": {"1": 0.1}}},
            "InvalidParameterValueException",
            "$LATEST is not supported for an alias pointing to more than 1 version",
        ),
        (
            {"RoutingConfig": {"AdditionalVersionWeights": {"$LATEST": 0.5}}},
            "ValidationException",
            (
                "1 validation error detected: Value '{$LATEST=0.5}' at "
                "'routingConfig.additionalVersionWeights' failed to satisfy constraint: Map keys must "
                "satisfy constraint: [Member must have length less than or equal to 1024, Member must "
                "have length greater than or equal to 1, Member must satisfy regular expression "
                "pattern: [0-9]+, Member must not be null]"
            ),
        ),
        (
            {"RoutingConfig": {"AdditionalVersionWeights": {"9": 0.1}}},
            "ResourceNotFoundException",
            f"Function not found: {ARN}:9",
        ),
        (
            {"RoutingConfig": {"AdditionalVersionWeights": {"2": 1.5}}},
            "ValidationException",
            (
                "1 validation error detected: Value '{2=1.5}' at "
                "'routingConfig.additionalVersionWeights' failed to satisfy constraint: Map value must "
                "satisfy constraint: [Member must have value less than or equal to 1.0, Member must "
                "have value greater than or equal to 0.0, Member must not be null]"
            ),
        ),
    ],
)
def test_create_refuses_with_awss_words(
    aliased: Any, more: dict[str, Any], code: str, message: str
) -> None:
    """An alias that cannot be is refused with AWS's code and message, and is not made."""
    with pytest.raises(ClientFault) as refused:
        _create(aliased, **more)
    assert (refused.value.code, refused.value.message) == (code, message)
    assert aliased("ListAliases", FunctionName="f")["Aliases"] == []


def test_name_is_taken_once(aliased: Any) -> None:
    """A second alias of a name is a conflict."""
    _create(aliased)
    with pytest.raises(ClientFault) as refused:
        _create(aliased, version="2")
    assert (refused.value.status, refused.value.message) == (
        409,
        f"Alias already exists: {ARN}:live",
    )


def test_what_is_not_there(aliased: Any) -> None:
    """Getting and updating an unknown alias are 404 in AWS's two wordings; deleting it is fine."""
    with pytest.raises(ClientFault, match=f"Cannot find alias arn: {ARN}:live"):
        aliased("GetAlias", FunctionName="f", Name="live")
    with pytest.raises(ClientFault, match=f"Alias not found: {ARN}:live"):
        aliased("UpdateAlias", FunctionName="f", Name="live")
    assert aliased.result("DeleteAlias", FunctionName="f", Name="live").status == 204
    for operation in ("GetAlias", "UpdateAlias", "ListAliases", "DeleteAlias"):
        with pytest.raises(ClientFault, match=r"Function not found: .*:function:g$"):
            aliased(operation, FunctionName="g", Name="live")


def test_update_checks_the_revision(aliased: Any) -> None:
    """A stale RevisionId is refused, the current one accepted."""
    revision = _create(aliased)["RevisionId"]
    with pytest.raises(ClientFault) as stale:
        aliased("UpdateAlias", FunctionName="f", Name="live", RevisionId="old")
    assert stale.value.code == "PreconditionFailedException"
    aliased("UpdateAlias", FunctionName="f", Name="live", RevisionId=revision)


def test_list_filters_by_version_and_pages(aliased: Any) -> None:
    """FunctionVersion keeps the aliases that send anything to it; pages hold each alias once."""
    for name in "cab":
        _create(aliased, name)
    _create(aliased, "z", "2", RoutingConfig={"AdditionalVersionWeights": {"1": 0.5}})
    _create(aliased, "only2", "2")
    listed = aliased("ListAliases", FunctionName="f", FunctionVersion="1")["Aliases"]
    assert [alias["Name"] for alias in listed] == ["a", "b", "c", "z"]
    first = aliased("ListAliases", FunctionName="f", MaxItems=3)
    second = aliased("ListAliases", FunctionName="f", MaxItems=3, Marker=first["NextMarker"])
    names = [alias["Name"] for page in (first, second) for alias in page["Aliases"]]
    assert names == ["a", "b", "c", "only2", "z"]
    assert "NextMarker" not in second


def test_version_with_an_alias_cannot_be_deleted(aliased: Any) -> None:
    """A version stays as long as an alias sends anything to it, and AWS names the aliases."""
    _create(aliased, "live", "1", RoutingConfig={"AdditionalVersionWeights": {"2": 0.1}})
    for version in ("1", "2"):
        with pytest.raises(ClientFault) as refused:
            aliased("DeleteFunction", FunctionName="f", Qualifier=version)
        assert (refused.value.code, refused.value.message) == (
            "ResourceConflictException",
            "Unable to delete version because the following aliases reference it: [live]",
        )
    aliased("DeleteAlias", FunctionName="f", Name="live")
    aliased("DeleteFunction", FunctionName="f", Qualifier="1")


def test_get_function_through_an_alias(aliased: Any) -> None:
    """An alias shows the version it points to under its own ARN."""
    _create(aliased)
    output = aliased("GetFunction", FunctionName="f", Qualifier="live")["Configuration"]
    assert (output["FunctionArn"], output["Version"]) == (f"{ARN}:live", "1")


def test_directory_routes_through_an_alias(aliased: Any, changed: list[str]) -> None:
    """An alias resolves to its versions and weight, and each change of it is announced."""
    directory = Directory(aliased.plane.database, aliased.plane.code)
    _create(aliased, RoutingConfig={"AdditionalVersionWeights": {"2": 0.25}})
    target = directory.resolve("000000000000", "us-east-1", "f", "live")
    assert target.secondary is not None
    assert (target.primary.version, target.secondary.version) == ("1", "2")
    assert (target.invoked_arn, target.secondary_weight) == (f"{ARN}:live", 0.25)
    changed.clear()
    aliased("UpdateAlias", FunctionName="f", Name="live", FunctionVersion="2", RoutingConfig={})
    assert changed == [ARN]
    directory.invalidate(ARN)
    moved = directory.resolve("000000000000", "us-east-1", "f", "live")
    assert (moved.primary, moved.secondary) == (target.secondary, None)
    changed.clear()
    aliased("DeleteAlias", FunctionName="f", Name="live")
    assert changed == [ARN]
