"""What runtimes other than Python are started with as plain processes, where nothing lies at AWS's paths."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lambent.model.invocation import EnvironmentSpec
from lambent.node.environ import locale_environ
from lambent.node.java.runtimes import JavaRuntime, java_command
from lambent.node.nodejs.runtimes import node_command, node_path
from lambent.node.ruby.runtimes import ruby_command, ruby_environ
from lambent.node.runtimes import RuntimeChoice, is_provided, is_python
from lambent.node.sandbox.contract import SandboxError


@dataclass(frozen=True, slots=True)
class PlainProgram:
    """``command`` starts it; ``runtime_dir`` stands for ``/var/runtime``; ``environ`` is what only this place
    knows."""

    command: Sequence[str]
    runtime_dir: str
    environ: Mapping[str, str]


def plain_program(
    spec: EnvironmentSpec, choice: RuntimeChoice, task_dir: str, opt_dir: str
) -> PlainProgram | None:
    """The program of a function; None where it is Python or the function's own.

    Raises SandboxError where the runtime is not prepared.
    """
    if is_python(spec.runtime) or is_provided(spec.runtime):
        return None
    if node := choice.node:
        runtime_dir = str(node.runtime_dir)
        command = node_command(node.executable, runtime_dir, spec.memory_mib)
        environ = {"NODE_PATH": node_path(runtime_dir, opt_dir, task_dir, node.major)}
        return PlainProgram(command, runtime_dir, environ)
    if java := choice.java:
        return _java(spec, java, opt_dir)
    if ruby := choice.ruby:
        runtime_dir = str(ruby.runtime_dir)
        environ = ruby_environ(ruby, spec.runtime, runtime_dir, opt_dir, task_dir)
        environ |= locale_environ(spec.environment)
        return PlainProgram(ruby_command(ruby.executable, runtime_dir), runtime_dir, environ)
    raise SandboxError(choice.notice or f"{spec.runtime} is not on this host")


def _java(spec: EnvironmentSpec, java: JavaRuntime, opt_dir: str) -> PlainProgram:
    runtime_dir = str(java.runtime_dir)
    command = java_command(
        java,
        spec.runtime,
        java.executable,
        runtime_dir,
        spec.memory_mib,
        spec.environment,
        uses_archive=False,
    )
    command.insert(1, f"-Dlambent.layers={opt_dir}/java/lib")
    return PlainProgram(command, runtime_dir, locale_environ(spec.environment))
