"""What a managed runtime is started with in namespaces, where everything lies at AWS's paths."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from lambent.model.invocation import EnvironmentSpec
from lambent.node.entrypoint import BOOTSTRAP_SCRIPT, WRAPPER
from lambent.node.environ import locale_environ
from lambent.node.java.runtimes import JavaRuntime, is_java, java_command
from lambent.node.java.waiting import can_wait as java_can_wait
from lambent.node.java.waiting import waiting_command
from lambent.node.linux.cpu_share import VCPU_MIB
from lambent.node.nodejs.runtimes import NodeRuntime, is_node, node_command, node_path
from lambent.node.nodejs.waiting import STARTING as STARTING_NODE
from lambent.node.nodejs.waiting import WAITING as WAITING_NODE
from lambent.node.nodejs.waiting import can_wait as node_can_wait
from lambent.node.ruby.runtimes import (
    RubyRuntime,
    is_ruby,
    ruby_command,
    ruby_environ,
    ruby_waiting,
)
from lambent.node.runtimes import Interpreter, RuntimeChoice, python_command
from lambent.node.sandbox.contract import SandboxError
from lambent.node.sandbox.zygote_client import RUNTIME_PATH
from lambent.node.zygote.root import HIDDEN

_LANG_PATH = "/var/lang"
"""Where AWS has a language's own programs."""
_STARTING_NODE = f"{HIDDEN}/nodejs/starting.cjs"
_WAITING_NODE = f"{HIDDEN}/nodejs/waiting.cjs"
WAITING_PROGRAMS: Mapping[str, str] = {
    _STARTING_NODE: STARTING_NODE,
    _WAITING_NODE: WAITING_NODE,
}
"""What runtimes are started with, and wait with as stem cells: path inside → file of this package."""

_ONE_ARENA = {"MALLOC_ARENA_MAX": "1"}
"""The C library has an arena for each of Node.js's threads, 0.3 MB: of use where they run side by side."""


@dataclass(frozen=True, slots=True)
class ManagedRuntime:
    """``command`` starts it from nothing; ``mounts``: path inside → where that lies in the root.

    ``search`` is where the Python runtime looks for modules first; ``environ`` what only this place knows.
    ``waiting`` starts it so that it waits to hear whose it is (ADR 27); empty where it cannot, for this function.
    ``waiting_environ`` is what it is given besides until then.
    """

    command: Sequence[str]
    search: Sequence[str] = ()
    mounts: Mapping[str, str] = field(default_factory=dict)
    environ: Mapping[str, str] = field(default_factory=dict)
    waiting: Sequence[str] = ()
    waiting_environ: Mapping[str, str] = field(default_factory=dict)


def hidden_node_root(node: NodeRuntime) -> str:
    """Where the root has a Node.js runtime, for an environment to mount what it needs of it."""
    return f"{HIDDEN}/{node.name}"


def prepared_binds(javas: Sequence[JavaRuntime], rubies: Sequence[RubyRuntime]) -> dict[str, str]:
    """What the root needs of Java and Ruby: path inside → path on the host."""
    binds: dict[str, str] = {}
    for java in javas:
        binds[f"{HIDDEN}/{java.name}/jvm"] = str(java.jvm)
        binds[f"{HIDDEN}/{java.name}/runtime"] = str(java.runtime_dir)
        binds.update((path, path) for path in java.etc)
    for ruby in rubies:
        hidden = f"{HIDDEN}/{ruby.name}"
        binds[f"{hidden}/runtime"] = str(ruby.runtime_dir)
        binds.update((f"{hidden}/{place}", path) for place, path in ruby.mounted_gems.items())
        binds.update((path, path) for path in ruby.binds)
    return binds


def python_search(interpreter: Interpreter) -> list[str]:
    """Where modules of functions are looked for before all others. Source: "Packaging your layer content"."""
    return ["/var/task", f"/opt/python/lib/{interpreter.runtime}/site-packages", "/opt/python"]


def managed_runtime(spec: EnvironmentSpec, choice: RuntimeChoice) -> ManagedRuntime:
    """What ``spec`` is started with. Raises SandboxError for Node.js, Java and Ruby where none is prepared."""
    if is_java(spec.runtime):
        return _managed_java(spec, choice)
    if is_ruby(spec.runtime):
        return _managed_ruby(spec, choice)
    if not is_node(spec.runtime):
        return ManagedRuntime(
            [*python_command(choice.interpreter), f"{RUNTIME_PATH}/{BOOTSTRAP_SCRIPT}"],
            python_search(choice.interpreter),
        )
    if choice.node is None:
        raise SandboxError(choice.notice or f"{spec.runtime} is not on this host")
    hidden = hidden_node_root(choice.node)
    command = node_command(f"{_LANG_PATH}/bin/node", RUNTIME_PATH, spec.memory_mib)
    waiting: Sequence[str] = ()
    if node_can_wait(spec.environment):
        *flags, main = command
        command, waiting = [*flags, _STARTING_NODE, main], [*flags, _WAITING_NODE, main]
    return ManagedRuntime(
        command,
        mounts={_LANG_PATH: hidden, RUNTIME_PATH: f"{hidden}/runtime"},
        environ={"NODE_PATH": node_path(RUNTIME_PATH, "/opt", "/var/task", choice.node.major)},
        waiting=waiting,
        waiting_environ=_ONE_ARENA if spec.memory_mib <= VCPU_MIB else {},
    )


def _managed_java(spec: EnvironmentSpec, choice: RuntimeChoice) -> ManagedRuntime:
    java = choice.java
    if java is None:
        raise SandboxError(choice.notice or f"{spec.runtime} is not on this host")
    hidden = f"{HIDDEN}/{java.name}"
    is_wrapped = WRAPPER in spec.environment
    command = java_command(
        java,
        spec.runtime,
        f"{_LANG_PATH}/bin/java",
        RUNTIME_PATH,
        spec.memory_mib,
        spec.environment,
        uses_archive=not is_wrapped,  # a wrapper script may change the directory
    )
    return ManagedRuntime(
        command,
        mounts={_LANG_PATH: f"{hidden}/jvm", RUNTIME_PATH: f"{hidden}/runtime"},
        environ=locale_environ(spec.environment),
        waiting=waiting_command(command) if java_can_wait(java, spec.environment) else (),
    )


def _managed_ruby(spec: EnvironmentSpec, choice: RuntimeChoice) -> ManagedRuntime:
    ruby = choice.ruby
    if ruby is None:
        raise SandboxError(choice.notice or f"{spec.runtime} is not on this host")
    hidden = f"{HIDDEN}/{ruby.name}"
    places = ruby_environ(ruby, spec.runtime, RUNTIME_PATH, "/opt", "/var/task", is_mounted=True)
    return ManagedRuntime(
        ruby_command(ruby.executable, RUNTIME_PATH),
        mounts={
            RUNTIME_PATH: f"{hidden}/runtime",
            **{f"{RUNTIME_PATH}/{place}": f"{hidden}/{place}" for place in ruby.mounted_gems},
        },
        environ={
            **{name: value for name, value in places.items() if name not in spec.environment},
            **locale_environ(spec.environment),
        },
        waiting=ruby_waiting(ruby, RUNTIME_PATH, spec.environment),
    )
