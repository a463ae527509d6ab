"""One environment in namespaces: its process, its cgroup, its end.

Ending it is closing its lifeline: pid 1 of its namespace reads it, and the kernel kills the rest.
"""

import asyncio
import os
import signal
import socket
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Protocol

from lambent.node.linux.cgroups import Cgroup
from lambent.node.linux.network_namespace import socket_in
from lambent.node.linux.procfs import first_child, peak_resident_bytes
from lambent.node.linux.usage import Usage, read_usage
from lambent.node.sandbox.assignment import Assignment
from lambent.node.sandbox.contract import ExitStatus, OnProcessExit

_REMOVE_RETRY_S = 0.005
_REMOVE_TRIES = 400
_HURRY_S = 0.05
"""POLICY: from the end of initialisation on, for the event that waited for it; a warm one is a batch."""
_MAX_REPORTS = 64
"""POLICY: in one go, so that no flood of them holds up the others."""


class Owner(Protocol):
    """The backend a sandbox gives its slot back to."""

    rootless: bool

    def release(self, slot: int) -> None:
        """Takes back the slot of an environment that is gone."""
        ...

    def settled(self) -> None:
        """An environment has been initialised."""
        ...


class NamespaceSandbox:
    """One environment's processes; see :class:`lambent.node.sandbox.contract.Sandbox`.

    ``cpu_mib``: the memory whose share of CPU it gets; 0 for no limit.
    """

    def __init__(
        self,
        backend: Owner,
        slot: int,
        cgroup: Cgroup,
        cpu_mib: int = 0,
        *,
        is_supervised: bool = False,
    ) -> None:
        self._backend = backend
        self._is_supervised = is_supervised
        """Whether the process we know is not the runtime, but above it and its extensions."""
        self._cpu_mib = cpu_mib
        self._slot = slot
        self._cgroup = cgroup
        self._lifeline = self._pidfd = -1
        self._control: socket.socket | None = None
        self._reported: ExitStatus | None = None
        self._ended: ExitStatus | None = None
        self._is_listening = self._is_hurried = False
        self._group = 0
        self._oom_killed: bool | None = None
        self._peak_bytes = 0
        self._promised: deque[asyncio.Future[socket.socket]] = deque()
        self.assignment: Assignment | None = None
        """Of a stem cell whose program is loaded and waits."""
        self.waits: asyncio.Future[bool] | None = None
        """Of a loaded stem cell of Python: resolves when it waits (true), or when that will never be (false)."""
        self.on_process_exit: OnProcessExit | None = None
        self.stdout_fd = self.telemetry_fd = self.extension_fd = self.runtime_fd = -1
        self.runtime_api: socket.socket
        self.endpoint: socket.socket | None
        self.pid = 0
        self.exited: asyncio.Future[ExitStatus] = asyncio.get_running_loop().create_future()

    def adopt(self, pid: int, lifeline: int) -> None:
        """Takes charge of the new process: from here on its end is noticed."""
        self.pid = pid
        self._lifeline = lifeline
        self._pidfd = os.pidfd_open(pid)
        self._schedule(os.SCHED_BATCH)
        asyncio.get_running_loop().add_reader(self._pidfd, self._on_exit)

    def specialise(self, message: bytes, memory_mib: int, *, cpu_limit: bool) -> None:
        """Tells a stem cell what to become, within which limits. Raises OSError; it is of no use then."""
        self.limit(memory_mib, cpu_limit=cpu_limit)
        self.tell(message)

    def tell(self, message: bytes, fds: Sequence[int] = ()) -> None:
        """One message to a stem cell, and descriptors. Raises OSError; it is of no use then."""
        if self._control is None:
            raise ConnectionResetError("it ended")
        socket.send_fds(self._control, [message], fds)

    def _schedule(self, policy: int) -> None:
        """Its share of CPU is the same with each; a batch, waking up, pushes nobody off the CPU that woke it."""
        if self._pidfd >= 0:
            with suppress(OSError):
                os.sched_setscheduler(self.pid, policy, os.sched_param(0))

    def hurry(self) -> None:
        """An event waits for this stem cell: until that is answered it does not wait for the platform's turn."""
        self._is_hurried = True
        self._schedule(os.SCHED_OTHER)

    def hang_up(self) -> None:
        """Nobody has anything more to say to the other over the control socket."""
        control, self._control = self._control, None
        if control is not None:
            asyncio.get_running_loop().remove_reader(control)
            control.close()

    def limit(self, memory_mib: int, *, cpu_limit: bool) -> None:
        """The limits of the function that a stem cell is going to be. Raises OSError."""
        self._cpu_mib = memory_mib if cpu_limit else 0
        self._cgroup.resize(memory_mib)

    def discard(self) -> None:
        """Ends a stem cell nobody reads from."""
        for fd in (self.stdout_fd, self.telemetry_fd, self.runtime_fd):
            os.close(fd)
        self.runtime_api.close()
        if self.endpoint is not None:
            self.endpoint.close()
        self.kill()

    def freeze(self) -> None:
        """Stops all processes of the environment."""
        if self._pidfd < 0:
            return
        if self._cgroup.can_freeze:
            self._cgroup.freeze()
        else:
            self._signal_group(signal.SIGSTOP)

    def thaw(self) -> None:
        """Lets them go on."""
        if self._pidfd < 0:
            return
        if self._cgroup.can_freeze:
            self._cgroup.thaw()
        else:
            self._signal_group(signal.SIGCONT)

    def limit_cpu(self) -> None:
        """The share of CPU that goes with its memory, unless this platform gives all there is."""
        self._backend.settled()
        if self._is_hurried:
            self._is_hurried = False
            loop = asyncio.get_running_loop()
            loop.call_later(_HURRY_S, self._schedule, os.SCHED_BATCH)
        if self._pidfd >= 0 and self._cpu_mib:
            self._cgroup.limit_cpu(self._cpu_mib)

    def _signal_group(self, number: int) -> None:
        """Freezing where there is no cgroup to freeze: the runtime's process group."""
        if self._runtime_pid():
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self._runtime_pid(), number)

    # Extensions; see lambent.node.zygote.extensions

    def start_runtime(self) -> None:
        """Every extension has registered."""
        self._command(b"go")

    def terminate_runtime(self) -> None:
        """SIGTERM to the runtime."""
        self._signal_runtime(signal.SIGTERM)

    def kill_runtime(self) -> None:
        """SIGKILL to the runtime alone."""
        self._signal_runtime(signal.SIGKILL)

    def _signal_runtime(self, number: int) -> None:
        if self._is_supervised:
            self._command(b"term" if number == signal.SIGTERM else b"kill")
        elif self._backend.rootless:
            if self._runtime_pid():
                with suppress(ProcessLookupError, PermissionError):
                    os.kill(self._runtime_pid(), number)
        elif self._pidfd >= 0:
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._pidfd, number)

    def _command(self, command: bytes) -> None:
        if self._control is not None:
            with suppress(OSError):  # it is about to be noticed that nobody is there
                self._control.send(command)

    @property
    def can_connect(self) -> bool:
        """Without root only a process inside can make a socket there."""
        return self._is_supervised or not self._backend.rootless

    async def connection(self) -> socket.socket:
        """A TCP socket of the environment's network. Raises OSError."""
        if self._pidfd < 0 or not self.can_connect:
            raise ConnectionError("the environment's network cannot be reached")
        if not self._backend.rootless:
            return socket_in(self.pid)
        promised: asyncio.Future[socket.socket] = asyncio.get_running_loop().create_future()
        self._promised.append(promised)
        self._command(b"socket")
        return await promised

    def _runtime_pid(self) -> int:
        """Without root the runtime is the child of the process we know, and leads a group."""
        if self._is_supervised:
            return self.pid  # which leads the group of all
        if not self._group:
            self._group = first_child(self.pid)
        return self._group

    def kill(self) -> None:
        """Ends every process of the environment; ``exited`` follows."""
        if self._lifeline >= 0:
            os.close(self._lifeline)
            self._lifeline = -1
            self._cgroup.kill()
            if self._backend.rootless and self._pidfd >= 0:
                with suppress(ProcessLookupError):
                    signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)

    def memory_peak_bytes(self) -> int:
        """The most memory it ever used, from its cgroup; without one, the runtime process's own."""
        if self._pidfd >= 0:
            peak_bytes = self._cgroup.memory_peak_bytes()
            self._peak_bytes = peak_bytes or peak_resident_bytes(self._runtime_pid())
        return self._peak_bytes

    def own_bytes(self) -> int:
        """The most that its cgroup ever held: what it shares with nobody. 0 where that is not counted."""
        return self._cgroup.memory_peak_bytes()

    def usage(self) -> Usage | None:
        """Of all its processes."""
        if self._pidfd < 0:
            return None
        return read_usage(
            self._runtime_pid() or self.pid, self._cgroup.pids(), self._cgroup.cpu_ms()
        )

    def oom_killed(self) -> bool:
        """Whether the kernel killed in it for want of memory."""
        return self._cgroup.oom_kills() > 0 if self._oom_killed is None else self._oom_killed

    def _on_exit(self) -> None:
        """The runtime ended: whatever it left running ends too, and everything is given back."""
        asyncio.get_running_loop().remove_reader(self._pidfd)
        self._finish(_exit_status(os.waitid(os.P_PIDFD, self._pidfd, os.WEXITED | os.WNOHANG)))

    def _finish(self, status: ExitStatus) -> None:
        self._read_control()
        self._oom_killed = self._cgroup.oom_kills() > 0
        self._peak_bytes = self._cgroup.memory_peak_bytes() or self._peak_bytes
        self.kill()
        os.close(self._pidfd)
        self._pidfd = -1
        self._read_control()  # nobody is left to say more
        if self.assignment is not None:
            self.assignment.close()
        self._tell_waits(False)
        self._cgroup.close()
        self._remove_cgroup(_REMOVE_TRIES)
        self._ended = status
        self._tell_end()

    def listen_to(self, control: socket.socket) -> None:
        """Keeps the child's control socket: its set-up failing, or how its runtime ended, comes there.

        Until then the end is not told, for it might be said there what it was.
        """
        self._control, self._is_listening = control, True
        if self._ended is None:
            asyncio.get_running_loop().add_reader(control, self._read_control)
        else:
            self._read_control()
            self._tell_end()

    def _tell_end(self) -> None:
        if self._ended is not None and self._is_listening and not self.exited.done():
            self.exited.set_result(self._reported or self._ended)

    def _read_control(self) -> None:
        control = self._control
        if control is None:
            return
        is_over = self._pidfd < 0
        try:
            for _ in range(_MAX_REPORTS):
                data, fds, _, _ = socket.recv_fds(control, 4096, 2)
                if not data:
                    is_over = True
                    break
                self._take_report(data, fds)
        except BlockingIOError:
            pass
        except ConnectionError:
            is_over = True
        if is_over:
            asyncio.get_running_loop().remove_reader(control)
            control.close()
            self._control = None
            while self._promised:
                self._promised.popleft().cancel()

    def _take_report(self, data: bytes, fds: list[int]) -> None:
        """One message of the child, before it was anybody else's, or of its guard."""
        kind, _, rest = data.decode(errors="replace").partition(" ")
        if kind == "not-started":
            self._reported = ExitStatus(code=1, not_started=rest)
        elif kind == "not-mounted":
            self._reported = ExitStatus(code=1, not_mounted=rest)
        elif kind == "socket":
            self._give_socket([socket.socket(fileno=fd) for fd in fds])
        elif kind == "waits" and self.assignment is not None:
            self.assignment.take(*fds)
        elif kind == "waits":
            self._tell_waits(True)
        elif kind == "extension":
            self._tell_extension(rest)
        elif kind != "exit":
            asyncio.get_running_loop().call_exception_handler(
                {"message": f"environment set-up: {kind} {rest}"}
            )
        else:
            if self._reported is None:
                code, number = rest.split()
                self._reported = ExitStatus(int(code), int(number))
            if self.on_process_exit is not None:
                self.on_process_exit("", self._reported)

    def _tell_waits(self, waits: bool) -> None:
        if self.waits is not None and not self.waits.done():
            self.waits.set_result(waits)

    def _tell_extension(self, text: str) -> None:
        how, _, reason = text.partition("\n")
        code, number, name = how.split(" ", 2)
        if self.on_process_exit is not None:
            self.on_process_exit(name, ExitStatus(int(code), int(number), reason))

    def _give_socket(self, sockets: list[socket.socket]) -> None:
        for sock in sockets:
            promised = self._promised.popleft() if self._promised else None
            if promised is None or promised.done():
                sock.close()
            else:
                promised.set_result(sock)

    def _remove_cgroup(self, tries: int) -> None:
        if self._cgroup.remove() or tries == 0:
            self._backend.release(self._slot)
            return
        asyncio.get_running_loop().call_later(_REMOVE_RETRY_S, self._remove_cgroup, tries - 1)


def _exit_status(info: Any) -> ExitStatus:
    if info is None:
        return ExitStatus(code=255)
    if info.si_code == os.CLD_EXITED:
        return ExitStatus(code=info.si_status)
    return ExitStatus(signal=info.si_status)
