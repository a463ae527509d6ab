"""Looking for CRIU: each reason why there is none to be used, and which version one says it is."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambent.node.checkpoints.criu import CriuError, CriuSearch, parse_version


def program(path: Path, script: str) -> str:
    """A CRIU that says what a test wants."""
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return str(path)


def reason(given: str | None, tmp_path: Path) -> str:
    """Why it is not taken."""
    with pytest.raises(CriuError) as refused:
        CriuSearch(given, tmp_path / "tools").find()
    return str(refused.value)


def test_one_that_is_named_and_not_there_is_said_so(tmp_path: Path) -> None:
    """The name, and how to give another one."""
    said = reason(str(tmp_path / "criu"), tmp_path)
    assert str(tmp_path / "criu") in said
    assert "--criu PATH" in said


def test_an_old_one_is_refused_with_its_version(tmp_path: Path) -> None:
    """Debian 12's."""
    old = program(tmp_path / "bin" / "criu", "echo Version: 3.17.1")
    assert f"{old} is CRIU 3.17.1" in reason(old, tmp_path)


def test_what_is_no_criu_is_refused(tmp_path: Path) -> None:
    """A program that prints something else, or none."""
    assert "does not say" in reason(program(tmp_path / "bin" / "criu", "echo hello"), tmp_path)


@pytest.mark.skipif(os.geteuid() != 0, reason="checking takes root")
def test_one_whose_check_fails_is_refused_with_its_words(tmp_path: Path) -> None:
    """What it said, so that the operator knows what the kernel lacks; it is asked again the next time."""
    script = '[ "$1" = check ] || { echo Version: 4.1; exit; }; echo no such feature; exit 1'
    broken = program(tmp_path / "bin" / "criu", script)
    search = CriuSearch(broken, tmp_path / "tools")
    with pytest.raises(
        CriuError, match=r"CRIU 4\.1, and its `criu check` does not pass: no such feature"
    ):
        search.find()
    program(tmp_path / "bin" / "criu", "echo Version: 4.1")
    assert search.find().version == "4.1"


@pytest.mark.skipif(os.geteuid() != 0, reason="checking takes root")
def test_one_from_elsewhere_is_put_where_environments_see_it(tmp_path: Path) -> None:
    """With the libraries beside it, and nothing that is large."""
    given_path = program(tmp_path / "bin" / "criu", "echo Version: 4.1")
    (tmp_path / "bin" / "lib").mkdir()
    (tmp_path / "bin" / "lib" / "libone.so").write_bytes(b"one")
    found = CriuSearch(given_path, tmp_path / "tools").find()
    assert found.program == "/run/criu/criu"
    assert (tmp_path / "tools" / "criu" / "lib" / "libone.so").read_bytes() == b"one"
    with (tmp_path / "bin" / "large").open("wb") as file:
        file.truncate(1 << 30)
    assert "too large" in reason(given_path, tmp_path)


@given(st.lists(st.integers(0, 99), min_size=1, max_size=4), st.text(max_size=20))
def test_a_version_is_read_from_its_line(parts: list[int], rest: str) -> None:
    """Whatever else is printed after it."""
    version = ".".join(map(str, parts))
    assert parse_version(f"Version: {version}\n{rest}") == version


@given(st.text())
def test_any_text_has_a_version_or_none(text: str) -> None:
    """What is printed is not ours."""
    found = parse_version(text)
    assert found is None or found[0].isdigit()
