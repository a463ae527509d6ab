"""The fidelity document: everything AWS has, and what the code says of it."""

import json
from typing import Any

import pytest

from lambent.control import event_source_kinds as kinds
from lambent.control.event_source_settings import new_settings
from lambent.control.refusals import OBEYED, OPENED, REFUSED, refuse_unsupported
from lambent.model.errors import ClientFault
from lambent.server.fidelity import REGISTRIES, SETTINGS_OF, fidelity
from lambent.server.invoke_route import OPERATIONS
from lambent.testing.loop import on_loop
from lambent.wire.catalogue import input_members, operation_names

DOCUMENT = fidelity()
CONTROL = [operation for operation in SETTINGS_OF if operation != "Invoke"]


@pytest.mark.parametrize("service", REGISTRIES)
def test_every_operation_is_listed(service: str) -> None:
    """Each operation of the model stands there, and works if it is registered."""
    listed = DOCUMENT["services"][service]
    assert tuple(listed) == operation_names(service)
    working = {name for name, status in listed.items() if status == "works"}
    beside = OPERATIONS if service == "lambda" else set()
    assert working == set(REGISTRIES[service]) | beside


@pytest.mark.parametrize("operation", SETTINGS_OF)
def test_every_setting_is_listed_once(operation: str) -> None:
    """Each member of the input stands there, by itself or by its own members."""
    names = [setting["setting"] for setting in DOCUMENT["settings"][operation]]
    assert len(names) == len(set(names))
    assert {name.split(".")[0] for name in names} == set(input_members("lambda", operation))


@pytest.mark.parametrize(
    ("operation", "setting"),
    [
        (operation, setting["setting"])
        for operation in CONTROL
        for setting in DOCUMENT["settings"][operation]
        if setting["status"] == "refused"
    ],
)
def test_what_is_listed_as_refused_is_refused(operation: str, setting: str) -> None:
    """A setting without a harmless value raises by name, however it is set."""
    values: tuple[object, ...] = ({}, "x", True)
    for value in values:
        with pytest.raises(ClientFault, match=setting):
            refuse_unsupported({setting: value})


def test_settings_of_mappings_are_refused_as_listed() -> None:
    """What stands as refused unless empty is refused by every kind of source; all else some kind takes."""
    listed = DOCUMENT["settings"]["CreateEventSourceMapping"]
    refused = {one["setting"] for one in listed if one.get("unless") == "it is empty"}
    assert {"KMSKeyArn", "LoggingConfig"} <= refused
    for setting in (*refused, "Novelty"):
        for kind in (kinds.SQS, kinds.KINESIS, kinds.DYNAMODB):
            given = {"EventSourceArn": "arn:aws:sqs:us-east-1:000000000000:q", setting: ["x"]}
            position = {} if kind is kinds.SQS else {"StartingPosition": "LATEST"}
            with pytest.raises(ClientFault, match=f"(?i){setting}"):
                new_settings(kind, given | position, ())
    assert {one["setting"] for one in listed} - refused <= kinds.SETTINGS | {"FunctionName"}


def test_a_setting_nobody_knows_is_refused() -> None:
    """A member in no table is refused by its path, not ignored; one that is not set is not asked for."""
    with pytest.raises(ClientFault, match=r"support Novelty yet"):
        refuse_unsupported({"FunctionName": "f", "Novelty": 1})
    with pytest.raises(ClientFault, match=r"support LoggingConfig\.Novelty yet"):
        refuse_unsupported({"LoggingConfig": {"LogGroup": "g", "Novelty": 1}})
    with pytest.raises(ClientFault, match=r"support Novelty yet"):
        refuse_unsupported({"Code": {"Novelty": 1}})
    refuse_unsupported({"Novelty": None})


def test_the_tables_do_not_contradict_each_other() -> None:
    """No member is obeyed and refused, or opened and decided as a whole."""
    assert not OBEYED & REFUSED.keys()
    assert not OPENED.keys() & (OBEYED | REFUSED.keys())


@on_loop
async def test_a_platform_tells(place: Any) -> None:
    """``GET /_lambent/fidelity`` answers the document."""
    answer = await place.ask("GET", "/_lambent/fidelity")
    assert (answer.status, json.loads(answer.body)) == (200, DOCUMENT)
    assert (await place.ask("POST", "/_lambent/fidelity")).status == 404
