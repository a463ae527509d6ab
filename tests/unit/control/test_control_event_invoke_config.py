"""Event invoke configs and dead-letter targets: set, shown, checked, and seen by the invocation path."""

from dataclasses import replace
from typing import Any

import pytest

from lambent.control.directory import Directory
from lambent.control.plane import ControlPlane
from lambent.control.registry import OPERATIONS
from lambent.model.errors import ClientFault

ARN = "arn:aws:lambda:us-east-1:000000000000:function:"
QUEUE = "arn:aws:sqs:us-east-1:000000000000:q"
BUS = "arn:aws:events:us-east-1:000000000000:event-bus/default"
INVALID, NOT_YET = "InvalidParameterValueException", "NotImplementedException"
PUT = "PutFunctionEventInvokeConfig"
UPDATE = "UpdateFunctionEventInvokeConfig"
GET = "GetFunctionEventInvokeConfig"
DELETE = "DeleteFunctionEventInvokeConfig"
LIST = "ListFunctionEventInvokeConfigs"
NOTHING: dict[str, Any] = {"OnSuccess": {}, "OnFailure": {}}


def hosting(client: Any, *services: str) -> Any:
    """The client of a platform that hosts these services too."""
    more = ("lambda", *services)
    client.plane = replace(client.plane, destination_services=more)
    return client


def destinations(**given: str) -> dict[str, Any]:
    """``DestinationConfig``."""
    return {member: {"Destination": arn} for member, arn in given.items()}


def test_what_is_put_is_shown_and_put_again_is_all_anew(client: Any) -> None:
    """Put replaces everything; a setting that is not given is gone."""
    client.create()
    put = client(PUT, FunctionName="f", MaximumRetryAttempts=0, MaximumEventAgeInSeconds=60)
    assert put == client(GET, FunctionName="f")
    shown = {k: v for k, v in put.items() if k != "LastModified"}
    assert shown == {
        "FunctionArn": f"{ARN}f:$LATEST",
        "MaximumRetryAttempts": 0,
        "MaximumEventAgeInSeconds": 60,
        "DestinationConfig": NOTHING,
    }
    assert "MaximumEventAgeInSeconds" not in client(PUT, FunctionName="f", MaximumRetryAttempts=1)


def test_update_leaves_what_it_is_not_told(client: Any) -> None:
    """Update changes one setting and keeps the others."""
    client.create()
    client.create("g")
    client(PUT, FunctionName="f", MaximumRetryAttempts=0)
    client(UPDATE, FunctionName="f", DestinationConfig=destinations(OnFailure=f"{ARN}g"))
    shown = client(GET, FunctionName="f")
    assert shown["MaximumRetryAttempts"] == 0
    assert shown["DestinationConfig"] == destinations(OnFailure=f"{ARN}g") | {"OnSuccess": {}}


def test_each_qualifier_has_its_own(client: Any, plane: ControlPlane) -> None:
    """A version's, an alias's and $LATEST's config do not mix, and each target carries its own."""
    client.create(Publish=True)
    client("CreateAlias", FunctionName="f", Name="live", FunctionVersion="1")
    for retries, qualifier in enumerate(("$LATEST", "1", "live")):
        client(PUT, FunctionName="f", Qualifier=qualifier, MaximumRetryAttempts=retries)
    directory = Directory(plane.database, plane.code)
    cases: list[tuple[int, str | None]] = [(0, None), (0, "$LATEST"), (1, "1"), (2, "live")]
    for retries, asked in cases:
        target = directory.resolve("000000000000", "us-east-1", "f", asked)
        assert target.event_invoke_config.retries == retries
    listed = client(LIST, FunctionName="f")["FunctionEventInvokeConfigs"]
    assert [item["FunctionArn"] for item in listed] == [
        f"{ARN}f:{q}" for q in ("$LATEST", "1", "live")
    ]
    page = client(LIST, FunctionName="f", MaxItems=2)
    rest = client(LIST, FunctionName="f", Marker=page["NextMarker"])
    assert len(page["FunctionEventInvokeConfigs"]) + len(rest["FunctionEventInvokeConfigs"]) == 3


def test_it_goes_with_what_it_belongs_to(client: Any) -> None:
    """A deleted alias or function takes its config along: one of the same name begins anew."""
    client.create(Publish=True)
    client("CreateAlias", FunctionName="f", Name="live", FunctionVersion="1")
    client(PUT, FunctionName="f", Qualifier="live", MaximumRetryAttempts=0)
    client(PUT, FunctionName="f", MaximumRetryAttempts=0)
    client("DeleteAlias", FunctionName="f", Name="live")
    assert len(client(LIST, FunctionName="f")["FunctionEventInvokeConfigs"]) == 1
    client("DeleteFunction", FunctionName="f")
    client.create()
    assert client(LIST, FunctionName="f")["FunctionEventInvokeConfigs"] == []


def test_what_is_not_there_is_said_in_awss_words(client: Any) -> None:
    """Functions, qualifiers and configs that are not there have the recorded texts."""
    client.create()
    cases: list[tuple[str, dict[str, Any], str]] = [
        (PUT, {"FunctionName": "x", "MaximumRetryAttempts": 1}, "The function doesn't exist."),
        (PUT, {"FunctionName": "f:no", "MaximumRetryAttempts": 1}, "The function doesn't exist."),
        (LIST, {"FunctionName": "x"}, "The function doesn't exist."),
        *(
            (
                name,
                {"FunctionName": "f", **more},
                f"The function {ARN}f:$LATEST doesn't have an EventInvokeConfig",
            )
            for name, more in ((GET, {}), (DELETE, {}), (UPDATE, {"MaximumRetryAttempts": 1}))
        ),
    ]
    for operation, parameters, message in cases:
        with pytest.raises(ClientFault) as refused:
            client(operation, **parameters)
        assert (refused.value.code, refused.value.message) == ("ResourceNotFoundException", message)
    with pytest.raises(ClientFault, match="at least one of error handling or destination setting"):
        client(PUT, FunctionName="f")


@pytest.mark.parametrize(
    ("given", "code", "text"),
    [
        ({"OnFailure": f"{ARN}f"}, INVALID, "destination for itself"),
        ({"OnFailure": f"{ARN}nope"}, INVALID, f"The destination ARN {ARN}nope is invalid."),
        (
            {"OnSuccess": "arn:aws:s3:::b"},
            INVALID,
            "onSuccess=OnSuccess(destination=arn:aws:s3:::b), onFailure=null) is invalid.",
        ),
        ({"OnFailure": QUEUE + ".fifo"}, INVALID, "onSuccess=null, onFailure="),
        ({"OnFailure": "arn:aws:ec2:us-east-1:000000000000:x"}, INVALID, "is invalid."),
        ({"OnFailure": "arn:aws:s3:::bucket"}, NOT_YET, "the destination arn:aws:s3:::bucket"),
        ({"OnFailure": "arn:aws:s3:::b"}, INVALID, "is invalid."),
        ({"OnSuccess": BUS}, NOT_YET, BUS),
        ({"OnSuccess": BUS.replace("-bus/", "-buses/")}, INVALID, "is invalid."),
        ({"OnFailure": "arn:aws:sns:us-east-1:000000000000:t"}, NOT_YET, ":t"),
    ],
)
def test_destinations_are_checked(client: Any, given: dict[str, str], code: str, text: str) -> None:
    """What is no destination is refused as by AWS, what is not hosted is refused as not there yet."""
    hosting(client, "sqs").create()
    with pytest.raises(ClientFault) as refused:
        client(PUT, FunctionName="f", DestinationConfig=destinations(**given))
    assert refused.value.code == code
    assert text in refused.value.message
    assert client(LIST, FunctionName="f")["FunctionEventInvokeConfigs"] == []


def test_a_dead_letter_target_is_kept_shown_and_published(client: Any, plane: ControlPlane) -> None:
    """It belongs to the version; an empty one takes it away, and a version published before keeps it."""
    hosting(client, "sqs").create(DeadLetterConfig={"TargetArn": QUEUE})
    client("PublishVersion", FunctionName="f")
    changed = client(
        "UpdateFunctionConfiguration", FunctionName="f", DeadLetterConfig={"TargetArn": ""}
    )
    assert "DeadLetterConfig" not in changed
    shown = client("GetFunctionConfiguration", FunctionName="f", Qualifier="1")
    assert shown["DeadLetterConfig"] == {"TargetArn": QUEUE}
    assert client("PublishVersion", FunctionName="f")["Version"] == "2"
    directory = Directory(plane.database, plane.code)
    arns = [
        directory.resolve("000000000000", "us-east-1", "f", q).primary.dead_letter_arn
        for q in ("1", "2")
    ]
    assert arns == [QUEUE, ""]


@pytest.mark.parametrize(
    "arn", [f"{ARN}g", QUEUE + ".fifo", "arn:aws:sqs:nowhere", "arn:aws:s3:::b"]
)
def test_a_dead_letter_target_is_a_standard_queue_or_topic(client: Any, arn: str) -> None:
    """Anything else is an invalid value, whatever is hosted."""
    hosting(client, "sqs", "sns", "s3")
    with pytest.raises(ClientFault) as refused:
        client.create(DeadLetterConfig={"TargetArn": arn})
    assert refused.value.code == "InvalidParameterValueException"


def test_a_dead_letter_queue_that_is_not_hosted_is_refused(client: Any) -> None:
    """A setting that could not be obeyed is refused."""
    with pytest.raises(ClientFault) as refused:
        client.create(DeadLetterConfig={"TargetArn": QUEUE})
    assert refused.value.code == "NotImplementedException"


def test_every_operation_is_registered() -> None:
    """The five operations are answered under AWS's names."""
    assert {PUT, UPDATE, GET, DELETE, LIST} <= set(OPERATIONS)
