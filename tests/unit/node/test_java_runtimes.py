"""Which JVM a Java function gets, and what it is started with."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambent.node.java.jvms import Jvm, choose_jvm, find_jvms
from lambent.node.java.jvms import look as look_at_jvm
from lambent.node.java.runtimes import (
    ARCHIVE,
    JAR,
    JAVA_RUNTIME_NAMES,
    RELEASES,
    VERSIONS_FILE,
    JavaRuntime,
    choose_java,
    find_javas,
    identity,
    java_command,
    look,
)
from lambent.node.ruby.runtimes import find_rubies
from lambent.node.runtimes import Interpreter, RuntimeChoice, missing_runtime, runtime_label
from lambent.node.sandbox.contract import SandboxError
from lambent.node.sandbox.managed import managed_runtime, prepared_binds
from lambent.node.sandbox.plain_programs import plain_program
from lambent.testing.node import make_spec

PYTHON = Interpreter("3.11", "/usr/bin/python3.11", "/usr", {}, "p" * 64)
RUNTIME = Path("/var/runtime")
names = st.sampled_from(JAVA_RUNTIME_NAMES)


def prepared(name: str, release: int) -> JavaRuntime:
    root = Path("/prepared") / name
    return JavaRuntime(
        name, f"{release}.0.1", root, Path("/jvm"), "j" * 64, has_archive=True, etc=("/etc/java",)
    )


def command(runtime: str = "java17", options: str = "", **more: bool) -> list[str]:
    environment = {"JAVA_TOOL_OPTIONS": options} if options else {}
    given = {"uses_archive": True} | more
    return java_command(
        prepared(runtime, 17), runtime, "java", "/var/runtime", 512, environment, **given
    )


def make_jvm(home: Path, version: str, modules: str = "java.base jdk.compiler") -> Path:
    for file in ("bin/java", "lib/modules", "lib/server/libjvm.so"):
        path = home / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o755)
    (home / "release").write_text(
        f'IMPLEMENTOR="X"\nJAVA_VERSION="{version}"\nMODULES="{modules}"\n'
    )
    return home


@given(
    names, st.lists(st.tuples(names, st.sampled_from((17, 21, 25, 26))), unique_by=lambda p: p[0])
)
def test_only_a_jvm_that_is_new_enough_runs_a_function(
    wanted: str, present: list[tuple[str, int]]
) -> None:
    """The one asked for, else the oldest that can, with a notice; never an older one than the code is for."""
    found = [prepared(name, release) for name, release in present]
    java, notice = choose_java(wanted, found)
    least = int(wanted.removeprefix("java"))
    assert (java is None) == all(java.release < least for java in found)
    if java is not None:
        assert java.release >= least
        assert (notice is None) == (java.release == least)
    assert notice is None or f"lambent runtimes add {wanted}" in notice


@pytest.mark.parametrize("name", ["java8", "java8.al2", "java17.al2023", "java", "java22"])
def test_what_is_not_served_is_unknown(name: str) -> None:
    """Java 8 and what AWS does not have."""
    with pytest.raises(LookupError):
        choose_java(name, [])


@given(
    st.sampled_from(RELEASES),
    st.lists(st.sampled_from(("11.0.2", "17.0.1", "17.0.15", "21", "26.1"))),
)
def test_the_oldest_jvm_that_can_is_prepared(least: int, versions: list[str]) -> None:
    """And of one release the latest: 17.0.15 is after 17.0.2."""
    found = [Jvm(version, Path(version), has_compiler=True) for version in versions]
    chosen = choose_jvm(least, found)
    able = [jvm.major for jvm in found if jvm.major >= least]
    if chosen is None:
        assert not able
        return
    assert chosen.major == min(able)
    if "17.0.15" in versions and chosen.major == 17:
        assert chosen.version == "17.0.15"


def test_a_jvm_says_what_it_is(tmp_path: Path) -> None:
    """In its file ``release``; without one, or a program to run, or before Java 9, there is none."""
    jvm = look_at_jvm(make_jvm(tmp_path / "a", "17.0.15"))
    assert jvm == Jvm("17.0.15", tmp_path / "a", has_compiler=True)
    jre = look_at_jvm(make_jvm(tmp_path / "b", "21", "java.base"))
    assert jre is not None
    assert (jre.major, jre.has_compiler) == (21, False)
    assert look_at_jvm(make_jvm(tmp_path / "c", "1.8.0_402")) is None
    (make_jvm(tmp_path / "d", "17") / "bin" / "java").unlink()
    assert look_at_jvm(tmp_path / "d") is None
    assert look_at_jvm(tmp_path / "e") is None
    (make_jvm(tmp_path / "f", "17") / "release").write_bytes(b"\xff\0JAVA_VERSION")
    assert look_at_jvm(tmp_path / "f") is None


def test_java_home_is_looked_at(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A JVM in no usual place."""
    monkeypatch.setenv("JAVA_HOME", str(make_jvm(tmp_path / "mine", "99.1")))
    assert "99.1" in [jvm.version for jvm in find_jvms()]


def test_what_is_prepared_is_whole(tmp_path: Path) -> None:
    """Without its last file or its JVM there is nothing; the archive counts for the very JVM it was made by."""
    jvm = make_jvm(tmp_path / "jvm", "17.0.15")
    root = tmp_path / "java17"
    assert look(root, "java17") is None
    for file in (JAR, ARCHIVE):
        (root / "runtime" / file).parent.mkdir(parents=True, exist_ok=True)
        (root / "runtime" / file).touch()
    made = {
        "java": "17.0.15",
        "jvm": str(jvm),
        "identity": identity(jvm),
        "etc": ["/etc", "/etc/nowhere"],
    }
    (root / VERSIONS_FILE).write_text(json.dumps(made))
    found = look(root, "java17")
    assert found is not None
    assert (found.release, found.has_archive, found.etc) == (17, True, ("/etc",))
    (jvm / "lib" / "modules").write_bytes(b"upgraded")
    upgraded = look(root, "java17")
    assert upgraded is not None
    assert (upgraded.has_archive, upgraded.build != found.build) == (False, True)
    (jvm / "bin" / "java").unlink()
    assert look(root, "java17") is None
    (root / VERSIONS_FILE).write_text("{")
    assert look(root, "java17") is None


def test_awss_defaults() -> None:
    """85% of the memory for the heap, the serial collector, the first compiler alone from Java 17 on."""
    flags = command()
    assert "-XX:MaxHeapSize=445644k" in flags
    assert {"-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:MaxRAM=512m"} < set(flags)
    assert flags[-3:] == ["-cp", f"../runtime/{JAR}", "lambent.runtime.Main"]
    assert f"-XX:SharedArchiveFile=/var/runtime/{ARCHIVE}" in flags
    assert "-XX:TieredStopAtLevel=1" not in command("java11")


@pytest.mark.parametrize(
    ("options", "left_out"),
    [
        ("-XX:+UseG1GC", "-XX:+UseSerialGC"),
        ("-Xmx64m", "-XX:MaxHeapSize"),
        ("-XX:MaxRAMPercentage=50", "-XX:MaxHeapSize"),
        ("-XX:+TieredCompilation -XX:TieredStopAtLevel=4", "-XX:TieredStopAtLevel"),
    ],
)
def test_what_a_function_sets_itself_is_left_to_it(options: str, left_out: str) -> None:
    """``JAVA_TOOL_OPTIONS`` is weaker than the command line, where its opposite must not stand then."""
    assert any(flag.startswith(left_out) for flag in command())
    assert not any(flag.startswith(left_out) for flag in command(options=options))


def test_without_an_archive_the_path_is_a_plain_one() -> None:
    """Nothing depends on the directory it is started in."""
    flags = command(uses_archive=False)
    assert flags[-2] == f"/var/runtime/{JAR}"
    assert not any("Shared" in flag for flag in flags)


def test_functions_find_it_where_aws_has_it() -> None:
    """The JVM at ``/var/lang``, the runtime at ``/var/runtime``; in the root both are there to be mounted."""
    java = prepared("java17", 21)
    choice = RuntimeChoice(PYTHON, None, java=java)
    managed = managed_runtime(make_spec(runtime="java17"), choice)
    assert managed.command[0] == "/var/lang/bin/java"
    binds = prepared_binds([java], [])
    assert binds[managed.mounts["/var/lang"]] == "/jvm"
    assert binds[managed.mounts["/var/runtime"]] == "/prepared/java17/runtime"
    assert binds["/etc/java"] == "/etc/java"
    assert managed.environ == {"LC_ALL": "C.UTF-8"}
    assert (choice.executable, runtime_label("java17", choice)) == ("/jvm/bin/java", "java:21")
    wrapped = make_spec(
        runtime="java17", environment={"AWS_LAMBDA_EXEC_WRAPPER": "/w", "LC_ALL": "C"}
    )
    assert not any("Shared" in flag for flag in managed_runtime(wrapped, choice).command)
    assert managed_runtime(wrapped, choice).environ == {}


def test_without_any_none_is_started() -> None:
    """A function made before its runtime went is a start that fails, with what to do."""
    choice = RuntimeChoice(PYTHON, "java17 is not on this host. …")
    spec = make_spec(runtime="java17")
    with pytest.raises(SandboxError, match="not on this host"):
        managed_runtime(spec, choice)
    with pytest.raises(SandboxError, match="not on this host"):
        plain_program(spec, choice, "/task", "/opt")


def test_a_plain_process_is_told_where_layers_are() -> None:
    """Nothing is at AWS's paths there."""
    program = plain_program(
        make_spec(runtime="java17"),
        RuntimeChoice(PYTHON, None, java=prepared("java17", 17)),
        "/t",
        "/o",
    )
    assert program is not None
    assert program.command[:2] == ["/jvm/bin/java", "-Dlambent.layers=/o/java/lib"]
    assert program.runtime_dir == "/prepared/java17/runtime"
    assert (
        plain_program(make_spec(runtime="python3.11"), RuntimeChoice(PYTHON, None), "/t", "/o")
        is None
    )


def test_what_is_not_prepared_is_refused_with_what_to_do(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Nothing stands in where nothing is prepared; what AWS refuses itself is left to that."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    for find in (find_javas, find_rubies):
        find.cache_clear()
    try:
        for name in ("java17", "ruby3.4"):
            missing = missing_runtime(name)
            assert missing is not None
            assert f"run: lambent runtimes add {name}" in missing
        assert missing_runtime("java8") is None
        assert missing_runtime("python3.12") is None
    finally:
        for find in (find_javas, find_rubies):
            find.cache_clear()
