"""Which Node.js a function gets, and what it is started with."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambent.node.nodejs import runtimes
from lambent.node.nodejs.runtimes import (
    NODE_RUNTIME_NAMES,
    VERSIONS_FILE,
    NodeRuntime,
    choose_node,
    look,
    node_command,
    node_path,
)
from lambent.node.runtimes import Interpreter, RuntimeChoice, choose_interpreter, runtime_label
from lambent.node.sandbox.contract import SandboxError
from lambent.node.sandbox.managed import ManagedRuntime, managed_runtime
from lambent.node.sandbox.requests import Requests
from lambent.testing.node import make_spec

PYTHON = Interpreter("3.11", "/usr/bin/python3.11", "/usr", {}, "p" * 64)
names = st.sampled_from(NODE_RUNTIME_NAMES)


def prepared(name: str, root: Path = Path("/prepared")) -> NodeRuntime:
    return NodeRuntime(name, f"{name[6:8]}.1.0", root / name, "n" * 64)


@given(names, st.lists(names, unique=True))
def test_the_nearest_prepared_one_is_chosen(wanted: str, present: list[str]) -> None:
    """The one asked for silently; another with a notice that says how to have the one asked for."""
    node, notice = choose_node(wanted, [prepared(name) for name in present])
    assert (node is None) == (not present)
    assert (notice is None) == (wanted in present)
    if wanted in present:
        assert node is not None
        assert node.name == wanted
    else:
        assert f"lambent runtimes add {wanted}" in str(notice)


def test_node_is_forked_from_python_with_a_build_of_its_own() -> None:
    """What could be pinned is Node's build; where there is none, nothing."""
    choice = choose_interpreter("nodejs22.x", [PYTHON], [prepared("nodejs22.x")])
    assert (choice.interpreter.executable, choice.interpreter.build) == (
        PYTHON.executable,
        "n" * 64,
    )
    assert runtime_label("nodejs22.x", choice) == "nodejs:22"
    none = choose_interpreter("nodejs22.x", [PYTHON], [])
    assert (none.node, none.interpreter.build) == (None, "")
    assert "lambent runtimes add nodejs22.x" in str(none.notice)


def test_what_is_prepared_is_whole(tmp_path: Path) -> None:
    """Without its last file, or without an executable, there is nothing."""
    root = tmp_path / "nodejs22.x"
    assert look(root, "nodejs22.x") is None
    (root / "bin").mkdir(parents=True)
    (root / VERSIONS_FILE).write_text(json.dumps({"node": "22.20.0"}))
    assert look(root, "nodejs22.x") is None
    program = root / "bin" / "node"
    program.touch(mode=0o755)
    found = look(root, "nodejs22.x")
    assert found is not None
    assert (found.version, found.major, len(found.build)) == ("22.20.0", 22, 64)
    (root / VERSIONS_FILE).write_text(json.dumps({"node": "22.21.0"}))
    other = look(root, "nodejs22.x")
    assert other is not None
    assert other.build != found.build


def test_it_lies_beside_the_pythons(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """``XDG_DATA_HOME`` decides where."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert runtimes.prepared_node_dir("nodejs22.x") == tmp_path / "lambent/runtimes/nodejs22.x"


def test_functions_find_it_where_aws_has_it() -> None:
    """Inside, paths are AWS's; the heap fits into the function's memory."""
    choice = RuntimeChoice(PYTHON, None, prepared("nodejs22.x"))
    managed = managed_runtime(make_spec(runtime="nodejs22.x", memory_mib=512), choice)
    assert managed.command[0] == "/var/lang/bin/node"
    assert managed.command[-1] == "/var/runtime/index.mjs"
    assert "--max-old-space-size=460" in managed.command
    assert managed.mounts == {
        "/var/lang": "/.lambent/nodejs22.x",
        "/var/runtime": "/.lambent/nodejs22.x/runtime",
    }
    assert managed.environ["NODE_PATH"] == (
        "/opt/nodejs/node22/node_modules:/opt/nodejs/node_modules:"
        "/var/runtime/node_modules:/var/runtime:/var/task"
    )


def test_without_any_none_is_started() -> None:
    """A function made before its runtime went is a start that fails, with what to do."""
    choice = RuntimeChoice(PYTHON, "nodejs22.x is not on this host. Run: …", None)
    with pytest.raises(SandboxError, match="not on this host"):
        managed_runtime(make_spec(runtime="nodejs22.x"), choice)


def managed(memory_mib: int = 128, variable: str = "OWN") -> ManagedRuntime:
    """What a function with this variable is started with."""
    choice = RuntimeChoice(PYTHON, None, prepared("nodejs22.x"))
    spec = make_spec(runtime="nodejs22.x", memory_mib=memory_mib, environment={variable: "x"})
    return managed_runtime(spec, choice)


def test_it_is_started_sooner_unless_something_is_read_at_the_start() -> None:
    """A wrapper script, or options, find AWS's own command; else what starts it, or waits, is between."""
    plain = node_command("/var/lang/bin/node", "/var/runtime", 128)
    found = managed()
    for command, program in ((found.command, "starting.cjs"), (found.waiting, "waiting.cjs")):
        *flags, between, main = command
        assert [*flags, main] == plain
        assert between.endswith(program)
    for name in ("AWS_LAMBDA_EXEC_WRAPPER", "NODE_OPTIONS"):
        assert list(managed(variable=name).command) == plain
        assert not managed(variable=name).waiting


def test_one_vcpu_has_one_arena() -> None:
    """Only a cell is told, and only where threads cannot run side by side."""
    assert managed(1769).waiting_environ == {"MALLOC_ARENA_MAX": "1"}
    assert not managed(1770).waiting_environ
    assert not {"MALLOC_ARENA_MAX"} & managed(1769).environ.keys()


def test_kinds_of_cells_are_remembered() -> None:
    """The same function has the same kind, another size or runtime another one."""
    requests = Requests(Path("/code"), 1, ())
    kinds = [requests.kind("nodejs22.x", PYTHON, managed(size)) for size in (128, 128, 256)]
    assert kinds[0] is kinds[1]
    assert kinds[2].key != kinds[0].key
    assert requests.kind("nodejs24.x", PYTHON, managed(128)).key != kinds[0].key
    assert kinds[0].rest["environ"]["MALLOC_ARENA_MAX"] == "1"


def test_the_smallest_function_has_a_heap() -> None:
    """Every size is at least what V8 takes."""
    assert "--max-semi-space-size=6" in node_command("node", "/r", 128)
    assert node_path("/r", "/o", "/t", 20).startswith("/o/nodejs/node20/node_modules:")
