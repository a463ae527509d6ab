"""Every operation AWS has answers: with what it does, or with an honest refusal."""

from typing import Any
from urllib.parse import urlencode

import pytest
from botocore.model import Shape
from botocore.serialize import create_serializer
from botocore.session import get_session

from lambent.model.call import Call, Caller, Result
from lambent.model.errors import ClientFault
from lambent.server import invoke_route
from lambent.server.fidelity import REGISTRIES
from lambent.server.operations import Operations
from lambent.testing.loop import on_loop
from lambent.wire.catalogue import operation_names

CALLER = Caller("000000000000", "us-east-1", "r")
MODELS = {service: get_session().get_service_model(service) for service in REGISTRIES}
EVERYTHING = [(service, name) for service in REGISTRIES for name in MODELS[service].operation_names]
SAMPLES: dict[str, Any] = {
    "boolean": True,
    "timestamp": "2026-01-01T00:00:00Z",
    "blob": b"{}",
    "map": {},
    "double": 0.5,
    "float": 0.5,
}
FUNCTION = "arn:aws:lambda:us-east-1:000000000000:function:f"
SIGNING = "arn:aws:lambda:us-east-1:000000000000:code-signing-config:csc-0123456789abcdef0"
TEXTS = {
    "CodeSigningConfigArn": SIGNING,
    "ResourceArn": FUNCTION,
    "DurableExecutionArn": f"{FUNCTION}:1/durable-execution/a/b",
    "CapacityProviderOperatorRoleArn": "arn:aws:iam::000000000000:role/r",
    "SubnetId": "subnet-0123456789abcdef0",
    "SecurityGroupId": "sg-0123456789abcdef0",
    "Arn": "arn:aws:signer:us-east-1:000000000000:/signing-profiles/p/0123456789",
}


def sample(shape: Shape, name: str = "") -> Any:
    """The least a model lets one send: required members only, of the least length."""
    if shape.type_name == "structure":
        return {member: sample(shape.members[member], member) for member in shape.required_members}
    if shape.type_name == "list":
        return [sample(shape.member, shape.member.name)] * shape.metadata.get("min", 0)
    if shape.type_name == "string":
        text = shape.enum[0] if shape.enum else TEXTS.get(name, "1")
        return text.ljust(shape.metadata.get("min", 1), "1")
    if shape.type_name in ("integer", "long"):
        return shape.metadata.get("min", 1)
    return SAMPLES[shape.type_name]


@pytest.mark.parametrize(("service", "name"), EVERYTHING)
def test_every_operation_is_there_or_refused_by_name(service: str, name: str) -> None:
    """What a hosted service's model knows is found, or is 501 ``NotImplementedException``."""
    operations = Operations({each: (registry, None) for each, registry in REGISTRIES.items()})
    call = Call(service, name, {}, CALLER)
    if name in REGISTRIES[service]:
        assert callable(operations.find(call))
        return
    with pytest.raises(ClientFault) as refused:
        operations.find(call)
    assert (refused.value.code, refused.value.status) == ("NotImplementedException", 501)
    assert f"{service}:{name}" in refused.value.message


@pytest.mark.parametrize(("service", "name"), [("lambda", "Nothing"), ("nobody", "ListFunctions")])
def test_what_aws_has_not_is_unknown(service: str, name: str) -> None:
    """A name no model knows is 501 ``UnknownOperationException``."""
    with pytest.raises(ClientFault) as refused:
        Operations({}).find(Call(service, name, {}, CALLER))
    assert (refused.value.code, refused.value.status) == ("UnknownOperationException", 501)


@pytest.mark.parametrize("service", REGISTRIES)
def test_registered_names_are_awss(service: str) -> None:
    """Nothing is registered under a name the model lacks."""
    assert set(REGISTRIES[service]) <= set(operation_names(service))


@on_loop
async def test_every_refusal_reaches_the_client(place: Any) -> None:
    """Sent as botocore sends it, each Lambda operation that is not there yet is refused by name.

    Event streams included.
    """
    model = MODELS["lambda"]
    serializer = create_serializer("rest-json", include_validation=False)
    missing = set(model.operation_names) - set(REGISTRIES["lambda"]) - invoke_route.OPERATIONS
    answered = {}
    for name in sorted(missing):
        operation = model.operation_model(name)
        request = serializer.serialize_to_request(sample(operation.input_shape), operation)
        path, _, query = request["url_path"].partition("?")
        path = f"{path}?{query}&{urlencode(request['query_string'])}"
        answer = await place.ask(request["method"], path, bytes(request["body"]))
        named = f"lambda:{name}".encode() in answer.body
        answered[name] = (answer.status, named, answer.body[:150])
    assert {name: found for name, found in answered.items() if found[:2] != (501, True)} == {}


@on_loop
async def test_an_operation_that_is_there_runs(place: Any) -> None:
    """A registered function answers with its result."""
    place.operations["GetAccountSettings"] = lambda *_: Result({"AccountUsage": {}})
    assert (await place.ask("GET", "/2016-08-19/account-settings/")).status == 200
