"""What the zygote is told that makes an environment a function's, or a kind of stem cell."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lambent.model.invocation import EnvironmentSpec
from lambent.node.entrypoint import choose_entry
from lambent.node.environ import runtime_environ
from lambent.node.extensions_api.launch import extension_environ
from lambent.node.runtimes import Interpreter, is_provided
from lambent.node.sandbox.contract import Launch, SandboxError
from lambent.node.sandbox.managed import ManagedRuntime
from lambent.node.sandbox.stem_cells_loaded import LoadedKind, loaded_kind
from lambent.node.sandbox.zygote_client import RUNTIME_API_PORT, RUNTIME_PATH
from lambent.node.zygote.container import IMAGES
from lambent.node.zygote.root import HIDDEN

_TELEMETRY = {"_LAMBDA_TELEMETRY_LOG_FD": "3"}
_ADDRESSES = ("AWS_LAMBDA_RUNTIME_API", "AWS_ENDPOINT_URL")
"""What an image is told; where its own runtime lies it says itself."""
_REMEMBERED = 256
"""POLICY: more kinds than there are of runtimes and usual memory sizes."""


@dataclass(frozen=True, slots=True)
class Requests:
    """Of one backend; see there. ``file_systems``: the ARNs of what functions may share, in the root's order."""

    code_root: Path
    endpoint_port: int
    file_systems: Sequence[str]
    _kinds: dict[tuple[object, ...], LoadedKind] = field(default_factory=dict, init=False)
    """Those made last: to make one takes longer than to look."""

    def environ(self, launch: Launch, managed: ManagedRuntime) -> dict[str, str]:
        """The variables that it finds."""
        own = self._own_environ(launch.spec.runtime, managed)
        if launch.spec.image is not None:
            own = {name: own[name] for name in _ADDRESSES}
        return {**launch.environ, **own}

    def rest(self, launch: Launch, managed: ManagedRuntime) -> dict[str, Any]:
        """What makes an environment a function's. Raises SandboxError for a file system that is not there."""
        spec = launch.spec
        environ = self.environ(launch, managed)
        rest = {
            "task_dir": None if spec.image else self._inside(spec.task_dir),
            "opt_dir": self._inside(spec.opt_dir) if spec.opt_dir else None,
            "tmp_mib": spec.ephemeral_storage_mib,
            "mounts": managed.mounts,
            "search": managed.search,
            "entry": choose_entry(spec, "/var/task", "/opt", managed.command),
            "environ": environ,
            "extensions": launch.extensions,
            "file_system": self._shared(spec),
            "image": self._image(spec),
        }
        if launch.extensions:
            rest["extension_environ"] = extension_environ(environ)
        return rest

    def kind(self, runtime: str, interpreter: Interpreter, managed: ManagedRuntime) -> LoadedKind:
        """The stem cells that a function which is started with ``managed`` may come from."""
        places, environ = tuple(managed.mounts.items()), tuple(managed.environ.items())
        key = (runtime, interpreter.version, tuple(managed.waiting), places, environ)
        kind = self._kinds.get(key)
        if kind is None:
            if len(self._kinds) >= _REMEMBERED:
                self._kinds.clear()
            kind = self._kinds[key] = self._make_kind(runtime, interpreter, managed)
        return kind

    def _make_kind(
        self, runtime: str, interpreter: Interpreter, managed: ManagedRuntime
    ) -> LoadedKind:
        rest = {
            "mounts": managed.mounts,
            "entry": {"command": managed.waiting},
            "environ": {
                **runtime_environ(runtime),
                **self._own_environ(runtime, managed),
                **managed.waiting_environ,
            },
        }
        return loaded_kind(interpreter, rest)

    def _own_environ(self, runtime: str, managed: ManagedRuntime) -> dict[str, str]:
        """What only this place knows."""
        return {
            **managed.environ,
            "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{RUNTIME_API_PORT}",
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{self.endpoint_port}",
            "LAMBDA_TASK_ROOT": "/var/task",
            "LAMBDA_RUNTIME_DIR": RUNTIME_PATH,
            # A custom runtime has no such client.
            **({} if is_provided(runtime) else _TELEMETRY),
        }

    def _shared(self, spec: EnvironmentSpec) -> Mapping[str, Any] | None:
        """The file system a function mounts: its number in the root, and its name in ``/mnt``."""
        wanted = spec.file_system
        if wanted is None:
            return None
        if wanted.arn not in self.file_systems:
            raise SandboxError(f"there is no file system {wanted.arn} here")
        return {"number": self.file_systems.index(wanted.arn), "name": wanted.name}

    def _image(self, spec: EnvironmentSpec) -> str | None:
        """Where the zygote's root has the tree of a function's image."""
        if spec.image is None:
            return None
        tree = spec.image.root
        return f"{IMAGES}/{tree.parent.name}/{tree.name}"

    def _inside(self, path: Path) -> str:
        return f"{HIDDEN}/code/{path.relative_to(self.code_root)}"
