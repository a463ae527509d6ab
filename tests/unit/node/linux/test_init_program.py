"""Pid 1 of an environment: a program of a few bytes that does what ``cat >/dev/null`` does."""

import os
import platform
import shutil
import subprocess
from pathlib import Path

import pytest

from lambent.node.linux.init_program import PROGRAMS, elf_program, write_init

_DEADLINE_S = 20


def _run_by(machine: str) -> list[str]:
    """What runs a program of that machine here: nothing, or an emulator."""
    if machine == platform.machine():
        return []
    emulator = shutil.which(f"qemu-{machine}-static") or shutil.which(f"qemu-{machine}")
    if emulator is None:
        pytest.skip(f"nothing here runs programs of {machine}")
    return [emulator]


@pytest.mark.parametrize("machine", PROGRAMS)
@pytest.mark.parametrize("text", [b"", b"x", b"much" * 2000], ids=["none", "one", "much"])
def test_it_reads_to_the_end_and_is_over(machine: str, text: bytes, tmp_path: Path) -> None:
    """Whatever comes is read and nothing is written; at the end of its input it exits with 0."""
    program = tmp_path / "init"
    program.write_bytes(elf_program(*PROGRAMS[machine]))
    program.chmod(0o755)
    done = subprocess.run(
        [*_run_by(machine), program],
        input=text,
        capture_output=True,
        timeout=_DEADLINE_S,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


@pytest.mark.parametrize("machine", PROGRAMS)
def test_it_waits_for_the_end(machine: str, tmp_path: Path) -> None:
    """While its input is open it lives: the lifeline of an environment."""
    program = tmp_path / "init"
    program.write_bytes(elf_program(*PROGRAMS[machine]))
    program.chmod(0o755)
    with subprocess.Popen([*_run_by(machine), program], stdin=subprocess.PIPE) as running:
        assert running.stdin is not None
        running.stdin.write(b"x")
        running.stdin.flush()
        with pytest.raises(subprocess.TimeoutExpired):
            running.wait(0.2)
        running.stdin.close()
        assert running.wait(_DEADLINE_S) == 0


def test_what_is_written_is_a_program(tmp_path: Path) -> None:
    """On any machine something stands there that can be executed: ours, or ``cat``."""
    path = tmp_path / "sbin" / "init"
    write_init(str(path))
    assert os.access(path, os.X_OK)
