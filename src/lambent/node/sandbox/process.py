"""Plain processes: for hosts that cannot isolate (no root and no user namespaces, macOS).

Functions share the host's files, network and ``/tmp``; memory, CPU and processes are not limited. Freezing is
SIGSTOP to the process group. The platform says so loudly wherever this is in use.
"""

import asyncio
import json
import os
import signal
import socket
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from lambent.model.invocation import EnvironmentSpec
from lambent.node.entrypoint import choose_entry
from lambent.node.extensions_api.launch import extension_environ
from lambent.node.linux.procfs import peak_resident_bytes
from lambent.node.linux.usage import Usage, read_usage
from lambent.node.runtimes import Interpreter, choose_interpreter, python_command
from lambent.node.sandbox.contract import ExitStatus, Launch, OnProcessExit, SandboxError
from lambent.node.sandbox.plain_programs import plain_program
from lambent.node.sandbox.runtime_socket import open_runtime_socket
from lambent.node.zygote import bootstrap

_BOOT = (
    "import sys; sys.path.insert(0, sys.argv.pop()); "
    "from lambent.node.zygote.plain import main; sys.path.pop(0); main()"
)
_NOTICE = (
    "Functions run as plain processes: they can read this user's files and reach its "
    "network, and neither memory nor /tmp is limited. Run only code you trust."
)


class ProcessSandbox:
    """One runtime process in a process group of its own."""

    endpoint: socket.socket | None = None

    def __init__(
        self,
        backend: "ProcessBackend",
        runtime_api: socket.socket,
        stdout_fd: int,
        telemetry_fd: int,
        report_fd: int,
        runtime_fd: int,
        *,
        extension_fd: int = -1,
        control: socket.socket | None = None,
    ) -> None:
        self._backend = backend
        self.runtime_fd = runtime_fd
        self.extension_fd = extension_fd
        self.on_process_exit: OnProcessExit | None = None
        self._control = control
        """To what is above the runtime and its extensions; see lambent.node.zygote.extensions."""
        self._runtime_status: ExitStatus | None = None
        if control is not None:
            asyncio.get_running_loop().add_reader(control, self._read_control)
        self.runtime_api = runtime_api
        self.stdout_fd = stdout_fd
        self.telemetry_fd = telemetry_fd
        self._report_fd = report_fd
        self.pid = 0
        self._peak_bytes = 0
        self.exited: asyncio.Future[ExitStatus] = asyncio.get_running_loop().create_future()

    def adopt(self, process: asyncio.subprocess.Process) -> None:
        """Takes charge of the new process."""
        self.pid = process.pid
        self._backend.watch(self, process)

    async def watch(self, process: asyncio.subprocess.Process) -> None:
        """Waits for the end, and ends what it left running."""
        code = await process.wait()
        self.kill()
        self.pid = 0
        status = self._runtime_status
        if status is None:
            status = ExitStatus(max(code, 0), max(-code, 0), self._read_report())
        os.close(self._report_fd)
        if self._control is not None:
            self._read_control()
            self._hang_up()
        if not self.exited.done():
            self.exited.set_result(status)

    def _hang_up(self) -> None:
        control, self._control = self._control, None
        if control is not None:
            asyncio.get_running_loop().remove_reader(control)
            control.close()

    def _read_control(self) -> None:
        while self._control is not None:
            try:
                data = self._control.recv(4096)
            except BlockingIOError:
                return
            except OSError:
                data = b""
            if not data:
                self._hang_up()
                return
            self._take_report(data.decode(errors="replace"))

    def _take_report(self, text: str) -> None:
        how, _, reason = text.partition("\n")
        kind, code, number, *name = how.split(" ", 3)
        if kind == "exit":
            reason = self._read_report()
        status = ExitStatus(int(code), int(number), reason)
        if kind == "exit":
            self._runtime_status = status
        if self.on_process_exit is not None:
            self.on_process_exit("".join(name), status)

    def _read_report(self) -> str:
        """Why another program could not be executed, if that was wanted and failed."""
        try:
            return os.read(self._report_fd, 4096).decode(errors="replace")
        except BlockingIOError:
            return ""

    def _signal(self, number: int) -> None:
        if self.pid:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, number)

    def freeze(self) -> None:
        """SIGSTOP to the group."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """SIGCONT to the group."""
        self._signal(signal.SIGCONT)

    def limit_cpu(self) -> None:
        """There is no limit here."""

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
        if self.extension_fd >= 0:
            self._command(b"term" if number == signal.SIGTERM else b"kill")
        elif self.pid:
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def _command(self, command: bytes) -> None:
        if self._control is not None:
            with suppress(OSError):  # it is about to be noticed that nobody is there
                self._control.send(command)

    @property
    def can_connect(self) -> bool:
        """The host's network is its own."""
        return True

    async def connection(self) -> socket.socket:
        """Any socket will do. Raises OSError."""
        return socket.socket()

    def kill(self) -> None:
        """SIGKILL to the group."""
        self._signal(signal.SIGKILL)

    def memory_peak_bytes(self) -> int:
        """The runtime process's high-water mark; 0 where the host does not tell."""
        self._peak_bytes = peak_resident_bytes(self.pid) or self._peak_bytes
        return self._peak_bytes

    def usage(self) -> Usage | None:
        """Of the runtime process alone. The network and /tmp are the host's, and not told."""
        if self.exited.done():
            return None
        nobody = {"rx_bytes": None, "tx_bytes": None, "tmp_free_bytes": None, "tmp_bytes": None}
        return read_usage(self.pid, (), None)._replace(**nobody)

    def oom_killed(self) -> bool:
        """Never: there is no limit of its own to run into."""
        return False


def _open_supervision(request: dict[str, Any], children: list[int]) -> tuple[int, socket.socket]:
    """Our ends of the extensions' output and of the line to what is above them; theirs go to both arguments."""
    extension, extension_child = os.pipe2(os.O_CLOEXEC)
    control, control_child = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    os.set_blocking(extension, False)
    control.setblocking(False)
    children += [extension_child, control_child.detach()]
    request["extension_fd"], request["control_fd"] = children[-2:]
    request["extension_environ"] = extension_environ(request["environ"])
    return extension, control


class ProcessBackend:
    """Starts :class:`ProcessSandbox` es. ``endpoint_url``: where functions reach the platform."""

    def __init__(self, interpreters: list[Interpreter], endpoint_url: str) -> None:
        self._interpreters = interpreters
        self._endpoint_url = endpoint_url
        self._watchers: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        """Nothing to prepare."""

    def begin(self, spec: EnvironmentSpec, extensions: tuple[str, ...]) -> None:
        """Nothing can be done before it is known what to start."""

    async def start(self, launch: Launch) -> ProcessSandbox:
        """Starts one process; see the contract. Raises SandboxError."""
        if launch.spec.image is not None:
            raise SandboxError("a plain process has no root of its own for a container image")
        choice = choose_interpreter(launch.spec.runtime, self._interpreters)
        interpreter = choice.interpreter
        plain_program(launch.spec, choice, "", "")  # refuses what is not prepared
        runtime_api = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        runtime_api.bind(("127.0.0.1", 0))
        runtime_api.listen(128)
        runtime_api.setblocking(False)
        stdout, stdout_child = os.pipe2(os.O_CLOEXEC)
        telemetry, telemetry_child = os.pipe2(os.O_CLOEXEC)
        for fd in (stdout, telemetry):
            os.set_blocking(fd, False)
        report, report_child = os.pipe2(os.O_CLOEXEC)
        os.set_blocking(report, False)
        address = f"127.0.0.1:{runtime_api.getsockname()[1]}"
        runtime, runtime_child = open_runtime_socket()
        request = self._request(launch, address, telemetry_child, report_child)
        request["runtime_fd"] = runtime_child
        children = [stdout_child, telemetry_child, report_child, runtime_child]
        extension, control = -1, None
        if launch.extensions:
            extension, control = _open_supervision(request, children)
        try:
            process = await self._spawn(interpreter, children)
        except OSError as error:
            runtime_api.close()
            if control is not None:
                control.close()
                os.close(extension)
            for fd in (stdout, telemetry, report, runtime):
                os.close(fd)
            raise SandboxError(f"cannot start {interpreter.executable}: {error}") from error
        finally:
            for fd in children:
                os.close(fd)
        sandbox = ProcessSandbox(
            self,
            runtime_api,
            stdout,
            telemetry,
            report,
            runtime,
            extension_fd=extension,
            control=control,
        )
        sandbox.adopt(process)
        assert process.stdin is not None  # noqa: S101 - asked for in _spawn
        process.stdin.write(json.dumps(request).encode())
        process.stdin.close()
        return sandbox

    async def _spawn(
        self, interpreter: Interpreter, children: list[int]
    ) -> asyncio.subprocess.Process:
        stdout, *others = children
        source = str(Path(__file__).parents[3])
        return await asyncio.create_subprocess_exec(
            interpreter.executable, "-I", "-S", "-X", "utf8", "-c", _BOOT, source,
            stdin=asyncio.subprocess.PIPE,
            stdout=stdout,
            stderr=stdout,
            pass_fds=others,
            env={"LANG": "en_US.UTF-8"},
            start_new_session=True,
        )  # fmt: skip

    def _request(
        self, launch: Launch, address: str, telemetry_fd: int, report_fd: int
    ) -> dict[str, Any]:
        spec = launch.spec
        choice = choose_interpreter(spec.runtime, self._interpreters)
        interpreter = choice.interpreter
        layers = [str(spec.opt_dir / "python")] if spec.opt_dir else []
        task_dir = str(spec.task_dir)
        opt_dir = str(spec.opt_dir) if spec.opt_dir else None
        runtime_paths = sorted({str(Path(p).parent) for p in interpreter.packages.values()})
        runtime_dir = str(Path(next(iter(interpreter.packages.values()))).parent)
        command = [*python_command(interpreter), bootstrap.__file__]
        program = plain_program(spec, choice, task_dir, opt_dir or "/opt")
        if program is not None:
            runtime_dir, command = program.runtime_dir, list(program.command)
        entry = choose_entry(spec, task_dir, opt_dir, command)
        # What AWS has at fixed paths is elsewhere here, and only this tells a runtime started by a wrapper.
        is_wrapped = entry is not None and "wrapper" in entry
        paths = {"PYTHONPATH": ":".join([*layers, *runtime_paths])} if is_wrapped else {}
        if program is not None:
            paths = dict(program.environ)
        environ = {
            **launch.environ,
            **paths,
            "AWS_LAMBDA_RUNTIME_API": address,
            "AWS_ENDPOINT_URL": self._endpoint_url,
            "LAMBDA_TASK_ROOT": task_dir,
            "LAMBDA_RUNTIME_DIR": runtime_dir,
            "_LAMBDA_TELEMETRY_LOG_FD": str(telemetry_fd),
        }
        return {
            "task_dir": task_dir,
            "opt_dir": opt_dir,
            "entry": entry,
            "report_fd": report_fd,
            "runtime_paths": runtime_paths,
            "search": [task_dir, *layers],
            "environ": environ,
            "extensions": launch.extensions,
        }

    def watch(self, sandbox: ProcessSandbox, process: asyncio.subprocess.Process) -> None:
        """Keeps a sandbox's watcher until it is done."""
        task = asyncio.get_running_loop().create_task(sandbox.watch(process))
        self._watchers.add(task)
        task.add_done_callback(self._watchers.discard)

    async def close(self) -> None:
        """Waits for the processes, which were killed before, to be gone."""
        if self._watchers:
            await asyncio.wait(self._watchers, timeout=5)

    def describe(self) -> Mapping[str, Any]:
        """What isolation really holds: none."""
        names = (
            "mount", "pid", "network", "ipc", "uts", "user", "read_only_root", "seccomp",
            "unprivileged_uid", "memory_limit", "cpu_limit", "pids_limit",
        )  # fmt: skip
        return {
            "kind": "process",
            "network": {"mode": "host"},
            "isolation": {**dict.fromkeys(names, False), "cgroup": "none", "freeze": True},
            "notices": [_NOTICE],
        }
