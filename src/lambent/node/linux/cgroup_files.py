"""The files of control groups: read as text, written in one call."""

import os


def read(path: str) -> str:
    """Its text; "" where there is none to read."""
    try:
        with open(path) as file:
            return file.read()
    except OSError:
        return ""


def write(path: str, text: str) -> None:
    """In one call, as the kernel wants it. Raises OSError."""
    fd = os.open(path, os.O_WRONLY)
    try:
        os.write(fd, text.encode())
    finally:
        os.close(fd)


def try_write(path: str, text: str) -> bool:
    """The same; False where it was refused."""
    try:
        write(path, text)
    except OSError:
        return False
    return True
