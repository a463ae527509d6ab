"""Empty environments that wait for forks of a template: joined once, and nothing of them is left."""

import asyncio
import os
import select
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from lambent.model.invocation import SNAP_START
from lambent.node.environ import build_environ
from lambent.node.runtimes import find_interpreters
from lambent.node.sandbox.contract import Launch, SandboxError
from lambent.node.sandbox.namespaces import NamespaceBackend
from lambent.testing.host import descendants, mounts, open_descriptors
from lambent.testing.loop import on_loop, until
from lambent.testing.node import make_spec

_CREDENTIALS = dict.fromkeys(
    ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"), "x"
)


@asynccontextmanager
async def initialised(tmp_path: Path, stem_cells: int) -> AsyncIterator[tuple[Any, Any]]:
    """A backend and a template that waits to be forked; skips where that cannot be had."""
    task_dir = tmp_path / "code" / "task"
    task_dir.mkdir(parents=True)
    (task_dir / "app.py").write_text("def handler(event, context):\n    return event\n")
    for directory in (tmp_path, *tmp_path.parents[:3]):
        directory.chmod(directory.stat().st_mode | 0o111)  # functions run as another user
    interpreter = find_interpreters()[0]
    backend = NamespaceBackend(
        [interpreter], tmp_path / "code", tmp_path / "run", 4566, 64, stem_cells=stem_cells
    )
    try:
        await backend.open()
    except (SandboxError, OSError) as error:
        pytest.skip(f"this host cannot isolate functions: {error}")
    try:
        if backend.snap_start_missing():
            pytest.skip(f"no forks here, for want of {backend.snap_start_missing()}")
        spec = make_spec(handler="app.handler", task_dir=task_dir, runtime=interpreter.runtime)
        environ = build_environ(spec, "stream", _CREDENTIALS)
        environ = {**environ, "AWS_LAMBDA_INITIALIZATION_TYPE": SNAP_START}
        template = await backend.start_template(Launch(spec, environ))
        async with asyncio.timeout(20):
            await template.snapshot
        try:
            yield backend, template
        finally:
            template.discard()
            await asyncio.wait([template.exited], timeout=10)
    finally:
        await backend.close()


def count_shells(backend: Any) -> int:
    """How many wait."""
    return int(backend.templates._shells.count())


def shelf_of(backend: Any) -> Any:
    """Those that wait."""
    return next(iter(backend.templates._shells._shelves.values()))


@on_loop
async def test_forks_join_those_that_wait_and_nothing_is_left(tmp_path: Path) -> None:
    """One for each, and others are made in their place; in the end nothing is there that was not before."""
    descriptors, processes, mounted = open_descriptors(), descendants(), mounts()
    async with initialised(tmp_path, 1) as (backend, template):
        backend.prepare(template)
        await until(lambda: (backend.templates.count(), count_shells(backend)) == (1, 8), 20)
        waiting = {shell.runtime_api for shell in shelf_of(backend)}
        forks = [await backend.restore(template, {}) for _ in range(4)]
        assert {fork.runtime_api for fork in forks[1:]} <= waiting  # the first was forked before
        await until(lambda: (backend.templates.count(), count_shells(backend)) == (1, 8), 20)
        for fork in forks:
            fork.discard()
        await asyncio.wait([fork.exited for fork in forks], timeout=10)
    await until(lambda: descendants() <= processes)
    assert open_descriptors() == descriptors
    assert mounts() == mounted


@on_loop
async def test_one_that_died_is_not_joined(tmp_path: Path) -> None:
    """It is noticed, given back and replaced; a start meanwhile is no worse for it."""
    async with initialised(tmp_path, 1) as (backend, template):
        backend.prepare(template)
        await until(lambda: count_shells(backend) == 8, 20)
        shelf = shelf_of(backend)
        dead = list(shelf)
        for shell in dead:
            signal.pidfd_send_signal(shell.pidfd, signal.SIGKILL)
        assert all(select.select([shell.pidfd], [], [], 10)[0] for shell in dead)
        # They are dead, and the loop has not heard of it yet.
        forks = [await backend.restore(template, {}) for _ in range(2)]
        assert all(not fork.exited.done() for fork in forks)
        await until(lambda: count_shells(backend) == 8 and not set(dead) & set(shelf), 20)
        for fork in forks:
            fork.discard()
        await asyncio.wait([fork.exited for fork in forks], timeout=10)


@on_loop
async def test_the_zygote_of_shells_is_replaced(tmp_path: Path) -> None:
    """It may die at any time; what was forked lives, and the next fork has another one make what it needs."""
    async with initialised(tmp_path, 0) as (backend, template):
        if backend.rootless:
            pytest.skip("without root one zygote makes shells and runs functions")
        first = await backend.restore(template, {})
        (name,) = (name for name in backend._zygotes.clients if name.endswith("-shells"))
        zygote = backend._zygotes.clients[name]
        os.kill(zygote._process.pid, signal.SIGKILL)
        await until(lambda: not zygote.alive)
        second = await backend.restore(template, {})
        assert backend._zygotes.clients[name] is not zygote
        for fork in (first, second):
            assert not fork.exited.done()
            fork.discard()
        await asyncio.wait([first.exited, second.exited], timeout=10)
