"""The zygotes of a backend: one for each interpreter that functions run on, and where templates are one for them.

Contract: one that died is replaced when it is asked for next; after :meth:`Zygotes.close` none is started.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from lambent.node.entrypoint import BOOTSTRAP_SCRIPT
from lambent.node.java.runtimes import find_javas
from lambent.node.nodejs.runtimes import find_nodes
from lambent.node.ruby.runtimes import find_rubies
from lambent.node.runtimes import Interpreter
from lambent.node.sandbox.contract import SandboxError
from lambent.node.sandbox.managed import WAITING_PROGRAMS, hidden_node_root, prepared_binds
from lambent.node.sandbox.zygote_client import RUNTIME_PATH, ZygoteClient
from lambent.node.zygote import bootstrap
from lambent.node.zygote.container import IMAGES


class Zygotes:
    """``run_dir``: an empty directory to build roots on. ``namespaces``: finds what they are to live in.

    ``setup``: what all are told of this host. ``images``: where unpacked container images lie. ``on_lost``: one
    that functions run on is replaced.
    """

    def __init__(
        self,
        run_dir: Path,
        images: Path | None,
        namespaces: Callable[[], Sequence[int]],
        setup: Callable[[], Mapping[str, Any]],
        on_lost: Callable[[Interpreter], None],
    ) -> None:
        self._run_dir = run_dir
        self._images = images
        self._namespaces = namespaces
        self._setup_of_all = setup
        self._on_lost = on_lost
        self.clients: dict[str, ZygoteClient] = {}
        self._opening = asyncio.Lock()
        self._is_closing = False
        self._warming: set[asyncio.Task[None]] = set()

    def warm(self, interpreters: Sequence[Interpreter], *, runs_functions: bool = True) -> None:
        """Starts theirs meanwhile."""
        warming = asyncio.get_running_loop().create_task(self._warm(interpreters, runs_functions))
        self._warming.add(warming)
        warming.add_done_callback(self._warming.discard)

    async def _warm(self, interpreters: Sequence[Interpreter], runs_functions: bool) -> None:
        for interpreter in interpreters:
            # One that cannot start is tried again, and reported, when a function asks for it.
            with suppress(SandboxError):
                await self.get(interpreter, runs_functions=runs_functions)

    async def get(self, interpreter: Interpreter, *, runs_functions: bool = True) -> ZygoteClient:
        """The one of an interpreter, started where there is none. Raises SandboxError.

        One that does not run functions has loaded nothing for them: a third of the size, and copied the faster.
        """
        name = interpreter.version if runs_functions else f"{interpreter.version}-shells"
        zygote = self.clients.get(name)
        if zygote is not None and zygote.alive:
            return zygote
        async with self._opening:
            zygote = self.clients.get(name)
            if zygote is not None and zygote.alive:
                return zygote
            self._check_open()
            if zygote is not None:
                if runs_functions:
                    self._on_lost(interpreter)
                await zygote.close()
            zygote = ZygoteClient(interpreter)
            await zygote.open(self._setup(interpreter, name), self._namespaces())
            try:
                self._check_open()
            except SandboxError:
                await zygote.close()
                raise
            self.clients[name] = zygote
            return zygote

    def _check_open(self) -> None:
        if self._is_closing:
            raise SandboxError("the platform stops")  # nobody would end another one

    def _setup(self, interpreter: Interpreter, name: str) -> Mapping[str, Any]:
        root = self._run_dir / f"root-{name}"
        root.mkdir(parents=True, exist_ok=True)
        binds = {
            f"{RUNTIME_PATH}/{package}": path for package, path in interpreter.packages.items()
        }
        binds[f"{RUNTIME_PATH}/{BOOTSTRAP_SCRIPT}"] = bootstrap.__file__
        binds.update(WAITING_PROGRAMS)
        for node in find_nodes():
            binds[hidden_node_root(node)] = str(node.root)
        binds.update(prepared_binds(find_javas(), find_rubies()))
        if self._images is not None:
            binds[IMAGES] = str(self._images)
        if not interpreter.prefix.startswith("/usr"):
            binds[interpreter.prefix] = interpreter.prefix
        return {
            **self._setup_of_all(),
            "root": str(root),
            "binds": binds,
            "runtime_paths": [RUNTIME_PATH] if name == interpreter.version else [],
        }

    def stop(self) -> None:
        """No more are started."""
        self._is_closing = True

    async def close(self) -> None:
        """Ends them; environments they made live on."""
        self.stop()
        for warming in self._warming:
            warming.cancel()
        if self._warming:
            await asyncio.wait(self._warming)
        for zygote in self.clients.values():
            await zygote.close()

    def remove_roots(self) -> None:
        """Removes what they were built on; nothing lives there any more."""
        for name in self.clients:
            with suppress(OSError):
                (self._run_dir / f"root-{name}").rmdir()
