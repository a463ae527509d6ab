"""A directory as a function's code: reproducible zips, and handlers found by reading."""

import contextlib
import io
import os
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambent.cli import package
from lambent.cli.failures import CliError


def names(content: bytes) -> list[str]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return archive.namelist()


def test_zip_depends_on_contents_alone(tmp_path: Path) -> None:
    """Equal trees make equal bytes, whatever their time stamps and the order they were written in."""
    texts = {"b.py": "2", "a.py": "1", "pkg/c.txt": "3"}
    for root, order in (("one", list(texts)), ("two", list(reversed(texts)))):
        for name in order:
            path = tmp_path / root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(texts[name])
            os.utime(path, (1, 1 if root == "one" else 2_000_000_000))
    one, two = package.build(tmp_path / "one"), package.build(tmp_path / "two")
    assert one.content == two.content
    assert names(one.content) == ["a.py", "b.py", "pkg/c.txt"]
    assert one.file_count == 3


def test_zip_keeps_whether_a_file_is_executable(tmp_path: Path) -> None:
    """Modes are 755 or 644 and nothing else, so a umask does not change the code's hash."""
    for name, mode in (("bootstrap", 0o700), ("data", 0o600)):
        (tmp_path / name).write_text("x")
        (tmp_path / name).chmod(mode)
    with zipfile.ZipFile(io.BytesIO(package.build(tmp_path).content)) as archive:
        modes = {i.filename: i.external_attr >> 16 & 0o777 for i in archive.infolist()}
    assert modes == {"bootstrap": 0o755, "data": 0o644}


def test_zip_leaves_out_caches_and_secrets(tmp_path: Path) -> None:
    """Caches, virtual environments, version control and .env files are no code."""
    for name in (".git/config", "__pycache__/a.pyc", ".venv/x.py", ".env", "old.pyc", "app.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("x")
    assert names(package.build(tmp_path).content) == ["app.py"]


def test_linked_files_go_in_and_dangling_links_do_not(tmp_path: Path) -> None:
    """A link to a file is packed as the file; a link to nothing is no file."""
    (tmp_path / "outside").write_text("data")
    code = tmp_path / "code"
    code.mkdir()
    (code / "link").symlink_to(tmp_path / "outside")
    (code / "dangling").symlink_to(tmp_path / "nothing")
    assert names(package.build(code).content) == ["link"]


def test_an_empty_directory_is_refused(tmp_path: Path) -> None:
    """Nothing to deploy is a mistake, not an empty function."""
    with pytest.raises(CliError, match="holds no files"):
        package.build(tmp_path)


def test_a_tree_too_large_is_refused_before_it_is_read(tmp_path: Path) -> None:
    """A sparse file of 300 MB is refused by its size."""
    with (tmp_path / "model.bin").open("wb") as file:
        file.truncate(300_000_000)
    with pytest.raises(CliError, match="over 250 MiB unzipped"):
        package.build(tmp_path)


@pytest.mark.parametrize(
    ("files", "handler"),
    [
        ({"lambda_function.py": "def lambda_handler(event, context): ..."}, "lambda_handler"),
        ({"app.py": "def handler(event, context=None): ..."}, "handler"),
        ({"app.py": "def handler(*args): ..."}, "handler"),
        ({"app.py": "def handler(): ...\ndef main(event, context): ..."}, "main"),
        ({"app.py": "handler = lambda event, context: event"}, "handler"),
        ({"app.py": "handler = Mangum(web)"}, "handler"),
        ({"app.py": "def run(event, context): ...\nhandler = run"}, "handler"),
        ({"app.py": "from inner import handler"}, "handler"),
        ({"zeta.py": "def handler(event, context): ..."}, "handler"),
    ],
)
def test_finds_the_handler(tmp_path: Path, files: dict[str, str], handler: str) -> None:
    """Whatever Lambda could call under a usual name is found without importing anything."""
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    module = next(iter(files)).removesuffix(".py")
    assert package.find_handler(tmp_path) == f"{module}.{handler}"
    assert package.defines(tmp_path, f"{module}.{handler}")


@pytest.mark.parametrize(
    "text",
    ["def handler(event): ...", "async def handler(event, context): ...", "x = 1", ""],
)
def test_finds_no_handler_where_there_is_none(tmp_path: Path, text: str) -> None:
    """What cannot take an event and a context is no handler, and the remedy is an option."""
    (tmp_path / "app.py").write_text(text)
    with pytest.raises(CliError, match="No handler found") as caught:
        package.find_handler(tmp_path)
    assert "--handler" in caught.value.remedy


def test_prefers_the_usual_module(tmp_path: Path) -> None:
    """lambda_function comes before app, and app before modules of other names."""
    for name in ("aaa", "app", "lambda_function"):
        (tmp_path / f"{name}.py").write_text("def handler(event, context): ...")
    assert package.find_handler(tmp_path) == "lambda_function.handler"
    (tmp_path / "lambda_function.py").unlink()
    assert package.find_handler(tmp_path) == "app.handler"


@pytest.mark.parametrize(
    ("path", "text", "handler", "there"),
    [
        ("app/__init__.py", "def handler(event, context): ...", "app.handler", True),
        ("src/app.py", "def handler(event, context): ...", "src/app.handler", True),
        ("src/app.py", "def handler(event, context): ...", "src.app.handler", True),
        ("app.py", "if True:\n    def handler(event, context): ...", "app.handler", True),
        ("app.py", "from other import *", "app.handler", True),
        ("app.py", "newer syntax than ours", "app.handler", True),
        ("app.py", "def other(event, context): ...", "app.handler", False),
        ("other.py", "def handler(event, context): ...", "app.handler", False),
    ],
)
def test_knows_a_handler_that_is_still_there(
    tmp_path: Path, path: str, text: str, handler: str, there: bool
) -> None:
    """Only a handler that is surely gone counts as gone."""
    (tmp_path / path).parent.mkdir(exist_ok=True)
    (tmp_path / path).write_text(text)
    assert package.defines(tmp_path, handler) is there


@given(st.binary(max_size=200))
def test_any_bytes_as_a_module_raise_no_surprise(
    tmp_path_factory: pytest.TempPathFactory, data: bytes
) -> None:
    """A file that is no Python is a CliError, never a traceback."""
    directory = tmp_path_factory.mktemp("code")
    (directory / "app.py").write_bytes(data)
    with contextlib.suppress(CliError):
        package.find_handler(directory)
    package.defines(directory, "app.handler")
