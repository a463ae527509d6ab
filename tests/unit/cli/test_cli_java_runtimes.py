"""``lambent runtimes add java17``, with JVMs and a compiler that are made up."""

import json
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pytest

from lambent.cli.failures import CliError
from lambent.cli.java_runtimes import prepare_java, settings_dirs
from lambent.node.java.jvms import Jvm
from lambent.node.java.runtimes import ARCHIVE, JAR, look
from lambent.node.prepared import prepared_dir


class Machine:
    """Answers as a JDK does; remembers what was run."""

    def __init__(self, *, fails: bool = False, archives: bool = True) -> None:
        self.commands: list[list[str]] = []
        self._fails, self._archives = fails, archives

    def __call__(self, command: Sequence[str]) -> tuple[int, str]:
        words = list(command)
        self.commands.append(words)
        if "jdk.compiler/com.sun.tools.javac.Main" in words:
            classes = Path(words[words.index("-d") + 1])
            classes.mkdir()
            (classes / "Main.class").write_bytes(b"\xca\xfe\xba\xbe")
            return (1, "error: no") if self._fails else (0, "")
        for word in words:
            flag, _, path = word.partition("=")
            if self._archives and flag in ("-XX:DumpLoadedClassList", "-XX:SharedArchiveFile"):
                Path(path).write_text("java/lang/Object\n")
        return 1, ""


def make_jvm(home: Path, version: str, *, has_compiler: bool = True) -> Jvm:
    for file in ("bin/java", "lib/modules", "lib/server/libjvm.so"):
        path = home / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o755)
    return Jvm(version, home, has_compiler)


@pytest.fixture(autouse=True)
def data_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing of this machine's is touched."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))


def test_it_is_compiled_and_archived_once(tmp_path: Path) -> None:
    """The client's jar, an archive, and what they were made with; the second time there is nothing to do."""
    machine, jvm = Machine(), make_jvm(tmp_path / "jvm", "17.0.15")
    assert prepare_java("java17", machine, [jvm])
    root = prepared_dir("java17")
    found = look(root, "java17")
    assert found is not None
    assert (found.version, found.has_archive) == ("17.0.15", True)
    assert zipfile.ZipFile(root / "runtime" / JAR).namelist() == [
        "META-INF/MANIFEST.MF",
        "Main.class",
    ]
    assert sorted(path.name for path in root.iterdir()) == ["runtime", "versions.json"]
    compiled, listed, dumped = machine.commands
    assert "--release" not in compiled
    assert any(word.startswith("AWS_LAMBDA_RUNTIME_API=127.0.0.1:") for word in listed)
    assert dumped[-1] == f"../runtime/{JAR}"
    assert not prepare_java("java17", machine, [jvm])
    assert len(machine.commands) == 3


def test_a_jvm_of_another_build_is_prepared_for_anew(tmp_path: Path) -> None:
    """An upgrade makes the archive one of another JVM."""
    jvm = make_jvm(tmp_path / "jvm", "17.0.15")
    assert prepare_java("java17", Machine(), [jvm])
    (tmp_path / "jvm" / "lib" / "modules").write_bytes(b"upgraded")
    assert prepare_java("java17", Machine(), [jvm])


def test_a_jre_has_its_client_compiled_by_a_newer_jdk(tmp_path: Path) -> None:
    """For its own release; without any JDK it cannot be had."""
    jre = make_jvm(tmp_path / "jre", "17.0.1", has_compiler=False)
    jdk = make_jvm(tmp_path / "jdk", "21")
    machine = Machine()
    assert prepare_java("java11", machine, [jre, jdk])
    assert machine.commands[0][0] == str(tmp_path / "jdk" / "bin" / "java")
    assert machine.commands[0][machine.commands[0].index("--release") + 1] == "17"
    with pytest.raises(CliError, match="no compiler"):
        prepare_java("java17", Machine(), [jre])


def test_without_an_archive_it_is_usable(tmp_path: Path) -> None:
    """A JVM that makes none starts later, and that is all."""
    assert prepare_java("java17", Machine(archives=False), [make_jvm(tmp_path / "jvm", "17")])
    found = look(prepared_dir("java17"), "java17")
    assert found is not None
    assert not found.has_archive
    assert not (found.runtime_dir / ARCHIVE).exists()


def test_failures_leave_nothing(tmp_path: Path) -> None:
    """An older JVM, and a compiler that fails, are told with what to do."""
    with pytest.raises(
        CliError, match=r"java21 needs a JVM of Java 21 or later; here is 17\.0\.15"
    ):
        prepare_java("java21", Machine(), [make_jvm(tmp_path / "jvm", "17.0.15")])
    with pytest.raises(CliError, match="needs a JVM"):
        prepare_java("java21", Machine(), [])
    with pytest.raises(CliError, match="error: no"):
        prepare_java("java17", Machine(fails=True), [make_jvm(tmp_path / "jvm", "17.0.15")])
    assert not prepared_dir("java17").exists()


def test_settings_in_etc_come_along(tmp_path: Path) -> None:
    """Debian's JVMs have links to ``/etc/java-17-openjdk``; what every environment has anyway is not told."""
    conf = tmp_path / "conf" / "security"
    conf.mkdir(parents=True)
    (conf / "java.security").symlink_to("/etc/default/anything")
    (conf / "cacerts").symlink_to("/etc/ssl/certs/java/cacerts")
    (conf / "relative").symlink_to("../x")
    assert settings_dirs(tmp_path) == ["/etc/default"]
    assert json.dumps(settings_dirs(tmp_path / "none")) == "[]"
