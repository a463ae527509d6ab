"""What a function's log group shows after invocations, through the CloudWatch Logs API."""

import re
import time
from collections.abc import Callable
from typing import Any

REPORT = re.compile(
    r"REPORT RequestId: (?P<id>[0-9a-f-]{36})\tDuration: (?P<duration>\d+\.\d\d) ms"
    r"\tBilled Duration: (?P<billed>\d+) ms\tMemory Size: (?P<size>\d+) MB"
    r"\tMax Memory Used: (?P<used>\d+) MB(\tInit Duration: (?P<init>\d+\.\d\d) ms)?\t\n"
)


def messages(logs: Any, function: Any) -> list[str]:
    """Every message of the function's group, in the order the API gives."""
    group = f"/aws/lambda/{function.name}"
    pages = logs.get_paginator("filter_log_events").paginate(logGroupName=group)
    return [event["message"] for page in pages for event in page["events"]]


def test_the_platforms_lines_frame_each_invocation(deploy: Callable[..., Any], logs: Any) -> None:
    """INIT_START once; START, the function's lines, END, REPORT for each; Init Duration only at first."""
    function = deploy("def handler(event, context): print('line', event)", MemorySize=144)
    answers = [function(n) for n in range(3)]
    found = messages(logs, function)
    assert found[0].startswith("INIT_START Runtime Version: python:3.")
    for number, answer in enumerate(answers):
        start, line, end, report = found[1 + 4 * number : 5 + 4 * number]
        assert start == f"START RequestId: {answer.request_id} Version: $LATEST\n"
        assert line == f"line {number}\n"
        assert end == f"END RequestId: {answer.request_id}\n"
        shown = REPORT.fullmatch(report)
        assert shown, report
        assert shown["id"] == answer.request_id
        assert shown["size"] == "144"
        assert 1 <= int(shown["used"]) <= 144
        assert (shown["init"] is not None) is (number == 0)
        total_ms = float(shown["duration"]) + float(shown["init"] or 0)
        assert total_ms <= int(shown["billed"]) < total_ms + 1.01
    assert len(found) == 13


def test_durations_are_the_functions_own(deploy: Callable[..., Any], logs: Any) -> None:
    """Duration covers what the handler took and little more; Init Duration what the module took."""
    function = deploy("import time\ntime.sleep(.2)\ndef handler(event, context): time.sleep(.1)")
    function()
    report = REPORT.fullmatch(messages(logs, function)[-1])
    assert report
    assert 100 <= float(report["duration"]) < 200
    assert 200 <= float(report["init"]) < 700


def test_log_records_stdout_and_stderr_are_all_there(deploy: Callable[..., Any], logs: Any) -> None:
    """print, logging, stderr and child processes end in the log; logging keeps AWS's format."""
    function = deploy("""
        import logging, os, subprocess, sys
        logger = logging.getLogger()
        logger.setLevel("INFO")
        def handler(event, context):
            logger.info("a record")
            logger.debug("hidden")
            print("printed")
            print("to stderr", file=sys.stderr)
            subprocess.run(["echo", "from a child"])
            os.write(1, b"raw\\n")
    """)
    answer = function()
    found = messages(logs, function)
    [record] = [m for m in found if "a record" in m]
    stamp = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"
    assert re.fullmatch(rf"\[INFO\]\t{stamp}\t{answer.request_id}\ta record\n+", record)
    for line in ("printed\n", "to stderr\n", "from a child\n", "raw\n"):
        assert line in found
    assert not any("hidden" in m for m in found)


def test_multi_line_binary_and_unfinished_output(deploy: Callable[..., Any], logs: Any) -> None:
    """A multi-line record is one event; bytes that are no text, and a last line without end, are kept."""
    function = deploy("""
        import logging, os
        def handler(event, context):
            logging.getLogger().warning("one\\ntwo\\nthree")
            os.write(1, b"\\xff\\x00\\xfe binary\\n")
            os.write(1, b"\\n\\nafter blanks\\n")
            os.write(1, "é😀\\n".encode())
            os.write(1, b"no newline at the end")
            os._exit(0)
    """)
    function()
    found = messages(logs, function)
    [record] = [m for m in found if "one" in m]
    assert record.rstrip("\n").endswith("one\ntwo\nthree")
    assert any("binary" in m for m in found)
    assert "after blanks\n" in found
    assert "é😀\n" in found
    assert "no newline at the end" in found


def test_output_stands_between_start_and_end_in_its_order(
    deploy: Callable[..., Any], logs: Any
) -> None:
    """A thousand lines keep their order, inside their invocation."""
    function = deploy("def handler(event, context):\n for n in range(1000): print(event, n)")
    ids = [function(n).request_id for n in range(2)]
    found = messages(logs, function)
    for number, request_id in enumerate(ids):
        first = found.index(f"START RequestId: {request_id} Version: $LATEST\n")
        last = found.index(f"END RequestId: {request_id}\n")
        assert found[first + 1 : last] == [f"{number} {n}\n" for n in range(1000)]


def test_groups_and_streams(deploy: Callable[..., Any], logs: Any) -> None:
    """One group a function; one stream an environment, named after day and version."""
    function = deploy("import os\ndef handler(event, context): return context.log_stream_name")
    function.client.publish_version(FunctionName=function.name)
    name = function().payload
    versioned = function(Qualifier="1").payload
    group = f"/aws/lambda/{function.name}"
    [found] = logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"]
    assert found["logGroupName"] == group
    assert found["arn"].endswith(f"log-group:{group}:*")
    streams = logs.describe_log_streams(logGroupName=group)["logStreams"]
    assert {stream["logStreamName"] for stream in streams} == {name, versioned}
    assert re.fullmatch(r"\d{4}/\d\d/\d\d/\[\$LATEST\][0-9a-f]{32}", name)
    assert re.fullmatch(r"\d{4}/\d\d/\d\d/\[1\][0-9a-f]{32}", versioned)


def test_get_log_events_reads_a_stream_both_ways(deploy: Callable[..., Any], logs: Any) -> None:
    """GetLogEvents pages through a stream from its head, and gives its tail by default."""
    function = deploy("""
        def handler(event, context):
            for n in range(50): print(n)
            return context.log_stream_name
    """)
    before_ms = int(time.time() * 1000) - 1000
    place = {"logGroupName": f"/aws/lambda/{function.name}", "logStreamName": function().payload}
    seen: list[str] = []
    token: dict[str, str] = {}
    while True:
        page = logs.get_log_events(**place, limit=7, startFromHead=True, **token)
        if token.get("nextToken") == page["nextForwardToken"]:
            break
        token = {"nextToken": page["nextForwardToken"]}
        seen += [event["message"] for event in page["events"]]
        assert all(event["timestamp"] >= before_ms for event in page["events"])
    assert [m for m in seen if m.strip().isdigit()] == [f"{n}\n" for n in range(50)]
    tail = logs.get_log_events(**place, limit=1)["events"]
    assert tail[0]["message"].startswith("REPORT")


def test_filter_patterns_and_times(deploy: Callable[..., Any], logs: Any) -> None:
    """FilterLogEvents finds terms, JSON fields and time ranges."""
    function = deploy("""
        import json
        def handler(event, context):
            print("ERROR something", event)
            print(json.dumps({"level": "warn", "n": event}))
    """)
    for number in range(3):
        function(number)
    group = {"logGroupName": f"/aws/lambda/{function.name}"}

    def found(**parameters: Any) -> list[str]:
        events = logs.filter_log_events(**group, **parameters)["events"]
        return [event["message"].strip() for event in events]

    assert found(filterPattern="ERROR") == [f"ERROR something {n}" for n in range(3)]
    assert found(filterPattern="{ $.n >= 1 }") == [f'{{"level": "warn", "n": {n}}}' for n in (1, 2)]
    assert found(filterPattern="ERROR", endTime=1) == []
    assert len(found(filterPattern='?"START RequestId" ?REPORT')) == 6


def test_a_group_can_be_deleted_and_comes_again(deploy: Callable[..., Any], logs: Any) -> None:
    """Deleting a function's group loses its past only: the next invocation writes a new one."""
    function = deploy("def handler(event, context): print('token', event)")
    function("a")
    logs.delete_log_group(logGroupName=f"/aws/lambda/{function.name}")
    function("b")
    found = messages(logs, function)
    assert "token b\n" in found
    assert "token a\n" not in found
