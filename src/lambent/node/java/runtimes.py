"""Which Java runtimes this host has: those that ``lambent runtimes add`` has prepared.

A prepared one is a directory: ``runtime``, which functions find at ``/var/runtime`` (the runtime client as a
jar, and an archive of its classes that the JVM maps); and ``versions.json``, written last: which JVM it was
made with. The JVM stays where it is. Looking starts no process.
"""

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from lambent.node.prepared import prepared_dir

RELEASES = (11, 17, 21, 25)
JAVA_RUNTIME_NAMES = tuple(f"java{release}" for release in RELEASES)
"""AWS's, but for Java 8's. Source: botocore's ``Runtime``."""
VERSIONS_FILE = "versions.json"
JAR = "lib/lambent-runtime.jar"
ARCHIVE = "lib/lambent-runtime.jsa"
SHARED_CLASS_PATH = f"../runtime/{JAR}"
"""From ``/var/task``. A JVM compares the class path with the one that its archive was made with, letter by
letter (Java 17), and that was somewhere else; so it is a relative one."""
MAIN_CLASS = "lambent.runtime.Main"
_PREFIX = "java"
_TIERED_SINCE = 17


@dataclass(frozen=True, slots=True)
class JavaRuntime:
    """One prepared runtime: ``jvm`` is the directory of the JVM it runs in, ``version`` that JVM's.

    ``has_archive``: start-up is fast, because the archive is of this very JVM. ``etc``: directories of the
    host's ``/etc`` that the JVM has its settings in. ``build``: 64 hex digits, another one after an upgrade.
    """

    name: str
    version: str
    root: Path
    jvm: Path
    build: str
    has_archive: bool = False
    etc: tuple[str, ...] = ()

    @property
    def release(self) -> int:
        """Whose code it runs, 17 and older for a JVM 17.0.15."""
        return int(self.version.partition(".")[0])

    @property
    def executable(self) -> str:
        """``java``, on the host."""
        return str(self.jvm / "bin" / "java")

    @property
    def runtime_dir(self) -> Path:
        """What functions find at ``/var/runtime``."""
        return self.root / "runtime"


def is_java(runtime: str) -> bool:
    """Whether a runtime name is one of Java."""
    return runtime.startswith(_PREFIX)


@cache
def find_javas() -> tuple[JavaRuntime, ...]:
    """The prepared ones, oldest first, as they are when this is first asked."""
    found = (look(prepared_dir(name), name) for name in JAVA_RUNTIME_NAMES)
    return tuple(java for java in found if java is not None)


def look(root: Path, name: str) -> JavaRuntime | None:
    """What is prepared there; None where nothing whole is, or its JVM is gone."""
    try:
        text = (root / VERSIONS_FILE).read_text()
        made = json.loads(text)
        jvm = Path(made["jvm"])
        has_archive = made["identity"] == identity(jvm) and (root / "runtime" / ARCHIVE).is_file()
    except (OSError, ValueError, LookupError, TypeError):
        return None
    if not os.access(jvm / "bin" / "java", os.X_OK) or not (root / "runtime" / JAR).is_file():
        return None
    etc = tuple(path for path in made["etc"] if Path(path).is_dir())
    build = hashlib.sha256(f"{text}\0{identity(jvm)}".encode()).hexdigest()
    return JavaRuntime(name, made["java"], root, jvm, build, has_archive, etc)


def identity(jvm: Path) -> list[int]:
    """What tells one build of a JVM from another at the same place. Raises OSError where there is none."""
    files = (jvm / "lib" / "modules", jvm / "lib" / "server" / "libjvm.so")
    return [number for file in map(Path.stat, files) for number in (file.st_size, file.st_mtime_ns)]


def choose_java(name: str, found: Sequence[JavaRuntime]) -> tuple[JavaRuntime | None, str | None]:
    """The runtime for ``java17``: that one, else the nearest whose JVM is new enough, and what to say of it then.

    Code made for Java 21 does not run in an older JVM at all (``UnsupportedClassVersionError``), so there is
    no nearest below: None where there is none above. Raises LookupError for a name that is none of those that
    are served.
    """
    if name not in JAVA_RUNTIME_NAMES:
        raise LookupError(name)
    wanted = int(name.removeprefix(_PREFIX))
    able = [java for java in found if java.release >= wanted]
    exact = [java for java in able if java.name == name]
    if not able:
        return None, (
            f"{name} is not on this host. With a JDK of Java {wanted} or later there "
            f"(apt-get install default-jdk-headless, or any other), run: lambent runtimes add {name}"
        )
    java = (exact or sorted(able, key=lambda java: (java.release, java.name)))[0]
    if java.release == wanted:
        return java, None
    return java, (
        f"{name} is not on this host; the function runs under Java {java.release} ({java.executable}). "
        f"With a JDK of Java {wanted} there, run: lambent runtimes add {name}"
    )


def java_command(
    java: JavaRuntime,
    runtime: str,
    executable: str,
    runtime_dir: str,
    memory_mib: int,
    environment: Mapping[str, str],
    *,
    uses_archive: bool,
) -> list[str]:
    """How a function is started: with AWS's defaults (best known), but where its ``JAVA_TOOL_OPTIONS`` says
    otherwise.

    What stands on the command line wins over that variable, so a default that it replaces is left out.
    ``runtime`` is the function's, ``executable`` and ``runtime_dir`` are where it sees them. ``uses_archive``
    is for a start in ``/var/task``, with the runtime in the directory beside.
    """
    given = environment.get("JAVA_TOOL_OPTIONS", "")
    flags = [f"-XX:MaxRAM={memory_mib}m"]
    if not any(word in given for word in ("-Xmx", "MaxHeapSize", "MaxRAM")):
        flags.append(f"-XX:MaxHeapSize={memory_mib * 1024 * 85 // 100}k")
    if not ("-XX:+Use" in given and "GC" in given):
        flags.append("-XX:+UseSerialGC")
    # AWS: "In the Java 17 runtime, the JVM flag for tiered compilation is set to stop at level 1 by default."
    if int(runtime.removeprefix(_PREFIX)) >= _TIERED_SINCE and "Tiered" not in given:
        flags.append("-XX:TieredStopAtLevel=1")
    flags.append("-XX:-UsePerfData")  # a file in /tmp that nobody outside could read
    class_path = f"{runtime_dir}/{JAR}"
    if uses_archive and java.has_archive:
        class_path = SHARED_CLASS_PATH
        flags += ["-Xshare:auto", f"-XX:SharedArchiveFile={runtime_dir}/{ARCHIVE}"]
    return [executable, *flags, "-cp", class_path, MAIN_CLASS]
