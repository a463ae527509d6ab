"""How much memory is left: of the machine and of the groups above this process."""

from pathlib import Path

import pytest

from lambent.node.linux import memory

MIB = 1024 * 1024


@pytest.mark.skipif(not Path("/proc/meminfo").exists(), reason="no /proc here")
def test_this_machine_has_some() -> None:
    """Something is available, and not more than there is."""
    assert 0 < memory.available_bytes() <= memory.total_bytes() < 1 << 60


@pytest.mark.parametrize(
    ("limit", "names"),
    [("memory.max", "0::/a/b"), ("memory.limit_in_bytes", "7:cpu,memory:/a/b")],
    ids=["v2", "v1"],
)
def test_groups_above_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: str, names: str
) -> None:
    """The tightest limit of a group above this process is what is left, cache that can go not counted."""
    listing = tmp_path / "listing"
    listing.write_text(f"{names}\n3:cpuset:/\n")
    groups = memory._own_groups(listing)
    assert [str(directory).rsplit("/", 1)[-1] for directory, _, _ in groups][:2] == ["b", "a"]
    assert {one for _, one, _ in groups} == {limit}
    used = groups[0][2]
    for name, size, use in (("a", 100, 90), ("b", 1000, 10)):
        directory = tmp_path / name
        directory.mkdir()
        (directory / limit).write_text(str(size * MIB))
        (directory / used).write_text(str(use * MIB))
        (directory / "memory.stat").write_text(f"anon 1\ninactive_file {30 * MIB}\n")
    limited = [(tmp_path / name, limit, used) for name in "ab"]
    monkeypatch.setattr(memory, "_LIMITED", limited)
    assert memory.available_bytes() == 40 * MIB
    assert memory.total_bytes() == 100 * MIB


def test_no_limit_is_none(tmp_path: Path) -> None:
    """``max``, v1's huge number and a missing file are no limits; a number is."""
    for text, limited in (("max", False), (str((1 << 63) - 4096), False), ("1048576", True)):
        (tmp_path / "limit").write_text(text + "\n")
        assert memory._is_limited(tmp_path / "limit") is limited
    assert not memory._is_limited(tmp_path / "nothing")
