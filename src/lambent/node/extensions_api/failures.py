"""What a caller is told when it was an extension that failed.

Source: recorded answers and logs of the service (``{"errorType": "Extension.Crash", "errorMessage": "RequestId: …
Error: exit code 0"}``; issues of the Datadog and Elastic extensions); AWS's runtime interface emulator.
"""

from lambent.node.extensions_api.extension import Extension
from lambent.node.extensions_api.states import State
from lambent.node.outcomes import Failure
from lambent.node.sandbox.contract import ExitStatus

_TYPES = {
    State.INIT_ERROR: "Extension.InitError",
    State.EXIT_ERROR: "Extension.ExitError",
    State.LAUNCH_ERROR: "Extension.LaunchError",
}


def exited(request_id: str, extension: Extension, how: ExitStatus) -> Failure:
    """Its process ended, or could not be started. AWS: what it told before gives the type."""
    reason = how.not_started or (
        "exit code 0" if not how.code and not how.signal else how.describe()
    )
    return _failure(request_id, _TYPES.get(extension.state, "Extension.Crash"), reason)


def told(request_id: str, extension: Extension) -> Failure:
    """It told an error and stayed."""
    return _failure(request_id, _TYPES[extension.state], extension.error_type or "")


def too_many(request_id: str, limit: int) -> Failure:
    """There are more files than extensions may be. The text is best known."""
    return _failure(request_id, "Extension.LaunchError", f"Extension limit ({limit}) reached")


def _failure(request_id: str, error_type: str, reason: str) -> Failure:
    message = f"RequestId: {request_id} Error: {reason}"
    return Failure(error_type, message, log_line=f"{message}\n{error_type}\n")
