"""Programs in place of the zygote's Python, in every kind of sandbox: ``bootstrap``, and wrapper scripts."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lambent.node.environ import build_environ
from lambent.node.sandbox.contract import ExitStatus, Launch
from lambent.testing.loop import on_loop, until
from lambent.testing.node import make_spec

Open = Callable[..., Any]
HERE = Path(__file__).parent / "bootstraps"
WRAPPER = """#!/bin/bash
export WRAPPED="$# $(basename "$1") $(basename "${@: -1}")"
exec "$@"
"""
FUNCTION = """
import os, sys
def handler(event, context):
    import logging
    logging.warning("careful")
    return [os.environ["WRAPPED"], sys.path[0], event, context.aws_request_id]
"""


def launch_of(host: Any, bootstrap: str | bytes | None, mode: int = 0o755, **spec: Any) -> Launch:
    """A custom runtime, or none."""
    path = host.task_dir / "bootstrap"
    if bootstrap is not None:
        path.write_bytes(bootstrap.encode() if isinstance(bootstrap, str) else bootstrap)
        path.chmod(mode)
    made = make_spec(task_dir=host.task_dir, **{"runtime": "provided.al2023"} | spec)
    return Launch(made, build_environ(made, "stream", {}))


def is_fake(host: Any) -> bool:
    if host.kind == "fake":
        pytest.skip("there are no programs in a script")
    return False


@on_loop
async def test_a_shell_script_is_a_runtime(open_host: Open, open_line: Callable[..., Any]) -> None:
    """It has AWS's variables for a runtime of its own, and nothing of the platform's descriptors or powers."""
    async with open_host() as host:
        is_fake(host)
        launch = launch_of(host, (HERE / "echo.sh").read_text(), environment={"OWN": "1"})
        line = await open_line(await host.backend.start(launch))
        first = json.loads(await line.call(b'{"a": [1]}'))
        second = json.loads(await line.call(b"2"))
        assert (first["event"], second["event"]) == ({"a": [1]}, 2)
        environ = dict(item.partition("=")[::2] for item in first["environ"].split(";") if item)
        isolated = host.isolated
        root = "/var/task" if isolated else str(host.task_dir)
        assert (environ["LAMBDA_TASK_ROOT"], first["cwd"]) == (root, root)
        assert (environ["_HANDLER"], environ["OWN"]) == ("app.handler", "1")
        assert environ["PATH"].startswith("/usr/local/bin:/usr/bin")
        assert not environ.keys() & {"AWS_EXECUTION_ENV", "PYTHONPATH", "_LAMBDA_TELEMETRY_LOG_FD"}
        # grep and the shell that lists: 0 to 2 and the directory itself.
        assert {fd.rpartition("/")[2] for fd in first["fds"].split()} <= {"0", "1", "2", "3", "255"}
        assert "SigIgn: 0000000000000000" in first["status"], (
            "Python ignores SIGPIPE, others do not"
        )
        if isolated:
            for word in ("CapEff: 0000000000000000", "NoNewPrivs: 1", "Seccomp: 2"):
                assert word in first["status"]
            assert "Uid: 0 " not in first["status"]
        assert os.read(line.sandbox.stdout_fd, 100) == b"starting with app.handler\n"
        line.sandbox.kill()
        assert await line.exited() == ExitStatus(signal=9)
        line.close()


@pytest.fixture
def program(tmp_path: Path) -> bytes:
    """A static C program; skips where none can be made."""
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("this host has no C compiler")
    made = tmp_path / "program"
    source = str(HERE / "echo.c")
    built = subprocess.run(
        [compiler, "-static", "-D_GNU_SOURCE", "-O1", "-o", str(made), source],
        capture_output=True, check=False,
    )  # fmt: skip
    if built.returncode:
        pytest.skip("this host's C compiler links nothing statically")
    return made.read_bytes()


@on_loop
async def test_a_static_program_is_a_runtime(
    open_host: Open, open_line: Callable[..., Any], program: bytes
) -> None:
    """One that needs nothing of the root at all."""
    async with open_host() as host:
        is_fake(host)
        line = await open_line(
            await host.backend.start(launch_of(host, program, runtime="provided.al2"))
        )
        for event in (b'{"a": [1]}', b"2"):
            assert await line.call(event) == event
        line.sandbox.kill()
        await line.exited()
        line.close()


@pytest.mark.parametrize(
    ("bootstrap", "mode", "reason"),
    [
        (None, 0, "Couldn't find valid bootstrap(s): [{task}/bootstrap{opt}]"),
        ("#!/bin/sh\n", 0o644, "fork/exec {task}/bootstrap: permission denied"),
        ("#!/no/such/shell\n", 0o755, "fork/exec {task}/bootstrap: no such file or directory"),
        (b"\x7fELF nonsense", 0o755, "fork/exec {task}/bootstrap: exec format error"),
    ],
)
@on_loop
async def test_what_cannot_be_executed_is_told(
    open_host: Open, open_line: Callable[..., Any], bootstrap: Any, mode: int, reason: str
) -> None:
    """The exit says why nothing was started, in AWS's words."""
    async with open_host() as host:
        is_fake(host)
        line = await open_line(await host.backend.start(launch_of(host, bootstrap, mode)))
        isolated = host.isolated
        task = "/var/task" if isolated else str(host.task_dir)
        expected = reason.format(task=task, opt=" /opt/bootstrap" if isolated else "")
        assert await line.exited() == ExitStatus(code=1, not_started=expected)
        line.close()


@on_loop
async def test_an_exit_of_its_own_is_no_failure_to_start(
    open_host: Open, open_line: Callable[..., Any]
) -> None:
    """A program that was executed and ended says so with its own status."""
    async with open_host() as host:
        is_fake(host)
        line = await open_line(await host.backend.start(launch_of(host, "#!/bin/sh\nexit 5\n")))
        assert await line.exited() == ExitStatus(code=5)
        line.close()


@on_loop
async def test_a_wrapper_starts_the_python_runtime(
    open_host: Open, open_line: Callable[..., Any]
) -> None:
    """It is given the interpreter and AWS's script last; what it exports, the function sees; frames still come."""
    async with open_host() as host:
        is_fake(host)
        (host.task_dir / "app.py").write_text(FUNCTION)
        wrapper = host.task_dir / "wrap"
        wrapper.write_text(WRAPPER)
        wrapper.chmod(0o755)
        isolated = host.isolated
        root = "/var/task" if isolated else str(host.task_dir)
        variables = {"AWS_LAMBDA_EXEC_WRAPPER": f"{root}/wrap"}
        runtime = f"python3.{sys.version_info.minor}"
        launch = launch_of(host, None, runtime=runtime, environment=variables)
        line = await open_line(await host.backend.start(launch))
        wrapped, first, event, request_id = json.loads(await line.call(b"7"))
        count, interpreter, script = wrapped.split()
        assert int(count) > 1
        assert interpreter.startswith("python3")
        assert (script, first, event, request_id) == ("bootstrap.py", root, 7, "r")
        await line.asked()
        assert b"careful" in os.read(line.sandbox.telemetry_fd, 4096)
        line.sandbox.kill()
        await line.exited()
        line.close()


@pytest.mark.parametrize(
    ("mode", "code", "words"),
    [(None, 127, b"does not exist"), (0o644, 126, b"is not an executable")],
)
@on_loop
async def test_a_wrapper_that_is_none(
    open_host: Open, open_line: Callable[..., Any], mode: int | None, code: int, words: bytes
) -> None:
    """A missing one, or one that is not executable, is told in the log and by the exit status, as on AWS."""
    async with open_host() as host:
        is_fake(host)
        wrapper = host.task_dir / "wrap"
        if mode is not None:
            wrapper.write_text(WRAPPER)
            wrapper.chmod(mode)
        root = "/var/task" if host.isolated else str(host.task_dir)
        variables = {"AWS_LAMBDA_EXEC_WRAPPER": f"{root}/wrap"}
        runtime = f"python3.{sys.version_info.minor}"
        launch = launch_of(host, None, runtime=runtime, environment=variables)
        line = await open_line(await host.backend.start(launch))
        assert await line.exited() == ExitStatus(code=code)
        output: list[bytes] = []

        def has_told() -> bool:
            output.append(os.read(line.sandbox.stdout_fd, 4096))
            return words in b"".join(output)

        await until(has_told)
        line.close()
