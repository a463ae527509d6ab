"""Uploads made to harm: each is refused in AWS's words, nothing is written, others go on."""

import io
import stat
import zipfile
from collections.abc import Callable, Iterable
from typing import Any

import pytest
from botocore.exceptions import ClientError

MIB = 1024 * 1024
Entries = Iterable[tuple[str | zipfile.ZipInfo, bytes]]


def pack(entries: Entries) -> bytes:
    """A zip of exactly these entries, however odd."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries:
            archive.writestr(name, content, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def special(name: str, kind: int) -> zipfile.ZipInfo:
    """An entry of a kind: a link, a device, a pipe."""
    info = zipfile.ZipInfo(name)
    info.create_system = 3
    info.external_attr = (kind | 0o777) << 16
    return info


def overlapping() -> bytes:
    """A bomb whose entries all share one file's data (as in "A better zip bomb")."""
    data = pack([("a", b"\0" * 9 * MIB)])
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        start = archive.start_dir
    end = data[-22:]
    entry = data[start:-22]
    directory = b"".join(entry[:-1] + bytes([97 + n]) for n in range(25))
    count = (25).to_bytes(2, "little")
    tail = end[:8] + count + count + len(directory).to_bytes(4, "little") + end[16:]
    return data[:start] + directory + tail


HOSTILE: list[tuple[str, Callable[[], bytes]]] = [
    ("climbs out", lambda: pack([("../evil.py", b"")])),
    ("climbs out in the middle", lambda: pack([("a/../../evil.py", b"")])),
    ("absolute", lambda: pack([("/etc/evil", b"")])),
    ("backslash", lambda: pack([("..\\evil.py", b"")])),
    ("link out", lambda: pack([(special("l", stat.S_IFLNK), b"/etc/passwd")])),
    ("link up", lambda: pack([(special("a/l", stat.S_IFLNK), b"../../x")])),
    ("through a link", lambda: pack([(special("d", stat.S_IFLNK), b"e"), ("d/x", b"")])),
    ("device", lambda: pack([(special("null", stat.S_IFCHR), b"")])),
    ("pipe", lambda: pack([(special("pipe", stat.S_IFIFO), b"")])),
    ("300 MB of zeros", lambda: pack([("a", bytes(150 * MIB)), ("b", bytes(150 * MIB))])),
    ("overlapping entries", overlapping),
    ("no zip", lambda: b"this is no zip at all"),
    ("empty", lambda: pack([])),
    ("cut off", lambda: pack([("app.py", b"x = 1" * 1000)])[:-40]),
    ("damaged", lambda: pack([("app.py", bytes(range(256)) * 99)]).replace(b"\x00", b"\x7f", 900)),
    ("no bytes", lambda: b""),
]


@pytest.mark.parametrize(("kind", "make"), HOSTILE, ids=[kind for kind, _ in HOSTILE])
def test_hostile_zips_are_refused(
    deploy: Callable[..., Any],
    client: Any,
    platform: Any,
    new_name: Callable[[], str],
    bystander: Callable[[], None],
    kind: str,
    make: Callable[[], bytes],
) -> None:
    """A zip that would harm is 400 for functions and layers alike, and leaves no file behind."""
    del kind
    content, name = make(), new_name()
    settings = {"Runtime": "python3.12", "Role": "arn:aws:iam::000000000000:role/r"}
    before_mib = platform.rss_mib()
    files_before = {str(path) for path in platform.data_dir.glob("code/*/*")}
    for operation, parameters in (
        ("create_function", {
            "FunctionName": name, "Handler": "app.handler", "Code": {"ZipFile": content}, **settings,
        }),
        ("publish_layer_version", {"LayerName": name, "Content": {"ZipFile": content}}),
    ):  # fmt: skip
        with pytest.raises(ClientError) as refused:
            getattr(client, operation)(**parameters)
        error = refused.value.response
        assert error["ResponseMetadata"]["HTTPStatusCode"] == 400
        assert error["Error"]["Code"] in ("InvalidParameterValueException", "ValidationException")
    assert {str(path) for path in platform.data_dir.glob("code/*/*")} == files_before
    assert not list(platform.data_dir.parent.rglob("evil*"))
    assert platform.rss_mib() - before_mib < 200
    bystander()


def test_a_link_inside_stays_a_link(deploy: Callable[..., Any]) -> None:
    """A symbolic link that stays inside is kept: packages of Node.js and Python have them."""
    code = b"def handler(event, context): return open('link/x.txt').read()"
    entries: Entries = [
        ("app.py", code), ("real/x.txt", b"inside"), (special("link", stat.S_IFLNK), b"real"),
    ]  # fmt: skip
    function = deploy("def handler(event, context): pass")
    function.client.update_function_code(FunctionName=function.name, ZipFile=pack(entries))
    function.client.get_waiter("function_updated_v2").wait(FunctionName=function.name)
    assert function().payload == "inside"


def test_too_large_an_upload_is_refused_early(client: Any, new_name: Callable[[], str]) -> None:
    """A zip over 50 MB is 413 ``RequestEntityTooLargeException``."""
    with pytest.raises(ClientError) as refused:
        client.publish_layer_version(LayerName=new_name(), Content={"ZipFile": bytes(51 * MIB)})
    assert refused.value.response["Error"]["Code"] == "RequestEntityTooLargeException"
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 413
