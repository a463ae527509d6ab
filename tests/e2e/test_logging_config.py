"""Functions that log in JSON: records and output, levels, and the way back to text."""

import json
from collections.abc import Callable
from typing import Any

import pytest

SOURCE = """
    import logging, os
    logging.warning("at start")
    logger = logging.getLogger("mine")
    def handler(event, context):
        logger.debug("a debug record")
        logger.info("an info record", extra={"order": 7})
        try:
            1 / 0
        except ZeroDivisionError:
            logger.exception("an error record")
        print("printed")
        print('{"level": "debug", "msg": "printed as debug"}')
        if event == "raise":
            raise ValueError("wrong")
        names = ("AWS_LAMBDA_LOG_FORMAT", "AWS_LAMBDA_LOG_LEVEL")
        return [os.environ.get(name) for name in names]
"""


def messages(logs: Any, function: Any) -> list[str]:
    """Every message of the function's group, in the order the API gives."""
    group = f"/aws/lambda/{function.name}"
    pages = logs.get_paginator("filter_log_events").paginate(logGroupName=group)
    return [event["message"] for page in pages for event in page["events"]]


def parsed(lines: list[str]) -> list[dict[str, Any]]:
    """The lines that are JSON objects; anything else was printed."""
    assert {line.strip() for line in lines if not line.startswith("{")} <= {"printed"}
    return [json.loads(line) for line in lines if line.startswith("{")]


def configure(client: Any, function: Any, **logging: str) -> None:
    """Changes the function's LoggingConfig and waits until it is in effect."""
    client.update_function_configuration(FunctionName=function.name, LoggingConfig=logging)
    client.get_waiter("function_updated_v2").wait(FunctionName=function.name)


def test_json_logs_are_records(deploy: Callable[..., Any], logs: Any) -> None:
    """The platform writes platform.* records, logging JSON objects; print stays what it was."""
    function = deploy(SOURCE, LoggingConfig={"LogFormat": "JSON"})
    answer = function()
    assert answer.payload == ["JSON", "INFO"]
    lines = messages(logs, function)
    documents = parsed(lines)
    kinds = [d["type"] for d in documents if "type" in d and d["type"] != "lambent.notice"]
    assert kinds == ["platform.initStart", "platform.start", "platform.report"]
    assert "printed\n" in lines
    assert not any("debug" in line for line in lines)
    by_message = {d["message"]: d for d in documents if "level" in d}
    assert by_message["at start"]["level"] == "WARNING"
    record = by_message["an info record"]
    assert (record["level"], record["logger"], record["order"]) == ("INFO", "mine", 7)
    assert record["requestId"] == answer.request_id
    assert by_message["an error record"]["errorType"] == "ZeroDivisionError"
    report = documents[-1]["record"]
    assert (report["requestId"], report["status"]) == (answer.request_id, "success")
    assert report["metrics"]["initDurationMs"] > 0


def test_the_tail_is_json_too(deploy: Callable[..., Any]) -> None:
    """LogType=Tail answers the invocation's lines as the log has them."""
    function = deploy(SOURCE, LoggingConfig={"LogFormat": "JSON", "SystemLogLevel": "DEBUG"})
    answer = function()
    documents = parsed(answer.log.splitlines())
    kinds = [d["type"] for d in documents if "type" in d]
    assert kinds == ["platform.start", "platform.runtimeDone", "platform.report"]
    assert "printed" in answer.log.splitlines()
    assert documents[-2]["record"]["metrics"]["producedBytes"] == len(answer.raw)


@pytest.mark.parametrize(
    ("level", "shown"),
    [
        ("TRACE", {"debug", "info", "error", "printed", "printed as debug"}),
        ("DEBUG", {"debug", "info", "error", "printed", "printed as debug"}),
        ("WARN", {"error"}),
        ("FATAL", set()),
    ],
)
def test_application_levels_filter_the_functions_output(
    deploy: Callable[..., Any], level: str, shown: set[str]
) -> None:
    """Records below the level are left out; what is printed counts as INFO unless it says its level."""
    function = deploy(SOURCE, LoggingConfig={"LogFormat": "JSON", "ApplicationLogLevel": level})
    answer = function()
    assert answer.payload == ["JSON", level]
    found = {
        name
        for name, text in {
            "debug": "a debug record",
            "info": "an info record",
            "error": "an error record",
            "printed": "\nprinted\n",
            "printed as debug": "printed as debug",
        }.items()
        if text in answer.log
    }
    assert found == shown


def test_system_level_warn_shows_failures_only(deploy: Callable[..., Any], logs: Any) -> None:
    """Good invocations leave no record; one that raises leaves its records and its error as JSON."""
    settings = {"LogFormat": "JSON", "SystemLogLevel": "WARN", "ApplicationLogLevel": "ERROR"}
    function = deploy(SOURCE, LoggingConfig=settings)
    good = parsed(function().log.splitlines())
    assert [d.get("message") for d in good] == ["an error record"]
    answer = function("raise")
    assert answer.error == "Unhandled"
    documents = parsed(answer.log.splitlines())
    assert [d["type"] for d in documents if "type" in d] == [
        "platform.runtimeDone",
        "platform.report",
    ]
    assert documents[-1]["record"]["status"] == "error"
    [raised] = [d for d in documents if d.get("errorType") == "ValueError"]
    assert (raised["level"], raised["errorMessage"]) == ("ERROR", "wrong")
    assert raised["requestId"] == answer.request_id
    kinds = {d.get("type") for d in parsed(messages(logs, function))}
    assert not kinds & {"platform.initStart", "platform.start"}


def test_a_function_that_cannot_be_loaded_says_so_in_json(deploy: Callable[..., Any]) -> None:
    """The runtime client's error and the records of the failed start are JSON."""
    function = deploy("import nothing_like_it", LoggingConfig={"LogFormat": "JSON"})
    answer = function()
    assert answer.payload["errorType"] == "Runtime.ImportModuleError"
    documents = parsed(answer.log.splitlines())
    assert any(d.get("errorType") == "Runtime.ImportModuleError" for d in documents)
    kinds = [d["type"] for d in documents if "type" in d]
    assert kinds[-3:] == ["platform.start", "platform.runtimeDone", "platform.report"]
    assert documents[-1]["record"]["errorType"] == "Runtime.ImportModuleError"


def test_formats_change_with_the_configuration(deploy: Callable[..., Any], client: Any) -> None:
    """From text to JSON and back, new environments obey at once; text is as it ever was."""
    function = deploy(SOURCE)
    for _ in range(2):
        answer = function()
        assert answer.payload == [None, None]
        assert answer.log.startswith(f"START RequestId: {answer.request_id} Version: $LATEST\n")
        assert "[ERROR]\t" in answer.log
        assert '{"level": "debug", "msg": "printed as debug"}\n' in answer.log
        assert f"\nEND RequestId: {answer.request_id}\nREPORT RequestId: " in answer.log
        configure(client, function, LogFormat="JSON")
        answer = function()
        assert answer.payload == ["JSON", "INFO"]
        assert parsed(answer.log.splitlines())[0]["type"] == "platform.start"
        configure(client, function, LogFormat="Text")


def test_a_level_without_json_is_refused(client: Any, deploy: Callable[..., Any]) -> None:
    """AWS's own error, and nothing is changed."""
    function = deploy("def handler(event, context): pass")
    refused = client.exceptions.InvalidParameterValueException
    with pytest.raises(refused, match='LogLevel is not supported when LogFormat is set to "Text"'):
        configure(client, function, SystemLogLevel="DEBUG")
    found = client.get_function_configuration(FunctionName=function.name)["LoggingConfig"]
    assert found == {"LogFormat": "Text", "LogGroup": f"/aws/lambda/{function.name}"}
