"""What every operation works with: records, code, the clock, and whom to tell of a change."""

import platform
import uuid
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from lambent.control.event_source_ports import EventSources, NoEventSources
from lambent.control.file_systems import NO_FILE_SYSTEMS, MissingFileSystem
from lambent.control.image_ports import Images, NoImages
from lambent.control.snap_start import NoSnapshots, Snapshots
from lambent.model import limits
from lambent.model.function import FunctionVersion
from lambent.model.provisioned import ProvisionedStatus
from lambent.model.runtime_version import runtime_version_arn
from lambent.store.code import CodeKey, CodeStore
from lambent.store.database import Database
from lambent.store.functions import code_in_use, is_code_used, layer_sets_in_use

# POLICY: longer than any invocation, so that code of a deleted version outlives its environments.
_CODE_GRACE = timedelta(seconds=limits.TIMEOUT_MAX.value + 120)
_ARCHITECTURES = {"x86_64": "x86_64", "amd64": "x86_64", "aarch64": "arm64", "arm64": "arm64"}
_NOTHING_YET = ProvisionedStatus(0, 0, "IN_PROGRESS")


@dataclass(frozen=True, slots=True)
class WorkItem:
    """A version whose creation or update is recorded, acknowledged, and still to be finished."""

    function_arn: str
    version: str


@dataclass(frozen=True, slots=True)
class ControlPlane:
    """Made once by the composition root.

    ``clock`` gives aware datetimes. ``on_change`` is called after the commit, with the unqualified
    function ARN, whenever what routing or environments depend on changed or went. ``pending_work``
    is what operations leave for ``lifecycle.drain``, to be called after each of them.
    ``architecture`` is what this host runs.
    """

    database: Database
    code: CodeStore
    clock: Callable[[], datetime]
    on_change: Callable[[str], None]
    max_concurrency: int = limits.CONCURRENCY.value
    code_storage_bytes: int = limits.CODE_STORAGE.value
    architecture: str = field(default_factory=lambda: _ARCHITECTURES[platform.machine().lower()])
    pending_work: list[WorkItem] = field(default_factory=list)
    runtime_notice: Callable[[str], str | None] = lambda _: None
    """What there is to say of a runtime on this host: that another interpreter stands in for it."""
    runtime_missing: Callable[[str], str | None] = lambda _: None
    """Why functions of a runtime cannot run on this host at all, and what would change that."""
    destination_services: Collection[str] = ("lambda",)
    """The services hosted here that events can be sent on to, by their word in an ARN."""
    file_system_missing: MissingFileSystem = NO_FILE_SYSTEMS
    """Why an EFS access point is not on this host."""
    tracing_missing: str | None = None
    """Why segments of functions with active tracing would go nowhere; None where X-Ray is served."""
    runtime_build: Callable[[str], str | None] = lambda _: None
    """The build of a runtime on this host, 64 hex digits; None where none can be told."""
    provisioned_status: Callable[[str], ProvisionedStatus] = lambda _: _NOTHING_YET
    """How far the provisioned concurrency of a qualified ARN is, asked of the invocation path."""
    snapshots: Snapshots = field(default_factory=NoSnapshots)
    """Where versions with SnapStart are initialised."""
    sources: EventSources = field(default_factory=NoEventSources)
    """Those who poll event sources."""
    images: Images = field(default_factory=NoImages)
    """Where container images are unpacked."""
    later: Callable[[Callable[[], None]], None] = lambda work: work()
    """Has work done on the control plane's thread, from any thread."""

    def timestamp(self) -> str:
        """Now, as Lambda writes it: ``2026-01-31T12:00:00.000+0000``."""
        now = self.clock()
        return f"{now:%Y-%m-%dT%H:%M:%S}.{now.microsecond // 1000:03d}{now:%z}"

    def runtime_version_arn(self, version: FunctionVersion) -> str | None:
        """The runtime version that this host has for a version."""
        if version.image is not None:
            return None
        build = self.runtime_build(version.runtime)
        return runtime_version_arn(version.region, build) if build else None

    def shown(self, version: FunctionVersion) -> FunctionVersion:
        """The version as answers show it: what it runs under; an Active one says if not as asked."""
        version = replace(version, runtime_version_arn=self.runtime_version_arn(version) or "")
        if version.state != "Active" or version.state_reason is not None or version.image:
            return version
        return replace(version, state_reason=self.runtime_notice(version.runtime))

    def announce(self, version: FunctionVersion) -> None:
        """Tells of a committed change to a version, and leaves finishing it as pending work."""
        self.pending_work.append(WorkItem(version.function_arn, version.version))
        self.on_change(version.function_arn)

    def release_code(
        self, versions: Iterable[FunctionVersion] = (), code: Iterable[str] = ()
    ) -> None:
        """Removes what versions that changed or went used, and ``code`` (SHA-256), once nothing does."""
        released: set[CodeKey] = set(code)
        images = set[str]()
        for version in versions:
            if version.image is not None:
                images |= {version.code.sha256, *_serving(version)}
                continue
            layers = version.layer_code
            released |= {version.code.sha256, *layers}
            if len(layers) > 1:
                released.add(layers)
        now_s, grace_s = self.clock().timestamp(), _CODE_GRACE.total_seconds()
        self.code.release(released, self._is_used, now_s=now_s, grace_s=grace_s)
        self.images.release(images, self._is_used, now_s=now_s, grace_s=grace_s)

    def _is_used(self, key: CodeKey) -> bool:
        return is_code_used(self.database.connection, key)

    def collect_code(self) -> None:
        """At start, when there are no environments: removes all code nothing refers to."""
        cx = self.database.connection
        used = code_in_use(cx)
        self.code.collect(used, layer_sets_in_use(cx))
        self.images.collect(used)


def _serving(version: FunctionVersion) -> tuple[str, ...]:
    return () if version.serving is None else (version.serving.sha256,)


def new_revision_id() -> str:
    """A fresh ``RevisionId``."""
    return str(uuid.uuid4())


def touched(version: FunctionVersion) -> FunctionVersion:
    """The version with a fresh ``RevisionId``, after a change of state, tags or policy."""
    return replace(version, revision_id=new_revision_id())
