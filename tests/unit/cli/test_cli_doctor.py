"""``lambent doctor``: each check over a host that is made up."""

import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from lambent.cli import doctor_checks as checks
from lambent.cli.doctor import existing_parent, probe_port, show
from lambent.cli.doctor_checks import Finding

Run = Callable[..., Any]
V2 = "cgroup2 /sys/fs/cgroup cgroup2 rw 0 0\n"
V1 = "cgroup /cg/memory cgroup rw,memory 0 0\ncgroup /cg/cpu cgroup rw,cpu,cpuacct 0 0\n"
ALL_CONTROLLERS = "cpuset cpu io memory pids\n"
ROOT = "CapEff:\t000001ffffffffff\n"


@dataclass
class FakeHost:
    """A host whose files, programs and commands are given."""

    files: Mapping[str, str] = field(default_factory=dict)
    programs: Mapping[str, str] = field(default_factory=dict)
    commands: Mapping[str, str] = field(default_factory=dict)
    user: int = 0
    obstacle: str | None = None

    def read_text(self, path: str) -> str | None:
        return self.files.get(path)

    def exists(self, path: str) -> bool:
        return path in self.files

    def which(self, name: str) -> str | None:
        return self.programs.get(name)

    def run(self, *command: str) -> str | None:
        return self.commands.get(" ".join(command))

    def uid(self) -> int:
        return self.user

    def network_obstacle(self) -> str | None:
        return self.obstacle


def linux(
    files: Mapping[str, str] | None = None, *, user: int = 0, release: str = "6.1.0-18-amd64"
) -> FakeHost:
    return FakeHost(
        {
            "/proc/sys/kernel/osrelease": release + "\n",
            "/proc/self/status": ROOT,
            "/proc/mounts": V2,
            "/sys/fs/cgroup/cgroup.controllers": ALL_CONTROLLERS,
            "/proc/sys/kernel/seccomp/actions_avail": "kill\n",
            "/proc/filesystems": "nodev\toverlay\n",
            **(files or {}),
        },
        user=user,
    )


def test_a_usual_server_is_all_right() -> None:
    """Root on a stock kernel with cgroup v2: nothing to mend."""
    findings = list(checks.check_host(linux()))
    assert {finding.status for finding in findings} == {"ok"}
    assert all(not finding.remedy for finding in findings)


def test_another_system_is_told_from_linux() -> None:
    """Without /proc every lack is a warning, none a crash."""
    findings = list(checks.check_host(FakeHost(user=501)))
    assert findings[0].status == "warn"
    assert "not Linux" in findings[0].detail
    assert "bad" not in {finding.status for finding in findings}


def test_root_without_its_capabilities_isolates_nothing() -> None:
    """Root in a plain container is told from root."""
    host = linux({"/proc/self/status": "CapEff:\t00000000a80425fb\n"})
    finding = checks.check_isolation(host)
    assert finding.status == "warn"
    assert "--privileged" in finding.remedy


@pytest.mark.parametrize(
    ("user", "obstacle", "status", "said"),
    [
        (0, None, "ok", "outbound by NAT"),
        (0, "nf_tables: Operation not supported", "warn", "nf_tables: Operation not supported"),
        (1000, None, "ok", "in user space"),
        (1000, "install slirp4netns", "warn", "install slirp4netns"),
    ],
)
def test_tells_whether_functions_have_a_way_out(
    user: int, obstacle: str | None, status: str, said: str
) -> None:
    """Without a way out the reason is named, and what to do."""
    host = linux(user=user)
    host.obstacle = obstacle
    finding = checks.check_network(host)
    assert (finding.status, bool(finding.remedy)) == (status, status != "ok")
    assert said in finding.detail


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("kernel.unprivileged_userns_clone", "0"),
        ("user.max_user_namespaces", "0"),
        ("kernel.apparmor_restrict_unprivileged_userns", "1"),
    ],
)
def test_names_the_setting_that_forbids_user_namespaces(name: str, value: str) -> None:
    """The remedy is the command that sets it otherwise."""
    path = "/proc/sys/" + name.replace(".", "/")
    finding = checks.check_isolation(linux({path: value + "\n"}, user=1000))
    assert finding.status == "warn"
    assert finding.remedy.startswith(f"sudo sysctl -w {name}=")


def test_tries_a_user_namespace_where_no_setting_forbids_it() -> None:
    """unshare's failure is a warning, its success is not."""
    probe = "unshare --user --map-root-user --mount --pid --net --fork true"
    host = linux(user=1000)
    host.programs = {"unshare": "/usr/bin/unshare"}
    assert checks.check_isolation(host).status == "warn"
    host.commands = {probe: ""}
    assert checks.check_isolation(host).status == "ok"


def statuses(host: FakeHost) -> dict[str, Finding]:
    return {finding.title: finding for finding in checks.check_cgroups(host)}


def test_limits_need_delegation_without_root() -> None:
    """A user whose group is not writable gets the command that delegates one."""
    own = {
        "/proc/self/cgroup": "0::/user.slice\n",
        "/sys/fs/cgroup/user.slice/cgroup.controllers": "cpu memory pids",
    }
    host = linux(own, user=1000)
    host.programs = {"test": "/usr/bin/test"}
    assert "systemd-run --user" in statuses(host)["limits"].remedy
    host.commands = {"test -w /sys/fs/cgroup/user.slice/cgroup.procs": ""}
    assert statuses(host)["limits"].status == "ok"


def test_a_users_group_is_asked_for_its_own_controllers() -> None:
    """What the machine has is not what a user's group was given: without CPU that is told, with what mends it."""
    own = {
        "/proc/self/cgroup": "0::/user.slice/x.scope\n",
        "/sys/fs/cgroup/user.slice/x.scope/cgroup.controllers": "memory pids",
    }
    host = linux(own, user=1000)
    host.programs = {"test": "/usr/bin/test"}
    host.commands = {"test -w /sys/fs/cgroup/user.slice/x.scope/cgroup.procs": ""}
    limits = statuses(host)["limits"]
    assert limits.detail == "memory (v2), pids (v2); not enforced: cpu"
    assert "Delegate=yes" in limits.remedy


def test_names_the_controllers_that_are_missing() -> None:
    """A hybrid host lists which version has what, and what cannot be enforced."""
    host = linux({"/proc/mounts": V1, "/sys/fs/cgroup/cgroup.controllers": ""})
    limits = statuses(host)["limits"]
    assert limits.status == "warn"
    assert limits.detail == "memory (v1), cpu (v1); not enforced: pids"


@pytest.mark.parametrize(
    ("mounts", "release", "status", "said"),
    [
        (V2, "6.1", "ok", "cgroup.freeze, cgroup.kill"),
        (V2, "5.10", "ok", "no cgroup.kill before Linux 5.14"),
        (V2, "4.19", "warn", "no cgroup.freeze"),
        ("cgroup /f cgroup rw,freezer 0 0\n", "5.10", "warn", "only the v1 freezer"),
        ("", "6.1", "warn", "no cgroup.freeze"),
    ],
)
def test_freezing_by_kernel_and_mounts(mounts: str, release: str, status: str, said: str) -> None:
    """cgroup.freeze came with 5.2, cgroup.kill with 5.14."""
    finding = statuses(linux({"/proc/mounts": mounts}, release=release))["freezing"]
    assert finding.status == status
    assert said in finding.detail


def test_mounts_that_are_no_mounts_are_skipped() -> None:
    """A line too short is ignored; the first v2 mount counts."""
    assert checks.cgroup_mounts("x\n\n" + V2 + "c /b cgroup2 rw 0 0\n" + V1) == (
        "/sys/fs/cgroup",
        {"rw", "memory", "cpu", "cpuacct"},
    )


@pytest.mark.parametrize(
    ("release", "version"), [("6.1.0-18", (6, 1)), ("5.10", (5, 10)), ("odd", (0, 0)), ("", (0, 0))]
)
def test_parses_kernel_releases(release: str, version: tuple[int, int]) -> None:
    """Major and minor; zeros for what is no release."""
    assert checks.kernel_version(release) == version


def test_an_old_python_is_bad() -> None:
    """Lambent itself needs 3.11."""
    assert checks.check_python((3, 10, 9)).status == "bad"
    assert checks.check_python((3, 11, 0)).status == "ok"


def test_every_python_of_lambda_has_a_line() -> None:
    """Ready, to be added, to be installed first: each with its command and what stands in."""
    by_title = {
        f.title: f for f in checks.check_interpreters({"3.11": "/a", "3.12": "/b"}, {"3.11"})
    }
    assert list(by_title) == [f"python{version}" for version in checks.LAMBDA_PYTHONS]
    assert by_title["python3.11"].status == "ok"
    assert by_title["python3.12"].detail.endswith("its functions run under python3.11")
    assert by_title["python3.12"].remedy == "lambent runtimes add python3.12"
    assert by_title["python3.13"].detail == "not here: its functions run under python3.11"
    assert by_title["python3.13"].remedy.endswith("then: lambent runtimes add python3.13")


def test_the_newer_of_two_stands_in() -> None:
    """As the platform itself chooses."""
    found = dict.fromkeys(("3.10", "3.11", "3.12"), "/p")
    middle = {f.title: f for f in checks.check_interpreters(found, {"3.10", "3.12"})}["python3.11"]
    assert middle.detail.endswith("run under python3.12")


def test_no_usable_python_is_bad() -> None:
    """Without AWS's runtime client nothing can run."""
    findings = list(checks.check_interpreters({}, ()))
    assert [f.status for f in findings if f.title == "runtimes"] == ["bad"]


@pytest.mark.parametrize(
    ("free", "writable", "status"),
    [(10**12, True, "ok"), (5 * 10**8, True, "warn"), (10**6, True, "bad"), (10**12, False, "bad")],
)
def test_room_for_data(free: int, writable: bool, status: str) -> None:
    """Little room is a warning, none or no permission is bad."""
    assert checks.check_disk("/data", free, writable=writable).status == status


def test_the_platform_or_room_for_one() -> None:
    """Running, running unisolated, port taken, port free."""
    url = "http://127.0.0.1:4566"
    health = {"pid": 1, "sandbox": {"kind": "namespaces"}}
    assert checks.check_port(url, health, accepts=True, free=False).status == "ok"
    plain = checks.check_port(url, {"sandbox": {"kind": "process"}}, accepts=True, free=False)
    assert (plain.status, "NOT isolated" in plain.detail) == ("warn", True)
    assert checks.check_port(url, None, accepts=True, free=False).status == "warn"
    assert "lambent up" in checks.check_port(url, None, accepts=False, free=True).detail


def test_probes_a_port() -> None:
    """A port with a listener accepts; the same port afterwards is free."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        assert probe_port(url) == (True, False)
    assert probe_port("http://192.0.2.1:1")[1] is False


def test_finds_the_nearest_directory_there_is(tmp_path: Path) -> None:
    """A data directory not made yet is judged by where it would be."""
    assert existing_parent(tmp_path / "a" / "b") == tmp_path
    assert existing_parent(tmp_path) == tmp_path


def test_shows_the_remedy_below(capsys: pytest.CaptureFixture[str]) -> None:
    """One line a finding, texts as they are, what mends it on the next."""
    show([Finding("warn", "limits", "none [x]", "do this"), Finding("ok", "kernel", "Linux")])
    assert capsys.readouterr().out == (
        f"warn {'limits':<11} none [x]\n{'':17}→ do this\nok   {'kernel':<11} Linux\n"
    )


def test_examines_this_machine(run: Run, platform: Any, tmp_path: Path) -> None:
    """The real command runs through on whatever machine the tests run on."""
    done = run("doctor", "--endpoint", platform.url, "--data", str(tmp_path / "data"))
    assert done.exit_code == 0
    assert f"running at {platform.url}, process 123, sandbox namespaces" in done.stdout
    for title in ("Python", "kernel", "isolation", "limits", "freezing", "seccomp", "data"):
        assert f" {title}" in done.stdout


def test_prepared_nodes_are_told_and_none_is_needed() -> None:
    """Each with its version; without any it is said what to do, as no fault."""
    (found,) = checks.check_nodes({"nodejs22.x": "22.20.0"})
    assert (found.status, found.title) == ("ok", "nodejs22.x")
    assert "22.20.0" in found.detail
    (none,) = checks.check_nodes({})
    assert (none.status, "lambent runtimes add nodejs22.x" in none.detail) == ("ok", True)
