"""Where ``lambent runtimes add`` puts what it prepares."""

import os
from pathlib import Path


def prepared_dir(name: str) -> Path:
    """The directory of the runtime ``java17``."""
    home = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(home) / "lambent" / "runtimes" / name
