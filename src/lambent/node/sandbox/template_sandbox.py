"""The process that environments of one version are forked from, and what is forked, as the node sees them.

Contract:
1. A template forks on order and joins a fork to what was made for it, once for each order: the kernel asks here.
2. It is frozen but while it works on an order.
3. A fork holds no capability, and nothing the order left behind does, before anything is sent to it.
4. A template that dies takes no fork along; its user and its pid namespace last until the last of them is gone.
"""

import asyncio
import os
import socket
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

from lambent.node.linux import user_notification as asked
from lambent.node.linux.cgroups import Cgroup
from lambent.node.linux.joined import check_joined, check_powerless
from lambent.node.linux.procfs import parent_of, peak_resident_bytes, pids_by_namespace
from lambent.node.sandbox.contract import ExitStatus, SandboxError
from lambent.node.sandbox.namespace_sandbox import NamespaceSandbox, Owner

_ORDER_DEADLINE_S = 10.0
_EXIT_REPORT_S = 1.0
"""POLICY: how long after its end it may take to hear how a fork ended."""
_REFUSE_EVERY_S = 0.01
"""POLICY: who asks without an order is refused so often, that asking is no way to keep the node busy."""
_STILL_RETRY_S = 0.001
_REMOVE_TRIES = 400
_CREDENTIALS = struct.Struct("3i")
"""``struct ucred``: pid, uid, gid."""


class TemplateSandbox(NamespaceSandbox):
    """``uid``: whom it and its forks run as."""

    def __init__(self, backend: Owner, slot: int, cgroup: Cgroup, cpu_mib: int, uid: int) -> None:
        super().__init__(backend, slot, cgroup, cpu_mib)
        self.uid = uid
        self.snapshot: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Done when the function is initialised, and its hooks before a snapshot have run."""
        self.is_retired = False
        self.given_up = ""
        """Why no more is to be forked of it, if that is why it is retired."""
        self._listener = -1
        self._reports: socket.socket | None = None
        self._forks: set[ForkSandbox] = set()
        self._forked: asyncio.Future[None] | None = None
        self._lock = asyncio.Lock()
        self._may_join = False
        self._ends: dict[int, ExitStatus] = {}
        self._waiting: dict[int, Callable[[ExitStatus], None]] = {}
        self._is_alone_when_gone = False

    @property
    def is_rootless(self) -> bool:
        """Whether all of this is one ordinary user's."""
        return self._backend.rootless

    def _runtime_pid(self) -> int:
        return self.pid  # without root too: its pid 1 is another's

    # Orders

    def expect_forks(self) -> None:
        """One is about to be made: the kernel gets ready to move processes between groups, which takes it long.

        (:meth:`Cgroup.adopt`: whoever is the first after an idle moment waits for all processors.) By moving the
        template to where it is.
        """
        if self._pidfd < 0:
            return  # its id may be another's
        moving = asyncio.get_running_loop().run_in_executor(None, self._cgroup.adopt, self.pid)
        moving.add_done_callback(
            lambda done: done.exception()
        )  # if it has just ended, that is told elsewhere

    @asynccontextmanager
    async def standing_still(self) -> AsyncIterator[None]:
        """Without root none of it runs meanwhile; with root that does not matter. Raises SandboxError.

        A shell's pid 1 is the same user there, below the template's user namespace, and not filtered before it has
        become its program: the template could write to its memory.
        """
        if not self.is_rootless:
            yield
            return
        async with self._lock:
            self.freeze()
            end_s = asyncio.get_running_loop().time() + _ORDER_DEADLINE_S
            while not self._cgroup.is_frozen():
                if self.exited.done() or asyncio.get_running_loop().time() > end_s:
                    raise SandboxError("the template does not stand still")
                await asyncio.sleep(_STILL_RETRY_S)
            yield

    async def fork(self, fork: "ForkSandbox", shell: int, fds: list[int]) -> None:
        """Has ``fork`` forked into the empty environment of pid 1 ``shell`` (a pidfd); returns when it waits.

        ``fds``: what is standard output, the log and the control socket there, and the v1 groups it is to enter.
        Raises SandboxError.
        """
        async with self._lock:
            if self._control is None or self.exited.done():
                raise SandboxError("the template ended")
            self._forked = asyncio.get_running_loop().create_future()
            self._may_join = True
            self._listen()
            self.thaw()
            try:
                socket.send_fds(self._control, [b"fork"], [shell, *fds])
                async with asyncio.timeout(_ORDER_DEADLINE_S):
                    await self._forked
                    await fork.joined
                await self._take_in(fork, shell)
            except (TimeoutError, OSError) as error:
                self.given_up = f"the template did not fork: {error!r}"
                self.retire()  # whatever is left of the order, it holds nothing of anybody else's
                raise SandboxError(self.given_up) from error
            finally:
                self._may_join = False
                self.freeze()

    async def _take_in(self, fork: "ForkSandbox", shell: int) -> None:
        pid = fork.joined.result()
        self.freeze()  # the fork with it, until that is in its own group
        self._forks.add(fork)
        # There may be a thousand threads to look at.
        await asyncio.get_running_loop().run_in_executor(None, self._look, pid, shell)
        fork.pid_in_template = pids_by_namespace(pid)[-2]

    def _look(self, pid: int, shell: int) -> None:
        """Raises PermissionError where the order left more behind than it was to."""
        check_joined(pid, pid_of(shell), os.geteuid() if self.is_rootless else self.uid)
        check_powerless(self._cgroup.pids())

    def retire(self) -> None:
        """Ends the template; its forks live on."""
        self.is_retired = True
        self.kill()

    # Its life

    def kill(self) -> None:
        """Ends it, and with the last of its forks what they need of it."""
        if self._forks:
            self._cgroup.kill()
            self.kill_runtime()
        else:
            super().kill()

    def let_go(self, fork: "ForkSandbox") -> None:
        """A fork is gone."""
        self._forks.discard(fork)
        if not self._forks and (self.is_retired or self.exited.done()):
            super().kill()
        if not self._forks and self.exited.done():
            self._hang_up()
        if not self._forks and self._is_alone_when_gone:
            self._is_alone_when_gone = False
            super()._remove_cgroup(_REMOVE_TRIES)

    def _remove_cgroup(self, tries: int) -> None:
        """Its slot, which is its user's id, is not free before the last fork is gone."""
        if self._forks:
            self._is_alone_when_gone = True
        else:
            super()._remove_cgroup(tries)

    def _finish(self, status: ExitStatus) -> None:
        super()._finish(status)
        self._stop_listening()
        if not self._forks:
            self._hang_up()
        error = SandboxError("the template ended")
        for future in (self._forked, self.snapshot):
            if future is not None and not future.done():
                future.set_exception(error)
                future.exception()  # nobody may wait for it

    def _stop_listening(self) -> None:
        if self._listener >= 0:
            asyncio.get_running_loop().remove_reader(self._listener)
            os.close(self._listener)
            self._listener = -1

    # What it says

    def _take_report(self, data: bytes, fds: list[int]) -> None:
        """It is the function that says it, and it may say anything."""
        kind, _, rest = data.decode(errors="replace").partition(" ")
        if kind == "listener" and fds and self._listener < 0:
            self._listener = fds.pop(0)
            os.set_blocking(self._listener, False)
            self._listen()
        elif kind == "snapshot" and not self.snapshot.done():
            self.snapshot.set_result(None)
        elif kind in {"forked", "not-forked"} and self._forked and not self._forked.done():
            if kind == "forked":
                self._forked.set_result(None)
            else:
                self._forked.set_exception(OSError(rest[:200]))
        elif kind == "not-mounted":
            super()._take_report(data, fds)
        for fd in fds:
            os.close(fd)

    def _listen(self) -> None:
        if self._listener >= 0:
            asyncio.get_running_loop().add_reader(self._listener, self._on_question)

    def _on_question(self) -> None:
        """Somebody in the template, or in one of its forks, wants to join namespaces."""
        loop = asyncio.get_running_loop()
        try:
            question = asked.receive(self._listener)
            if question is None:
                return
            is_ordered = self._may_join and parent_of(question.pid) == self.pid
            asked.answer(self._listener, question, go_on=is_ordered)
        except OSError:
            self._stop_listening()  # nobody is left who could ask
            return
        if is_ordered:
            self._may_join = False
        elif not self._may_join:
            loop.remove_reader(self._listener)
            loop.call_later(_REFUSE_EVERY_S, self._listen)

    # How its forks end

    def hear(self, reports: socket.socket) -> None:
        """Its pid 1 tells by ``reports`` how they end."""
        self._reports = reports
        asyncio.get_running_loop().add_reader(reports, self._on_end)

    def when_ended(self, pid: int, tell: Callable[[ExitStatus], None]) -> None:
        """``tell`` hears how the fork with this id ended, once, within a deadline."""
        if pid in self._ends:
            tell(self._ends.pop(pid))
            return
        self._waiting[pid] = tell
        asyncio.get_running_loop().call_later(_EXIT_REPORT_S, self._give_up, pid)

    def _give_up(self, pid: int) -> None:
        tell = self._waiting.pop(pid, None)
        if tell is not None:
            tell(ExitStatus(code=255))

    def _on_end(self) -> None:
        with suppress(BlockingIOError):
            while self._reports is not None:  # telling may be the last there was to tell
                data = self._reports.recv(64)
                if not data:
                    self._hang_up()
                    return
                pid, status = map(int, data.split())
                code = os.waitstatus_to_exitcode(status)
                how = ExitStatus(code=max(code, 0), signal=max(-code, 0))
                tell = self._waiting.pop(pid, None)
                if tell is not None:
                    tell(how)
                elif any(fork.pid_in_template == pid for fork in self._forks):
                    self._ends[pid] = how

    def _hang_up(self) -> None:
        """Pid 1 has ended, or there is nobody left whose end it could tell."""
        reports, self._reports = self._reports, None
        if reports is not None:
            asyncio.get_running_loop().remove_reader(reports)
            reports.close()


class ForkSandbox(NamespaceSandbox):
    """An environment that was forked from ``template``; until :meth:`wake` it waits to be one."""

    def __init__(
        self, template: TemplateSandbox, backend: Owner, slot: int, cgroup: Cgroup, cpu_mib: int
    ) -> None:
        super().__init__(backend, slot, cgroup, cpu_mib)
        self.template = template
        self.cgroup = cgroup
        self.joined: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        """Its pid, from the kernel, when it has joined."""
        self.pid_in_template = 0

    async def enter_group(self) -> None:
        """Has it within its own limits. Raises OSError."""
        pid = self.joined.result()
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(None, self.cgroup.adopt, pid)
        if not self.cgroup.holds(pid):
            raise PermissionError(f"process {pid} is not within its limits")

    def _runtime_pid(self) -> int:
        return self.pid

    def wake(self, order: bytes) -> None:
        """It is an environment from now on. Raises OSError; it is of no use then."""
        if self._control is None:
            raise ConnectionResetError("it ended")
        self._control.send(order)

    def _take_report(self, data: bytes, fds: list[int]) -> None:  # noqa: ARG002
        """It is the function that says it, and nobody asked."""
        for fd in fds:
            os.close(fd)

    def memory_peak_bytes(self) -> int:
        """Its own, and what it shares with its template: each page of its process once, its children's besides."""
        if self._pidfd >= 0:
            own_bytes = self._cgroup.memory_peak_bytes()
            self._peak_bytes = max(own_bytes, peak_resident_bytes(self.pid), self._peak_bytes)
        return self._peak_bytes

    def _on_exit(self) -> None:
        asyncio.get_running_loop().remove_reader(self._pidfd)
        self.template.when_ended(self.pid_in_template, self._finish)

    def _finish(self, status: ExitStatus) -> None:
        shared_bytes = self._peak_bytes
        super()._finish(status)
        self._peak_bytes = max(self._peak_bytes, shared_bytes)
        self.template.let_go(self)


def pid_of(pidfd: int) -> int:
    """The process behind a pidfd. Raises OSError when it is gone."""
    with open(f"/proc/self/fdinfo/{pidfd}") as file:
        for line in file:
            if line.startswith("Pid:") and int(line.split()[1]) > 0:
                return int(line.split()[1])
    raise ProcessLookupError("the process is gone")


def hear_joined(fork: ForkSandbox, control: socket.socket) -> None:
    """One message of a fork that waits; who sent it is the kernel's word."""
    asyncio.get_running_loop().remove_reader(control)
    data, ancillary, _, _ = control.recvmsg(64, socket.CMSG_SPACE(_CREDENTIALS.size))
    for level, kind, content in ancillary:
        is_pid = level == socket.SOL_SOCKET and kind == socket.SCM_CREDENTIALS
        if data == b"joined" and is_pid and not fork.joined.done():
            fork.joined.set_result(_CREDENTIALS.unpack(content)[0])
    if not fork.joined.done():
        fork.joined.set_exception(OSError("it ended before it joined"))
        fork.joined.exception()  # nobody may wait for it
