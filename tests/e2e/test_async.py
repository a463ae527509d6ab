"""Asynchronous invocation as clients see it: accepted, run, retried, sent on, and never lost."""

import json
import os
import signal
import urllib.request
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

RECORDER = """
import json, os, time
def handler(event, context):
    print("GOT " + json.dumps({"event": event, "id": context.aws_request_id,
          "arn": context.invoked_function_arn, "trace": os.environ.get("_X_AMZN_TRACE_ID"),
          "at": time.time()}))
    if isinstance(event, dict) and event.get("fail"):
        raise ValueError(event["fail"])
    time.sleep(event.get("sleep", 0) if isinstance(event, dict) else 0)
    return {"done": event}
"""
SELF = """
import json, os, boto3
client = boto3.client("lambda")
def handler(event, context):
    print("GOT " + json.dumps({"trace": os.environ.get("_X_AMZN_TRACE_ID")}))
    client.invoke(FunctionName=context.function_name, InvocationType=event["kind"],
                  Payload=json.dumps(event))
"""


@pytest.fixture
def fast(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Any]:
    """A platform whose retry clocks run sixty times faster."""
    platform_class = type(request.getfixturevalue("platform"))
    running = platform_class.start(tmp_path / "fast", "--time-scale", "60")
    yield running
    running.stop()


class Place:
    """Functions on one platform, and what they wrote."""

    def __init__(self, platform: Any, zip_of: Any, poll: Any) -> None:
        self.platform = platform
        self._clients: list[Any] = []
        self.client = self.client_of("lambda")
        self.logs = self.client_of("logs")
        self._zip_of = zip_of
        self._poll = poll

    def client_of(self, service: str) -> Any:
        """A client that is closed with this place."""
        self._clients.append(self.platform.client(service))
        return self._clients[-1]

    def close(self) -> None:
        """Closes every client."""
        for client in self._clients:
            client.close()

    def deploy(self, source: str, **settings: Any) -> str:
        """A new function's name."""
        name = f"e2e-{uuid.uuid4().hex[:12]}"
        runtime = f"python3.{__import__('sys').version_info.minor}"
        role = "arn:aws:iam::000000000000:role/e2e"
        self.client.create_function(
            FunctionName=name, Runtime=runtime, Role=role, Handler="app.handler",
            Code={"ZipFile": self._zip_of({"app.py": source})}, **settings,
        )  # fmt: skip
        self.client.get_waiter("function_active_v2").wait(FunctionName=name)
        return name

    def send(self, name: str, event: Any, **more: Any) -> str:
        """An event; its request id."""
        answer = self.client.invoke(
            FunctionName=name, InvocationType="Event", Payload=json.dumps(event), **more
        )
        assert (answer["StatusCode"], answer["Payload"].read()) == (202, b"")
        return str(answer["ResponseMetadata"]["RequestId"])

    def got(self, name: str) -> list[Any]:
        """What a function was given, in order."""
        found: list[Any] = []
        more: dict[str, Any] = {}
        while True:
            try:
                page = self.logs.filter_log_events(
                    logGroupName=f"/aws/lambda/{name}", filterPattern="GOT", **more
                )
            except ClientError:
                return found
            messages = [e["message"] for e in page["events"]]
            found += [json.loads(m.partition("GOT ")[2]) for m in messages if m.startswith("GOT ")]
            if "nextToken" not in page:
                return found
            more = {"nextToken": page["nextToken"]}

    def wait(self, name: str, count: int, deadline_s: float = 15.0) -> list[Any]:
        """The same, once there are so many."""
        what = f"{count} events at {name}"
        found: list[Any] = self._poll(
            lambda: (got := self.got(name)) and len(got) >= count and got, deadline_s, what
        )
        return found

    def metric(self, attribute: str, name: str) -> int:
        """A counter of a function, as a scrape shows it."""
        with urllib.request.urlopen(f"{self.platform.url}/_lambent/metrics", timeout=10) as answer:
            lines = answer.read().decode().splitlines()
        mark = f'function_name="{name}"}}'
        found = [x for x in lines if x.startswith(f"aws_lambda_{attribute}_total") and mark in x]
        return int(found[0].rpartition(" ")[2]) if found else 0


@pytest.fixture
def place(platform: Any, zip_of: Any, poll: Any) -> Iterator[Place]:
    """The session's platform, at AWS's pace."""
    made = Place(platform, zip_of, poll)
    yield made
    made.close()


@pytest.fixture
def fast_place(fast: Any, zip_of: Any, poll: Any) -> Iterator[Place]:
    """The one that runs faster."""
    made = Place(fast, zip_of, poll)
    yield made
    made.close()


def test_an_event_runs_after_it_was_accepted(place: Place) -> None:
    """202 with nothing but a request id, which is the one the function sees; the ARN is the caller's."""
    name = place.deploy(RECORDER, Publish=True)
    request_id = place.send(name, {"n": 1}, Qualifier="1")
    (got,) = place.wait(name, 1)
    assert (got["event"], got["id"]) == ({"n": 1}, request_id)
    assert got["arn"].endswith(f":function:{name}:1")
    assert "Lineage=1:" in got["trace"]
    assert place.metric("async_events_received", name) == 1
    assert place.metric("invocations", name) == 1


def test_what_cannot_be_accepted_is_refused_at_once(place: Place) -> None:
    """Unknown functions and versions, what is no JSON, what is too large."""
    name = place.deploy(RECORDER)
    cases: list[tuple[dict[str, Any], str]] = [
        ({"FunctionName": "nothing"}, "ResourceNotFoundException"),
        ({"Qualifier": "7"}, "ResourceNotFoundException"),
        ({"Payload": b"{"}, "InvalidRequestContentException"),
        ({"Payload": b'"' + b"a" * 1024 * 1024 + b'"'}, "RequestEntityTooLargeException"),
    ]
    for changes, code in cases:
        with pytest.raises(ClientError) as refused:
            place.client.invoke(**({"FunctionName": name, "InvocationType": "Event"} | changes))
        assert refused.value.response["Error"]["Code"] == code
    limit = b'"' + b"a" * (1024 * 1024 - 2) + b'"'
    answer = place.client.invoke(FunctionName=name, InvocationType="Event", Payload=limit)
    assert (answer["StatusCode"], answer["Payload"].read()) == (202, b"")


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_invoke_async_still_works(place: Place) -> None:
    """The operation AWS has deprecated: 202, and up to 256 KB."""
    name = place.deploy(RECORDER)
    assert place.client.invoke_async(FunctionName=name, InvokeArgs=b'{"n": 2}')["Status"] == 202
    assert place.wait(name, 1)[0]["event"] == {"n": 2}
    with pytest.raises(ClientError) as refused:
        place.client.invoke_async(FunctionName=name, InvokeArgs=b'"' + b"a" * 262_144 + b'"')
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 413


def test_a_failing_event_is_retried_and_sent_on(fast_place: Place) -> None:
    """Three attempts, one second and two apart at sixty times the pace; then the record of its failure."""
    place = fast_place
    health = place.platform.get_health()
    assert health["time_scale"] == 60
    target = place.deploy(RECORDER)
    name = place.deploy(RECORDER)
    arn = place.client.get_function(FunctionName=target)["Configuration"]["FunctionArn"]
    place.client.put_function_event_invoke_config(
        FunctionName=name, DestinationConfig={"OnFailure": {"Destination": arn}}
    )
    request_id = place.send(name, {"fail": "no luck"})
    (record,) = [got["event"] for got in place.wait(target, 1)]
    attempts = place.wait(name, 3)
    assert [got["id"] for got in attempts] == [request_id] * 3
    gaps = [attempts[1]["at"] - attempts[0]["at"], attempts[2]["at"] - attempts[1]["at"]]
    assert 0.9 < gaps[0] < 1.9
    assert 1.9 < gaps[1] < 3.9
    context = record["requestContext"]
    assert context["requestId"] == request_id
    assert (context["condition"], context["approximateInvokeCount"]) == ("RetriesExhausted", 3)
    assert context["functionArn"].endswith(f":function:{name}:$LATEST")
    assert record["requestPayload"] == {"fail": "no luck"}
    assert record["responseContext"]["functionError"] == "Unhandled"
    assert record["responsePayload"]["errorMessage"] == "no luck"
    assert place.metric("async_events_dropped", name) == 1


def test_a_success_is_sent_on(place: Place) -> None:
    """The destination gets the function's answer."""
    target, name = place.deploy(RECORDER), place.deploy(RECORDER)
    arn = place.client.get_function(FunctionName=target)["Configuration"]["FunctionArn"]
    place.client.put_function_event_invoke_config(
        FunctionName=name, DestinationConfig={"OnSuccess": {"Destination": arn}}
    )
    place.send(name, {"n": 3})
    (got,) = place.wait(target, 1)
    assert got["event"]["requestContext"]["condition"] == "Success"
    assert got["event"]["responsePayload"] == {"done": {"n": 3}}


def test_a_stopped_function_runs_nothing(place: Place) -> None:
    """Reserved concurrency 0: accepted, dropped, and told to the failure destination."""
    target, name = place.deploy(RECORDER), place.deploy(RECORDER)
    arn = place.client.get_function(FunctionName=target)["Configuration"]["FunctionArn"]
    place.client.put_function_event_invoke_config(
        FunctionName=name, DestinationConfig={"OnFailure": {"Destination": arn}}
    )
    place.client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)
    place.send(name, {})
    (got,) = place.wait(target, 1)
    assert got["event"]["requestContext"]["condition"] == "ZeroReservedConcurrency"
    assert place.got(name) == []


@pytest.mark.parametrize("kind", ["Event", "RequestResponse"])
def test_a_function_that_invokes_itself_is_stopped(place: Place, kind: str, poll: Any) -> None:
    """After sixteen invocations, by what its SDK passes on; the metric counts it."""
    name = place.deploy(SELF, MemorySize=512, Timeout=120)
    place.client.put_function_event_invoke_config(FunctionName=name, MaximumRetryAttempts=0)
    place.send(name, {"kind": kind})
    dropped = "recursive_invocations_dropped"
    poll(lambda: place.metric(dropped, name) >= 1, 60, "the loop to be stopped")
    traces = [got["trace"] for got in place.wait(name, 16)]
    assert len(traces) == 16
    assert len({trace.split(";")[0] for trace in traces}) == 1


def test_accepted_events_survive_kills(
    start_platform: Callable[..., Any], zip_of: Any, poll: Any, tmp_path: Path
) -> None:
    """What was answered with 202 before ``kill -9``, three times over, runs to its end: each event has a record.

    Records are put where the event is deleted, in one commit: so two of one event would be two ends of it.
    """
    place = Place(start_platform(tmp_path / "data"), zip_of, poll)
    place.client_of("sqs").create_queue(QueueName="done")
    name = place.deploy(RECORDER)
    place.client.put_function_event_invoke_config(
        FunctionName=name,
        DestinationConfig={"OnSuccess": {"Destination": "arn:aws:sqs:us-east-1:000000000000:done"}},
    )
    sent: list[str] = []
    for number in range(3):
        events = [{"n": n, "sleep": 0.02 * (n % 5)} for n in range(25 + 25 * number)]
        sent += [place.send(name, event) for event in events]
        os.kill(place.platform.pid, signal.SIGKILL)
        place.platform.process.wait()
        place.close()
        place = Place(start_platform(tmp_path / "data"), zip_of, poll)
    sqs = place.client_of("sqs")
    url = sqs.get_queue_url(QueueName="done")["QueueUrl"]
    ended: Counter[str] = Counter()

    def drain() -> bool:
        got = sqs.receive_message(
            QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=1, VisibilityTimeout=300
        )
        for message in got.get("Messages", []):
            ended[json.loads(message["Body"])["requestContext"]["requestId"]] += 1
        return not set(sent) - set(ended)

    poll(drain, 60, "every accepted event to end")
    place.close()
    assert ended == dict.fromkeys(sent, 1)


def test_a_deleted_functions_events_are_gone(place: Place) -> None:
    """One of the same name gets none of them."""
    name = place.deploy(RECORDER)
    place.client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=1)
    for number in range(5):
        place.send(name, {"n": number, "sleep": 1})
    place.client.delete_function(FunctionName=name)
    dropped = "async_events_dropped"
    place._poll(lambda: place.metric(dropped, name) >= 4, 5, "the events to be dropped")


def test_dead_letters_and_destinations_are_delivered_together(fast_place: Place) -> None:
    """A queue for the raw event and one for its record: each gets one message, with AWS's attributes."""
    place = fast_place
    sqs = place.client_of("sqs")
    made = {name: sqs.create_queue(QueueName=name)["QueueUrl"] for name in ("dead", "failed")}
    arns = {name: f"arn:aws:sqs:us-east-1:000000000000:{name}" for name in made}
    name = place.deploy(RECORDER, DeadLetterConfig={"TargetArn": arns["dead"]})
    place.client.put_function_event_invoke_config(
        FunctionName=name,
        MaximumRetryAttempts=1,
        DestinationConfig={"OnFailure": {"Destination": arns["failed"]}},
    )
    request_id = place.send(name, {"fail": "no luck"})
    got = {
        name: sqs.receive_message(
            QueueUrl=url, WaitTimeSeconds=10, MessageAttributeNames=["All"],
            MessageSystemAttributeNames=["All"],
        )["Messages"]
        for name, url in made.items()
    }  # fmt: skip
    (dead,), (failed,) = got["dead"], got["failed"]
    assert json.loads(dead["Body"]) == {"fail": "no luck"}
    attributes = dead["MessageAttributes"]
    assert {
        key: (value["DataType"], value["StringValue"]) for key, value in attributes.items()
    } == {
        "RequestID": ("String", request_id),
        "ErrorCode": ("Number", "200"),
        "ErrorMessage": ("String", "no luck"),
    }
    record = json.loads(failed["Body"])
    assert record["requestContext"]["approximateInvokeCount"] == 2
    assert "Lineage=" in failed["Attributes"]["AWSTraceHeader"]
    assert len(place.wait(name, 2)) == 2


def test_a_dead_letter_queue_that_is_gone_is_counted(place: Place, poll: Any) -> None:
    """The event is dropped, and the metric says that its dead letter was lost."""
    target = {"TargetArn": "arn:aws:sqs:us-east-1:000000000000:never-made"}
    name = place.deploy(RECORDER, DeadLetterConfig=target)
    place.client.put_function_event_invoke_config(FunctionName=name, MaximumRetryAttempts=0)
    place.send(name, {"fail": "no"})
    poll(lambda: place.metric("dead_letter_errors", name) == 1, 10, "the failure to be counted")
    assert place.metric("async_events_dropped", name) == 1
