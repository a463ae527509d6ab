"""Fills the holes of the heap before a fork, so that what children allocate lies together.

Imports leave free blocks all over the pages that children share with the zygote. Whatever a child allocates
would go there first, and copy such a page for a few bytes. Filled, the allocators give children fresh memory.
"""

import ctypes
from typing import Any

_SMALL_MAX_BYTES, _SMALL_STEP_BYTES = 512, 16
_POOL_BYTES = 16 * 1024
"""CPython's small objects of one size lie in pools. Source: ``Include/internal/pycore_obmalloc.h``."""
_SLACK_BLOCKS = 6
"""A pool begins with a header; addresses are integers, and take a block now and then themselves."""
_MAX_BLOCKS = 65_536
_LARGEST_HOLE_BYTES = 64 * 1024
_SMALLEST_HOLE_BYTES = 24
_FINE_BYTES = 1024

_kept: list[Any] = []
"""What fills the holes, for as long as the process lives."""


def fill_holes() -> None:
    """To be called once, when everything that is to be shared has been made. Takes some milliseconds."""
    sizes_bytes = range(_SMALL_STEP_BYTES, _SMALL_MAX_BYTES + 1, _SMALL_STEP_BYTES)
    _kept.extend(_fill_pools(size_bytes) for size_bytes in sizes_bytes)
    _fill_malloc()


def _fill_pools(size_bytes: int) -> "list[Any]":
    """Objects of one size, until most of a pool was filled in one go: none of the older ones had room."""
    made: list[Any] = []
    began = last = 0
    while last - began < _POOL_BYTES - _SLACK_BLOCKS * size_bytes and len(made) < _MAX_BLOCKS:
        made.append(_small_object(size_bytes, len(made)))
        at = id(made[-1])
        if not 0 < at - last <= _SLACK_BLOCKS * size_bytes:
            began = at
        last = at
    return made


def _small_object(size_bytes: int, number: int) -> object:
    """A new object that takes exactly so much, and that no garbage collection looks at."""
    if size_bytes == 16:
        return object()
    if size_bytes == 32:
        return (1 << 40) + number  # beyond the small integers, which exist once
    return bytes(size_bytes - 33)


class _Info(ctypes.Structure):
    """``struct mallinfo2``."""

    _fields_ = [
        (name, ctypes.c_size_t)
        for name in (
            "arena", "ordblks", "smblks", "hblks", "hblkhd",
            "usmblks", "fsmblks", "uordblks", "fordblks", "keepcost",
        )
    ]  # fmt: skip


def _fill_malloc() -> None:
    """Blocks of every size, until they come from the end of the heap: glibc's, others are left as they are."""
    libc = _glibc()
    if libc is None:
        return
    libc.malloc.restype, libc.malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
    libc.free.argtypes = [ctypes.c_void_p]
    size_bytes = _LARGEST_HOLE_BYTES
    for _ in range(_MAX_BLOCKS):
        before = libc.mallinfo2()
        block = libc.malloc(size_bytes)
        after = libc.mallinfo2()
        if after.keepcost >= before.keepcost and after.arena == before.arena:
            continue  # it filled a hole
        libc.free(block)
        if size_bytes < _SMALLEST_HOLE_BYTES:
            return
        size_bytes = size_bytes * 3 // 4 if size_bytes > _FINE_BYTES else size_bytes - 16


def holes_bytes() -> int:
    """Free memory in glibc's heap before its end; -1 where it does not tell."""
    libc = _glibc()
    if libc is None:
        return -1
    found = libc.mallinfo2()
    return int(found.fordblks - found.keepcost)


def _glibc() -> "ctypes.CDLL | None":
    """The C library, where it is glibc 2.33 or later."""
    libc = ctypes.CDLL(None)
    try:
        libc.mallinfo2.restype = _Info
    except AttributeError:
        return None
    return libc
