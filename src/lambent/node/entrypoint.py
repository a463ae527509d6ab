"""What a function is started with when that is not its handler in a fork of the zygote.

A custom runtime (``provided.*``) is any executable called ``bootstrap``; a wrapper script is given the
command that would start the managed runtime, and starts it; Node.js, Java and Ruby are started by that command
itself.
Source: "Building a custom runtime", "Modifying the runtime environment" (AWS Lambda).
"""

from collections.abc import Sequence
from typing import Any

from lambent.model.invocation import EnvironmentSpec
from lambent.node.runtimes import is_provided, is_python

BOOTSTRAP_SCRIPT = "bootstrap.py"
"""In the runtime's directory; AWS's is called the same."""
WRAPPER = "AWS_LAMBDA_EXEC_WRAPPER"
"""The variable that names a wrapper script."""


def choose_entry(
    spec: EnvironmentSpec, task_root: str, opt_root: str | None, runtime_command: Sequence[str]
) -> dict[str, Any] | None:
    """For :func:`lambent.node.zygote.entrypoint.execute`; None when the zygote's fork runs the handler itself.

    ``runtime_command`` is what starts the managed runtime from nothing. AWS: wrapper scripts are not
    supported on OS-only runtimes; the variable is one like any other there.
    """
    if spec.image is not None:
        return {
            "entry_point": spec.image.entry_point,
            "arguments": spec.image.command,
            "directory": spec.image.working_directory,
        }
    if is_provided(spec.runtime):
        roots = [root for root in (task_root, opt_root) if root]
        return {"bootstraps": [f"{root}/bootstrap" for root in roots]}
    wrapper = spec.environment.get(WRAPPER)
    if wrapper:
        return {"wrapper": wrapper, "command": list(runtime_command)}
    return None if is_python(spec.runtime) else {"command": list(runtime_command)}
