"""Images that try to leave: what one sees, what it may do, and what it is unpacked to."""

import io
import json
import sys
import tarfile
import uuid
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from lambent.testing.images import BUSYBOX, add_layer, build, uri
from lambent.testing.shell_images import ROLE, Shell, shell_layers


def test_an_image_sees_its_own_root_alone(
    deploy: Callable[..., Shell], host: Any, shell_uri: str
) -> None:
    """The root is the image's, with what every environment has; nothing of the host's or the zygote's is in it."""
    shell = deploy(shell_uri)
    assert set(shell("ls -A /").split()) == {
        "bin", "client", "data", "dev", "etc", "mnt", "proc", "tmp", "var",
    }  # fmt: skip
    mounts = [line.split()[:4] for line in shell("cat /proc/self/mounts").splitlines()]
    assert {place for _, place, _, _ in mounts} == {
        "/", "/dev", "/dev/full", "/dev/null", "/dev/random", "/dev/urandom", "/dev/zero", "/etc/hosts",
        "/etc/resolv.conf", "/proc", "/tmp",
    }  # fmt: skip
    root = next(options.split(",") for _, place, _, options in mounts if place == "/")
    assert {"ro", "nosuid", "nodev"} <= set(root)
    for path in (
        str(host.data_dir),
        "/.lambent",
        "/work",
        "/root/.ssh",
        "/usr/bin",
        "/etc/shadow",
        "/sys/kernel",
    ):
        assert "No such file" in shell(f"ls {path}")
    assert shell("cd /; cd ../../..; ls -A | wc -l") == "9"
    assert shell("readlink /proc/self/root; readlink /proc/self/cwd") == "/\n/data"
    assert shell("ls /proc/self/fd").split() == ["0", "1", "2", "3"], "the last is of ls itself"
    assert shell("ls /mnt /var/task") == "/mnt:\n\n/var/task:"
    assert set(shell("ls /dev").split()) == {
        "fd", "full", "null", "random", "stderr", "stdin", "stdout", "urandom", "zero",
    }  # fmt: skip


@pytest.mark.parametrize(
    "attempt",
    [
        "touch /evil",
        "touch /bin/evil",
        "rm /client",
        "chmod 777 /client",
        "mount -t tmpfs none /tmp",
        "mount -o remount,rw /",
        "umount /proc",
        "umount -l /",
        "unshare -m true",
        "unshare -r true",
        "chroot /tmp /bin/sh",
        "mknod /tmp/sda b 8 0",
        "cat /proc/1/environ | grep .",
        "ls /proc/1/root/",
        "ls /proc/1/fd",
        "echo x > /proc/sys/kernel/hostname",
        "echo x > /etc/resolv.conf",
        "mkdir /dev/shm",
        "/bin/su -c id",
    ],
)
def test_denied(deploy: Callable[..., Shell], hostile: Shell, attempt: str) -> None:
    """What only an administrator may do, an image may not, whatever it brings along."""
    del deploy
    assert (
        hostile(f"if ({attempt}) 2>/dev/null; then echo allowed; else echo denied; fi") == "denied"
    )


@pytest.fixture(scope="module")
def hostile(client: Any, layouts: Path) -> Iterator[Shell]:
    """An image that comes with a set-user-id shell and links where things are mounted."""
    layout = layouts / "hostile"
    build(layout, "v1", shell_layers(), entrypoint=["sh", "/client"])
    add_layer(layout, "v1", hostile_tar())
    name = f"image-{uuid.uuid4().hex[:8]}"
    client.create_function(
        FunctionName=name, Role=ROLE, PackageType="Image", Code={"ImageUri": uri("hostile")}, Timeout=20
    )  # fmt: skip
    client.get_waiter("function_active_v2").wait(FunctionName=name)
    yield Shell(client, name)
    client.delete_function(FunctionName=name)


def hostile_tar() -> bytes:
    """Ways up, links over what is mounted, a set-user-id program, a device, an owner, a hard link outwards."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:

        def put(name: str, kind: bytes = tarfile.REGTYPE, **more: Any) -> None:
            info = tarfile.TarInfo(name)
            info.type, info.mode = kind, 0o755
            data = more.pop("data", b"")
            for member, value in more.items():
                setattr(info, member, value)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))

        put("../../../../../../../../tmp/lambent-escape", data=b"up")
        put("/tmp/lambent-escape", data=b"absolute")
        put("out", tarfile.SYMTYPE, linkname="/tmp")
        put("out/lambent-escape", data=b"through a link")
        put("tmp", tarfile.SYMTYPE, linkname="/etc")
        put("dev", tarfile.SYMTYPE, linkname="/")
        put("mnt", tarfile.SYMTYPE, linkname="../../../../..")
        put("bin/su", mode=0o6755, data=BUSYBOX.read_bytes())
        put("disk", tarfile.BLKTYPE, devmajor=8, devminor=0)
        put("null", tarfile.CHRTYPE, devmajor=1, devminor=3, mode=0o666)
        put("others", uid=1000, gid=1000, data=b"x", mode=0o600)
    return buffer.getvalue()


def test_a_hostile_image_stays_where_it_was_put(hostile: Shell, host: Any) -> None:
    """Ways up and links lead to places inside; set-user-id programs and devices are plain files."""
    assert not Path("/tmp/lambent-escape").exists()
    trees = list((host.data_dir / "images").rglob("lambent-escape"))
    assert all("rootfs" in tree.parts for tree in trees)
    assert hostile("stat -c %a /bin/su") == "755"
    assert hostile("stat -c %F /disk /null") == "regular empty file\nregular empty file"
    if not host.health["sandbox"]["isolation"]["user"]:  # without root all of it is the function's
        assert hostile("cat /others 2>&1").endswith("Permission denied")
    assert hostile("/bin/su -c id 2>&1; id -u").splitlines()[-1] != "0"
    status = dict(
        line.split(":\t", 1)
        for line in hostile("cat /proc/self/status").splitlines()
        if ":\t" in line
    )
    for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
        assert int(status[name], 16) == 0, name
    assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2")


def test_files_of_other_functions_are_out_of_reach(
    deploy: Callable[..., Shell], host: Any, shell_uri: str, layouts: Path
) -> None:
    """Neither an image nor a zip's function finds another one's image."""
    build(layouts / "secret", "v1", shell_layers(secret="s3cr3t"), entrypoint=["sh", "/client"])
    assert deploy(uri("secret"))("cat /secret") == "s3cr3t"
    shell = deploy(shell_uri)
    assert shell("find / -name secret -o -name trees -o -name rootfs 2>/dev/null") == ""
    zipped = host.client("lambda")
    code = (
        "import os\ndef handler(e, c):\n  return [os.path.exists(p) and os.listdir(p) for p in e]"
    )
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("app.py", code)
    name = f"zip-{uuid.uuid4().hex[:8]}"
    zipped.create_function(
        FunctionName=name, Role=ROLE, Runtime=f"python3.{sys.version_info.minor}", Handler="app.handler",
        Code={"ZipFile": buffer.getvalue()},
    )  # fmt: skip
    places = ["/.lambent/images", "/.lambent/code", "/.lambent/fs"]
    answer = zipped.invoke(FunctionName=name, Payload=json.dumps(places))
    assert [found or [] for found in json.loads(answer["Payload"].read())] == [[], [], []]
    zipped.delete_function(FunctionName=name)
