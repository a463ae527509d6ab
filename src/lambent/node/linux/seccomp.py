"""The seccomp filter of an execution environment, as BPF bytes made once.

Contract: what is dangerous from inside a namespace answers EPERM; what is newer than this table, and
``clone3`` (whose flags a filter cannot read), answers ENOSYS, so that libc falls back; a foreign
architecture's call kills the process. Everything else is allowed.

Source: ``linux/seccomp.h``; the choice follows the default profile container engines ship.
"""

import errno
import platform
import struct

_ALLOW, _KILL, _ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
_LOAD, _JEQ, _JGE, _JSET, _RET, _JMP, _AND = 0x20, 0x15, 0x35, 0x45, 0x06, 0x05, 0x54
_NEW_NAMESPACE_FLAGS = 0x7E020000 | 0x80
_ALLOWED_FAMILIES = (1, 2, 10, 16)  # AF_UNIX, AF_INET, AF_INET6, AF_NETLINK (getifaddrs)

# name: (x86_64, aarch64); None where the architecture never had it
_DENIED = {
    "acct": (163, 89), "add_key": (248, 217), "bpf": (321, 280), "chroot": (161, 51),
    "clock_adjtime": (305, 266), "clock_settime": (227, 112), "create_module": (174, None),
    "delete_module": (176, 106), "fanotify_init": (300, 262), "finit_module": (313, 273),
    "fsconfig": (431, 431), "fsmount": (432, 432), "fsopen": (430, 430), "fspick": (433, 433),
    "init_module": (175, 105), "io_uring_enter": (426, 426), "io_uring_register": (427, 427),
    "io_uring_setup": (425, 425), "ioperm": (173, None), "iopl": (172, None), "kcmp": (312, 272),
    "kexec_file_load": (320, 294), "kexec_load": (246, 104), "keyctl": (250, 219),
    "lookup_dcookie": (212, 18), "mbind": (237, 235), "migrate_pages": (256, 238),
    "mount": (165, 40), "mount_setattr": (442, 442), "move_mount": (429, 429),
    "move_pages": (279, 239), "name_to_handle_at": (303, 264), "nfsservctl": (180, 42),
    "open_by_handle_at": (304, 265), "open_tree": (428, 428), "perf_event_open": (298, 241),
    "personality": (135, 92), "pidfd_getfd": (438, 438), "pivot_root": (155, 41),
    "process_vm_readv": (310, 270), "process_vm_writev": (311, 271), "ptrace": (101, 117),
    "quotactl": (179, 60), "quotactl_fd": (443, 443), "reboot": (169, 142),
    "request_key": (249, 218), "set_mempolicy": (238, 237), "setdomainname": (171, 162),
    "sethostname": (170, 161), "setns": (308, 268), "settimeofday": (164, 170),
    "swapoff": (168, 225), "swapon": (167, 224), "syslog": (103, 116), "umount2": (166, 39),
    "unshare": (272, 97), "uselib": (134, None), "userfaultfd": (323, 282), "vhangup": (153, 58),
    "vmsplice": (278, 75),
}  # fmt: skip
_TO_MOUNT = ("mount", "move_mount")
_CLONE, _SOCKET, _CLONE3, _FIRST_UNKNOWN = (56, 220), (41, 198), 435, 463
_SETNS, _SETSOCKOPT, _NOTIFY = (308, 268), (54, 208), 0x7FC00000
_INET, _INET6, _NETLINK, _SOCK_RAW, _SOCK_TYPE = 2, 10, 16, 3, 0xF
JOIN_FLAGS = 0x10000000 | 0x00020000 | 0x20000000 | 0x40000000 | 0x08000000 | 0x04000000
"""Every namespace of an environment at once: user, mount, pid, network, IPC, UTS."""
_NETFILTER_OPTIONS = {0: (64, 65, 96, 97, 128, 129), 41: (64, 65)}
"""By level (SOL_IP, SOL_IPV6): replacing tables of iptables, arptables, ebtables and ip6tables."""
_AUDIT_ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}


def _op(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("HBBI", code, if_true, if_false, value)


def _return(action: int) -> bytes:
    return _op(_RET, action)


def build_filter(machine: str | None = None, *, may_mount: bool = False) -> bytes:
    """The filter for ``machine`` (default: this one) as an array of ``struct sock_filter``.

    ``may_mount`` leaves out what :func:`build_last_filter` denies.

    A binary search: when it is loaded the kernel runs it for every number there is, to remember which are
    always allowed; the others go through it each time.

    Raises LookupError for an architecture without a table.
    """
    machine = machine or platform.machine()
    column = {"x86_64": 0, "aarch64": 1}[machine]
    program = [_op(_LOAD, 4), _op(_JEQ, _AUDIT_ARCH[machine], 1, 0), _return(_KILL), _op(_LOAD, 0)]
    return b"".join(program + _search(_ranges(column, _TO_MOUNT if may_mount else ())))


def build_last_filter(machine: str | None = None) -> bytes:
    """What makes a filter with ``may_mount`` whole: of two filters the one that denies counts.

    It need not look at the architecture, nor at other numbers of the same calls: the first one does.
    """
    machine = machine or platform.machine()
    column = {"x86_64": 0, "aarch64": 1}[machine]
    program = [_op(_LOAD, 0)]
    for name in _TO_MOUNT:
        number = _DENIED[name][column]
        assert number is not None  # noqa: S101 - every architecture has them
        program += [_op(_JEQ, number, 0, 1), _return(_ERRNO | errno.EPERM)]
    return b"".join([*program, _return(_ALLOW)])


def _ranges(column: int, allowed_names: "tuple[str, ...]") -> "list[tuple[int, list[bytes]]]":
    """What is done from each number on, until the next one that is named."""
    eperm, enosys = _ERRNO | errno.EPERM, _ERRNO | errno.ENOSYS
    allowed = [_return(_ALLOW)]
    does = {
        number: [_return(eperm)]
        for name, numbers in _DENIED.items()
        if (number := numbers[column]) is not None and name not in allowed_names
    }
    does[_CLONE3] = [_return(enosys)]
    does[_CLONE[column]] = _check_clone(eperm)
    does[_SOCKET[column]] = _check_socket(_ERRNO | errno.EAFNOSUPPORT)
    # Newer calls than this table knows, and the x32 numbers above 0x40000000.
    does[_FIRST_UNKNOWN] = [_return(enosys)]
    found = [(0, allowed)]
    for number in sorted(does):
        for start, body in ((number, does[number]), (number + 1, allowed)):
            if found[-1][0] == start:
                found.pop()
            if not found or found[-1][1] != body:
                found.append((start, body))
    found.pop()  # no number after the first unknown one is known
    return found


def _search(ranges: "list[tuple[int, list[bytes]]]") -> list[bytes]:
    """The accumulator holds the number; the last one named that is not above it decides."""
    if len(ranges) == 1:
        return ranges[0][1]
    middle = len(ranges) // 2
    below = _search(ranges[:middle])
    return [_op(_JGE, ranges[middle][0], len(below), 0), *below, *_search(ranges[middle:])]


def build_template_filter(machine: str | None = None) -> bytes:
    """The filter for what is forked from after its initialisation: :func:`build_filter` and three things more.

    ``setns`` into all namespaces of an environment at once is not denied: the platform is asked, each time. And
    since who does so has capabilities over those namespaces until it gives them up, netlink is for routes
    alone, raw sockets and netfilter's tables are denied.
    """
    machine = machine or platform.machine()
    column = {"x86_64": 0, "aarch64": 1}[machine]
    eperm = _ERRNO | errno.EPERM
    program = [_op(_LOAD, 4), _op(_JEQ, _AUDIT_ARCH[machine], 1, 0), _return(_KILL), _op(_LOAD, 0)]
    program += _ask_to_join(_SETNS[column])
    program += _check_raw_sockets(_SOCKET[column], eperm)
    program += _check_netfilter(_SETSOCKOPT[column], eperm)
    return b"".join(program) + build_filter(machine)


def _check_clone(action: int) -> list[bytes]:
    """clone(2) may not make namespaces: its flags are the first argument, at offset 16."""
    return [
        _op(_LOAD, 16),
        _op(_JSET, _NEW_NAMESPACE_FLAGS & ~0x80, 0, 1),
        _return(action),
        _return(_ALLOW),
    ]


def _check_socket(action: int) -> list[bytes]:
    """socket(2) only for the families a function has a use for."""
    checks = [
        _op(_JEQ, family, len(_ALLOWED_FAMILIES) - index, 0)
        for index, family in enumerate(_ALLOWED_FAMILIES)
    ]
    return [_op(_LOAD, 16), *checks, _return(action), _return(_ALLOW)]


def _ask_to_join(number: int) -> list[bytes]:
    """setns(2) with exactly these flags, its second argument, is the platform's to allow."""
    return [
        _op(_JEQ, number, 0, 4),
        _op(_LOAD, 24),
        _op(_JEQ, JOIN_FLAGS, 0, 1),
        _return(_NOTIFY),
        _op(_LOAD, 0),
    ]


def _check_raw_sockets(number: int, action: int) -> list[bytes]:
    """No raw socket of IPv4 or IPv6; netlink with protocol 0 (routes) only."""
    body = [
        _op(_LOAD, 16),
        _op(_JEQ, _NETLINK, 0, 3),
        _op(_LOAD, 32),
        _op(_JEQ, 0, 7, 0),
        _return(action),
        _op(_JEQ, _INET, 1, 0),
        _op(_JEQ, _INET6, 0, 4),
        _op(_LOAD, 24),
        _op(_AND, _SOCK_TYPE),
        _op(_JEQ, _SOCK_RAW, 0, 1),
        _return(action),
        _op(_LOAD, 0),
    ]
    return [_op(_JEQ, number, 0, len(body)), *body]


def _check_netfilter(number: int, action: int) -> list[bytes]:
    """setsockopt(2) may not replace tables of netfilter: level and option are its second and third argument."""
    body = []
    for level, options in _NETFILTER_OPTIONS.items():
        checks = [_op(_JEQ, option, len(options) - i, 0) for i, option in enumerate(options)]
        # Past the last check, and past the refusal, when none was it.
        inner = [_op(_LOAD, 32), *checks, _op(_JMP, 1), _return(action)]
        body += [_op(_LOAD, 24), _op(_JEQ, level, 0, len(inner)), *inner]
    body.append(_op(_LOAD, 0))
    return [_op(_JEQ, number, 0, len(body)), *body]
