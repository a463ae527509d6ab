"""The AWS CLI, with nothing but an endpoint and dummy credentials in its environment."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

AWS = Path(sys.executable).parent / "aws"


@pytest.fixture
def aws(platform: Any, tmp_path: Path) -> Callable[..., Any]:
    """Runs the AWS CLI and gives its JSON output; fails with its words unless ``fails``."""
    if not AWS.exists():
        pytest.skip("the AWS CLI is not installed")
    kept = {k: v for k, v in os.environ.items() if not k.startswith("AWS_")}
    environment = {
        **kept, "HOME": str(tmp_path), "AWS_ENDPOINT_URL": platform.url, "AWS_ACCESS_KEY_ID": "x",
        "AWS_SECRET_ACCESS_KEY": "x", "AWS_DEFAULT_REGION": "us-east-1", "AWS_PAGER": "",
    }  # fmt: skip

    def run(*arguments: str, fails: bool = False) -> Any:
        done = subprocess.run(
            [str(AWS), *arguments, "--output", "json"],
            check=False, capture_output=True, text=True, env=environment, cwd=tmp_path, timeout=60,
        )  # fmt: skip
        assert (done.returncode != 0) is fails, done.stderr
        if fails:
            return done.stderr
        return json.loads(done.stdout) if done.stdout.strip() else None

    return run


def test_a_functions_life_from_the_command_line(
    aws: Callable[..., Any],
    tmp_path: Path,
    zip_of: Callable[..., bytes],
    new_name: Callable[[], str],
) -> None:
    """Create, invoke, publish, alias, permission, logs and delete, as typed by a person."""
    name = new_name()
    code = tmp_path / "f.zip"
    code.write_bytes(zip_of({"app.py": "def handler(event, context): print('hi'); return event"}))
    created = aws(
        "lambda", "create-function", "--function-name", name, "--runtime", "python3.12",
        "--role", "arn:aws:iam::000000000000:role/cli", "--handler", "app.handler",
        "--zip-file", f"fileb://{code}", "--environment", "Variables={KEY=value}",
        "--tags", "team=a",
    )  # fmt: skip
    assert created["FunctionName"] == name
    aws("lambda", "wait", "function-active-v2", "--function-name", name)
    out = tmp_path / "out.json"
    answer = aws(
        "lambda", "invoke", "--function-name", name, "--payload", '{"n": 1}', "--log-type", "Tail",
        str(out),
    )  # fmt: skip
    assert (answer["StatusCode"], answer["ExecutedVersion"]) == (200, "$LATEST")
    assert json.loads(out.read_text()) == {"n": 1}
    assert aws("lambda", "get-function", "--function-name", name)["Tags"] == {"team": "a"}
    listed = aws("lambda", "list-functions")["Functions"]
    assert name in [function["FunctionName"] for function in listed]
    assert aws("lambda", "publish-version", "--function-name", name)["Version"] == "1"
    alias = aws(
        "lambda",
        "create-alias",
        "--function-name",
        name,
        "--name",
        "live",
        "--function-version",
        "1",
    )
    assert alias["AliasArn"].endswith(f":{name}:live")
    aws("lambda", "invoke", "--function-name", f"{name}:live", str(out))
    aws(
        "lambda", "add-permission", "--function-name", name, "--statement-id", "sns",
        "--action", "lambda:InvokeFunction", "--principal", "sns.amazonaws.com",
    )  # fmt: skip
    policy = json.loads(aws("lambda", "get-policy", "--function-name", name)["Policy"])
    assert policy["Statement"][0]["Sid"] == "sns"
    found = aws("logs", "filter-log-events", "--log-group-name", f"/aws/lambda/{name}")["events"]
    assert "hi\n" in [event["message"] for event in found]
    aws("lambda", "delete-function", "--function-name", name)
    refused = aws("lambda", "get-function", "--function-name", name, fails=True)
    assert "(ResourceNotFoundException)" in refused


def test_layers_from_the_command_line(
    aws: Callable[..., Any],
    tmp_path: Path,
    zip_of: Callable[..., bytes],
    new_name: Callable[[], str],
) -> None:
    """A layer is published and listed by its compatible runtime."""
    name = new_name()
    (tmp_path / "l.zip").write_bytes(zip_of({"python/x.py": "x = 1"}))
    published = aws(
        "lambda", "publish-layer-version", "--layer-name", name, "--zip-file",
        f"fileb://{tmp_path}/l.zip", "--compatible-runtimes", "python3.11", "python3.12",
    )  # fmt: skip
    assert published["Version"] == 1
    listed = aws("lambda", "list-layers", "--compatible-runtime", "python3.12")["Layers"]
    assert name in [layer["LayerName"] for layer in listed]
    aws("lambda", "delete-layer-version", "--layer-name", name, "--version-number", "1")


def test_a_queue_from_the_command_line(
    aws: Callable[..., Any], platform: Any, new_name: Callable[[], str]
) -> None:
    """Created, sent to, received from, deleted.

    Version 1 of the CLI has an endpoint of its own for SQS, which only ``--endpoint-url`` overrides.
    """
    here = ("--endpoint-url", platform.url)
    url = aws("sqs", "create-queue", "--queue-name", new_name(), *here)["QueueUrl"]
    queue = ("--queue-url", url, *here)
    aws("sqs", "send-message", *queue, "--message-body", "from the shell")
    (message,) = aws("sqs", "receive-message", *queue)["Messages"]
    assert message["Body"] == "from the shell"
    aws("sqs", "delete-message", *queue, "--receipt-handle", message["ReceiptHandle"])
    aws("sqs", "delete-queue", *queue)


def test_what_is_not_there_yet_is_named(aws: Callable[..., Any]) -> None:
    """An operation, or a service, that Lambent lacks is refused in words a person understands."""
    refused = aws("lambda", "list-capacity-providers", fails=True)
    assert "ListCapacityProviders" in refused
    refused = aws("gamelift", "list-fleets", fails=True)
    assert "ListFleets" in refused or "gamelift" in refused.lower()
    assert aws("sts", "get-caller-identity")["Account"] == "000000000000"
