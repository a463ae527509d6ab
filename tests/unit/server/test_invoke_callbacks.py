"""Invocations answered by a callback: whatever comes of one, its caller hears of it."""

import asyncio
from typing import Any

import pytest

from lambent.model.errors import PlatformFault
from lambent.testing.loop import on_loop

PATH = "/2015-03-31/functions/f/invocations"


@pytest.mark.parametrize(
    ("error", "status"),
    [(PlatformFault("no room", "ServiceException", 503), 503), (KeyError("bug"), 500)],
)
@on_loop
async def test_an_invocation_that_fails_later_is_answered(
    place: Any, error: Exception, status: int
) -> None:
    """A fault, or a bug, that comes after the request was taken is answered, and no place is lost."""
    edge = place.edge
    answer = asyncio.get_running_loop().create_future()
    place.placement.invoke = lambda _: answer
    asking = asyncio.ensure_future(place.ask("POST", PATH, body=b"{}"))
    for _ in range(3):
        await asyncio.sleep(0)
    answer.set_exception(error)
    assert (await asking).status == status
    counting = edge._invoke_route._frontend._counting
    assert counting._running == {}
