"""What the isolation of a host's environments holds, in health's words."""

from collections.abc import Mapping
from typing import Any

from lambent.node.linux.cgroups import CgroupLayout

_CONTROLLERS = ("memory", "cpu", "pids")
_NO_CGROUPS = (
    "not limited, for want of a cgroup to do it in. Run as root, or in a delegated one: "
    "systemd-run --user --scope -p Delegate=yes lambent up"
)


def isolation(layout: CgroupLayout, *, cpu_limit: bool, rootless: bool) -> Mapping[str, Any]:
    """What is separated and limited, and what is not."""
    limits = {f"{name}_limit": layout.has(name) for name in _CONTROLLERS}
    limits["cpu_limit"] &= cpu_limit
    return {
        **dict.fromkeys(("mount", "pid", "network", "ipc", "uts"), True),
        "user": rootless,
        "read_only_root": True,
        "seccomp": True,
        "unprivileged_uid": True,
        "cgroup": layout.version,
        **limits,
        "freeze": True,
    }


def not_limited(layout: CgroupLayout) -> list[str]:
    """What an operator should know of the limits there are not."""
    missing = [name for name in _CONTROLLERS if not layout.has(name)]
    return [f"{', '.join(missing)}: {_NO_CGROUPS}"] if missing else []
