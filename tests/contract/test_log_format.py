"""The runtime client logs in its function's format, though it was loaded before anyone knew which."""

import json
import os
from collections.abc import Callable
from typing import Any

import pytest

from lambent.testing.loop import on_loop

Open = Callable[..., Any]
_HEADER_BYTES = 16


async def logged(host: Any, **settings: str) -> tuple[bytes, bytes]:
    """The frame type and the message of one warning in a function so configured."""
    line = await host.start("warn", **settings)
    await line.call(b'"careful"')
    data = os.read(line.sandbox.telemetry_fd, 4096)
    line.sandbox.kill()
    await line.exited()
    line.close()
    return data[:4], data[_HEADER_BYTES:]


@on_loop
async def test_each_environment_logs_in_its_own_format(open_host: Open) -> None:
    """JSON, then text on the same host: neither function is told of the other's format."""
    async with open_host() as host:
        if host.kind == "fake":
            pytest.skip("there is no runtime client in a script")
        kind, message = await logged(host, log_format="JSON")
        assert kind == b"\xa5\x5a\x00\x12"
        document = json.loads(message)
        assert (document["level"], document["message"]) == ("WARNING", "careful")
        assert document["requestId"] == "r"
        kind, message = await logged(host)
        assert kind == b"\xa5\x5a\x00\x03"
        assert message.startswith(b"[WARNING]\t")
        assert message.endswith(b"\tr\tcareful\n")


@on_loop
async def test_the_root_logger_has_the_functions_level(open_host: Open) -> None:
    """What the level leaves out is not even written: the runtime client knows it."""
    async with open_host() as host:
        if host.kind == "fake":
            pytest.skip("there is no runtime client in a script")
        line = await host.start("warn", log_format="JSON", application_log_level="ERROR")
        await line.call(b'"careful"')
        with pytest.raises(BlockingIOError):
            os.read(line.sandbox.telemetry_fd, 4096)
        line.sandbox.kill()
        await line.exited()
        line.close()
