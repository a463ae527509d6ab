"""A Lambda function as stored: code, configuration, versions, aliases, layers."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from lambent.model.image import ImageCode, ServingImage

LATEST = "$LATEST"


@dataclass(frozen=True, slots=True)
class CodeRef:
    """Code by content: ``sha256`` (hex) of the zip; ``size_bytes`` of the zip; ``unzipped_bytes``."""

    sha256: str
    size_bytes: int
    unzipped_bytes: int


@dataclass(frozen=True, slots=True)
class LayerRef:
    """A layer version as a function holds it: it keeps working after the layer version is deleted."""

    arn: str
    code: CodeRef

    @property
    def is_insights(self) -> bool:
        """Whether it stands for AWS's Lambda Insights extension, which is built in here: there is no code."""
        return not self.code.sha256


@dataclass(frozen=True, slots=True)
class FileSystemConfig:
    """A file system functions share: the access point's ``arn``, mounted on ``local_mount_path``."""

    arn: str
    local_mount_path: str

    @property
    def name(self) -> str:
        """What it is called in ``/mnt``."""
        return self.local_mount_path.removeprefix("/mnt/")


@dataclass(frozen=True, slots=True)
class FunctionVersion:
    """One version's code and configuration, ``version`` being ``$LATEST`` or a number as text.

    Source: the shape ``FunctionConfiguration`` of botocore's ``lambda`` model. Memory and /tmp in MiB.
    """

    account_id: str
    region: str
    name: str
    version: str
    runtime: str
    handler: str
    role: str
    code: CodeRef
    revision_id: str
    last_modified: str
    """ISO 8601 as Lambda writes it: ``2026-01-31T12:00:00.000+0000``."""
    description: str = ""
    timeout_s: int = 3
    memory_mib: int = 128
    ephemeral_storage_mib: int = 512
    environment: Mapping[str, str] = field(default_factory=dict)
    environment_given: bool = False
    """AWS shows ``Environment`` when ``Variables`` were given, even if there are none in it."""
    layers: tuple[LayerRef, ...] = ()
    architecture: str = "x86_64"
    log_group: str = ""
    """``/aws/lambda/<name>`` unless ``LoggingConfig.LogGroup`` says otherwise."""
    log_format: str = "Text"
    """``Text`` or ``JSON``; the levels are empty unless it is ``JSON``."""
    application_log_level: str = ""
    system_log_level: str = ""
    state: str = "Active"
    state_reason: str | None = None
    state_reason_code: str | None = None
    last_update_status: str = "Successful"
    last_update_status_reason: str | None = None
    last_update_status_reason_code: str | None = None
    config_revision: str = ""
    """Fresh at each change of code or configuration, unlike ``revision_id`` at nothing else."""
    content_sha256: str = ""
    """Digest of code and configuration: equal ones need no second version."""
    update_runtime_on: str = "Auto"
    """``Auto``, ``FunctionUpdate``, or ``Manual`` with ``pinned_runtime_version_arn``."""
    pinned_runtime_version_arn: str = ""
    runtime_version_arn: str = ""
    """What it runs under now: for answers, not stored."""
    dead_letter_arn: str = ""
    """``DeadLetterConfig.TargetArn``."""
    file_system: FileSystemConfig | None = None
    """What ``FileSystemConfigs`` holds, which has room for one."""
    image: ImageCode | None = None
    """For ``PackageType`` Image: ``code.sha256`` is its manifest's then, and there is no runtime."""
    serving: ServingImage | None = None
    """The image it runs while another one is being unpacked, or after that failed."""
    snap_start: bool = False
    """Whether ``SnapStart`` applies to what is published."""
    tracing_mode: str = "PassThrough"
    """``TracingConfig.Mode``: ``PassThrough`` or ``Active``."""
    tenant_isolation_mode: str = ""
    """``TenancyConfig.TenantIsolationMode``: ``PER_TENANT``, or nothing."""

    @property
    def function_arn(self) -> str:
        """``arn:aws:lambda:REGION:ACCOUNT:function:NAME``, unqualified."""
        return f"arn:aws:lambda:{self.region}:{self.account_id}:function:{self.name}"

    @property
    def layer_code(self) -> tuple[str, ...]:
        """SHA-256 of the layers' zips, in their order."""
        return tuple(layer.code.sha256 for layer in self.layers if not layer.is_insights)

    @property
    def package_type(self) -> str:
        """``Zip`` or ``Image``."""
        return "Zip" if self.image is None else "Image"

    @property
    def qualified_arn(self) -> str:
        """The ARN with the version behind it."""
        return f"{self.function_arn}:{self.version}"


@dataclass(frozen=True, slots=True)
class Alias:
    """A name for a version, with at most one more version that takes ``additional_weight`` (0–1)."""

    name: str
    function_version: str
    description: str
    revision_id: str
    additional_version: str | None = None
    additional_weight: float = 0.0
