"""What a host can and cannot do for Lambent, each with what mends it. Pure: all facts are handed in.

A finding is ``bad`` when Lambent cannot work here as it is, ``warn`` when it works with less than AWS
promises (isolation, limits), ``ok`` otherwise.
"""

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

Status = Literal["ok", "warn", "bad"]

OLDEST_PYTHON = (3, 11)
CAP_SYS_ADMIN = 21
FREEZE_SINCE = (5, 2)
KILL_SINCE = (5, 14)
ISOLATION_SINCE = (5, 14)
"""``clone3`` into a cgroup, ``mount_setattr`` and ``cgroup.kill``."""
SCARCE_BYTES = 1_000_000_000
TOO_FEW_BYTES = 100_000_000
"""POLICY: two functions of the largest upload."""
CONTROLLERS = ("memory", "cpu", "pids")

LAMBDA_PYTHONS = ("3.10", "3.11", "3.12", "3.13", "3.14")
"""What AWS offers and awslambdaric supports today."""


class Host(Protocol):
    """The questions asked of a machine."""

    def read_text(self, path: str) -> str | None:
        """The file's text; None when there is none to read."""

    def exists(self, path: str) -> bool:
        """Whether there is such a file."""

    def which(self, name: str) -> str | None:
        """Where the program is found; None where it is not."""

    def run(self, *command: str) -> str | None:
        """What the command prints; None when it fails."""

    def uid(self) -> int:
        """The effective user id."""

    def network_obstacle(self) -> str | None:
        """Why environments cannot have a way out, tried as this user; None when they can."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report. ``remedy``: a command or a sentence, empty when nothing is to be done."""

    status: Status
    title: str
    detail: str
    remedy: str = ""


def check_host(host: Host) -> Iterator[Finding]:
    """Everything about the operating system."""
    yield check_kernel(host)
    yield check_isolation(host)
    yield check_network(host)
    yield from check_cgroups(host)
    yield check_seccomp(host)
    yield check_overlay(host)


def check_python(version: tuple[int, int, int]) -> Finding:
    """The interpreter Lambent itself runs on."""
    text = ".".join(map(str, version))
    if version[:2] < OLDEST_PYTHON:
        return Finding("bad", "Python", text, "Install Python 3.11 or later.")
    return Finding("ok", "Python", text)


def check_kernel(host: Host) -> Finding:
    """Linux, and which."""
    release = host.read_text("/proc/sys/kernel/osrelease")
    if release is None:
        return Finding(
            "warn",
            "kernel",
            "not Linux: functions run as plain processes, without isolation or limits",
            "Run Lambent in a Linux virtual machine or container.",
        )
    if kernel_version(release) < ISOLATION_SINCE:
        return Finding(
            "warn",
            "kernel",
            f"Linux {release.strip()}: isolating functions needs Linux 5.14",
            "Upgrade the kernel, or run Lambent in a virtual machine.",
        )
    return Finding("ok", "kernel", f"Linux {release.strip()}")


def check_isolation(host: Host) -> Finding:
    """Whether namespaces can be made: as root with its capabilities, or in a user namespace."""
    if host.uid() == 0:
        if _has_capability(host, CAP_SYS_ADMIN):
            return Finding("ok", "isolation", "root: every namespace can be made")
        return Finding(
            "warn",
            "isolation",
            "root without CAP_SYS_ADMIN, as in a plain container: no namespaces, no isolation",
            "Start the container with more rights: docker run --privileged …",
        )
    cause = _user_namespace_obstacle(host)
    if cause is not None:
        return cause
    probe = ("unshare", "--user", "--map-root-user", "--mount", "--pid", "--net", "--fork", "true")
    if host.which("unshare") and host.run(*probe) is None:
        return Finding(
            "warn",
            "isolation",
            "user namespaces are refused here, so functions would run without isolation",
            "Run as root: sudo lambent up (in a container: docker run --privileged …)",
        )
    return Finding(
        "ok",
        "isolation",
        f"user {host.uid()}, user namespaces allowed; what `lambent up` reports is what you get",
    )


def check_network(host: Host) -> Finding:
    """Whether functions have a way out."""
    if host.read_text("/proc/sys/kernel/osrelease") is None:
        return Finding("warn", "network", "functions have this machine's own network")
    obstacle = host.network_obstacle()
    if host.uid() != 0:
        return _check_network_without_root(obstacle)
    if obstacle:
        return Finding(
            "warn",
            "network",
            f"functions reach the platform and nothing else: {obstacle}",
            "sudo modprobe -a nf_tables nft_masq nft_ct nft_fib_inet nft_reject_inet veth macvlan",
        )
    return Finding("ok", "network", "outbound by NAT; the host's own addresses stay closed")


def _check_network_without_root(obstacle: str | None) -> Finding:
    if obstacle:
        return Finding(
            "warn",
            "network",
            f"functions reach the platform and nothing else: {obstacle}",
            "sudo apt-get install slirp4netns   (or, to have it so: lambent up --network isolated)",
        )
    return Finding(
        "ok", "network", "outbound by a tool in user space; the host's own addresses stay closed"
    )


def _user_namespace_obstacle(host: Host) -> Finding | None:
    """The setting that forbids an ordinary user namespaces, with the command that allows them."""
    obstacles = (
        ("kernel.unprivileged_userns_clone", "0", "1"),
        ("user.max_user_namespaces", "0", "15000"),
        ("kernel.apparmor_restrict_unprivileged_userns", "1", "0"),
    )
    for name, forbids, allows in obstacles:
        value = host.read_text("/proc/sys/" + name.replace(".", "/"))
        if value is not None and value.strip() == forbids:
            return Finding(
                "warn",
                "isolation",
                f"{name} = {forbids} forbids user namespaces to user {host.uid()}",
                f"sudo sysctl -w {name}={allows}   (or run as root: sudo lambent up)",
            )
    return None


def _has_capability(host: Host, bit: int) -> bool:
    match = re.search(
        r"^CapEff:\s*([0-9a-f]+)", host.read_text("/proc/self/status") or "", re.MULTILINE
    )
    return match is not None and bool(int(match[1], 16) >> bit & 1)


def check_cgroups(host: Host) -> Iterator[Finding]:
    """Which limits can be enforced, and how environments are frozen."""
    v2_mount, v1 = cgroup_mounts(host.read_text("/proc/mounts") or "")
    own = None if host.uid() == 0 else _delegated_group(host, v2_mount)
    place = own or v2_mount
    text = host.read_text(f"{place}/cgroup.controllers") if place else None
    v2 = set((text or "").split())
    places = {c: "v2" if c in v2 else "v1" for c in CONTROLLERS if c in v2 or c in v1}
    lacking = [c for c in CONTROLLERS if c not in places]
    listed = ", ".join(f"{name} ({version})" for name, version in places.items())
    if lacking:
        yield Finding(
            "warn",
            "limits",
            f"{listed or 'no cgroup controllers'}; not enforced: {', '.join(lacking)}",
            "systemd-run --user --scope -p Delegate=yes lambent up"
            if own
            else "Boot with cgroup v2 (systemd.unified_cgroup_hierarchy=1), or in a container mount "
            "/sys/fs/cgroup writable.",
        )
    elif host.uid() != 0 and own is None:
        yield Finding(
            "warn",
            "limits",
            f"{listed}, but this user may not use them: memory and CPU are not enforced",
            "systemd-run --user --scope -p Delegate=yes lambent up",
        )
    else:
        yield Finding("ok", "limits", listed)
    yield _check_freezing(host, v2_mount, v1)


def cgroup_mounts(mounts: str) -> tuple[str | None, set[str]]:
    """From /proc/mounts: where v2 is mounted, and the controllers v1 has."""
    v2, v1 = None, set[str]()
    for line in mounts.splitlines():
        fields = line.split()
        if len(fields) < 4:
            continue
        if fields[2] == "cgroup2":
            v2 = v2 or fields[1]
        elif fields[2] == "cgroup":
            v1 |= set(fields[3].split(","))
    return v2, v1


def _delegated_group(host: Host, v2_mount: str | None) -> str | None:
    """Our own v2 group, if it is writable, which delegation makes it."""
    match = re.search(r"^0::(.*)$", host.read_text("/proc/self/cgroup") or "", re.MULTILINE)
    if v2_mount is None or match is None or host.which("test") is None:
        return None
    group = f"{v2_mount}{match[1].rstrip('/')}"
    return None if host.run("test", "-w", f"{group}/cgroup.procs") is None else group


def _check_freezing(host: Host, v2_mount: str | None, v1: Collection[str]) -> Finding:
    kernel = kernel_version(host.read_text("/proc/sys/kernel/osrelease") or "")
    if v2_mount and kernel >= FREEZE_SINCE:
        kill = ", cgroup.kill" if kernel >= KILL_SINCE else "; no cgroup.kill before Linux 5.14"
        return Finding("ok", "freezing", f"cgroup.freeze{kill}")
    if "freezer" in v1:
        return Finding(
            "warn",
            "freezing",
            "only the v1 freezer, which Lambent does not use: idle functions are not frozen",
            "sudo mkdir -p /sys/fs/cgroup/unified && sudo mount -t cgroup2 none /sys/fs/cgroup/unified",
        )
    return Finding(
        "warn",
        "freezing",
        "no cgroup.freeze: background threads of idle functions go on running",
        "Boot with cgroup v2: systemd.unified_cgroup_hierarchy=1",
    )


def kernel_version(release: str) -> tuple[int, int]:
    """``6.1.0-18-amd64`` → ``(6, 1)``; ``(0, 0)`` for what is no release."""
    match = re.match(r"(\d+)\.(\d+)", release)
    return (int(match[1]), int(match[2])) if match else (0, 0)


def check_seccomp(host: Host) -> Finding:
    """Filters on system calls."""
    if host.exists("/proc/sys/kernel/seccomp/actions_avail"):
        return Finding("ok", "seccomp", "filters available")
    return Finding(
        "warn", "seccomp", "no filters: functions may make any system call", "Use a stock kernel."
    )


def check_overlay(host: Host) -> Finding:
    """overlayfs; nothing depends on it, so its absence is no fault."""
    names = (host.read_text("/proc/filesystems") or "").split()
    detail = "available" if "overlay" in names else "absent"
    return Finding("ok", "overlayfs", f"{detail}; Lambent does not need it")


def _minor(version: str) -> int:
    return int(version.partition(".")[2])


def _stand_in(version: str, usable: Collection[str]) -> str:
    """What functions that ask for ``version`` run under: the nearest, the newer of two."""
    if not usable:
        return "not used"
    wanted = _minor(version)
    nearest = min(usable, key=lambda other: (abs(_minor(other) - wanted), -_minor(other)))
    return f"its functions run under python{nearest}"


def check_interpreters(
    executables: Mapping[str, str], usable: Collection[str]
) -> Iterator[Finding]:
    """The Pythons functions can run under. ``executables``: version → path; ``usable``: versions with
    the runtime client installed."""
    for version in sorted({*executables, *LAMBDA_PYTHONS}, key=_minor):
        name, path = f"python{version}", executables.get(version)
        if version in usable:
            yield Finding("ok", name, f"{path}, with awslambdaric")
        elif path is not None:
            found = f"{path}, without awslambdaric: {_stand_in(version, usable)}"
            yield Finding("warn", name, found, f"lambent runtimes add {name}")
        else:
            remedy = f"install it (apt, pyenv or uv), then: lambent runtimes add {name}"
            yield Finding("warn", name, f"not here: {_stand_in(version, usable)}", remedy)
    if not usable:
        yield Finding(
            "bad",
            "runtimes",
            "no Python with awslambdaric, AWS's runtime client",
            "pip install --force-reinstall lambent",
        )


def check_nodes(versions: Mapping[str, str]) -> Iterator[Finding]:
    """The Node.js runtimes that are prepared: name → Node's version. Nobody has to have any."""
    for name, version in versions.items():
        yield Finding("ok", name, f"Node.js {version}, with aws-lambda-ric")
    if not versions:
        detail = "none is prepared: functions in JavaScript are refused"
        yield Finding("ok", "Node.js", f"{detail} until: lambent runtimes add nodejs22.x")


def check_port(url: str, health: Mapping[str, Any] | None, *, accepts: bool, free: bool) -> Finding:
    """The platform at ``url``, or room for one. ``accepts``: something answers a connection there."""
    if health is not None:
        sandbox = health.get("sandbox", {}).get("kind")
        detail = f"running at {url}, process {health.get('pid')}, sandbox {sandbox}"
        if sandbox == "process":
            return Finding("warn", "platform", f"{detail}: NOT isolated", "Mend `isolation` above.")
        return Finding("ok", "platform", detail)
    if accepts or not free:
        return Finding(
            "warn",
            "platform",
            f"something else listens at {url}",
            "Stop it, or choose another port: lambent up --port 4567",
        )
    return Finding("ok", "platform", f"not running; {url} is free. Start it: lambent up")


def check_disk(directory: str, free_bytes: int, *, writable: bool) -> Finding:
    """Room for functions and logs."""
    detail = f"{directory}, {free_bytes / 1e9:.1f} GB free"
    if not writable:
        return Finding(
            "bad",
            "data",
            f"{directory} cannot be written",
            "Choose another: lambent up --data DIR, or set LAMBENT_DATA",
        )
    if free_bytes < TOO_FEW_BYTES:
        return Finding("bad", "data", detail, "Make room, or: lambent up --data DIR")
    if free_bytes < SCARCE_BYTES:
        return Finding("warn", "data", detail, "Make room, or: lambent up --data DIR")
    return Finding("ok", "data", detail)
