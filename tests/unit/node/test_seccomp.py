"""The seccomp filter, run by a small BPF interpreter for both architectures, and by the kernel."""

import errno
import json
import platform
import struct
import subprocess
import sys

import pytest

from lambent.node.linux import seccomp

ALLOW, KILL, ASK = "allow", "kill", "ask"
ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
SOCKET = {"x86_64": 41, "aarch64": 198}
CLONE = {"x86_64": 56, "aarch64": 220}
# From arch/x86/entry/syscalls/syscall_64.tbl and include/uapi/asm-generic/unistd.h of Linux 6.6.
DENIED = {
    "mount": (165, 40), "umount2": (166, 39), "pivot_root": (155, 41), "unshare": (272, 97),
    "setns": (308, 268), "ptrace": (101, 117), "bpf": (321, 280), "keyctl": (250, 219),
    "kexec_load": (246, 104), "init_module": (175, 105), "reboot": (169, 142),
    "io_uring_setup": (425, 425), "userfaultfd": (323, 282), "perf_event_open": (298, 241),
    "process_vm_readv": (310, 270), "open_by_handle_at": (304, 265), "chroot": (161, 51),
    "sethostname": (170, 161), "settimeofday": (164, 170), "swapon": (167, 224),
    "fsopen": (430, 430), "move_mount": (429, 429), "mount_setattr": (442, 442),
    "pidfd_getfd": (438, 438), "personality": (135, 92), "syslog": (103, 116),
}  # fmt: skip
ORDINARY = {
    "read": (0, 63), "write": (1, 64), "mmap": (9, 222), "futex": (202, 98), "execve": (59, 221),
    "wait4": (61, 260), "kill": (62, 129), "connect": (42, 203), "openat": (257, 56),
    "exit_group": (231, 94), "getrandom": (318, 278), "memfd_create": (319, 279),
    "prctl": (157, 167), "rseq": (334, 293), "statx": (332, 291), "faccessat2": (439, 439),
    "close_range": (436, 436), "openat2": (437, 437), "getcwd": (79, 17), "setsid": (112, 157),
}  # fmt: skip
MACHINES = ["x86_64", "aarch64"]


def run(program: bytes, number: int, arch: int, *arguments: int) -> str | int:
    """What the filter says of one call: ALLOW, KILL, or an errno. Checks that every jump is inside."""
    data = struct.pack("=iIQ6Q", number if number < 2**31 else number - 2**32, arch, 0,
                       *(*arguments, *[0] * (6 - len(arguments))))  # fmt: skip
    code = list(struct.iter_unpack("HBBI", program))
    accumulator = at = 0
    while True:
        operation, if_true, if_false, value = code[at]
        at += 1
        match operation:
            case 0x20:
                accumulator = int.from_bytes(data[value : value + 4], sys.byteorder)
            case 0x15:
                at += if_true if accumulator == value else if_false
            case 0x35:
                at += if_true if accumulator >= value else if_false
            case 0x05:
                at += value
            case 0x54:
                accumulator &= value
            case 0x45:
                at += if_true if accumulator & value else if_false
            case 0x06:
                if value == 0x7FFF0000:
                    return ALLOW
                if value == 0x80000000:
                    return KILL
                if value == 0x7FC00000:
                    return ASK
                assert value & 0xFFFF0000 == 0x00050000
                return int(value & 0xFFFF)
            case _:
                raise AssertionError(f"unknown instruction {operation:#x}")


@pytest.fixture(params=MACHINES)
def machine(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def column(machine: str) -> int:
    return MACHINES.index(machine)


def test_what_is_dangerous_is_not_permitted(machine: str) -> None:
    """Mounting, namespaces, tracing, kernel modules and the like answer EPERM."""
    program = seccomp.build_filter(machine)
    for name, numbers in DENIED.items():
        said = run(program, numbers[column(machine)], ARCH[machine])
        assert said == errno.EPERM, name


def test_every_entry_of_the_table_is_denied(machine: str) -> None:
    """No name in the table slips through, and none is listed twice under one number."""
    program = seccomp.build_filter(machine)
    numbers = [
        n[column(machine)] for n in seccomp._DENIED.values() if n[column(machine)] is not None
    ]
    assert len(set(numbers)) == len(numbers)
    assert {run(program, n, ARCH[machine]) for n in numbers if n is not None} == {errno.EPERM}


def test_ordinary_calls_are_allowed(machine: str) -> None:
    """What interpreters and programs live on passes, whatever its arguments."""
    program = seccomp.build_filter(machine)
    for name, numbers in ORDINARY.items():
        for first in (0, 0x7E020000, 2**64 - 1):
            assert run(program, numbers[column(machine)], ARCH[machine], first) == ALLOW, name


@pytest.mark.parametrize(
    "flag", [0x20000, 0x2000000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000]
)
def test_clone_makes_processes_and_threads_but_no_namespaces(machine: str, flag: int) -> None:
    """fork's and pthread_create's flags pass; any namespace flag among them answers EPERM."""
    program = seccomp.build_filter(machine)
    for ordinary in (17, 0x3D0F00, 0x1200011, 0x4111):
        assert run(program, CLONE[machine], ARCH[machine], ordinary) == ALLOW
        assert run(program, CLONE[machine], ARCH[machine], ordinary | flag) == errno.EPERM


def test_clone3_is_as_if_it_did_not_exist(machine: str) -> None:
    """Its flags cannot be read, so libc is sent back to clone by ENOSYS."""
    assert run(seccomp.build_filter(machine), 435, ARCH[machine]) == errno.ENOSYS


def test_sockets_are_for_the_network_only(machine: str) -> None:
    """UNIX, IPv4, IPv6 and netlink sockets can be made; every other family is not supported."""
    program = seccomp.build_filter(machine)
    allowed = {f for f in range(64) if run(program, SOCKET[machine], ARCH[machine], f) == ALLOW}
    assert allowed == {1, 2, 10, 16}
    refused = {
        run(program, SOCKET[machine], ARCH[machine], f) for f in range(64) if f not in allowed
    }
    assert refused == {errno.EAFNOSUPPORT}


@pytest.mark.parametrize("number", [463, 500, 0x40000000, 0x40000001, 0x40000000 + 59, 2**32 - 1])
def test_unknown_numbers_do_not_exist(machine: str, number: int) -> None:
    """Calls newer than the table, and all of x32, answer ENOSYS."""
    assert run(seccomp.build_filter(machine), number, ARCH[machine]) == errno.ENOSYS


def test_a_foreign_architecture_kills(machine: str) -> None:
    """A call through another architecture's entry (i386, ARM, the other one) kills the process."""
    program = seccomp.build_filter(machine)
    for arch in (0x40000003, 0x40000028, 0, *(set(ARCH.values()) - {ARCH[machine]})):
        for number in (0, 1, 165, 463):
            assert run(program, number, arch) == KILL


def test_an_architecture_without_a_table_is_refused() -> None:
    """There is no filter to guess."""
    with pytest.raises(LookupError):
        seccomp.build_filter("riscv64")


def test_a_template_is_asked_for_joining_an_environment_and_for_nothing_less(machine: str) -> None:
    """setns into all six namespaces at once asks; into any other choice of them it answers EPERM."""
    program, setns = seccomp.build_template_filter(machine), DENIED["setns"][column(machine)]
    arch = ARCH[machine]
    assert run(program, setns, arch, 5, seccomp.JOIN_FLAGS) == ASK
    for bit in (0x20000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000):
        assert run(program, setns, arch, 5, seccomp.JOIN_FLAGS & ~bit) == errno.EPERM
        assert run(program, setns, arch, 5, bit) == errno.EPERM
    assert run(program, setns, arch, 5, 0) == errno.EPERM


def test_a_template_has_no_raw_sockets_and_netlink_for_routes_alone(machine: str) -> None:
    """What is asked with capabilities that are about to be given up reaches little."""
    program, arch, number = seccomp.build_template_filter(machine), ARCH[machine], SOCKET[machine]
    for family in (2, 10):
        assert run(program, number, arch, family, 3 | 0x80800) == errno.EPERM
        assert run(program, number, arch, family, 1 | 0x80800) == ALLOW
        assert run(program, number, arch, family, 2) == ALLOW
    assert run(program, number, arch, 16, 3, 0) == ALLOW
    assert {run(program, number, arch, 16, 3, protocol) for protocol in range(1, 32)} == {
        errno.EPERM
    }
    assert run(program, number, arch, 1, 3) == ALLOW
    assert run(program, number, arch, 17, 3) == errno.EAFNOSUPPORT


def test_a_template_cannot_replace_tables_of_netfilter(machine: str) -> None:
    """setsockopt is refused those options of IP and IPv6, and no other."""
    program, arch = seccomp.build_template_filter(machine), ARCH[machine]
    number = {"x86_64": 54, "aarch64": 208}[machine]
    refused = {0: {64, 65, 96, 97, 128, 129}, 41: {64, 65}}
    for level in (0, 1, 6, 17, 41):
        for option in range(140):
            said = run(program, number, arch, 3, level, option)
            assert said == (errno.EPERM if option in refused.get(level, ()) else ALLOW)


def test_a_template_is_refused_whatever_others_are(machine: str) -> None:
    """Its filter is the ordinary one besides."""
    ordinary, program = seccomp.build_filter(machine), seccomp.build_template_filter(machine)
    for number in range(512):
        for first in (0, 2, 0x20000, 0x1200011):
            expected = run(ordinary, number, ARCH[machine], first)
            assert run(program, number, ARCH[machine], first) == expected
    assert run(program, 0, 0x40000003) == KILL


_PROBE = """
import ctypes, errno, json, os, sys, threading
from lambent.node.linux import seccomp, syscalls
syscalls.prctl(syscalls.PR_SET_NO_NEW_PRIVS, 1)
syscalls.load_seccomp(seccomp.build_filter())
libc = ctypes.CDLL(None, use_errno=True)
def said(*arguments):
    ctypes.set_errno(0)
    result = libc.syscall(*arguments)
    if result >= 0 and arguments[0] == SOCKET:
        os.close(result)
    return ctypes.get_errno() if result < 0 else 0
SOCKET, UNSHARE = (41, 272) if os.uname().machine == "x86_64" else (198, 97)
done = []
thread = threading.Thread(target=done.append, args=(1,))
thread.start(); thread.join()
child = os.fork()
if not child:
    os._exit(7)
print(json.dumps({
    "unshare": said(UNSHARE, 0), "clone3": said(435, 0, 0), "new": said(463, 0),
    "packet": said(SOCKET, 17, 3, 0), "inet": said(SOCKET, 2, 1, 0),
    "thread": done, "fork": os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]),
}))
"""


@pytest.mark.skipif(
    sys.platform != "linux" or platform.machine() not in MACHINES, reason="needs Linux's seccomp"
)
def test_the_kernel_agrees() -> None:
    """Loaded into a real process, the filter refuses and allows the same calls."""
    done = subprocess.run(
        [sys.executable, "-c", _PROBE], capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout) == {
        "unshare": errno.EPERM,
        "clone3": errno.ENOSYS,
        "new": errno.ENOSYS,
        "packet": errno.EAFNOSUPPORT,
        "inet": 0,
        "thread": [1],
        "fork": 7,
    }


def test_two_filters_deny_what_the_whole_one_denies(machine: str) -> None:
    """A stem cell's first one lets it mount, and nothing else; with the last one it is as if there were one."""
    whole = seccomp.build_filter(machine)
    first = seccomp.build_filter(machine, may_mount=True)
    last = seccomp.build_last_filter(machine)
    let_through = set()
    for number in [*range(520), 0x40000000 + 165, 2**31 + 1]:
        of_one = run(whole, number, ARCH[machine])
        of_two = [run(program, number, ARCH[machine]) for program in (first, last)]
        assert next((verdict for verdict in of_two if verdict != ALLOW), ALLOW) == of_one
        if of_two[0] != of_one:
            let_through.add(number)
    assert let_through == {DENIED[name][column(machine)] for name in ("mount", "move_mount")}
    assert run(first, 0, ARCH["aarch64" if machine == "x86_64" else "x86_64"]) == KILL
