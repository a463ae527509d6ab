"""JVMs and Rubies that wait: which functions they may become, how they are started, what a JVM needs for it."""

import ctypes
import os
import platform
from pathlib import Path

import pytest

from lambent.node.java.runtimes import SHARED_CLASS_PATH, JavaRuntime
from lambent.node.java.system_calls import CALL, SET_ENVIRON, build_library
from lambent.node.java.waiting import LIBRARY, can_wait, waiting_command
from lambent.node.ruby.runtimes import RubyRuntime, ruby_waiting
from lambent.node.runtimes import Interpreter, RuntimeChoice
from lambent.node.sandbox.managed import managed_runtime
from lambent.testing.node import make_spec

PYTHON = Interpreter("3.11", "/usr/bin/python3.11", "/usr", {}, "p" * 64)
GETPID = {"x86_64": 39, "aarch64": 172}


def make_java(root: Path, *, has_library: bool = True) -> JavaRuntime:
    if has_library:
        (root / "runtime" / LIBRARY).parent.mkdir(parents=True)
        (root / "runtime" / LIBRARY).touch()
    return JavaRuntime("java17", "17.0.1", root, Path("/jvm"), "b", has_archive=True)


def make_ruby(client: str = "") -> RubyRuntime:
    return RubyRuntime("ruby3.2", "3.2.1", "3.2.0", Path("/p"), "/usr/bin/ruby", "b", client)


@pytest.mark.skipif(platform.machine() not in GETPID, reason="there is no code for this machine")
def test_the_library_makes_system_calls(tmp_path: Path) -> None:
    """The loader takes it; one function hands its arguments to the kernel, the other replaces ``environ``."""
    content = build_library()
    assert content is not None
    file = tmp_path / "liblambent.so"
    file.write_bytes(content)
    library = ctypes.CDLL(str(file))
    call = library[CALL.decode()]
    call.argtypes = [ctypes.c_void_p, ctypes.c_void_p, *[ctypes.c_long] * 4]
    call.restype = ctypes.c_long
    assert call(None, None, GETPID[platform.machine()], 0, 0, 0) == os.getpid()
    assert call(None, None, -1, 0, 0, 0) == -38  # ENOSYS
    assert len(content) < 4096
    environ = ctypes.c_void_p.in_dll(ctypes.CDLL(None), "environ")
    present = environ.value
    own = (ctypes.c_char_p * 2)(b"OWN=1", None)
    set_environ = library[SET_ENVIRON.decode()]
    set_environ.argtypes = [ctypes.c_void_p] * 3
    set_environ.restype = None
    try:
        set_environ(None, None, ctypes.addressof(own))
        getenv = ctypes.CDLL(None).getenv
        getenv.restype = ctypes.c_char_p
        assert (getenv(b"OWN"), getenv(b"PATH")) == (b"1", None)
    finally:
        set_environ(None, None, present)


def test_a_machine_without_code_has_no_library() -> None:
    """JVMs there do not wait."""
    assert build_library("riscv64") is None
    assert build_library("aarch64") != build_library("x86_64")


@pytest.mark.parametrize(
    ("name", "waits"),
    [
        ("OWN", True), ("TABLE_NAME", True), ("JAVA_TOOL_OPTIONS", False), ("_JAVA_OPTIONS", False),
        ("JDK_JAVA_OPTIONS", False), ("AWS_LAMBDA_EXEC_WRAPPER", False), ("LC_ALL", False), ("LD_PRELOAD", False),
    ],
)  # fmt: skip
def test_what_a_jvm_reads_when_it_starts_cannot_wait(
    tmp_path: Path, name: str, waits: bool
) -> None:
    """Such a function has a JVM of its own from the start."""
    java = make_java(tmp_path)
    assert can_wait(java, [name]) == waits
    choice = RuntimeChoice(PYTHON, None, java=java)
    managed = managed_runtime(make_spec(runtime="java17", environment={name: "x"}), choice)
    assert bool(managed.waiting) == waits


def test_without_its_library_a_jvm_does_not_wait(tmp_path: Path) -> None:
    """A runtime that was prepared before there was one."""
    assert not can_wait(make_java(tmp_path, has_library=False), [])


def test_it_waits_with_the_functions_flags() -> None:
    """The same JVM, from its jar, in the directory that its class path is relative to."""
    command = [
        "/var/lang/bin/java",
        "-XX:MaxRAM=512m",
        "-cp",
        SHARED_CLASS_PATH,
        "lambent.runtime.Main",
    ]
    assert waiting_command(command)[3:] == [*command[:2], "-jar", SHARED_CLASS_PATH]
    assert waiting_command(command)[2].startswith("cd /var/task &&")


@pytest.mark.parametrize(
    ("name", "waits"),
    [
        ("OWN", True), ("RUBYOPT", False), ("RUBYLIB", False), ("GEM_PATH", False), ("BUNDLE_GEMFILE", False),
        ("AWS_LAMBDA_EXEC_WRAPPER", False), ("SSL_CERT_FILE", False),
    ],
)  # fmt: skip
def test_what_ruby_reads_when_it_starts_cannot_wait(name: str, waits: bool) -> None:
    """Nor can AWS's client, whatever the function."""
    assert bool(ruby_waiting(make_ruby(), "/r", [name])) == waits
    assert ruby_waiting(make_ruby("aws_lambda_ric 3.1.0"), "/r", []) == []
    assert ruby_waiting(make_ruby(), "/r", []) == ["/usr/bin/ruby", "/r/waiting.rb"]
