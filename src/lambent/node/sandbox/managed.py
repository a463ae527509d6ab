"""What a managed runtime is started with in namespaces, where everything lies at AWS's paths."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from lambent.model.invocation import EnvironmentSpec
from lambent.node.entrypoint import BOOTSTRAP_SCRIPT
from lambent.node.nodejs.runtimes import NodeRuntime, is_node, node_command, node_path
from lambent.node.nodejs.waiting import PROGRAM as WAITING_NODE
from lambent.node.nodejs.waiting import can_wait as node_can_wait
from lambent.node.runtimes import RuntimeChoice, python_command
from lambent.node.sandbox.contract import SandboxError
from lambent.node.sandbox.zygote_client import RUNTIME_PATH
from lambent.node.zygote.root import HIDDEN

_LANG_PATH = "/var/lang"
"""Where AWS has a language's own programs."""
_WAITING_NODE = f"{HIDDEN}/waiting/nodejs.mjs"
WAITING_PROGRAMS: Mapping[str, str] = {_WAITING_NODE: WAITING_NODE}
"""What runtimes wait with as stem cells: path inside → file of this package."""


@dataclass(frozen=True, slots=True)
class ManagedRuntime:
    """``command`` starts it from nothing; ``mounts``: path inside → where that lies in the root.

    ``search`` is where the Python runtime looks for modules first; ``environ`` what only this place knows.
    ``waiting`` starts it so that it waits to hear whose it is (ADR 27); empty where it cannot, for this function.
    """

    command: Sequence[str]
    search: Sequence[str] = ()
    mounts: Mapping[str, str] = field(default_factory=dict)
    environ: Mapping[str, str] = field(default_factory=dict)
    waiting: Sequence[str] = ()


def hidden_node_root(node: NodeRuntime) -> str:
    """Where the root has a Node.js runtime, for an environment to mount what it needs of it."""
    return f"{HIDDEN}/{node.name}"


def managed_runtime(spec: EnvironmentSpec, choice: RuntimeChoice) -> ManagedRuntime:
    """What ``spec`` is started with. Raises SandboxError for Node.js where none is prepared."""
    if not is_node(spec.runtime):
        library = f"/opt/python/lib/{choice.interpreter.runtime}/site-packages"
        return ManagedRuntime(
            [*python_command(choice.interpreter), f"{RUNTIME_PATH}/{BOOTSTRAP_SCRIPT}"],
            ["/var/task", library, "/opt/python"],
        )
    if choice.node is None:
        raise SandboxError(choice.notice or f"{spec.runtime} is not on this host")
    hidden = hidden_node_root(choice.node)
    command = node_command(f"{_LANG_PATH}/bin/node", RUNTIME_PATH, spec.memory_mib)
    return ManagedRuntime(
        command,
        mounts={_LANG_PATH: hidden, RUNTIME_PATH: f"{hidden}/runtime"},
        environ={"NODE_PATH": node_path(RUNTIME_PATH, "/opt", "/var/task", choice.node.major)},
        waiting=[*command[:-1], _WAITING_NODE] if node_can_wait(spec.environment) else (),
    )
