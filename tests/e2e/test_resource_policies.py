"""Resource policies decide who else may invoke: topics, and callers of other accounts."""

import json
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

OTHER = "111122223333"
CODE = "def handler(event, context): return context.invoked_function_arn"


def test_a_topic_without_permission_dead_letters(platform: Any, deploy: Any, poll: Any) -> None:
    """What a function's policy does not let in goes to the subscription's dead-letter queue; then it is let in."""
    function = deploy(CODE)
    sns, sqs = platform.client("sns"), platform.client("sqs")
    url = sqs.create_queue(QueueName=f"{function.name}-dead")["QueueUrl"]
    arn = f"arn:aws:sqs:us-east-1:000000000000:{function.name}-dead"
    allow = {
        "Effect": "Allow", "Principal": {"Service": "sns.amazonaws.com"}, "Action": "sqs:SendMessage",
        "Resource": arn,
    }  # fmt: skip
    policy = json.dumps({"Version": "2012-10-17", "Statement": [allow]})
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})
    topic = sns.create_topic(Name=function.name)["TopicArn"]
    sns.subscribe(
        TopicArn=topic, Protocol="lambda", Endpoint=function.arn,
        Attributes={"RedrivePolicy": json.dumps({"deadLetterTargetArn": arn})},
    )  # fmt: skip
    sns.publish(TopicArn=topic, Message="denied")
    dead = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=10)["Messages"]
    assert json.loads(dead[0]["Body"])["Message"] == "denied"
    sqs.delete_message(QueueUrl=url, ReceiptHandle=dead[0]["ReceiptHandle"])
    function.client.add_permission(
        FunctionName=function.name, StatementId="t", Action="lambda:InvokeFunction",
        Principal="sns.amazonaws.com", SourceArn=topic,
    )  # fmt: skip
    sns.publish(TopicArn=topic, Message="allowed")
    logs = platform.client("logs")
    poll(lambda: _invocations(logs, function.name) == 1, 20, "the function to run")
    assert "Messages" not in sqs.receive_message(QueueUrl=url)
    for made in (sns, sqs, logs):
        made.close()


def _client(platform: Any, account_id: str) -> Any:
    return boto3.client(
        "lambda", endpoint_url=platform.url, region_name="us-east-1",
        aws_access_key_id=account_id, aws_secret_access_key="x",
    )  # fmt: skip


def _invocations(logs: Any, name: str) -> int:
    try:
        events = logs.filter_log_events(logGroupName=f"/aws/lambda/{name}", filterPattern="REPORT")
    except ClientError:
        return 0
    return len(events["events"])


@pytest.mark.parametrize("kind", ["RequestResponse", "DryRun", "Event"])
def test_another_account_invokes_by_permission(platform: Any, deploy: Any, kind: str) -> None:
    """By the function's ARN, once the policy says so; before it, AWS's 403."""
    function = deploy(CODE)
    stranger = _client(platform, OTHER)
    with pytest.raises(ClientError) as denied:
        stranger.invoke(FunctionName=function.arn, InvocationType=kind)
    error = denied.value.response["Error"]
    assert error["Code"] == "AccessDeniedException"
    assert error["Message"] == (
        f"User: arn:aws:iam::{OTHER}:root is not authorized to perform: lambda:InvokeFunction on "
        f"resource: {function.arn} because no resource-based policy allows the "
        "lambda:InvokeFunction action"
    )
    function.client.add_permission(
        FunctionName=function.name, StatementId="a", Action="lambda:InvokeFunction", Principal=OTHER
    )
    answer = stranger.invoke(FunctionName=function.arn, InvocationType=kind)
    assert "FunctionError" not in answer
    payload = answer["Payload"].read()
    if kind == "RequestResponse":
        assert json.loads(payload) == function.arn
    with pytest.raises(ClientError):
        stranger.invoke(FunctionName=f"{function.arn}:$LATEST")
    stranger.close()
