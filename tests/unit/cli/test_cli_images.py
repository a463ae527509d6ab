"""``lambent up --images --registry`` and ``lambent runtimes add images``: what is taken, what is installed."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from lambent.cli.doctor_images import check_images
from lambent.cli.failures import CliError
from lambent.cli.images import known_images, known_registry, prepare_images


def has(*names: str) -> Callable[[str], str | None]:
    """A machine with these programs."""
    return lambda name: f"/usr/bin/{name}" if name in names else None


def test_takes_a_directory(tmp_path: Path) -> None:
    """One that is there; without the option there is none."""
    assert known_images(tmp_path) == tmp_path
    assert known_images(None) is None
    for wrong in (tmp_path / "none", Path("/etc/passwd")):
        with pytest.raises(CliError, match="no directory"):
            known_images(wrong)


@pytest.mark.parametrize(
    ("url", "taken"),
    [
        (None, ""),
        ("http://127.0.0.1:5000", "http://127.0.0.1:5000"),
        ("https://registry.example/prefix/", "https://registry.example/prefix"),
    ],
)
def test_takes_a_registry(url: str | None, taken: str) -> None:
    """By HTTP or HTTPS, with a prefix or none."""
    assert known_registry(url) == taken


@pytest.mark.parametrize(
    "url",
    [
        "registry.example",
        "ftp://registry.example",
        "https://",
        "https://a:b",
        "https://a:0",
        "https://me:secret@registry.example",
        "https://registry.example?x=1",
    ],
)
def test_refuses_what_is_no_registry(url: str) -> None:
    """Credentials among them: they belong into skopeo's auth file."""
    with pytest.raises(CliError, match="not the URL of a registry"):
        known_registry(url)


def test_installs_what_is_missing() -> None:
    """By apt-get, as root; nothing is done where both are there."""
    asked: list[Sequence[str]] = []

    def run(command: Sequence[str]) -> tuple[int, str]:
        asked.append(command)
        return 0, ""

    assert not prepare_images(run, has("skopeo", "umoci"), is_root=True)
    assert asked == []
    assert prepare_images(run, has("skopeo", "apt-get"), is_root=True)
    assert asked == [["apt-get", "install", "--yes", "--no-install-recommends", "umoci"]]


@pytest.mark.parametrize(
    ("programs", "is_root", "code", "said"),
    [
        (("apt-get",), False, 0, "Only root"),
        ((), True, 0, "not on this machine"),
        (("apt-get",), True, 100, "Unable to locate package"),
    ],
)
def test_says_why_it_cannot(programs: tuple[str, ...], is_root: bool, code: int, said: str) -> None:
    """What it would have run, and the package manager's words."""
    with pytest.raises(CliError, match=said):
        prepare_images(
            lambda _: (code, "E: Unable to locate package umoci"), has(*programs), is_root=is_root
        )


def test_doctor_tells() -> None:
    """Nobody has to have them: it is no fault without."""
    assert check_images(has("skopeo", "umoci")).remedy == ""
    found = check_images(has("umoci"))
    assert (found.status, "no skopeo" in found.detail) == ("ok", True)
    assert "lambent runtimes add images" in found.detail
