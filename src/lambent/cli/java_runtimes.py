"""``lambent runtimes add java17``: our runtime client compiled by a JDK of this machine, and an archive of its
classes.

Nothing is fetched: AWS's client is on Maven only, and takes a native library. Compiling takes a JDK; running
functions takes no more than a JVM.
"""

import hashlib
import json
import shutil
import socketserver
import tempfile
import threading
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from lambent.cli.failures import EXIT_USAGE, CliError
from lambent.cli.runtimes import Runner
from lambent.node.java.jvms import Jvm, choose_jvm, find_jvms
from lambent.node.java.runtimes import (
    ARCHIVE,
    JAR,
    MAIN_CLASS,
    SHARED_CLASS_PATH,
    VERSIONS_FILE,
    identity,
    look,
)
from lambent.node.java.system_calls import build_library
from lambent.node.java.waiting import LIBRARY
from lambent.node.prepared import prepared_dir

_SOURCE = Path(__file__).parents[1] / "node" / "java" / "source"
_COMPILER = "jdk.compiler/com.sun.tools.javac.Main"
_EPOCH = (1980, 1, 1, 0, 0, 0)
_MANIFEST = """\
Manifest-Version: 1.0
Main-Class: lambent.runtime.Waiting
Add-Opens: java.base/java.lang java.base/java.nio java.base/java.util
Enable-Native-Access: ALL-UNNAMED

"""
"""For a JVM that waits; see ``Waiting.java``. Nothing else is started with it."""
_REHEARSAL = "lambent.runtime.Rehearsal::handle"
_INSTALL = (
    "Install one: apt-get install default-jdk-headless, or any other. JAVA_HOME is looked at too."
)


def prepare_java(name: str, run: Runner, jvms: Sequence[Jvm] | None = None) -> bool:
    """Makes ``name`` usable; False when it was. Raises CliError when this machine has no JDK for it."""
    found = find_jvms() if jvms is None else jvms
    wanted = int(name.removeprefix("java"))
    jvm = choose_jvm(wanted, found)
    if jvm is None:
        there = ", ".join(jvm.version for jvm in found) or "none"
        raise CliError(
            f"{name} needs a JVM of Java {wanted} or later; here is {there}.", _INSTALL, EXIT_USAGE
        )
    target = prepared_dir(name)
    versions = _versions(jvm)
    present = look(target, name)
    is_same = present is not None and (target / VERSIONS_FILE).read_text() == versions
    if is_same and present is not None and present.has_archive:
        return False
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
        fresh = Path(scratch) / name
        (fresh / "runtime" / "lib").mkdir(parents=True)
        _compile(jvm, _compiler(jvm, found), fresh / "runtime" / JAR, Path(scratch), run)
        if library := build_library():
            (fresh / "runtime" / LIBRARY).write_bytes(library)
        _archive(jvm, fresh, run)
        (fresh / VERSIONS_FILE).write_text(versions)
        shutil.rmtree(target, ignore_errors=True)
        fresh.rename(target)
    return True


def _versions(jvm: Jvm) -> str:
    """What a prepared runtime is made of: another text, another build."""
    digest = hashlib.sha256(_MANIFEST.encode() + (build_library() or b""))
    for file in sorted(_SOURCE.rglob("*.java")):
        digest.update(file.read_bytes())
    made = {
        "java": jvm.version,
        "jvm": str(jvm.home),
        "identity": identity(jvm.home),
        "etc": settings_dirs(jvm.home),
        "files": digest.hexdigest(),
    }
    return json.dumps(made)


def settings_dirs(home: Path) -> list[str]:
    """The directories of ``/etc`` that links in a JVM lead to: Debian's have their settings there."""
    found = set()
    for place in ("conf", "lib/security"):
        for link in (home / place).rglob("*"):
            if link.is_symlink():
                top = link.readlink().parts[:3]
                if top[:2] == ("/", "etc") and len(top) == 3 and Path(*top).is_dir():
                    found.add(str(Path(*top)))
    return sorted(found - {"/etc/ssl", "/etc/pki"})  # every environment has those


def _compiler(jvm: Jvm, found: Sequence[Jvm]) -> Jvm:
    """The JVM itself where it is a JDK, or the nearest newer one that is."""
    able = [other for other in found if other.has_compiler and other.major >= jvm.major]
    if jvm.has_compiler:
        return jvm
    if not able:
        raise CliError(f"{jvm.home} has no compiler: it is no JDK.", _INSTALL, EXIT_USAGE)
    return able[0]


def _compile(jvm: Jvm, compiler: Jvm, jar: Path, scratch: Path, run: Runner) -> None:
    classes = scratch / "classes"
    sources = sorted(str(file) for file in _SOURCE.rglob("*.java"))
    # A JDK compiles for itself without being told, which also a JDK without the older releases' signatures does.
    release = [] if compiler == jvm else ["--release", str(jvm.major)]
    options = ["-nowarn", "-XDstringConcat=inline", "-encoding", "UTF-8", *release]
    command = [str(compiler.home / "bin" / "java"), "-m", _COMPILER, *options, "-d", str(classes)]
    code, said = run([*command, *sources])
    if code != 0:
        raise CliError(
            f"{compiler.home} could not compile the runtime client:\n{said.strip()}", _INSTALL
        )
    # Stored, not deflated: it is read at every start. With constant times the same sources give the same file.
    with zipfile.ZipFile(jar, "w") as archive:
        archive.writestr(zipfile.ZipInfo("META-INF/MANIFEST.MF", _EPOCH), _MANIFEST)
        for file in sorted(classes.rglob("*.class")):
            name = str(file.relative_to(classes))
            archive.writestr(zipfile.ZipInfo(name, _EPOCH), file.read_bytes())


def _archive(jvm: Jvm, fresh: Path, run: Runner) -> None:
    """Runs the client once to see which classes it loads, and has the JVM write an archive of them.

    A JVM that makes none leaves none: functions start all the same, but later.
    """
    task = fresh / "task"
    task.mkdir()
    classes = fresh / "classes.list"
    java = str(jvm.home / "bin" / "java")
    there = ["/bin/sh", "-c", 'cd "$0" && exec "$@"', str(task), "env"]
    with _Rehearsed() as address:
        environ = {
            "AWS_LAMBDA_RUNTIME_API": address,
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "128",
            "AWS_LAMBDA_LOG_FORMAT": "JSON",
            "LAMBDA_TASK_ROOT": str(task),
            "_HANDLER": _REHEARSAL,
        }
        settings = [f"{name}={value}" for name, value in environ.items()]
        listing = ["-Xshare:off", f"-XX:DumpLoadedClassList={classes}"]
        run([*there, *settings, java, *listing, "-cp", SHARED_CLASS_PATH, MAIN_CLASS])
    if classes.is_file():
        files = [
            f"-XX:SharedClassListFile={classes}",
            f"-XX:SharedArchiveFile={fresh}/runtime/{ARCHIVE}",
        ]
        run([*there, java, "-Xshare:dump", *files, "-cp", SHARED_CLASS_PATH])
        classes.unlink()
    shutil.rmtree(task)


class _Rehearsed:
    """A Runtime API that has three events, and then hangs up; on this machine's loopback for as long as it is
    open."""

    def __enter__(self) -> str:
        self._server = socketserver.TCPServer(("127.0.0.1", 0), _Events)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        return f"127.0.0.1:{self._server.server_address[1]}"

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Events(socketserver.StreamRequestHandler):
    timeout = 10.0
    _event = b'{"text": "\\u00e4", "numbers": [1, 2.5, 1e3], "flag": true, "nothing": null}'
    _head: ClassVar[dict[str, str]] = {
        "Lambda-Runtime-Aws-Request-Id": "00000000-0000-0000-0000-000000000000",
        "Lambda-Runtime-Deadline-Ms": "4102444800000",
        "Lambda-Runtime-Invoked-Function-Arn": "arn:aws:lambda:us-east-1:000000000000:function:f",
        "Lambda-Runtime-Trace-Id": "Root=1-0-0",
    }

    def handle(self) -> None:
        left = 3
        while left and (line := self.rfile.readline()):
            length = 0
            while (header := self.rfile.readline().strip()) != b"":
                name, _, value = header.partition(b":")
                length = int(value) if name.lower() == b"content-length" else length
            self.rfile.read(length)
            if line.startswith(b"GET"):
                left -= 1
                self._answer(200, self._event)
            else:
                self._answer(202, b"{}")

    def _answer(self, status: int, body: bytes) -> None:
        lines = [f"HTTP/1.1 {status} OK", f"Content-Length: {len(body)}"]
        lines += [f"{name}: {value}" for name, value in self._head.items()]
        self.wfile.write("\r\n".join([*lines, "", ""]).encode() + body)
