"""Settings, read once by the command line and handed down."""

from dataclasses import dataclass
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
    allow_reset: bool = False
    cpu_limit: bool = True
    """AWS: CPU in proportion to memory, 1,769 MB being one vCPU. False: as much as there is."""
    idle_timeout_s: float = 300.0
    """POLICY: an idle environment is kept this long; AWS keeps minutes and promises nothing."""
    max_concurrency: int = 1000
    """AWS: the account's default quota of concurrent executions."""
    time_scale: int = 1
    """How many times faster than AWS's the retry clocks of asynchronous events run; for tests."""
