"""Which Ruby a function gets, and what it is started with."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambent.node.ruby.runtimes import (
    RUBY_RUNTIME_NAMES,
    VERSIONS_FILE,
    RubyRuntime,
    choose_ruby,
    look,
    rank,
    ruby_environ,
)
from lambent.node.runtimes import Interpreter, RuntimeChoice, runtime_label
from lambent.node.sandbox.contract import SandboxError
from lambent.node.sandbox.managed import managed_runtime, prepared_binds
from lambent.node.sandbox.plain_programs import plain_program
from lambent.testing.node import make_spec

PYTHON = Interpreter("3.11", "/usr/bin/python3.11", "/usr", {}, "p" * 64)
names = st.sampled_from(RUBY_RUNTIME_NAMES)
versions = st.sampled_from(("3.1.2", "3.2.9", "3.3.0", "3.4.1", "4.0.0"))


def prepared(name: str, version: str = "3.1.2") -> RubyRuntime:
    api = ".".join([*version.split(".")[:2], "0"])
    return RubyRuntime(
        name, version, api, Path("/prepared") / name, "/usr/bin/ruby", "r" * 64, binds=("/home/ruby",),
        gem_path=("/home/ruby/gems", "", "/var/lib/gems", "/usr/lib/gems"),
    )  # fmt: skip


@given(names, st.lists(st.tuples(names, versions), unique_by=lambda p: p[0]))
def test_the_nearest_prepared_one_is_chosen(wanted: str, present: list[tuple[str, str]]) -> None:
    """What was prepared for it, else the nearest; with a notice unless it is the release asked for."""
    found = [prepared(name, version) for name, version in present]
    ruby, notice = choose_ruby(wanted, found)
    assert (ruby is None) == (not found)
    if ruby is not None:
        release = wanted.removeprefix("ruby")
        assert (notice is None) == (ruby.release == release)
        if wanted in dict(present):
            assert ruby.name == wanted
        else:
            nearest = min(abs(rank(other.release) - rank(release)) for other in found)
            assert abs(rank(ruby.release) - rank(release)) == nearest
    assert notice is None or f"lambent runtimes add {wanted}" in notice


@pytest.mark.parametrize("name", ["ruby2.7", "ruby", "ruby3.1", "ruby3.5"])
def test_what_is_not_served_is_unknown(name: str) -> None:
    """What AWS does not have, or has no longer."""
    with pytest.raises(LookupError):
        choose_ruby(name, [])


def test_what_is_prepared_is_whole(tmp_path: Path) -> None:
    """Without its last file, its client or its interpreter there is nothing; an upgrade is another build."""
    root, program = tmp_path / "ruby3.4", tmp_path / "ruby"
    assert look(root, "ruby3.4") is None
    program.touch(mode=0o755)
    made = {
        "ruby": "3.4.1", "api": "3.4.0", "executable": str(program), "binds": [str(tmp_path), "/nowhere"],
        "gem_path": [], "client": "",
    }  # fmt: skip
    (root / "runtime").mkdir(parents=True)
    (root / VERSIONS_FILE).write_text(json.dumps(made))
    assert look(root, "ruby3.4") is None
    (root / "runtime" / "main.rb").touch()
    found = look(root, "ruby3.4")
    assert found is not None
    assert (found.release, found.binds) == ("3.4", (str(tmp_path),))
    program.write_bytes(b"upgraded")
    upgraded = look(root, "ruby3.4")
    assert upgraded is not None
    assert upgraded.build != found.build
    program.unlink()
    assert look(root, "ruby3.4") is None
    (root / VERSIONS_FILE).write_text("[]")
    assert look(root, "ruby3.4") is None


def test_gems_are_those_of_the_release_asked_for() -> None:
    """Those of the one that runs come after, the host's are the last."""
    environ = ruby_environ(prepared("ruby3.4"), "ruby3.4", "/r", "/o", "/t")
    assert environ["GEM_PATH"].split(":") == [
        "/t/vendor/bundle/ruby/3.4.0", "/o/ruby/gems/3.4.0", "/t/vendor/bundle/ruby/3.1.0",
        "/o/ruby/gems/3.1.0", "/home/ruby/gems", "/var/lib/gems", "/usr/lib/gems",
    ]  # fmt: skip
    mounted = ruby_environ(prepared("ruby3.4"), "ruby3.4", "/r", "/o", "/t", is_mounted=True)
    assert mounted["GEM_PATH"].split(":")[-3:] == ["/home/ruby/gems", "/r/gems/2", "/usr/lib/gems"]
    assert environ["RUBYLIB"] == "/t:/r/lib:/o/ruby/lib"


def test_functions_find_it_where_aws_has_it() -> None:
    """The client at ``/var/runtime``; what a function sets of the search paths itself is as it says."""
    ruby = prepared("ruby3.2")
    choice = RuntimeChoice(PYTHON, None, ruby=ruby)
    managed = managed_runtime(make_spec(runtime="ruby3.2"), choice)
    assert managed.command == ["/usr/bin/ruby", "/var/runtime/main.rb"]
    binds = prepared_binds([], [ruby])
    assert binds[managed.mounts["/var/runtime"]] == "/prepared/ruby3.2/runtime"
    assert binds[managed.mounts["/var/runtime/gems/2"]] == "/var/lib/gems"
    assert binds["/home/ruby"] == "/home/ruby"
    assert set(managed.environ) == {"GEM_PATH", "RUBYLIB", "LC_ALL"}
    own = make_spec(runtime="ruby3.2", environment={"GEM_PATH": "/mine", "LC_ALL": "C"})
    assert set(managed_runtime(own, choice).environ) == {"RUBYLIB"}
    assert (choice.executable, runtime_label("ruby3.2", choice)) == ("/usr/bin/ruby", "ruby:3.1")


def test_without_any_none_is_started() -> None:
    """A function made before its runtime went is a start that fails, with what to do."""
    choice = RuntimeChoice(PYTHON, "ruby3.2 is not on this host. …")
    spec = make_spec(runtime="ruby3.2")
    with pytest.raises(SandboxError, match="not on this host"):
        managed_runtime(spec, choice)
    with pytest.raises(SandboxError, match="not on this host"):
        plain_program(spec, choice, "/task", "/opt")


def test_as_a_plain_process_everything_is_the_hosts() -> None:
    """The directories are those it really has."""
    choice = RuntimeChoice(PYTHON, None, ruby=prepared("ruby3.2"))
    program = plain_program(make_spec(runtime="ruby3.2"), choice, "/t", "/o")
    assert program is not None
    assert program.command == ["/usr/bin/ruby", "/prepared/ruby3.2/runtime/main.rb"]
    assert program.environ["RUBYLIB"] == "/t:/prepared/ruby3.2/runtime/lib:/o/ruby/lib"
