"""The zygote's loop: one message in, one isolated child out.

Messages come over a ``SOCK_SEQPACKET`` socket as JSON with descriptors; see
:mod:`lambent.node.sandbox.namespaces`, which sends them. The first one says how to build the root. A child's
parent is the node, not the zygote (``CLONE_PARENT``): environments outlive a zygote that dies, and the
node alone learns how they end.
"""

import contextlib
import json
import os
import signal
import socket
import sys
from contextlib import AbstractContextManager
from typing import Any

from lambent.node.linux import seccomp
from lambent.node.linux import syscalls as sys_
from lambent.node.zygote import (
    assignment,
    entrypoint,
    file_systems,
    guard,
    isolate,
    network,
    python_cell,
    revival,
    root,
    rootless,
    runtime,
    runtime_client,
    shell,
    signals,
    template,
)
from lambent.node.zygote.bare import BareRoot, Trees, mount
from lambent.node.zygote.container import enter, mount_image
from lambent.node.zygote.supervision import supervise

_MAX_MESSAGE_BYTES = 256 * 1024
_MAX_FDS = 16
_OWN_NAMESPACES = sys_.CLONE_NEWNS | sys_.CLONE_NEWIPC | sys_.CLONE_NEWUTS


class Zygote:
    """State that children inherit: the way back to our pid namespace, the filter, the SDK's modules."""

    def __init__(
        self, node: socket.socket, setup: "dict[str, Any]", namespaces: "list[int]"
    ) -> None:
        self.node = node
        self.rootless = bool(setup["rootless"])
        if self.rootless and not namespaces:
            rootless.enter_user_namespace(0)
        for fd in namespaces:
            sys_.setns(fd, 0)
            os.close(fd)
        sys_.unshare(sys_.CLONE_NEWNS)
        root.build_root(
            setup["root"],
            setup["binds"],
            setup["code_root"],
            setup["uids"],
            setup["resolv_conf"],
            setup["file_systems"],
        )
        self.has_file_systems = bool(setup["file_systems"])
        self.pid_namespace, self.mount_namespace, self.network_namespace = (
            os.open(f"{root.HIDDEN}/proc/self/ns/{kind}", os.O_RDONLY | os.O_CLOEXEC)
            for kind in ("pid", "mnt", "net")
        )
        self.bare = None if self.rootless else BareRoot(self.mount_namespace)
        self.filter = seccomp.build_filter()
        self.mounting_filter = seccomp.build_filter(may_mount=True)
        self.last_filter = seccomp.build_last_filter()
        self.template_filter = seccomp.build_template_filter()
        paths = setup["runtime_paths"]
        self.ahead = runtime.preload(paths, root.REHEARSED) if paths else runtime.preload_nothing()
        if not self.rootless:
            # Here, once: children inherit it. (In a user namespace of its own a child has to do it again.)
            sys_.drop_capabilities_bounding()

    def serve(self) -> None:
        """Forks, or makes a stem cell a function's, on request until the node hangs up."""
        self.node.send(b'{"ready": true}')
        while True:
            data, fds, _, _ = socket.recv_fds(self.node, _MAX_MESSAGE_BYTES, _MAX_FDS)
            if not data:
                return
            request = json.loads(data)
            try:
                if "assign" in request:
                    assignment.assign(self.mount_namespace, fds, request["assign"])
                    answer = {"id": request["id"], "pid": 0}
                elif "connect" in request:
                    shell.move_network(**request["connect"])
                    answer = {"id": request["id"], "pid": 0}
                elif "revive" in request:
                    answer = {"id": request["id"], "pid": revival.start(request["revive"], fds)}
                elif "shell" in request:
                    self._start_shell(request["shell"], fds)
                    answer = {"id": request["id"], "pid": 0}
                elif self.rootless and "template" in request:
                    answer = {"id": request["id"], **self._start_template(request, fds)}
                else:
                    answer = {"id": request["id"], "pid": self._start(request, fds)}
            except OSError as error:
                answer = {"id": request["id"], "error": str(error)}
            finally:
                for fd in fds:
                    os.close(fd)
            self.node.send(json.dumps(answer).encode())

    def _start(self, request: "dict[str, Any]", fds: "list[int]") -> int:
        """One environment: its pid 1, which lives as long as the node holds the lifeline, and its runtime."""
        flags = _OWN_NAMESPACES | sys_.CLONE_PARENT
        network_fd = fds.pop() if request["prepared"] else -1
        if network_fd < 0 and not request["network"]["make"]:
            flags |= sys_.CLONE_NEWNET
        if self.rootless:
            flags |= sys_.CLONE_NEWPID
        else:
            sys_.setns(self.pid_namespace, sys_.CLONE_NEWPID)
            sys_.unshare(sys_.CLONE_NEWPID)
            if "template" not in request:
                _spawn_init(fds[3])
            elif sys_.fork(0) == 0:
                guard.stand(fds[3], fds[-1], self.filter)
        cgroup_fd = fds[5] if request["v2"] else -1
        if network_fd >= 0:
            sys_.setns(network_fd, sys_.CLONE_NEWNET)
            os.close(network_fd)
        try:
            with self._root_for(request) as request["trees"]:
                pid = sys_.fork(flags, cgroup_fd)
                if pid == 0:
                    _be_child(self, request, fds)
        finally:
            if network_fd >= 0:
                sys_.setns(self.network_namespace, sys_.CLONE_NEWNET)
        return pid

    def _start_template(self, request: "dict[str, Any]", fds: "list[int]") -> "dict[str, Any]":
        """Its guard and itself, in a new pid namespace, without root. The node is the parent of whom it makes."""
        flags = _OWN_NAMESPACES | sys_.CLONE_PARENT
        if not request["network"]["make"]:
            flags |= sys_.CLONE_NEWNET

        def make() -> int:
            sys_.unshare(sys_.CLONE_NEWPID)
            if sys_.fork(0) == 0:
                guard.stand(fds[3], fds[-1], self.filter)
            pid = sys_.fork(flags, fds[5])
            if pid == 0:
                _be_child(self, request, fds)
            return pid

        pid, between = rootless.make_apart(make, sys_.CLONE_PARENT)
        answer = {"pid": pid} if pid else {"error": "a template's pid namespace cannot be made"}
        return {**answer, "between": between}

    def _root_for(self, request: "dict[str, Any]") -> "AbstractContextManager[Trees | None]":
        return contextlib.nullcontext() if self.bare is None else self.bare.entered(request)

    def _start_shell(self, request: "dict[str, Any]", fds: "list[int]") -> None:
        """An empty environment, for a fork of a template to join; see :mod:`lambent.node.zygote.shell`.

        Its pid namespace is below the template's: only there can what is forked from that go.
        """

        def make() -> int:
            sys_.setns(fds[2], sys_.CLONE_NEWPID)
            pid = sys_.fork(sys_.CLONE_NEWNS | (sys_.CLONE_PARENT if self.rootless else 0))
            if pid == 0:
                _be_shell(self, request, fds)
            return pid

        if self.rootless:
            rootless.make_apart(make)
        else:
            make()


def _be_shell(zygote: Zygote, request: "dict[str, Any]", fds: "list[int]") -> None:
    """Never returns."""
    control = socket.socket(fileno=fds[0])
    zygote.node.close()
    try:
        _mount(zygote, request)
        shell.make(request, control, fds[1], zygote.filter, fds[3] if zygote.rootless else -1)
    except OSError as error:
        _tell(control, f"error {error}")
    finally:
        os._exit(1)


def _tell(control: socket.socket, what: str) -> None:
    """A node that has given the environment up does not listen any more."""
    with contextlib.suppress(OSError):
        control.send(what.encode())


def _spawn_init(lifeline: int) -> None:
    """Pid 1 of the environment: a program that reads a pipe only the node can close.

    When the node closes it, or dies, the program ends and the kernel kills the whole namespace. Children
    nobody waits for are reaped by the kernel, because SIGCHLD stays ignored across the exec.
    """
    actions = [
        (os.POSIX_SPAWN_DUP2, lifeline, 0),
        (os.POSIX_SPAWN_OPEN, 1, "/dev/null", os.O_WRONLY, 0),
        (os.POSIX_SPAWN_OPEN, 2, "/dev/null", os.O_WRONLY, 0),
    ]
    os.posix_spawn(root.INIT, ["init"], {}, file_actions=actions)


def _be_child(zygote: Zygote, request: "dict[str, Any]", fds: "list[int]") -> None:
    """Isolates this process and runs the function's runtime in it. Never returns."""
    status = 1
    control = socket.socket(fileno=fds[0])
    try:
        try:
            zygote.node.close()  # while a child held its way to the node, the zygote's death would not show
            report = _isolate(zygote, request, fds, control)
        except OSError as error:
            _tell(control, f"error {error}")
            os._exit(1)
        except file_systems.MountError as error:
            _tell(control, f"not-mounted {error}")
            os._exit(1)
        if request["entry"]:
            _execute(request, report)
        if "template" in request:
            template.install(report)
        runtime_fd = -1 if "template" in request else runtime_client.FD
        runtime.run(request["environ"], request["search"], zygote.ahead, runtime_fd)
        status = 0
    except SystemExit as error:
        status = _exit_status(error)
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        with contextlib.suppress(Exception):
            sys.stdout.flush()
        os._exit(status)


def _execute(request: "dict[str, Any]", report: int) -> None:
    """Becomes another program, or tells the node why not. Never returns."""
    if "bootstraps" in request["entry"] or "entry_point" in request["entry"]:
        os.set_inheritable(isolate.TELEMETRY_FD, False)  # AWS: its log is what it prints
    reason = entrypoint.execute(request["entry"], request["environ"])
    socket.socket(fileno=report).send(f"not-started {reason}".encode())
    os._exit(1)


def _exit_status(error: SystemExit) -> int:
    if error.code is None:
        return 0
    if isinstance(error.code, int):
        return error.code & 0xFF
    print(error.code, file=sys.stderr)  # noqa: T201 - what the interpreter does with a text
    return 1


def _wait_for_rest(request: "dict[str, Any]", control: socket.socket) -> None:
    """A stem cell: what it is to become is told when a function needs it, if ever."""
    data = control.recv(_MAX_MESSAGE_BYTES)
    if not data:
        os._exit(0)
    request["rest"] = json.loads(data)


def _isolate(
    zygote: Zygote, request: "dict[str, Any]", fds: "list[int]", control: socket.socket
) -> int:
    """Returns the descriptor of ``control`` where another program is to be executed, else -1."""
    sys_.set_signal(signal.SIGCHLD, 0)
    has_extensions, is_template = bool(request["extensions"]), "template" in request
    last = len(fds) - (has_extensions or is_template)
    isolate.enter_cgroups(fds[6 if request["v2"] else 5 : last])
    if not request["prepared"]:
        network.connect(network.Way(**request["network"]))
        isolate.open_sockets(control, request["ports"])
    socket.sethostname(request["hostname"])
    if request.get("python_cell"):
        return _wait_loaded(zygote, request, fds, control)
    if request["rest"] is None:
        _wait_for_rest(request, control)
    request.update(request["rest"])
    _mount(zygote, request)
    waits = request.get("waits", False)
    stdin = assignment.offer(control) if waits else -1
    os.chdir("/" if waits else "/var/task")
    isolate.limit_resources()
    if zygote.rootless:
        if not has_extensions and not is_template:
            sys_.prctl(sys_.PR_SET_DUMPABLE, 0)
            runtime_pid = os.fork()
            if runtime_pid:
                rootless.stand_guard(runtime_pid, control, zygote.filter)
            sys_.prctl(sys_.PR_SET_DUMPABLE, 1)
        os.setsid()
        rootless.enter_user_namespace(rootless.INSIDE_UID)
        isolate.limit_processes()
        sys_.drop_capabilities_bounding()
    else:
        isolate.become(request["uid"])
    sys_.drop_capabilities()
    if is_template:
        isolate.lock_down_listening(zygote.template_filter, control)
    else:
        isolate.lock_down(zygote.filter)
    if has_extensions:
        supervise(request, fds, control)
    report = control.detach()
    is_kept = request["entry"] or is_template
    runtime_fd = -1 if is_kept else fds[4]
    return isolate.keep_only(fds[1], fds[2], report if is_kept else -1, stdin, runtime_fd)


def _wait_loaded(
    zygote: Zygote, request: "dict[str, Any]", fds: "list[int]", control: socket.socket
) -> int:
    """A stem cell that has everything but what is its function's. Returns when it has that too: -1."""
    if request.get("trees") is None:
        isolate.mount_own(None, None, python_cell.TMP_MIB, request["uid"])
        mount_image(None)
        if zygote.has_file_systems:
            sys_.umount(root.SHARED, sys_.MNT_DETACH)
    else:
        isolate.mount_new(python_cell.TMP_MIB, request["uid"])
    isolate.limit_resources()
    python_cell.become(request["uid"])
    control = socket.socket(
        fileno=isolate.keep_only(fds[1], fds[2], control.detach(), runtime=fds[4])
    )
    isolate.lock_down(zygote.mounting_filter)
    rest, zygote.ahead = python_cell.wait(control, zygote.last_filter, zygote.ahead)
    request.update(rest)
    return -1


def _mount(zygote: Zygote, request: "dict[str, Any]") -> None:
    if request.get("trees") is not None:
        mount(request["trees"])
        isolate.mount_new(request["tmp_mib"], request["uid"])
        return
    isolate.mount_own(request["task_dir"], request["opt_dir"], request["tmp_mib"], request["uid"])
    isolate.mount_runtime(request["mounts"])
    _mount_shared(zygote, request)


def _mount_shared(zygote: Zygote, request: "dict[str, Any]") -> None:
    """The file system its function asks for, if any; then the way to all of them is cut."""
    place = mount_image(request.get("image"))
    wanted = request["file_system"]
    if wanted is not None:
        source = f"{root.SHARED}/{wanted['number']}"
        uid = 0 if zygote.rootless else request["uid"]
        file_systems.mount_shared(source, wanted["name"], uid, place)
    if zygote.has_file_systems:
        sys_.umount(root.SHARED, sys_.MNT_DETACH)
    if place:
        enter(place)


def main() -> None:
    """Takes the node's socket as descriptor 0."""
    sys_.prctl(sys_.PR_SET_PDEATHSIG, signal.SIGKILL)
    signals.restore()
    # Pid 1s are reaped by the kernel. Python does not know, so that in a child it knows what is so again there.
    sys_.set_signal(signal.SIGCHLD, 1)
    node = socket.socket(fileno=os.dup(0))
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    data, fds, _, _ = socket.recv_fds(node, _MAX_MESSAGE_BYTES, 2)
    try:
        zygote = Zygote(node, json.loads(data), fds)
    except (OSError, LookupError, ImportError) as error:
        node.send(
            json.dumps({"ready": False, "error": f"{type(error).__name__}: {error}"}).encode()
        )
        return
    zygote.serve()
