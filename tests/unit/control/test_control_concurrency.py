"""Reserved concurrency: AWS's rules, answers and refusals."""

from typing import Any

import pytest

from lambent.control.concurrency import reserved_executions
from lambent.control.plane import ControlPlane
from lambent.model.errors import ClientFault

ARN = "arn:aws:lambda:us-east-1:000000000000:function:f"
PUT, GET, DELETE = (f"{verb}FunctionConcurrency" for verb in ("Put", "Get", "Delete"))
TOO_MUCH = (
    "Specified ReservedConcurrentExecutions for function decreases account's "
    "UnreservedConcurrentExecution below its minimum value of [100]."
)


def unreserved(client: Any) -> int:
    """What the account settings say is left."""
    left: int = client("GetAccountSettings")["AccountLimit"]["UnreservedConcurrentExecutions"]
    return left


@pytest.mark.parametrize(
    "name", ["f", ARN, "function:f", "000000000000:function:f", "us-east-1:000000000000:function:f"]
)
def test_a_reservation_is_put_got_and_deleted(client: Any, changed: list[str], name: str) -> None:
    """By any form of its name a function's reservation is set, shown and taken back, and told of."""
    client.create()
    assert client(GET, FunctionName=name) == {}
    changed.clear()
    for executions in (5, 0, 900):
        put = client(PUT, FunctionName=name, ReservedConcurrentExecutions=executions)
        assert put == {"ReservedConcurrentExecutions": executions}
        assert client(GET, FunctionName=name) == put
        assert client("GetFunction", FunctionName=name)["Concurrency"] == put
        assert unreserved(client) == 1000 - executions
    for _ in range(2):
        assert client.result(DELETE, FunctionName=name).status == 204
    assert client(GET, FunctionName=name) == {}
    assert "Concurrency" not in client("GetFunction", FunctionName=name)
    assert unreserved(client) == 1000
    assert changed == [ARN] * 5


def test_a_qualified_answer_leaves_the_reservation_out(client: Any) -> None:
    """GetFunction of a version shows no concurrency: it is the whole function's."""
    client.create(Publish=True)
    client(PUT, FunctionName="f", ReservedConcurrentExecutions=5)
    for qualifier in ("1", "$LATEST"):
        assert "Concurrency" not in client("GetFunction", FunctionName="f", Qualifier=qualifier)


def test_a_hundred_stay_unreserved(client: Any, plane: ControlPlane) -> None:
    """Reservations of a place may take all but 100; a refusal changes nothing, lowering always works."""
    for name in ("f", "g"):
        client.create(name)
    client(PUT, FunctionName="f", ReservedConcurrentExecutions=600)
    for name, executions in (("g", 301), ("f", 901), ("g", 10_000)):
        with pytest.raises(ClientFault) as refused:
            client(PUT, FunctionName=name, ReservedConcurrentExecutions=executions)
        fault = refused.value
        assert (fault.code, fault.status, fault.message) == (
            "InvalidParameterValueException",
            400,
            TOO_MUCH,
        )
    assert unreserved(client) == 400
    client(PUT, FunctionName="g", ReservedConcurrentExecutions=300)
    assert unreserved(client) == 100
    client(PUT, FunctionName="f", ReservedConcurrentExecutions=10)
    assert unreserved(client) == 690
    assert reserved_executions(plane.database.connection, ARN) == 10


def test_another_place_has_its_own_hundred(client: Any) -> None:
    """What is reserved in one region or account takes nothing from another."""
    client.create()
    client(PUT, FunctionName="f", ReservedConcurrentExecutions=900)
    for client.account_id, client.region in (
        ("000000000000", "eu-west-1"),
        ("111111111111", "us-east-1"),
    ):
        assert unreserved(client) == 1000
        client.create()
        assert client(GET, FunctionName="f") == {}
        client(PUT, FunctionName="f", ReservedConcurrentExecutions=900)


@pytest.mark.parametrize("operation", [PUT, GET, DELETE])
@pytest.mark.parametrize("qualifier", ["1", "$LATEST", "live", "gone"])
def test_versions_and_aliases_are_refused(client: Any, operation: str, qualifier: str) -> None:
    """A qualifier, $LATEST too and whether it is there or not, is refused in AWS's words."""
    client.create(Publish=True)
    client("CreateAlias", FunctionName="f", Name="live", FunctionVersion="1")
    for name in (f"f:{qualifier}", f"{ARN}:{qualifier}"):
        with pytest.raises(ClientFault) as refused:
            client(operation, FunctionName=name, ReservedConcurrentExecutions=1)
        assert refused.value.code == "InvalidParameterValueException"
        assert refused.value.message == (
            "This operation is permitted on Lambda functions only. Aliases and versions do not "
            "support this operation. Please specify either a function name or an unqualified "
            "function ARN."
        )


@pytest.mark.parametrize(("operation", "arn"), [(PUT, f"{ARN}:$LATEST"), (GET, ARN), (DELETE, ARN)])
def test_a_function_that_is_not_there_is_404(client: Any, operation: str, arn: str) -> None:
    """Nothing is reserved for what does not exist; PutFunctionConcurrency names $LATEST, as on AWS."""
    with pytest.raises(ClientFault) as missing:
        client(operation, FunctionName="f", ReservedConcurrentExecutions=1)
    assert (missing.value.status, missing.value.message) == (404, f"Function not found: {arn}")
    client.create()
    assert client(GET, FunctionName="f") == {}


def test_a_deleted_function_gives_its_reservation_back(client: Any, plane: ControlPlane) -> None:
    """A function made anew under the same name has none; deleting a version takes nothing away."""
    client.create(Publish=True)
    client(PUT, FunctionName="f", ReservedConcurrentExecutions=7)
    client("DeleteFunction", FunctionName="f", Qualifier="1")
    assert reserved_executions(plane.database.connection, ARN) == 7
    client("DeleteFunction", FunctionName="f")
    assert reserved_executions(plane.database.connection, ARN) is None
    assert unreserved(client) == 1000
    client.create()
    assert client(GET, FunctionName="f") == {}


def test_a_reservation_changes_no_revision(client: Any) -> None:
    """Neither the configuration nor its RevisionId changes with it."""
    client.create()
    before = client("GetFunctionConfiguration", FunctionName="f")
    client(PUT, FunctionName="f", ReservedConcurrentExecutions=7)
    assert client("GetFunctionConfiguration", FunctionName="f") == before
