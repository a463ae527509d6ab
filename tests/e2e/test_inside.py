"""What code finds inside: variables, the platform's endpoint with the SDK, its own modules first."""

from collections.abc import Callable
from typing import Any

import pytest


def test_environment_variables(deploy: Callable[..., Any], platform: Any) -> None:
    """A function finds its own variables and those that AWS documents, and nothing of the platform's."""
    function = deploy(
        "import os\ndef handler(event, context): return dict(os.environ)",
        Environment={"Variables": {"MY_OWN": "é=\n", "EMPTY": "", "PYTHONPATH": "/x"}},
        MemorySize=160,
    )
    found = function().payload
    assert found["MY_OWN"] == "é=\n"
    assert found["EMPTY"] == ""
    assert found["AWS_LAMBDA_FUNCTION_NAME"] == function.name
    assert found["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"] == "160"
    assert found["AWS_LAMBDA_FUNCTION_VERSION"] == "$LATEST"
    assert found["AWS_LAMBDA_LOG_GROUP_NAME"] == f"/aws/lambda/{function.name}"
    assert found["AWS_LAMBDA_INITIALIZATION_TYPE"] == "on-demand"
    assert found["AWS_REGION"] == found["AWS_DEFAULT_REGION"] == "us-east-1"
    assert found["AWS_EXECUTION_ENV"].startswith("AWS_Lambda_python3.")
    assert found["_HANDLER"] == "app.handler"
    assert found["AWS_ACCESS_KEY_ID"].startswith("ASIA")
    assert found["TZ"] == ":UTC"
    assert str(platform.data_dir) not in {v for k, v in found.items() if k != "LAMBDA_TASK_ROOT"}
    expected = {
        "AWS_SESSION_TOKEN",
        "AWS_LAMBDA_RUNTIME_API",
        "LAMBDA_TASK_ROOT",
        "AWS_ENDPOINT_URL",
    }
    assert expected <= set(found)


def test_the_sdk_works_inside_with_the_functions_role(deploy: Callable[..., Any]) -> None:
    """boto3 is there, needs no settings, and acts as the execution role."""
    function = deploy(
        """
        import boto3
        sts = boto3.client("sts")
        def handler(event, context):
            return sts.get_caller_identity()["Arn"]
        """,
        Role="arn:aws:iam::000000000000:role/deep/path/worker",
        Timeout=15,
    )
    arn = function().payload
    assert arn.startswith("arn:aws:sts::000000000000:assumed-role/worker/")


def test_a_function_invokes_another(deploy: Callable[..., Any]) -> None:
    """An invocation from inside runs the other function and gets its result."""
    inner = deploy("def handler(event, context): return event['n'] * 2")
    outer = deploy(
        """
        import boto3, json
        client = boto3.client("lambda")
        def handler(event, context):
            answer = client.invoke(FunctionName=event["next"], Payload=json.dumps({"n": 21}))
            return json.load(answer["Payload"])
        """,
        Timeout=15,
    )
    assert outer({"next": inner.name}).payload == 42


def test_a_function_reads_its_own_log(deploy: Callable[..., Any]) -> None:
    """What a function logged before is there for its own SDK."""
    function = deploy(
        """
        import boto3
        client = boto3.client("logs")
        def handler(event, context):
            print("seen", event)
            found = client.filter_log_events(logGroupName=context.log_group_name, filterPattern="seen")
            return [e["message"] for e in found["events"]]
        """,
        Timeout=15,
    )
    function(1)
    assert "seen 1\n" in function(2).payload


@pytest.mark.parametrize(
    "files",
    [
        {"boto3/__init__.py": "mine = True"},
        {"boto3.py": "mine = True"},
        {
            "requests/x.py": "",
            "boto3/__init__.py": "from boto3.sub import mine",
            "boto3/sub.py": "mine = 1",
        },
    ],
)
def test_own_modules_win_over_the_runtimes(
    deploy: Callable[..., Any], files: dict[str, str]
) -> None:
    """A module in the zip hides the one that comes with the runtime."""
    code = "import boto3\ndef handler(event, context): return bool(boto3.mine)"
    assert deploy({"app.py": code, **files})().payload is True


def test_own_standard_library_names_win(deploy: Callable[..., Any]) -> None:
    """A ``calendar.py`` in the zip is the function's calendar."""
    code = "import calendar\ndef handler(event, context): return calendar.mine"
    assert deploy({"app.py": code, "calendar.py": "mine = 'yes'"})().payload == "yes"


def test_handlers_in_packages_and_with_slashes(deploy: Callable[..., Any]) -> None:
    """``Handler`` may name a module inside directories, by dots or slashes."""
    code = {"a/__init__.py": "", "a/b.py": "def go(event, context): return __name__"}
    assert deploy(code, Handler="a.b.go")().payload == "a.b"
    assert deploy(code, Handler="a/b.go")().payload == "a.b"


def test_files_next_to_the_code_are_readable_and_executable(deploy: Callable[..., Any]) -> None:
    """The working directory is the code's, with its data files."""
    function = deploy(
        {
            "app.py": """
                import os
                def handler(event, context):
                    text = open("data/note.txt").read()
                    return text, os.path.samefile(os.getcwd(), os.environ["LAMBDA_TASK_ROOT"])
            """,
            "data/note.txt": "hello",
        }
    )
    assert function().payload == ["hello", True]


def test_threads_asyncio_and_multiprocessing_work(deploy: Callable[..., Any]) -> None:
    """The usual ways to do several things at once work inside."""
    function = deploy(
        """
        import asyncio, multiprocessing, subprocess
        from concurrent.futures import ThreadPoolExecutor
        def double(connection, n): connection.send(n * 2)
        async def later(n):
            await asyncio.sleep(0.001)
            return n
        def handler(event, context):
            ours, theirs = multiprocessing.Pipe()
            child = multiprocessing.Process(target=double, args=(theirs, 4))
            child.start()
            child.join()
            with ThreadPoolExecutor(4) as threads:
                squares = list(threads.map(lambda n: n * n, range(4)))
            text = subprocess.run(["echo", "hi"], capture_output=True, text=True).stdout
            return [ours.recv(), squares, asyncio.run(later(5)), text]
        """,
        Timeout=10,
    )
    assert function().payload == [8, [0, 1, 4, 9], 5, "hi\n"]
