"""Control groups: what /proc says is read right, and where root allows it a group limits, freezes and goes."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from lambent.node.linux import cgroup_layout
from lambent.node.linux.cgroups import Cgroup, CgroupLayout
from lambent.testing.host import open_descriptors
from lambent.testing.loop import on_loop, until

MIXED = """\
proc /proc proc rw,nosuid 0 0
tmpfs /sys/fs/cgroup tmpfs ro 0 0
cgroup2 /sys/fs/cgroup/unified cgroup2 rw,nosuid 0 0
cgroup /sys/fs/cgroup/systemd cgroup rw,xattr,name=systemd 0 0
cgroup /sys/fs/cgroup/cpu,cpuacct cgroup rw,nosuid,cpu,cpuacct 0 0
cgroup /sys/fs/cgroup/memory cgroup rw,memory 0 0
cgroup /sys/fs/cgroup/cpuset cgroup rw,cpuset 0 0
"""


@pytest.mark.parametrize(
    ("mounts", "v2", "v1"),
    [
        ("", None, {}),
        ("cgroup2 /sys/fs/cgroup cgroup2 rw,nsdelegate 0 0\n", "/sys/fs/cgroup", {}),
        (
            MIXED,
            "/sys/fs/cgroup/unified",
            {"cpu": "/sys/fs/cgroup/cpu,cpuacct", "memory": "/sys/fs/cgroup/memory"},
        ),
    ],
    ids=["none", "v2 only", "mixed"],
)
def test_mounts_are_found(mounts: str, v2: str | None, v1: dict[str, str]) -> None:
    """Hierarchies of both versions, with joined controllers and without ones we have no use for."""
    assert cgroup_layout._mounts(mounts) == (v2, v1)


def test_own_paths_are_found() -> None:
    """Joined controllers share a path, v2's stands under "", and a colon in a path is kept."""
    text = "12:cpu,cpuacct:/a\n3:memory:/b:c\n1:name=systemd:/init\n0::/user.slice\n"
    assert cgroup_layout.own_paths(text) == {
        "cpu": "/a", "cpuacct": "/a", "memory": "/b:c", "name=systemd": "/init", "": "/user.slice",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("layout", "version"),
    [
        (CgroupLayout(None, frozenset()), "none"),
        (CgroupLayout("/c", frozenset()), "none"),
        (CgroupLayout("/c", frozenset({"memory"})), "v2"),
        (CgroupLayout("/c", frozenset({"pids"}), {"memory": "/m"}), "v1"),
    ],
)
def test_the_version_is_where_the_limits_are(layout: CgroupLayout, version: str) -> None:
    """A v2 hierarchy without controllers limits nothing, so it is not what limits."""
    assert layout.version == version
    assert layout.has("memory") == (version != "none")


def test_without_cgroups_everything_is_a_quiet_nothing() -> None:
    """On a host that offers none a group can be made, frozen, asked, killed and removed all the same."""
    cgroup = Cgroup(CgroupLayout(None, frozenset()), "1")
    cgroup.create(128, 10)
    cgroup.freeze()
    cgroup.thaw()
    cgroup.limit_cpu(128)
    assert not cgroup.can_freeze
    assert (cgroup.memory_peak_bytes(), cgroup.oom_kills()) == (0, 0)
    cgroup.kill()
    cgroup.close()
    assert cgroup.remove()


@pytest.mark.parametrize("lift", [False, True])
def test_the_quota_of_v2(tmp_path: Path, lift: bool) -> None:
    """Quota and period in one file, the burst beside it; what is to die has no quota."""
    for name in ("cpu.max", "cpu.max.burst"):
        (tmp_path / "1").mkdir(exist_ok=True)
        (tmp_path / "1" / name).touch()
    cgroup = Cgroup(CgroupLayout(str(tmp_path), frozenset({"cpu"})), "1")
    cgroup.limit_cpu(3538)
    assert (tmp_path / "1" / "cpu.max.burst").read_text() == "40000"
    assert (tmp_path / "1" / "cpu.max").read_text() == "40000 20000"
    if lift:
        (tmp_path / "1" / "cpu.max").write_text("")
        cgroup.kill()
        assert (tmp_path / "1" / "cpu.max").read_text() == "max 20000"


def test_leftovers_of_the_dead_go_and_the_living_stay(tmp_path: Path) -> None:
    """Only groups named after a process that is no more are removed, with the groups in them."""
    dead = ["lambent-999999999", "lambent-999999999-supervisor"]
    living = [f"lambent-{os.getpid()}", f"lambent-{os.getpid()}-supervisor"]
    others = ["lambent-x", "lambent-999999999-x", "other-999999999"]
    for name in (*dead, *living, *others):
        (tmp_path / name / "1").mkdir(parents=True)
    cgroup_layout._remove_leftovers(str(tmp_path))
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted([*living, *others])


def test_one_child_that_stays_keeps_no_other(tmp_path: Path) -> None:
    """A group in which somebody lives does not keep the groups beside it."""
    for name in ("1", "2/full", "3"):
        (tmp_path / "lambent-999999999" / name).mkdir(parents=True)
    cgroup_layout._remove_tree(str(tmp_path / "lambent-999999999"))
    assert [p.name for p in (tmp_path / "lambent-999999999").iterdir()] == ["2"]


@pytest.fixture
def group() -> Iterator[Path]:
    """A v2 group below the top with a process in it."""
    mount, _ = cgroup_layout._mounts(Path("/proc/mounts").read_text())
    if os.geteuid() != 0 or mount is None:
        pytest.skip("needs root and a v2 hierarchy")
    made = Path(mount, f"lambent-test-{os.getpid()}")
    made.mkdir()
    with _start_cat() as process:
        (made / "cgroup.procs").write_text(str(process.pid))
        yield made
        process.kill()
    for directory in (made / "leaf", made):
        if directory.exists():
            directory.rmdir()


def test_who_lives_in_a_group_is_moved_to_a_leaf(group: Path) -> None:
    """Then the group may hand controllers to others: only one without processes can."""
    before = (group / "cgroup.procs").read_text()
    cgroup_layout._make_room(str(group), str(group / "leaf"))
    assert (group / "cgroup.procs").read_text() == ""
    assert (group / "leaf" / "cgroup.procs").read_text() == before
    for controller in (group / "cgroup.controllers").read_text().split():
        (group / "cgroup.subtree_control").write_text(f"+{controller}")
        (group / "cgroup.subtree_control").write_text(f"-{controller}")


def test_at_the_top_everybody_stays() -> None:
    """The kernel's own top may have processes and hand on controllers; nobody is moved there."""
    mount, _ = cgroup_layout._mounts(Path("/proc/mounts").read_text())
    if mount is None or Path(mount, "cgroup.events").exists():
        pytest.skip("the top is not seen from here")
    cgroup_layout._make_room(mount, f"{mount}/lambent-never-made")
    assert not Path(mount, "lambent-never-made").exists()


@pytest.mark.parametrize("leaf", ["", "/lambent-7-supervisor"])
def test_a_delegated_group_is_used_by_root_too(group: Path, leaf: str) -> None:
    """Root takes the group it was started in where systemd delegated that, else the top of the hierarchy."""
    own = f"/{group.name}{leaf}"
    assert cgroup_layout._choose_parent(str(group.parent), own) == str(group.parent)
    os.setxattr(group, "trusted.delegate", b"1")
    assert cgroup_layout._choose_parent(str(group.parent), own) == str(group)
    assert cgroup_layout._choose_parent(str(group.parent), "/not/seen") == str(group.parent)


@pytest.fixture
def layout() -> Iterator[CgroupLayout]:
    """What this host really offers."""
    if os.geteuid() != 0:
        pytest.skip("making cgroups needs root")
    made = cgroup_layout.prepare_layout()
    if made.version == "none" and made.v2 is None:
        pytest.skip("this host offers no writable cgroup")
    yield made
    made.remove()
    assert not any(Path(d).exists() for d in filter(None, (made.v2, *made.v1.values())))


@on_loop
async def test_a_real_group_limits_freezes_kills_and_goes(layout: CgroupLayout) -> None:
    """From birth to removal on this kernel: limits are set, freezing holds, killing ends, nothing stays."""
    before = open_descriptors()
    cgroup = Cgroup(layout, "test")
    cgroup.create(64, 50)
    directories = {*cgroup._directories.values(), *filter(None, (cgroup._v2,))}
    _check_limits(layout, cgroup)
    _check_quota(layout, cgroup)
    process = _start_cat()
    for directory in directories:
        (Path(directory) / "cgroup.procs").write_text(str(process.pid))
    assert not cgroup.remove(), "a group with a process cannot go"
    if cgroup.can_freeze:
        events = Path(f"{cgroup._v2}/cgroup.events")
        cgroup.freeze()
        await until(lambda: "frozen 1" in events.read_text())
        cgroup.thaw()
        await until(lambda: "frozen 0" in events.read_text())
        cgroup.kill()
    else:
        process.kill()
    assert process.wait(5) == -9
    assert cgroup.oom_kills() == 0
    cgroup.close()
    await until(cgroup.remove)
    assert not _present(directories)
    for pipe in (process.stdin, process.stdout):
        if pipe:
            pipe.close()
    assert open_descriptors() == before


def _check_limits(layout: CgroupLayout, cgroup: Cgroup) -> None:
    if "memory" in layout.v2_controllers:
        assert Path(f"{cgroup._v2}/memory.max").read_text() == f"{64 << 20}\n"
    elif "memory" in layout.v1:
        limit = Path(cgroup._directories["memory"], "memory.limit_in_bytes")
        assert limit.read_text() == f"{64 << 20}\n"
    if "pids" in layout.v2_controllers:
        assert Path(f"{cgroup._v2}/pids.max").read_text() == "50\n"
    elif "pids" in layout.v1:
        assert Path(cgroup._directories["pids"], "pids.max").read_text() == "50\n"


def _check_quota(layout: CgroupLayout, cgroup: Cgroup) -> None:
    """None at birth, that of the memory after ``limit_cpu``, none again for what is to die."""

    def quota() -> str:
        if "cpu" in layout.v2_controllers:
            return Path(f"{cgroup._v2}/cpu.max").read_text().split()[0].replace("max", "-1")
        return Path(cgroup._directories["cpu"], "cpu.cfs_quota_us").read_text().strip()

    if layout.has("cpu"):
        assert quota() == "-1"
        cgroup.limit_cpu(64)
        assert quota() == "1000"
        cgroup.limit_cpu(3538)
        assert quota() == "40000"
        cgroup.kill()
        assert quota() == "-1"


def _start_cat() -> "subprocess.Popen[bytes]":
    return subprocess.Popen(["/bin/cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)


def _present(directories: set[str]) -> list[str]:
    return [d for d in directories if Path(d).exists()]


def test_a_cell_gets_its_limits_without_anybody_being_moved(tmp_path: Path) -> None:
    """Memory and weight are written, and nothing else: ``cgroup.procs`` waits for a lock of the whole kernel."""
    names = ("memory.max", "memory.swap.max", "memory.oom.group", "cpu.weight")
    for name in (*names, "memory.peak", "cgroup.procs", "cpu.max"):
        (tmp_path / "1").mkdir(exist_ok=True)
        (tmp_path / "1" / name).write_text("untouched")
    cgroup = Cgroup(CgroupLayout(str(tmp_path), frozenset({"memory", "cpu"})), "1")
    cgroup.resize(1769)
    cgroup.close()
    written = {p.name for p in (tmp_path / "1").iterdir() if p.read_text() != "untouched"}
    assert written == set(names)
