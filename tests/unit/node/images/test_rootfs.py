"""The tree of an unpacked image made fit to be a root, without root."""

import stat
from pathlib import Path

from lambent.node.images.rootfs import finish


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


def test_no_set_id_bit_is_left_to_an_ordinary_user(tmp_path: Path) -> None:
    """Wherever the image hides such a file, and whatever it links to: outside nothing is changed."""
    root, outside = tmp_path / "root", tmp_path / "outside"
    closed = root / "closed" / "deep"
    closed.mkdir(parents=True)
    for file in (root / "su", closed / "su", outside):
        file.touch()
        file.chmod(0o6755)
    (root / "link").symlink_to(outside)
    (root / "closed").chmod(0o2055)
    finish(root, owned=False)
    assert _mode(root / "su") == 0o755
    assert _mode(root / "closed") == 0o755
    assert _mode(closed / "su") == 0o755
    assert _mode(outside) == 0o6755
    assert (root / "var" / "task").is_dir()
