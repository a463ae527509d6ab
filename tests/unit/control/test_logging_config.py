"""LoggingConfig: what is taken, what is answered, and what reaches the environments."""

import json
from typing import Any

import pytest

from lambent.control.directory import Directory
from lambent.control.plane import ControlPlane
from lambent.model.errors import ClientFault

PLACE = ("000000000000", "us-east-1")
TEXT_HAS_NO_LEVEL = (
    'LogLevel is not supported when LogFormat is set to "Text". '
    'Remove LogLevel from your request or change the LogFormat to "JSON" and try again.'
)
TEXT = {"LogFormat": "Text", "LogGroup": "/aws/lambda/f"}


def json_config(application: str = "INFO", system: str = "INFO", **more: str) -> dict[str, str]:
    """What a function that logs in JSON answers."""
    levels = {"ApplicationLogLevel": application, "SystemLogLevel": system}
    return {"LogFormat": "JSON", **levels, "LogGroup": "/aws/lambda/f"} | more


@pytest.mark.parametrize(
    ("given", "answered"),
    [
        (None, TEXT),
        ({}, TEXT),
        ({"LogFormat": "Text"}, TEXT),
        ({"LogFormat": "JSON"}, json_config()),
        ({"LogFormat": "JSON", "SystemLogLevel": "WARN"}, json_config(system="WARN")),
        (
            {"LogFormat": "JSON", "ApplicationLogLevel": "TRACE", "LogGroup": "/mine"},
            json_config("TRACE", LogGroup="/mine"),
        ),
    ],
)
def test_create_answers_what_is_obeyed(client: Any, given: Any, answered: dict[str, str]) -> None:
    """JSON has levels, INFO unless they are given; Text has none."""
    client.create(LoggingConfig=given)
    assert client("GetFunctionConfiguration", FunctionName="f")["LoggingConfig"] == answered


@pytest.mark.parametrize(
    ("before", "given", "answered"),
    [
        ({}, {"LogFormat": "JSON"}, json_config()),
        ({}, {"LogGroup": "/mine"}, TEXT | {"LogGroup": "/mine"}),
        ({"LogFormat": "JSON"}, {"ApplicationLogLevel": "ERROR"}, json_config("ERROR")),
        (
            {"LogFormat": "JSON", "ApplicationLogLevel": "ERROR"},
            {"LogGroup": "/mine"},
            json_config("ERROR", LogGroup="/mine"),
        ),
        ({"LogFormat": "JSON", "ApplicationLogLevel": "ERROR"}, {"LogFormat": "Text"}, TEXT),
        ({"LogFormat": "JSON"}, {}, json_config()),
    ],
)
def test_an_update_changes_what_it_gives(
    client: Any, before: Any, given: Any, answered: dict[str, str]
) -> None:
    """The rest stays; back to Text takes the levels away."""
    client.create(LoggingConfig=before)
    client("UpdateFunctionConfiguration", FunctionName="f", LoggingConfig=given)
    assert client("GetFunctionConfiguration", FunctionName="f")["LoggingConfig"] == answered


@pytest.mark.parametrize("member", ["ApplicationLogLevel", "SystemLogLevel"])
@pytest.mark.parametrize("log_format", [{}, {"LogFormat": "Text"}])
def test_levels_need_json(client: Any, member: str, log_format: dict[str, str]) -> None:
    """A level without JSON is refused with AWS's words, in a creation and in an update."""
    given = log_format | {member: "WARN"}
    with pytest.raises(ClientFault) as refused:
        client.create(LoggingConfig=given)
    client.create()
    with pytest.raises(ClientFault) as refused_too:
        client("UpdateFunctionConfiguration", FunctionName="f", LoggingConfig=given)
    for error in (refused.value, refused_too.value):
        assert (error.code, error.message) == ("InvalidParameterValueException", TEXT_HAS_NO_LEVEL)
    assert client("GetFunctionConfiguration", FunctionName="f")["LoggingConfig"] == TEXT


def test_a_change_is_a_new_environment_and_a_new_version(client: Any, plane: ControlPlane) -> None:
    """Format and levels reach the spec under a new key, and are content that a version freezes."""
    client.create(Publish=True)
    directory = Directory(plane.database, plane.code)
    before = directory.resolve(*PLACE, "f", None).primary
    assert (before.log_format, before.application_log_level) == ("Text", "")
    given = {"LogFormat": "JSON", "ApplicationLogLevel": "DEBUG", "SystemLogLevel": "WARN"}
    client("UpdateFunctionConfiguration", FunctionName="f", LoggingConfig=given)
    directory.clear()
    after = directory.resolve(*PLACE, "f", None).primary
    found = (after.log_format, after.application_log_level, after.system_log_level)
    assert found == ("JSON", "DEBUG", "WARN")
    assert after.key != before.key
    assert client("PublishVersion", FunctionName="f")["Version"] == "2"
    first = client("GetFunctionConfiguration", FunctionName="f", Qualifier="1")
    assert first["LoggingConfig"] == TEXT


def test_records_from_before_are_text(client: Any, plane: ControlPlane) -> None:
    """A function stored when there was no format to choose logs in text, as it did."""
    client.create()
    with plane.database.transaction() as cx:
        [(text,)] = cx.execute("SELECT document FROM versions").fetchall()
        document = json.loads(text)
        for field in ("log_format", "application_log_level", "system_log_level"):
            del document[field]
        cx.execute("UPDATE versions SET document = ?", (json.dumps(document),))
    assert client("GetFunctionConfiguration", FunctionName="f")["LoggingConfig"] == TEXT
    assert Directory(plane.database, plane.code).resolve(*PLACE, "f", None).primary.log_format
