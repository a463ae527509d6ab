"""The process above a runtime that has external extensions beside it: starts them all, reaps, and reports.

It is the environment's first process and lives until the node kills it, so that extensions outlive a runtime that
ends. With the node it speaks over ``control`` (``SOCK_SEQPACKET``):

- from the node: ``go`` (every extension has registered: the runtime may start), ``term`` and ``kill`` (the runtime
  is sent that signal), ``socket`` (an unconnected TCP socket of this network, please);
- to the node: ``exit <code> <signal>`` of the runtime; ``extension <code> <signal> <name>``, with why it could not
  be started in a second line; ``socket`` with one.
"""

import os
import select
import signal
import socket
from collections.abc import Callable

_COMMAND_BYTES = 64
_TAKEN_BY_PYTHON = (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGCHLD)


class Supervisor:
    """See the module. ``before_child`` is called in every child: what the kind of sandbox wants there."""

    def __init__(self, control: socket.socket, before_child: Callable[[], None]) -> None:
        self._control = control
        self._before_child = before_child
        self._extensions: dict[int, str] = {}
        self._runtime_pid = 0
        self._woken, self._wake = os.pipe()
        for fd in (self._woken, self._wake):
            os.set_blocking(fd, False)

    def start(self, directory: str, names: "list[str]", environ: "dict[str, str]", fd: int) -> None:
        """Starts the extensions; their standard output and error go to ``fd``, which is closed."""
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self._wake, warn_on_full_buffer=False)
        for name in names:
            pid, reason = _spawn(f"{directory}/{name}", environ, fd, self._before_child)
            self._extensions[pid] = name
            if reason:
                self._send(f"extension 1 0 {name}\n{reason}")
                del self._extensions[pid]
        os.close(fd)

    def serve(self) -> None:
        """Returns in the runtime's process alone, when it may start; never here."""
        while True:
            control = self._control.fileno()
            ready = select.select([control, self._woken], [], [])[0]
            if self._woken in ready:
                _drain(self._woken)
                self._reap()
            if control in ready and self._obey(self._control.recv(_COMMAND_BYTES)):
                return

    def _obey(self, command: bytes) -> bool:
        """Whether this is the runtime's process now."""
        if not command:
            os._exit(0)
        if command == b"go" and not self._runtime_pid:
            return self._fork_runtime()
        if command == b"socket":
            with socket.socket() as sock:
                socket.send_fds(self._control, [b"socket"], [sock.fileno()])
        elif command in (b"term", b"kill") and self._runtime_pid > 0:
            os.kill(self._runtime_pid, signal.SIGTERM if command == b"term" else signal.SIGKILL)
        return False

    def _fork_runtime(self) -> bool:
        self._runtime_pid = os.fork()
        if self._runtime_pid:
            return False
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.close(self._woken)
        os.close(self._wake)
        self._before_child()
        return True

    def _reap(self) -> None:
        """Whoever ended, orphans included: this may be pid 1."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if not pid:
                return
            code = os.waitstatus_to_exitcode(status)
            how = f"{max(code, 0)} {max(-code, 0)}"
            if pid == self._runtime_pid:
                self._runtime_pid = -1
                self._send(f"exit {how}")
            elif pid in self._extensions:
                self._send(f"extension {how} {self._extensions.pop(pid)}")

    def _send(self, text: str) -> None:
        try:
            self._control.send(text.encode())
        except OSError:
            os._exit(0)  # nobody is left to supervise for


def _spawn(
    path: str, environ: "dict[str, str]", output: int, before_exec: Callable[[], None]
) -> "tuple[int, str]":
    """The pid of a new extension, and why it could not be executed, if so; in Go's words, as AWS's are."""
    reader, writer = os.pipe()
    pid = os.fork()
    if not pid:
        try:
            signal.set_wakeup_fd(-1)
            for number in _TAKEN_BY_PYTHON:
                signal.signal(number, signal.SIG_DFL)
            before_exec()
            null = os.open(os.devnull, os.O_RDONLY)
            os.dup2(null, 0)
            os.dup2(output, 1)
            os.dup2(output, 2)
            os.execve(path, [path], environ)  # noqa: S606 - that is what this is for
        except OSError as error:
            os.write(writer, os.strerror(error.errno or 0).lower().encode())
        finally:
            os._exit(1)
    os.close(writer)
    with open(reader, "rb") as file:
        reason = file.read().decode(errors="replace")
    return pid, f"fork/exec {path}: {reason}" if reason else ""


def keep_open(fds: "set[int]") -> None:
    """Closes every descriptor above standard error but these, which no program that is executed inherits."""
    for name in os.listdir("/proc/self/fd"):
        fd = int(name)
        if fd > 2 and fd not in fds:
            try:
                os.close(fd)
            except OSError:
                continue  # the one that listed
    for fd in fds:
        os.set_inheritable(fd, False)


def _drain(fd: int) -> None:
    try:
        while os.read(fd, 4096):
            continue
    except BlockingIOError:
        return
