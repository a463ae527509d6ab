"""What a caller is told when a function does not answer by itself: payloads with AWS's types and texts.

Source: AWS's runtime interface emulator (``rapidcore``) and recorded answers of the service.
"""

import json
from dataclasses import dataclass

from lambent.model.errors import ClientFault, mount_failure
from lambent.model.function import FileSystemConfig

MAX_RESPONSE_BYTES = 6 * 1024 * 1024 + 100
"""AWS: 6 MB and 100 bytes of envelope, as its own message says."""


@dataclass(frozen=True, slots=True)
class Failure:
    """``error_type`` for REPORT and the payload; ``log_line`` what the function's log shows.

    ``body``: what the runtime itself had to say, which is the payload then.
    """

    error_type: str
    message: str
    status: str = "error"
    log_line: str = ""
    body: bytes = b""
    fault: ClientFault | None = None
    """What the caller gets instead of a payload."""

    def payload(self) -> bytes:
        """The JSON document the caller gets."""
        if self.body:
            return self.body
        document = {"errorType": self.error_type, "errorMessage": self.message}
        return json.dumps(document, separators=(",", ":")).encode()


def exited(request_id: str, how: str, clean: bool, out_of_memory: bool) -> Failure:
    """The runtime process ended. ``how`` is ``exit status 1`` or ``signal: killed``."""
    error_type = "Runtime.OutOfMemory" if out_of_memory else "Runtime.ExitError"
    reason = "without providing a reason" if clean else f"with error: {how}"
    message = f"RequestId: {request_id} Error: Runtime exited {reason}"
    return Failure(error_type, message, log_line=f"{message}\n{error_type}\n")


def not_started(request_id: str, reason: str) -> Failure:
    """There is no bootstrap, or it is nothing the host can run.

    Source: recordings ("Error: Couldn't find valid bootstrap(s): [/var/task/bootstrap /opt/bootstrap]").
    """
    message = f"RequestId: {request_id} Error: {reason}"
    is_place = reason.startswith("the working directory")
    error_type = "Runtime.InvalidWorkingDir" if is_place else "Runtime.InvalidEntrypoint"
    return Failure(error_type, message, log_line=f"{message}\n{error_type}\n")


def not_mounted(request_id: str, reason: str, config: FileSystemConfig) -> Failure:
    """The file system that the function shares cannot be mounted."""
    fault = mount_failure(config.arn, config.local_mount_path, reason)
    line = f"RequestId: {request_id} Error: {fault.message}\n"
    return Failure("EFSMountFailureException", fault.message, log_line=line, fault=fault)


def init_timed_out(request_id: str, deadline_s: float) -> Failure:
    """The runtime did not ask for its first event in time."""
    message = f"RequestId: {request_id} Error: Init timed out after {deadline_s:.2f} seconds"
    return Failure("Sandbox.Timedout", message, "timeout", f"{message}\n")


# Source: the shapes of these names in botocore's ``lambda`` model, whose documentation the texts are; the second
# one is also in "Troubleshooting SnapStart errors for Lambda functions".
RESTORE_FAILED = ClientFault(
    "SnapStartException",
    "The afterRestore() runtime hook encountered an error. For more information, check the Amazon "
    "CloudWatch logs.",
    400,
)
_RESTORE_TIMED_OUT = ClientFault(
    "SnapStartTimeoutException",
    "Lambda couldn't restore the snapshot within the timeout limit.",
    408,
)


def restore_failed(error_type: str) -> Failure:
    """A hook that runs after being restored failed, or the runtime ended in it."""
    return Failure(error_type, RESTORE_FAILED.message, fault=RESTORE_FAILED)


def restore_timed_out(_: str) -> Failure:
    """Being restored, hooks included, took more than 10 seconds."""
    message = _RESTORE_TIMED_OUT.message
    return Failure("Sandbox.Timedout", message, "timeout", fault=_RESTORE_TIMED_OUT)


def timed_out(message: str, log_line: str) -> Failure:
    """The function ran into its timeout. ``message`` carries time and request id."""
    return Failure("Sandbox.Timedout", message, "timeout", log_line)


def truncated(request_id: str) -> Failure:
    """The runtime broke its response off. Source: the type from AWS's emulator, the text best known."""
    error_type = "Runtime.TruncatedResponse"
    message = f"RequestId: {request_id} Error: The response was truncated"
    return Failure(error_type, message, log_line=f"{message}\n{error_type}\n")


def response_too_large(max_bytes: int = MAX_RESPONSE_BYTES) -> Failure:
    """The function's answer is over the limit for a synchronous call, or for a stream."""
    message = f"Response payload size exceeded maximum allowed payload size ({max_bytes} bytes)."
    return Failure("Function.ResponseSizeTooLarge", message)
