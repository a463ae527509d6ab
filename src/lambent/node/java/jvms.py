"""Which JVMs this host has. Looking starts no process: a JVM says what it is in the file ``release``."""

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

_PLACES = ("/usr/lib/jvm", "/usr/lib64/jvm", "/usr/java", "/opt/java", "/usr/local/java", "/opt")
_HOME_PLACES = (".sdkman/candidates/java", ".jdks")
_RELEASE_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class Jvm:
    """One JVM: ``version`` is its own (``17.0.15``), ``home`` its directory, ``has_compiler`` whether javac is
    in it."""

    version: str
    home: Path
    has_compiler: bool

    @property
    def major(self) -> int:
        """17."""
        return int(self.version.partition(".")[0])


def find_jvms() -> list[Jvm]:
    """Every one in the usual places and at ``JAVA_HOME``, oldest first; of one release the latest last."""
    found = {jvm.home: jvm for jvm in map(look, _homes()) if jvm is not None}
    return sorted(found.values(), key=_age)


def look(home: Path) -> Jvm | None:
    """The JVM of that directory; None where there is none that can be read, or one older than Java 9."""
    try:
        with (home / "release").open(errors="replace") as file:
            text = file.read(_RELEASE_BYTES)
    except OSError:
        return None
    version = re.search(r'^JAVA_VERSION="?(\d+[\d.]*)', text, re.MULTILINE)
    if version is None or version[1].startswith("1.") or not _is_executable(home / "bin" / "java"):
        return None
    return Jvm(
        version[1].rstrip("."), home.resolve(), re.search(r"\bjdk\.compiler\b", text) is not None
    )


def choose_jvm(least: int, found: Iterable[Jvm]) -> Jvm | None:
    """What Java code made for release ``least`` runs under: the oldest that can, of those the latest."""
    able = [jvm for jvm in found if jvm.major >= least]
    return max(able, key=lambda jvm: (-jvm.major, _age(jvm)), default=None)


def _age(jvm: Jvm) -> tuple[int, ...]:
    return tuple(int(part) for part in jvm.version.split(".") if part)


def _homes() -> Iterator[Path]:
    given = os.environ.get("JAVA_HOME")
    if given:
        yield Path(given)
    for place in (*map(Path, _PLACES), *(Path.home() / name for name in _HOME_PLACES)):
        try:
            yield from sorted(entry for entry in place.iterdir() if entry.is_dir())
        except OSError:
            continue


def _is_executable(path: Path) -> bool:
    return path.is_file() and os.access(path, os.X_OK)
