"""Lambda Insights by its layer's ARN: a performance record an invocation, in the extension's log group."""

import json
import uuid
from typing import Any

import pytest
from botocore.exceptions import ClientError

ARN = "arn:aws:lambda:us-east-1:580247275435:layer:LambdaInsightsExtension:53"
SOURCE = """
    import os, socket, threading, time
    def handler(event, context):
        if event.get("burn"):
            end = time.process_time() + event["burn"]
            while time.process_time() < end:
                pass
        if event.get("write"):
            with open("/tmp/x", "wb") as file:
                file.write(bytes(event["write"]))
        if event.get("sleep"):
            time.sleep(event["sleep"])
        return os.listdir("/opt")
"""


def _create(client: Any, zip_of: Any, **settings: Any) -> str:
    name = f"insights-{uuid.uuid4().hex[:8]}"
    client.create_function(
        FunctionName=name,
        Runtime="python3.11",
        Role="arn:aws:iam::000000000000:role/e2e",
        Handler="app.handler",
        MemorySize=512,
        Code={"ZipFile": zip_of({"app.py": SOURCE})},
        **settings,
    )
    client.get_waiter("function_active_v2").wait(FunctionName=name)
    return name


def _records(logs: Any, name: str) -> list[dict[str, Any]]:
    try:
        found = logs.filter_log_events(
            logGroupName="/aws/lambda-insights", logStreamNamePrefix=f"{name}/"
        )
    except logs.exceptions.ResourceNotFoundException:
        return []
    return [json.loads(event["message"]) for event in found["events"]]


def test_each_invocation_has_a_record(
    isolated: None, client: Any, logs: Any, zip_of: Any, poll: Any
) -> None:
    """CPU from the cgroup, /tmp, threads and files, memory and the cold start; the layer itself is no code."""
    name = _create(client, zip_of, Layers=[ARN])
    shown = client.get_function_configuration(FunctionName=name)
    assert shown["Layers"] == [{"Arn": ARN, "CodeSize": 0}]
    for event in ({}, {"burn": 0.2}, {"write": 10_000_000}):
        answer = client.invoke(FunctionName=name, Payload=json.dumps(event))
        assert "FunctionError" not in answer
        assert json.load(answer["Payload"]) == []
    poll(lambda: len(_records(logs, name)) == 3, 10, "three records")
    first, burnt, written = _records(logs, name)
    assert first["cold_start"] is True
    assert first["init_duration"] > 0
    assert "cold_start" not in burnt
    assert 150 <= burnt["cpu_total_time"] <= burnt["duration"] + 100
    assert burnt["cpu_total_time"] > first["cpu_total_time"]
    assert first["tmp_max"] - written["tmp_free"] >= 10_000_000
    assert written["total_memory"] == 512
    assert written["used_memory_max"] >= 9
    assert written["fd_use"] >= 3
    assert written["threads_max"] >= 1
    declared = first["_aws"]["CloudWatchMetrics"][0]
    assert declared["Namespace"] == "LambdaInsights"
    assert {metric["Name"] for metric in declared["Metrics"]} <= first.keys()


def test_a_timeout_says_so(isolated: None, client: Any, logs: Any, zip_of: Any, poll: Any) -> None:
    """A timed-out invocation has a record with its reason."""
    name = _create(client, zip_of, Layers=[ARN], Timeout=1)
    client.invoke(FunctionName=name, Payload=b'{"sleep": 5}')
    (record,) = poll(lambda: _records(logs, name), 10, "a record")
    assert (record["timeout"], record["shutdown_reason"]) == (True, "Timeout")


def test_beside_other_layers(client: Any, logs: Any, zip_of: Any, poll: Any) -> None:
    """Another layer's files are in /opt as ever; without the extension there are no records."""
    layer = client.publish_layer_version(
        LayerName=f"other-{uuid.uuid4().hex[:8]}", Content={"ZipFile": zip_of({"a.txt": "a"})}
    )["LayerVersionArn"]
    name = _create(client, zip_of, Layers=[ARN, layer])
    answer = client.invoke(FunctionName=name, Payload=b"{}")
    assert json.load(answer["Payload"]) == ["a.txt"]
    poll(lambda: _records(logs, name), 10, "a record")
    client.update_function_configuration(FunctionName=name, Layers=[layer])
    client.get_waiter("function_updated_v2").wait(FunctionName=name)
    client.invoke(FunctionName=name, Payload=b"{}")
    assert len(_records(logs, name)) == 1
    with pytest.raises(ClientError, match="same region"):
        _create(client, zip_of, Layers=[ARN.replace("us-east-1", "eu-west-1")])
