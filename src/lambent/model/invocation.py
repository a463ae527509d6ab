"""An invocation, the environment it needs, and its result.

The two that are made with every event are named tuples, which are made in a quarter of a frozen dataclass's time.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol

from lambent.model.event_invoke import DEFAULT_EVENT_INVOKE_CONFIG, EventInvokeConfig
from lambent.model.function import FileSystemConfig
from lambent.model.image import ContainerImage

SNAP_START = "snap-start"
"""What functions read in ``AWS_LAMBDA_INITIALIZATION_TYPE`` where they were restored from a snapshot."""


@dataclass(frozen=True, slots=True)
class EnvironmentSpec:
    """Everything a node needs to start execution environments of one version.

    ``key`` identifies the version *and* its revision: environments of two keys are never exchanged.
    ``task_dir`` is the unpacked code for ``/var/task``, ``opt_dir`` the merged layers for ``/opt``.
    """

    key: str
    account_id: str
    region: str
    function_name: str
    version: str
    runtime: str
    handler: str
    role: str
    memory_mib: int
    timeout_s: int
    ephemeral_storage_mib: int
    environment: Mapping[str, str]
    task_dir: Path
    opt_dir: Path | None
    log_group: str
    log_format: str = "Text"
    """``Text`` or ``JSON``; the levels are empty unless it is ``JSON``."""
    application_log_level: str = ""
    system_log_level: str = ""
    dead_letter_arn: str = ""
    """Where an asynchronous event that this version could not process is sent, if anywhere."""
    initialization_type: str = "on-demand"
    """``on-demand``, ``provisioned-concurrency`` or ``snap-start``."""
    file_system: FileSystemConfig | None = None
    image: ContainerImage | None = None
    """For ``PackageType`` Image, where everything is in it: ``task_dir`` is its root."""
    tracing_mode: str = "PassThrough"
    """``PassThrough`` or ``Active``."""
    has_insights: bool = False
    """Whether Lambda Insights is told what each invocation used."""
    is_per_tenant: bool = False
    tenant_id: str | None = None
    """Whose environments these are, of a function that is ``is_per_tenant``."""


@dataclass(frozen=True, slots=True)
class Target:
    """What a function name and qualifier resolve to.

    ``versions`` holds one spec, or two with the second one's ``weight`` (0–1) for a weighted alias.
    ``invoked_arn`` is what the context shows: with the qualifier the caller used, if any.
    """

    invoked_arn: str
    primary: EnvironmentSpec
    secondary: EnvironmentSpec | None = None
    secondary_weight: float = 0.0
    recursive_loop: str = "Terminate"
    """The function's ``RecursiveLoop``: ``Terminate`` stops what invokes itself, ``Allow`` lets it."""
    event_invoke_config: EventInvokeConfig = DEFAULT_EVENT_INVOKE_CONFIG
    """How asynchronous events sent to this qualifier are handled."""


class ResponseSink(Protocol):
    """Where a response goes piece by piece; lives on the loop's thread.

    ``begin`` comes first, once, if at all; the end is the :class:`InvocationResult`, whose payload is empty then
    unless it is an error's.
    """

    on_writable: Callable[[], None] | None
    """Called once, after ``write`` said False, when more may come."""

    def begin(self, content_type: str, executed_version: str) -> None: ...
    def write(self, data: bytes) -> bool: ...


class InvocationTrace(Protocol):
    """A traced invocation, told by the node when it did what; each method is called once, in this order."""

    trace_id: str
    """X-Ray's, ``1-…``."""
    segment_id: str
    """The function's segment: what its code does hangs below it."""

    @property
    def header(self) -> str:
        """``Root=…;Parent=…;Sampled=1``."""
        ...

    def begun(self, init: tuple[float, float] | None) -> None:
        """An environment has the event. ``init``: when its Init phase was (Unix seconds), if this is its first."""

    def answered(self, *, fault: bool) -> None:
        """The function answered, or never will."""

    def settled(self) -> None:
        """The runtime is back for the next event, or gone."""


class Invocation(NamedTuple):
    """One event on its way to one version. Times are on the monotonic clock's seconds or Unix ms."""

    request_id: str
    spec: EnvironmentSpec
    invoked_arn: str
    payload: bytes
    client_context: str | None = None
    """JSON text (already out of base64), as the Runtime API hands it over."""
    cognito_identity: str | None = None
    trace_id: str | None = None
    sink: ResponseSink | None = None
    """Given where the caller takes the response as it comes."""
    trace: InvocationTrace | None = None
    """Given where X-Ray is told of it."""


class InvocationResult(NamedTuple):
    """What came of it. ``function_error`` is ``Unhandled``/``Handled`` or None; ``log_tail`` ≤ 4 KiB."""

    payload: bytes
    executed_version: str
    function_error: str | None = None
    log_tail: bytes = b""
