"""Which interpreter a runtime gets, and what counts as one."""

import sys
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambent.node import runtimes
from lambent.node.runtimes import Interpreter, choose_interpreter, find_interpreters
from lambent.node.zygote.runtime import Ahead, forget_shadowed

minors = st.integers(6, 20)


def interpreter(minor: int) -> Interpreter:
    return Interpreter(f"3.{minor}", f"/usr/bin/python3.{minor}", "/usr", {})


@given(minors, st.lists(minors, min_size=1, unique=True))
def test_the_nearest_interpreter_is_chosen(wanted: int, present: list[int]) -> None:
    """The one asked for where it is there, silently; else the nearest, the newer of two, with a notice."""
    choice = choose_interpreter(f"python3.{wanted}", [interpreter(m) for m in present])
    chosen = int(choice.interpreter.version.removeprefix("3."))
    distance = min(abs(m - wanted) for m in present)
    assert abs(chosen - wanted) == distance
    assert chosen > wanted or wanted + distance not in present or distance == 0
    assert (choice.notice is None) == (wanted in present)
    if choice.notice:
        assert f"python3.{wanted} is not on this host" in choice.notice
        assert f"under python3.{chosen} " in choice.notice


@pytest.mark.parametrize(
    ("runtime", "label"), [("provided.al2023", "provided:al2023"), ("python3.12", "python:3.11")]
)
def test_a_runtime_brought_along_needs_no_interpreter(runtime: str, label: str) -> None:
    """Any will do to fork it from, without a notice and without a build that could be pinned."""
    choice = choose_interpreter(runtime, [interpreter(11)])
    assert runtimes.runtime_label(runtime, choice) == label
    if runtimes.is_provided(runtime):
        assert (choice.notice, choice.interpreter.build) == (None, "")


@pytest.mark.parametrize(
    "runtime", ["nodejs18.x", "nodejs", "java8", "ruby2.7", "ruby", "dotnet8", "python2.7"]
)
def test_other_languages_are_not_pythons(runtime: str) -> None:
    """A runtime that is neither a Python 3 nor a Node.js that is served raises LookupError."""
    with pytest.raises(LookupError):
        choose_interpreter(runtime, [interpreter(11)])


def test_the_platforms_own_interpreter_is_found() -> None:
    """It is there with the runtime client and boto3, and every package it names exists."""
    own = f"python3.{sys.version_info.minor}"
    found = {i.runtime: i for i in find_interpreters()}
    packages = found[own].packages
    assert {"awslambdaric", "boto3", "botocore", "simplejson"} <= set(packages)
    assert all(Path(path).exists() for path in packages.values())
    assert Path(found[own].executable).exists()
    versions = [i.version for i in find_interpreters()]
    assert versions == sorted(versions, key=lambda v: int(v.partition(".")[2]))


@pytest.mark.parametrize("name", ["sdk_fake", "sdk_fake.py", "sdk_fake.cpython-311.so"])
@pytest.mark.parametrize("is_brought", [True, False])
def test_a_functions_own_copy_shadows_the_preloaded_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, is_brought: bool
) -> None:
    """Any part of the SDK beside the function's code takes all of it back; nothing else does."""
    names = ("sdk_fake", "sdk_fake.inner", "sdk_other")
    for module in (*names, "not_sdk"):
        monkeypatch.setitem(sys.modules, module, ModuleType(module))
    (tmp_path / (name if is_brought else "app.py")).touch()
    (tmp_path / "sdk_fakery.py").touch()
    ahead = Ahead(names, frozenset({"sdk_fake", "sdk_other"}), (), lambda _: None)
    assert forget_shadowed(ahead, [str(tmp_path / "missing"), str(tmp_path)]) == is_brought
    assert [n in sys.modules for n in names] == [not is_brought] * 3
    assert "not_sdk" in sys.modules


def test_a_build_is_the_same_until_something_is_upgraded(tmp_path: Path) -> None:
    """Looking twice finds the same build; a new interpreter or package is another one."""
    executable = tmp_path / "python3.11"
    executable.write_bytes(b"1")
    packages = ["awslambdaric", "awslambdaric-4.2.dist-info"]
    first = runtimes._build(str(executable), packages)
    assert first == runtimes._build(str(executable), reversed(packages))
    assert len(first) == 64
    assert runtimes._build(str(executable), ["awslambdaric-4.3.dist-info"]) != first
    executable.write_bytes(b"22")
    assert runtimes._build(str(executable), packages) != first
    assert all(found.build for found in runtimes.find_interpreters())
