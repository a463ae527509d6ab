"""Signals as a function finds them, in every kind of sandbox, whatever the platform was started by."""

import json
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from lambent.node.environ import build_environ
from lambent.node.sandbox.contract import Launch
from lambent.testing.loop import on_loop
from lambent.testing.node import make_spec

_FUNCTION = """
import signal
def handler(event, context):
    interrupt = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    return [interrupt, *(int(signal.getsignal(getattr(signal, name))) for name in event)]
"""
_INHERITED = ("SIGHUP", "SIGQUIT", "SIGTERM")


@pytest.fixture
def started_with_nohup() -> Iterator[None]:
    """This process as ``nohup … &`` leaves it in a shell without job control, and a signal blocked too."""
    numbers = [signal.SIGINT, *(getattr(signal, name) for name in _INHERITED)]
    before = {number: signal.signal(number, signal.SIG_IGN) for number in numbers}
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
    yield
    signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.usefixtures("started_with_nohup")
@on_loop
async def test_a_custom_runtime_ignores_and_blocks_nothing(
    open_host: Callable[..., Any], open_line: Callable[..., Any]
) -> None:
    """Neither what the platform ignores, nor what Python does."""
    async with open_host() as host:
        if host.kind == "fake":
            pytest.skip("there are no programs in a script")
        path = host.task_dir / "bootstrap"
        path.write_text((Path(__file__).parent / "bootstraps" / "echo.sh").read_text())
        path.chmod(0o755)
        spec = make_spec(task_dir=host.task_dir, runtime="provided.al2023")
        launch = Launch(spec, build_environ(spec, "stream", {}))
        line = await open_line(await host.backend.start(launch))
        status = json.loads(await line.call(b"1"))["status"]
        line.sandbox.kill()
        await line.exited()
        line.close()
        for field in ("SigBlk", "SigIgn"):
            assert f"{field}: 0000000000000000" in status


@pytest.mark.usefixtures("started_with_nohup")
@on_loop
async def test_python_has_its_own_handlers(open_host: Callable[..., Any]) -> None:
    """SIGINT is a KeyboardInterrupt and the others do what they always do."""
    async with open_host() as host:
        if host.kind == "fake":
            pytest.skip("there are no programs in a script")
        (host.task_dir / "app.py").write_text(_FUNCTION)
        line = await host.start("handler")
        found = json.loads(await line.call(json.dumps(_INHERITED).encode()))
        line.sandbox.kill()
        await line.exited()
        line.close()
        assert found == [True, *(signal.SIG_DFL for _ in _INHERITED)]
