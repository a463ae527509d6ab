"""How functions fail: the error's type and words as AWS has them, and the next invocation works."""

import re
from collections.abc import Callable
from typing import Any

import pytest

UUID = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
FAILING = """
    import ctypes, os, signal, sys, time

    class Odd(Exception): pass

    def handler(event, context):
        match event:
            case "exit": os._exit(3)
            case "exit-0": os._exit(0)
            case "sys-exit": sys.exit(1)
            case "kill": os.kill(os.getpid(), signal.SIGKILL)
            case "segfault": ctypes.string_at(0)
            case "abort": os.abort()
            case "sleep": time.sleep(60)
            case "spin":
                while True: pass
            case "raise": raise Odd("no: \\u00e9")
            case "no-json": return object()
            case "recursion": return handler.__call__.__call__ and boom(0)
            case "memory":
                hoard = []
                while True: hoard.append(b"x" * 4_000_000)
            case _: return "fine"

    def boom(n): return boom(n + 1)
"""


def assert_fails(function: Any, event: str, error_type: str, message: str) -> Any:
    """The failure's type and message (a pattern), and that the function works right after."""
    answer = function(event)
    assert answer.error == "Unhandled"
    assert answer.payload["errorType"] == error_type
    assert re.fullmatch(message, answer.payload["errorMessage"]), answer.payload
    assert answer.request_id in answer.log
    assert function("ok").payload == "fine"
    return answer


@pytest.mark.parametrize(
    ("event", "how"),
    [
        ("exit", "with error: exit status 3"),
        ("exit-0", "without providing a reason"),
        ("sys-exit", "with error: exit status 1"),
        ("kill", "with error: signal: killed"),
        ("segfault", "with error: signal: segmentation fault"),
        ("abort", "with error: signal: aborted"),
    ],
)
def test_a_runtime_that_ends(deploy: Callable[..., Any], event: str, how: str) -> None:
    """The runtime's end is ``Runtime.ExitError`` with how it ended."""
    answer = assert_fails(
        deploy(FAILING),
        event,
        "Runtime.ExitError",
        f"RequestId: {UUID} Error: Runtime exited {how}",
    )
    assert answer.payload["errorMessage"].split()[1] == answer.request_id


@pytest.mark.parametrize("event", ["sleep", "spin"])
def test_timeout(deploy: Callable[..., Any], event: str) -> None:
    """A function over its timeout is ended, whatever it does, and says so as AWS does."""
    answer = assert_fails(
        deploy(FAILING, Timeout=1),
        event,
        "Sandbox.Timedout",
        rf"\d{{4}}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{{3}}Z {UUID} Task timed out after 1\.00 seconds",
    )
    assert "Task timed out after 1.00 seconds" in answer.log
    report = answer.log.splitlines()[-1]
    assert "Status: timeout" in report
    duration_ms = float(re.findall(r"Duration: ([\d.]+) ms", report)[0])
    assert 999 <= duration_ms < 1500, "timers have a granularity of a millisecond"


def test_out_of_memory(deploy: Callable[..., Any], isolated: None, platform: Any) -> None:
    """A function over its memory is killed: ``Runtime.OutOfMemory``, ``signal: killed``."""
    if not platform.health["sandbox"]["isolation"]["memory_limit"]:
        pytest.skip("no memory controller is delegated to this user")
    answer = assert_fails(
        deploy(FAILING, MemorySize=128, Timeout=20),
        "memory",
        "Runtime.OutOfMemory",
        f"RequestId: {UUID} Error: Runtime exited with error: signal: killed",
    )
    assert "Max Memory Used: 128 MB" in answer.log


def test_an_exception_comes_with_its_stack(deploy: Callable[..., Any]) -> None:
    """A raised exception is its class, its words, the request id and the function's own frames."""
    function = deploy(FAILING)
    answer = function("raise")
    assert answer.error == "Unhandled"
    assert answer.payload["errorType"] == "Odd"
    assert answer.payload["errorMessage"] == "no: é"
    assert answer.payload["requestId"] == answer.request_id
    assert len(answer.payload["stackTrace"]) == 1
    assert 'app.py", line' in answer.payload["stackTrace"][0]
    assert "[ERROR] Odd: no: é" in answer.log
    assert "Init Duration" in answer.log
    assert "Init Duration" not in function("ok").log, "the environment lives on"


def test_a_result_that_is_no_json(deploy: Callable[..., Any]) -> None:
    """A result that cannot be written as JSON is ``Runtime.MarshalError``."""
    assert_fails(
        deploy(FAILING),
        "no-json",
        "Runtime.MarshalError",
        "Unable to marshal response: Object of type object is not JSON serializable",
    )


def test_an_exception_with_a_huge_message(deploy: Callable[..., Any]) -> None:
    """A long message does not turn an exception into a crash of the runtime."""
    function = deploy(
        """
        def handler(event, context):
            if event: raise ValueError("x" * event)
            return "fine"
    """,
        MemorySize=1769,
    )  # with the 7% of a CPU of 128 MB it is not back before another one is started
    answer = function(300_000)
    assert answer.payload["errorType"] == "ValueError"
    assert len(answer.payload["errorMessage"]) == 300_000
    assert "Init Duration" not in function(0).log


@pytest.mark.parametrize(
    ("code", "handler", "error_type", "message"),
    [
        ("", "nope.handler", "Runtime.ImportModuleError",
         "Unable to import module 'nope': No module named 'nope'"),
        ("import not_there", "app.handler", "Runtime.ImportModuleError",
         "Unable to import module 'app': No module named 'not_there'"),
        ("x = 1", "app.handler", "Runtime.HandlerNotFound", "Handler 'handler' missing on module 'app'"),
        ("def (:", "app.handler", "Runtime.UserCodeSyntaxError",
         r"Syntax error in module 'app': invalid syntax \(app\.py, line 1\)"),
        ("x = 1", "app", "Runtime.MalformedHandlerName",
         r"Bad handler 'app': not enough values to unpack \(expected 2, got 1\)"),
        ("raise KeyError('k')", "app.handler", "KeyError", "'k'"),
        ("import os; os._exit(4)", "app.handler", "Runtime.ExitError",
         f"RequestId: {UUID} Error: Runtime exited with error: exit status 4"),
        ("import sys; sys.exit(0)", "app.handler", "Runtime.ExitError",
         f"RequestId: {UUID} Error: Runtime exited without providing a reason"),
    ],
)  # fmt: skip
def test_an_initialisation_that_fails(
    deploy: Callable[..., Any],
    zip_of: Callable[..., bytes],
    code: str,
    handler: str,
    error_type: str,
    message: str,
) -> None:
    """Code that cannot be loaded is the function's error, each time, until it is mended."""
    function = deploy({"app.py": code}, Handler=handler)
    for _ in range(2):
        answer = function()
        assert answer.error == "Unhandled"
        assert answer.payload["errorType"] == error_type
        assert re.fullmatch(message, answer.payload["errorMessage"]), answer.payload
        assert answer.log.splitlines()[-1].startswith(f"REPORT RequestId: {answer.request_id}")
        assert re.search(
            r"INIT_REPORT Init Duration: .* ms\tPhase: invoke\tStatus: error", answer.log
        )
    fixed = zip_of({"app.py": "def handler(event, context): return 'fine'"})
    function.client.update_function_configuration(FunctionName=function.name, Handler="app.handler")
    function.client.update_function_code(FunctionName=function.name, ZipFile=fixed)
    function.client.get_waiter("function_updated_v2").wait(FunctionName=function.name)
    assert function().payload == "fine"


def test_an_initialisation_that_works_the_second_time(
    deploy: Callable[..., Any], logs: Any
) -> None:
    """What fails at first is run again inside the invocation; no Init Duration then."""
    function = deploy("""
        import os, boto3
        logs = boto3.client("logs")
        try: logs.create_log_group(logGroupName="/once/" + os.environ["AWS_LAMBDA_FUNCTION_NAME"])
        except logs.exceptions.ResourceAlreadyExistsException: pass
        else: raise KeyError("the first time")
        def handler(event, context): return "fine"
    """)
    try:
        answer = function()
    finally:
        logs.delete_log_group(logGroupName=f"/once/{function.name}")
    assert (answer.error, answer.payload) == (None, "fine")
    report = (
        r"INIT_REPORT Init Duration: [0-9.]+ ms\tPhase: init\tStatus: error\tError Type: KeyError"
    )
    assert len(re.findall(report, answer.log)) == 1
    assert "Phase: invoke" not in answer.log
    assert "\tInit Duration" not in answer.log
    assert "REPORT" in function().log, "the environment lives on"
    assert "INIT_" not in function().log


def test_ends_between_answer_and_freeze(deploy: Callable[..., Any]) -> None:
    """A runtime that dies at any moment after its answer never becomes the platform's fault."""
    function = deploy("""
        import os, threading, time
        def handler(event, context):
            def die():
                end = time.perf_counter() + event / 1e6
                while time.perf_counter() < end: pass
                os._exit(5)
            threading.Thread(target=die, daemon=True).start()
            return "answered"
    """)
    for microseconds in range(0, 2400, 60):
        answer = function(microseconds)
        if answer.error is None:
            assert answer.payload == "answered"
        else:
            assert answer.payload["errorType"] == "Runtime.ExitError"
