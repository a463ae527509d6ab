"""An environment's log in JSON: which records come, in which order, and what is left out."""

import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from lambent.node.environ import build_environ
from lambent.node.sandbox.contract import ExitStatus
from lambent.testing.loop import on_loop, until
from lambent.testing.node import make_invocation, make_spec
from lambent.testing.sandbox import FakeRuntime

Live = Callable[..., Any]


async def talk(runtime: FakeRuntime) -> None:
    """A runtime that prints before each answer."""
    while True:
        event = await runtime.client.next()
        runtime.print(b'plain\n{"level":"debug"}\n{"level":"error"}\n')
        await runtime.client.respond(event.request_id, b"12345")


def kinds(lines: list[bytes]) -> list[str]:
    """The types of the platform's records, and the text of all else."""
    found = []
    for line in lines:
        text = line.decode()
        document = json.loads(text) if text.startswith("{") else {}
        found.append(document.get("type", text.strip()))
    return found


@pytest.mark.parametrize(
    ("system", "application", "expected"),
    [
        (
            "DEBUG", "TRACE",
            ["platform.initRuntimeDone", "platform.initReport", "platform.start", "plain",
             '{"level":"debug"}', '{"level":"error"}', "platform.runtimeDone", "platform.report"],
        ),
        ("", "", ["platform.start", "plain", '{"level":"error"}', "platform.report"]),
        ("INFO", "ERROR", ["platform.start", '{"level":"error"}', "platform.report"]),
        ("WARN", "FATAL", []),
    ],
)  # fmt: skip
@on_loop
async def test_levels_choose_what_is_shown(
    live: Live, system: str, application: str, expected: list[str]
) -> None:
    """The system's level filters records, the application's the function's output; both default to INFO."""
    levels = {"system_log_level": system, "application_log_level": application}
    life = await live(talk, log_format="JSON", **levels).open()
    await life.ready()
    result = await life.invoke(request_id="r")
    assert kinds(life.lines) == expected
    tail = [kind for kind in expected if not kind.startswith("platform.init")]
    assert kinds(result.log_tail.splitlines(keepends=True)) == tail
    await life.end()


@on_loop
async def test_the_report_tells_of_the_invocation(live: Live) -> None:
    """runtimeDone counts the result's bytes; initDurationMs stands in the first report only."""
    life = await live(talk, log_format="JSON", system_log_level="DEBUG").open()
    for times in (1, 2):
        await life.ready(times)
        await life.invoke(request_id="r")
    records = [json.loads(line) for line in life.lines if line.startswith(b'{"time"')]
    done = [r["record"] for r in records if r["type"] == "platform.runtimeDone"]
    assert [d["metrics"]["producedBytes"] for d in done] == [5, 5]
    reports = [r["record"] for r in records if r["type"] == "platform.report"]
    assert ["initDurationMs" in r["metrics"] for r in reports] == [True, False]
    assert all(r["status"] == "success" and r["requestId"] == "r" for r in reports)
    await life.end()


@on_loop
async def test_a_handler_that_raises_is_an_error_too(live: Live) -> None:
    """Its records are warnings with the status error, though no line of text would say so."""

    async def fail(runtime: FakeRuntime) -> None:
        event = await runtime.client.next()
        await runtime.client.error(event.request_id, b"{}", "ValueError")
        await runtime.client.next()

    life = await live(fail, log_format="JSON", system_log_level="WARN").open()
    await life.ready()
    await life.invoke(request_id="r")
    assert kinds(life.lines) == ["platform.runtimeDone", "platform.report"]
    assert [json.loads(line)["record"]["status"] for line in life.lines] == ["error", "error"]
    await life.end()


@on_loop
async def test_failures_are_said_in_records_only(live: Live) -> None:
    """An exit has its type in WARN records, and no line of text."""

    async def leave(runtime: FakeRuntime) -> ExitStatus:
        await runtime.client.next()
        return ExitStatus(1)

    life = await live(leave, log_format="JSON", system_log_level="WARN").open()
    await life.ready()
    await life.invoke(request_id="r")
    assert kinds(life.lines) == ["platform.runtimeDone", "platform.report"]
    for line in life.lines:
        record = json.loads(line)["record"]
        assert (record["status"], record["errorType"]) == ("error", "Runtime.ExitError")
    await life.gone()


@on_loop
async def test_a_failed_initialisation_has_records_of_its_own(live: Live) -> None:
    """initRuntimeDone and initReport come before the records of the invocation that waited."""

    async def leave(_: FakeRuntime) -> ExitStatus:
        return ExitStatus(1)

    life = await live(leave, log_format="JSON", phase="invoke").open()
    await until(lambda: "gone" in life.told)
    life.environment.refuse_invocation(make_invocation(life.spec, b"{}", request_id="r"))
    assert kinds(life.lines) == [
        "platform.initRuntimeDone", "platform.initReport", "platform.start",
        "platform.runtimeDone", "platform.report",
    ]  # fmt: skip
    for line in life.lines[:2]:
        record = json.loads(line)["record"]
        assert record.items() >= {"phase": "invoke", "status": "error"}.items()
        assert record["errorType"] == "Runtime.ExitError"


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, (None, None)),
        ({"log_format": "JSON"}, ("JSON", "INFO")),
        ({"log_format": "JSON", "application_log_level": "TRACE"}, ("JSON", "TRACE")),
    ],
)
def test_the_runtime_is_told(
    settings: Mapping[str, str], expected: tuple[str | None, str | None]
) -> None:
    """Format and level are in the environment of a function that logs in JSON, and of no other."""
    environ = build_environ(make_spec(**settings), "stream", {})
    found = environ.get("AWS_LAMBDA_LOG_FORMAT"), environ.get("AWS_LAMBDA_LOG_LEVEL")
    assert found == expected
