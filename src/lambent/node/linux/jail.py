"""Where images are unpacked: a program that shuts itself in, and becomes another one.

``python -I -S jail.py SOURCE DIRECTORY UID MOST_BYTES PROGRAM…``, as root (``UID`` 0: as an ordinary user, who
has nothing to give up). The program runs in ``DIRECTORY``, which is at ``/tmp/work`` for it where there is root:

1. as a user who owns nothing else on this host and has no capabilities, nor any way to more privileges,
2. without a network, and with that directory as the only one it can write to,
3. no file larger than ``MOST_BYTES``, and no longer than its parent lives.

It runs on nothing but the standard library and the module of system calls that lies in ``SOURCE``.
"""

import os
import resource
import sys

_PLACE = "/tmp/work"  # noqa: S108 - on a file system of its own
_SIGKILL = 9


def main(arguments: "list[str]") -> None:
    """Never returns."""
    source, directory, uid, most_bytes, *command = arguments
    sys.path.insert(0, source)
    from lambent.node.linux import syscalls as sys_

    sys_.prctl(sys_.PR_SET_PDEATHSIG, _SIGKILL)
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(most_bytes), int(most_bytes)))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    place = directory
    if int(uid):
        sys_.unshare(sys_.CLONE_NEWNS | sys_.CLONE_NEWNET | sys_.CLONE_NEWIPC)
        sys_.mount("none", "/", "", sys_.MS_REC | sys_.MS_PRIVATE)
        here = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)  # /tmp may be above it
        flags = sys_.MS_NOSUID | sys_.MS_NODEV
        sys_.mount("tmpfs", "/tmp", "tmpfs", flags, "size=1m,mode=755")  # noqa: S108 - ours from here on
        place = _PLACE
        os.mkdir(place)
        sys_.mount(f"/proc/self/fd/{here}", place, "", sys_.MS_BIND)
        sys_.mount("", place, "", sys_.MS_REMOUNT | sys_.MS_BIND | flags)
        sys_.drop_capabilities_bounding()
        os.setgroups([])
        os.setresgid(int(uid), int(uid), int(uid))
        os.setresuid(int(uid), int(uid), int(uid))
        sys_.drop_capabilities()
        sys_.prctl(sys_.PR_SET_PDEATHSIG, _SIGKILL)  # a change of the user took it back
    sys_.prctl(sys_.PR_SET_NO_NEW_PRIVS, 1)
    os.chdir(place)
    environ = {"PATH": os.defpath, "HOME": place, "TMPDIR": place}
    os.execve(command[0], command, environ)  # noqa: S606 - that is what this is for


if __name__ == "__main__":
    main(sys.argv[1:])
