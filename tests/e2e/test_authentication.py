"""With --access-keys every request is signed with a known secret, from outside and from inside."""

import json
import os
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from lambent.cli.client import signed_headers

KEY, SECRET = "AKIAALICE0000000", "secret/of+alice=012345"
FILE = f"[alice]\naws_access_key_id={KEY}\naws_secret_access_key={SECRET}\naws_account_id=111122223333\n"
INSIDE = """
    import boto3, os
    def handler(event, context):
        secret = event.get("secret", os.environ["AWS_SECRET_ACCESS_KEY"])
        sts = boto3.client("sts", aws_access_key_id=os.environ["AWS_ACCESS_KEY_ID"],
                           aws_secret_access_key=secret, aws_session_token=os.environ["AWS_SESSION_TOKEN"])
        try:
            return sts.get_caller_identity()["Arn"]
        except Exception as error:
            return type(error).__name__ + ": " + str(error)
"""


@pytest.fixture
def platform(start_platform: Callable[..., Any], tmp_path: Path) -> Any:
    """One that asks for signatures."""
    keys = tmp_path / "keys"
    keys.write_text(FILE)
    keys.chmod(0o600)
    return start_platform(tmp_path / "data", "--access-keys", str(keys))


def _client(platform: Any, service: str, key: str = KEY, secret: str = SECRET) -> Any:
    made = boto3.client(
        service,
        endpoint_url=platform.url,
        region_name="us-east-1",
        aws_access_key_id=key,
        aws_secret_access_key=secret,
    )
    platform.clients.append(made)
    return made


def _deploy(platform: Any, zip_of: Any, source: str) -> str:
    functions = _client(platform, "lambda")
    functions.create_function(
        FunctionName="signed",
        Runtime="python3.11",
        Role="arn:aws:iam::111122223333:role/e2e",
        Handler="app.handler",
        Timeout=30,
        MemorySize=512,
        Code={"ZipFile": zip_of({"app.py": source})},
    )
    functions.get_waiter("function_active_v2").wait(FunctionName="signed")
    return "signed"


def test_a_known_key_works_everywhere(platform: Any, zip_of: Any) -> None:
    """Lambda, small and large payloads, SQS, STS and neighbours answer who signs with the known secret."""
    name = _deploy(platform, zip_of, "def handler(event, context):\n    return len(event['x'])\n")
    functions = _client(platform, "lambda")
    for size in (1, 600_000):
        payload = json.dumps({"x": "a" * size})
        answer = functions.invoke(FunctionName=name, Payload=payload)
        assert json.load(answer["Payload"]) == size
    identity = _client(platform, "sts").get_caller_identity()
    assert identity["Arn"] == "arn:aws:iam::111122223333:user/alice"
    queue = _client(platform, "sqs").create_queue(QueueName="q")["QueueUrl"]
    assert "111122223333" in queue


@pytest.mark.parametrize(
    ("key", "secret", "code"),
    [
        (KEY, "wrong-wrong-wrong-wrong", "InvalidSignatureException"),
        ("AKIANOBODY000000", SECRET, "UnrecognizedClientException"),
    ],
)
def test_others_are_refused(platform: Any, key: str, secret: str, code: str) -> None:
    """A wrong secret and an unknown key get AWS's errors on every kind of operation, and nothing happens."""
    functions = _client(platform, "lambda", key, secret)
    calls: list[tuple[Callable[..., Any], Mapping[str, Any]]] = [
        (functions.list_functions, {}),
        (functions.invoke, {"FunctionName": "f"}),
        (functions.invoke, {"FunctionName": "f", "Payload": b'"' + b"x" * 400_000 + b'"'}),
        (_client(platform, "sqs", key, secret).create_queue, {"QueueName": "q"}),
        (_client(platform, "logs", key, secret).describe_log_groups, {}),
    ]
    for call, parameters in calls:
        with pytest.raises(ClientError) as caught:
            call(**parameters)
        assert caught.value.response["Error"]["Code"] == code
        assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403
    assert "QueueUrls" not in _client(platform, "sqs").list_queues()


def test_functions_sign_with_their_own_keys(platform: Any, zip_of: Any) -> None:
    """A function's minted credentials are verified too: its own secret works, another does not."""
    name = _deploy(platform, zip_of, INSIDE)
    functions = _client(platform, "lambda")

    def ask(event: Any) -> str:
        answer = functions.invoke(FunctionName=name, Payload=json.dumps(event))
        return str(json.load(answer["Payload"]))

    assert ask({}).startswith("arn:aws:sts::111122223333:assumed-role/e2e/")
    assert "InvalidSignature" in ask({"secret": "x" * 40})


def test_the_platforms_own_endpoints(platform: Any) -> None:
    """Health answers anybody; metrics answer who signs."""
    assert platform.get_health()["authentication"] == "signatures"
    url = f"{platform.url}/_lambent/metrics"
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(url, timeout=10)
    assert caught.value.code == 403
    caught.value.close()
    environment = {"AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET}
    before = {name: os.environ.get(name) for name in environment}
    os.environ.update(environment)
    try:
        headers = signed_headers(url)
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})
    request = urllib.request.Request(url, headers=headers)
    with urllib.request.urlopen(request, timeout=10) as answer:
        assert answer.status == 200


def test_a_file_others_can_read_is_refused(platform: Any) -> None:
    """With a file that others can read nothing starts, and what to do is said without its secrets."""
    keys = platform.data_dir.parent / "keys"
    keys.chmod(0o644)
    lambent = Path(sys.executable).parent / "lambent"
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    arguments = ["up", "--port", port, "--data", str(platform.data_dir.parent / "other")]
    done = subprocess.run(
        [str(lambent), *arguments, "--access-keys", str(keys)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode != 0
    assert "chmod 600" in done.stderr
    assert SECRET not in done.stderr
