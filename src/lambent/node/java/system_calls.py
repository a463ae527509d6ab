"""A shared library for a JVM that waits to hear whose it is (ADR 27): what Java itself has no way to.

It has to change to ``/var/task`` once the code is mounted there, to have ``/dev/null`` for standard input, and
to give child processes the function's variables, which they take from ``environ`` of the C library. Two
functions are enough, of nine instructions together; no compiler is needed to write them down.
"""

import platform
import struct
from dataclasses import dataclass

CALL = b"Java_lambent_runtime_SystemCall_call"
"""``static native long call(long number, long a, long b, long c)`` by the rules of JNI."""
SET_ENVIRON = b"Java_lambent_runtime_SystemCall_setEnviron"
"""``static native void setEnviron(long array)``."""
_STRINGS = b"\0" + CALL + b"\0" + SET_ENVIRON + b"\0environ\0"
_SEGMENTS = 4
_HASH_AT = 64 + _SEGMENTS * 56
_SYMBOLS_AT = _HASH_AT + 32
_STRINGS_AT = _SYMBOLS_AT + 4 * 24
_PAGE = 0x10000
"""The largest there is; the segments lie that far apart, and the file is one page of any size."""


@dataclass(frozen=True, slots=True)
class _Machine:
    """``number`` and ``relocation`` are ELF's. JNI's own two arguments come before those of the functions."""

    number: int
    relocation: int
    call: bytes

    def set_environ(self, distance: int) -> bytes:
        """``distance``: from the code to where the loader writes the address of ``environ``."""
        if self.number == 62:
            # mov rax, [rip + distance]; mov [rax], rdx; ret
            return b"\x48\x8b\x05" + struct.pack("<i", distance - 7) + bytes.fromhex("488910 c3")
        # ldr x1, distance; str x2, [x1]; ret
        load = 0x58000001 | (distance // 4) << 5
        return struct.pack("<I", load) + bytes.fromhex("220000f9 c0035fd6")


_MACHINES = {
    # mov rax, rdx; mov rdi, rcx; mov rsi, r8; mov rdx, r9; syscall; ret
    "x86_64": _Machine(62, 6, bytes.fromhex("4889d0 4889cf 4c89c6 4c89ca 0f05 c3")),
    # mov x8, x2; mov x0, x3; mov x1, x4; mov x2, x5; svc 0; ret
    "aarch64": _Machine(
        183, 1025, bytes.fromhex("e80302aa e00303aa e10304aa e20305aa 010000d4 c0035fd6")
    ),
}


def build_library(name: str | None = None) -> bytes | None:
    """The library for a machine, by default this one; None where there is no code for it.

    Source: System V ABI, "Object Files" and "Dynamic Linking".
    """
    machine = _MACHINES.get(name or platform.machine())
    if machine is None:
        return None
    relocation_at = _align(_STRINGS_AT + len(_STRINGS))
    call_at = relocation_at + 32
    set_at = _align(call_at + len(machine.call))
    dynamic_at = _align(set_at + 16)
    table = _dynamic(relocation_at)
    slot_at = dynamic_at + len(table)
    slot = _PAGE + slot_at
    setter = machine.set_environ(slot - set_at)
    parts = {
        0: _header(machine.number) + _segments(dynamic_at, len(table) + 8),
        _HASH_AT: struct.pack("<7I", 1, 4, 1, 0, 2, 0, 0),  # one bucket: the two functions
        _SYMBOLS_AT: _symbols((call_at, len(machine.call)), (set_at, len(setter))),
        _STRINGS_AT: _STRINGS,
        relocation_at: struct.pack("<QQq", slot, 3 << 32 | machine.relocation, 0),
        call_at: machine.call,
        set_at: setter,
        dynamic_at: table,
        slot_at: bytes(8),
    }
    file = bytearray(slot_at + 8)
    for offset, content in parts.items():
        file[offset : offset + len(content)] = content
    return bytes(file)


def _align(offset: int) -> int:
    return (offset + 15) // 16 * 16


def _header(machine: int) -> bytes:
    """A shared object of 64 bits, little endian, without sections."""
    identity = b"\x7fELF\x02\x01\x01" + bytes(9)
    rest = (3, machine, 1, 0, 64, 0, 0, 64, 56, _SEGMENTS, 64, 0, 0)
    return identity + struct.pack("<HHIQQQIHHHHHH", *rest)


def _segments(dynamic_at: int, length: int) -> bytes:
    """All is read-only but the dynamic table and what the loader writes there; the stack is not executable."""
    here = _PAGE + dynamic_at

    def segment(kind: int, flags: int, offset: int, address: int, size: int, align: int) -> bytes:
        return struct.pack("<IIQQQQQQ", kind, flags, offset, address, address, size, size, align)

    return (
        segment(1, 5, 0, 0, dynamic_at, _PAGE)
        + segment(1, 6, dynamic_at, here, length, _PAGE)
        + segment(2, 6, dynamic_at, here, length - 8, 8)
        + segment(0x6474E551, 6, 0, 0, 0, 16)
    )


def _symbols(*functions: tuple[int, int]) -> bytes:
    """None, the functions, and ``environ``, which is somebody else's."""
    names = (CALL, SET_ENVIRON)
    found = bytes(24)
    for name, (at, size) in zip(names, functions, strict=True):
        found += struct.pack("<IBBHQQ", _STRINGS.index(name), 0x12, 0, 1, at, size)
    return found + struct.pack("<IBBHQQ", _STRINGS.index(b"environ\0"), 0x11, 0, 0, 0, 0)


def _dynamic(relocation_at: int) -> bytes:
    """Hash table, strings, symbols and relocation: where they are, and their sizes."""
    entries = (
        (4, _HASH_AT), (5, _STRINGS_AT), (6, _SYMBOLS_AT), (10, len(_STRINGS)), (11, 24),
        (7, relocation_at), (8, 24), (9, 24), (0, 0),
    )  # fmt: skip
    return b"".join(struct.pack("<QQ", *entry) for entry in entries)
