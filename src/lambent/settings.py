"""Settings, read once by the command line and handed down."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

SandboxChoice = Literal["auto", "namespaces", "process"]
NetworkChoice = Literal["auto", "outbound", "isolated"]


@dataclass(frozen=True, slots=True)
class Settings:
    """How this platform runs. Durations in seconds, sizes in MiB."""

    data_dir: Path
    host: str = "127.0.0.1"
    port: int = 4566
    sandbox: SandboxChoice = "auto"
    network: NetworkChoice = "auto"
    """What functions reach: ``outbound`` what the host reaches, ``isolated`` the platform alone."""
    access_keys: Path | None = None
    """A file of access keys; with it every request must be signed by one of them, or by a function's own."""
    allow_reset: bool = False
    cpu_limit: bool = True
    """AWS: CPU in proportion to memory, 1,769 MB being one vCPU. False: as much as there is."""
    idle_timeout_s: float = 300.0
    """POLICY: an idle environment is kept this long; AWS keeps minutes and promises nothing."""
    neighbours: bool = True
    """Whether an embedded neighbour (moto) serves what is not hosted here; it starts at first use."""
    neighbour_endpoints: Mapping[str, str] = field(default_factory=dict)
    """Service → the endpoint that serves it, ``https://host:port``, with ``,unsigned`` where none is signed;

    of ``mq`` also a RabbitMQ, ``amqp://host:port``.
    """
    file_systems: Mapping[str, Path] = field(default_factory=dict)
    """ARN of an EFS access point → the host's directory that functions share under it; namespaces only."""
    images: Path | None = None
    """Where container images are looked for: ``repository/`` an OCI layout, ``repository.tar`` an archive."""
    registry: str = ""
    """``https://host/prefix``: the registry that is asked for images that are not there."""
    stem_cells: int | None = None
    """Environments of each interpreter in use made ahead, and forks of each version with SnapStart; each holds
    about 3 MB. None: two, and as many as were started at once lately."""
    loaded_stem_cells: int | None = None
    """The same of programs that cannot fork, for each runtime and memory size that was used lately; each holds
    what an idle environment does. None: one, and as many as were started at once lately."""
    prepared_networks: int = 100
    """POLICY: networks made ahead once functions run: about 0.15 MB of the kernel's memory each. None are where
    there are to be no stem cells."""
    criu: str | None = None
    """The CRIU that writes down and restores functions that cannot be forked, a path or a name; None: ``criu``."""
    max_concurrency: int = 1000
    """AWS: the account's default quota of concurrent executions."""
    code_storage_mib: int = 75 * 1024
    """AWS: the account's default quota of code storage, zips of all versions and layers, for each region."""
    memory_reserve_mib: int | None = None
    """Memory of the machine kept free of environments, MiB; None: a twentieth of what there is."""
    max_memory_mib: int | None = None
    """What the configured memory of all live environments may come to, MiB; None: what really is there decides."""
    time_scale: int = 1
    """How many times faster than AWS's the retry clocks of asynchronous events run; for tests."""
