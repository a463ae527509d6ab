"""``lambent dlq`` against a platform: failed events listed, shown, replayed and moved back, none lost."""

import json
import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

LAMBENT = Path(sys.executable).parent / "lambent"
PREFIX = "arn:aws:sqs:us-east-1:000000000000:"
SWITCHED = """
import os
import signal
def handler(event, context):
    if os.environ.get("BROKEN"):
        raise ValueError(event["why"])
    print("RAN", event["why"], context.invoked_function_arn)
    return event
"""


@pytest.fixture
def lambent(platform: Any) -> Callable[..., Any]:
    """Runs the command line as a process of its own; gives its output, JSON read."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("AWS_")}
    environment["AWS_ENDPOINT_URL"] = platform.url

    def run(*words: str, code: int = 0) -> Any:
        done = subprocess.run(
            [LAMBENT, *words],
            capture_output=True,
            text=True,
            timeout=60,
            env=environment,
            check=False,
        )
        assert done.returncode == code, done.stdout + done.stderr
        if "--json" in words and code != 2:
            return json.loads(done.stdout)
        return done.stdout + done.stderr

    return run


@pytest.fixture
def sqs(platform: Any) -> Iterator[Any]:
    """boto3's SQS client."""
    made = platform.client("sqs")
    yield made
    made.close()


@pytest.fixture
def queue(sqs: Any) -> Iterator[str]:
    """A new queue's name."""
    name = f"dlq-{uuid.uuid4().hex[:12]}"
    url = sqs.create_queue(QueueName=name)["QueueUrl"]
    yield name
    sqs.delete_queue(QueueUrl=url)


def waiting(sqs: Any, name: str) -> int:
    """Messages that anybody could receive now."""
    url = sqs.get_queue_url(QueueName=name)["QueueUrl"]
    answer = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"])
    return int(answer["Attributes"]["ApproximateNumberOfMessages"])


def broken(client: Any, deploy: Any, **settings: Any) -> Any:
    """A function that fails for now, and is not asked twice."""
    function = deploy(SWITCHED, Environment={"Variables": {"BROKEN": "1"}}, **settings)
    client.put_function_event_invoke_config(FunctionName=function.name, MaximumRetryAttempts=0)
    return function


def mend(client: Any, name: str) -> None:
    """From now on it succeeds."""
    client.update_function_configuration(FunctionName=name, Environment={"Variables": {}})
    client.get_waiter("function_updated_v2").wait(FunctionName=name)


def fail(client: Any, name: str, *reasons: str, **more: Any) -> list[str]:
    """Events that will; their request ids."""
    accepted = [
        client.invoke(
            FunctionName=name, InvocationType="Event", Payload=json.dumps({"why": reason}), **more
        )
        for reason in reasons
    ]
    assert [answer["Payload"].read() for answer in accepted] == [b""] * len(reasons)
    return [answer["ResponseMetadata"]["RequestId"] for answer in accepted]


def log_of(logs: Any, name: str) -> list[str]:
    """What its mended code wrote."""
    try:
        found = logs.filter_log_events(logGroupName=f"/aws/lambda/{name}", filterPattern="RAN")
    except logs.exceptions.ResourceNotFoundException:
        return []  # it has not run yet
    return sorted(event["message"].strip() for event in found["events"])


def test_records_go_back_to_their_alias(
    client: Any, logs: Any, sqs: Any, deploy: Any, queue: str, lambent: Any, poll: Any
) -> None:
    """Listed with function, error and attempts, shown, and replayed to the alias they were sent to."""
    function = broken(client, deploy)
    version = client.publish_version(FunctionName=function.name)["Version"]
    client.create_alias(FunctionName=function.name, Name="live", FunctionVersion=version)
    client.put_function_event_invoke_config(
        FunctionName=function.name, Qualifier="live", MaximumRetryAttempts=0,
        DestinationConfig={"OnFailure": {"Destination": PREFIX + queue}},
    )  # fmt: skip
    ids = fail(client, function.name, "a", "b", Qualifier="live")
    poll(lambda: waiting(sqs, queue) == 2, 15, "two records")
    listed = lambent("dlq", queue, "--json")
    assert {one["requestId"] for one in listed} == set(ids)
    assert {one["error"] for one in listed} == {"ValueError: a", "ValueError: b"}
    assert {(x["kind"], x["attempts"], x["function"]) for x in listed} == {
        ("record", 1, f"{function.arn}:live")
    }
    assert waiting(sqs, queue) == 2
    (shown,) = lambent("dlq", queue, "show", ids[0], "--json")
    assert json.loads(shown["event"]) == {"why": "a"}
    mend(client, function.name)
    version = client.publish_version(FunctionName=function.name)["Version"]
    client.update_alias(FunctionName=function.name, Name="live", FunctionVersion=version)
    (done,) = lambent("dlq", PREFIX + queue, "replay", ids[0], "--json")
    assert done["state"] == "replayed"
    assert waiting(sqs, queue) == 1
    lambent("dlq", queue, "replay", "--all")
    assert waiting(sqs, queue) == 0
    wanted = [f"RAN {reason} {function.arn}:live" for reason in "ab"]
    poll(lambda: log_of(logs, function.name) == wanted, 15, "both to run")


def test_dead_letters_find_their_function(
    client: Any, logs: Any, sqs: Any, deploy: Any, queue: str, lambent: Any, poll: Any
) -> None:
    """They name none: the one whose dead letters come here gets them; waiting, what fails stays."""
    function = broken(client, deploy, DeadLetterConfig={"TargetArn": PREFIX + queue})
    (request_id,) = fail(client, function.name, "dead")
    poll(lambda: waiting(sqs, queue) == 1, 15, "a dead letter")
    (listed,) = lambent("dlq", queue, "--json")
    assert (listed["kind"], listed["requestId"], listed["error"]) == (
        "dead letter", request_id, "dead",
    )  # fmt: skip
    (failed,) = lambent("dlq", queue, "replay", "--all", "--wait", "--json", code=1)
    assert failed["state"] == "failed"
    assert "Unhandled" in failed["note"]
    assert waiting(sqs, queue) == 1
    mend(client, function.name)
    assert "1 replayed" in lambent("dlq", queue, "replay", "--all", "--wait")
    assert log_of(logs, function.name) == [f"RAN dead {function.arn}"]
    assert waiting(sqs, queue) == 0
    assert "Nothing is in the queue" in lambent("dlq", queue)


def test_duplicates_are_marked_and_replayed_once(
    sqs: Any, deploy: Any, queue: str, lambent: Any
) -> None:
    """Of two messages with one request id the first is replayed; the second stays, and is said to be one."""
    function = deploy(SWITCHED)
    url = sqs.get_queue_url(QueueName=queue)["QueueUrl"]
    request_id = str(uuid.uuid4())
    attributes = {
        "RequestID": {"DataType": "String", "StringValue": request_id},
        "ErrorCode": {"DataType": "Number", "StringValue": "200"},
        "ErrorMessage": {"DataType": "String", "StringValue": "no"},
    }
    for _ in range(2):
        sqs.send_message(QueueUrl=url, MessageBody='{"why": 1}', MessageAttributes=attributes)
    listed = lambent("dlq", queue, "--json")
    assert [one["duplicate"] for one in listed] == [False, True]
    assert "--function" in lambent("dlq", queue, "replay", "--all", code=1)
    assert waiting(sqs, queue) == 2
    done = lambent("dlq", url, "replay", "--all", "--function", function.name, "--json")
    assert sorted(one["state"] for one in done) == ["replayed", "skipped"]
    assert waiting(sqs, queue) == 1


def test_a_function_that_is_gone_keeps_its_letters(sqs: Any, queue: str, lambent: Any) -> None:
    """What is not accepted is not deleted; a usage error says what is missing."""
    url = sqs.get_queue_url(QueueName=queue)["QueueUrl"]
    context = {"requestId": "r", "functionArn": "arn:aws:lambda:us-east-1:000000000000:function:no"}
    record = {"version": "1.0", "requestContext": context, "requestPayload": {"why": 1}}
    sqs.send_message(QueueUrl=url, MessageBody=json.dumps(record))
    (done,) = lambent("dlq", queue, "replay", "r", "--json", code=1)
    assert "ResourceNotFoundException" in done["note"]
    assert waiting(sqs, queue) == 1
    assert "--all" in lambent("dlq", queue, "replay", code=2)
    assert "no such" not in lambent("dlq", queue, "show", "x", code=1)
    assert "NonExistentQueue" in lambent("dlq", "never-made", code=1)


def test_plain_messages_are_moved_back(sqs: Any, queue: str, lambent: Any) -> None:
    """Messages of a source queue hold no event to replay; redrive takes them where they came from."""
    policy = {"deadLetterTargetArn": PREFIX + queue, "maxReceiveCount": "1"}
    source = f"{queue}-source"
    url = sqs.create_queue(
        QueueName=source,
        Attributes={"RedrivePolicy": json.dumps(policy), "VisibilityTimeout": "0"},
    )["QueueUrl"]
    for number in range(3):
        sqs.send_message(QueueUrl=url, MessageBody=f"m{number}")
    for _ in range(3):
        sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10)
    assert (waiting(sqs, source), waiting(sqs, queue)) == (0, 3)
    assert "m1" in lambent("dlq", queue)
    done = lambent("dlq", queue, "replay", "--all", "--json", code=1)
    assert {one["state"] for one in done} == {"skipped"}
    assert lambent("dlq", queue, "redrive", "--json") == {"status": "COMPLETED", "moved": 3}
    assert (waiting(sqs, source), waiting(sqs, queue)) == (3, 0)
    sqs.delete_queue(QueueUrl=url)


def test_an_interrupted_replay_loses_nothing(
    platform: Any, sqs: Any, deploy: Any, logs: Any, queue: str, lambent: Any, poll: Any
) -> None:
    """Ctrl-C amid it: what was not replayed is still there, and a second replay brings the rest."""
    function = deploy(SWITCHED)
    url = sqs.get_queue_url(QueueName=queue)["QueueUrl"]
    for number in range(60):
        context = {"requestId": f"r{number}", "functionArn": function.arn}
        record = {"version": "1.0", "requestContext": context, "requestPayload": {"why": number}}
        sqs.send_message(QueueUrl=url, MessageBody=json.dumps(record))
    environment = {k: v for k, v in os.environ.items() if not k.startswith("AWS_")}
    process = subprocess.Popen(
        [LAMBENT, "dlq", queue, "replay", "--all"],
        env=environment | {"AWS_ENDPOINT_URL": platform.url},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    poll(lambda: log_of(logs, function.name) or process.poll() is not None, 20, "some to run")
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=20)
    assert process.returncode in {130, 0}, said  # 0: it was faster than the signal
    assert process.returncode == 0 or "the others are still in the queue" in said
    wanted = {f"RAN {number} {function.arn}" for number in range(60)}

    def all_ran() -> bool:
        # What a receive was just handing out when it was interrupted is hidden for a minute.
        if waiting(sqs, queue):
            lambent("dlq", queue, "replay", "--all")
        return set(log_of(logs, function.name)) == wanted

    poll(all_ran, 90, "all to run")
    assert waiting(sqs, queue) == 0
