"""Container images for tests: made by ``umoci`` from files given in the test, as OCI layouts.

``AWS_LIKE`` is the base of their URIs. What makes them is not there everywhere: :func:`lacking` says what is not.
"""

import hashlib
import json
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

HOST = "000000000000.dkr.ecr.us-east-1.amazonaws.com"
BUSYBOX = Path("/bin/busybox")
_DEADLINE_S = 60


def lacking() -> str:
    """The first thing that is missing to make images and run them, or nothing."""
    for name in ("skopeo", "umoci"):
        if shutil.which(name) is None:
            return name
    return ""


def uri(repository: str, tag: str = "v1") -> str:
    """As functions name it."""
    return f"{HOST}/{repository}:{tag}"


def digest_of(layout: Path, tag: str) -> str:
    """The SHA-256, in hex, of the manifest under a tag."""
    index = json.loads((layout / "index.json").read_text())
    for entry in index["manifests"]:
        if entry["annotations"]["org.opencontainers.image.ref.name"] == tag:
            return str(entry["digest"]).removeprefix("sha256:")
    raise LookupError(tag)


def build(
    layout: Path,
    tag: str,
    layers: Sequence[Mapping[str, str | bytes]],
    *,
    architecture: str = "amd64",
    **config: str | Sequence[str],
) -> str:
    """An image with these layers, each of paths and contents; its digest.

    A path that ends in ``*`` is executable, one in ``@`` a link to its content, one in ``-`` a whiteout.
    ``config``: ``entrypoint``, ``cmd``, ``env`` (lists), ``workingdir``.
    """
    _umoci_quietly(layout)
    name = f"{layout}:{tag}"
    _run("umoci", "new", "--image", name)
    for files in layers:
        with tempfile.TemporaryDirectory() as scratch:
            _insert(name, files, Path(scratch))
    options = [f"--architecture={architecture}", "--os=linux"]
    for key, values in config.items():
        listed = [values] if isinstance(values, str) else values
        options += [f"--config.{key}={value}" for value in listed]
    _run("umoci", "config", "--image", name, *options)
    return digest_of(layout, tag)


def _insert(image: str, files: Mapping[str, str | bytes], scratch: Path) -> None:
    tree = scratch / "tree"
    tree.mkdir()
    for marked, content in files.items():
        path = tree / marked.rstrip("*@-").lstrip("/")
        if marked.endswith("-"):
            _run("umoci", "insert", "--image", image, "--whiteout", f"/{path.relative_to(tree)}")
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        if marked.endswith("@"):
            path.symlink_to(content if isinstance(content, str) else content.decode())
            continue
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        path.chmod(0o755 if marked.endswith("*") else 0o644)
    if any(tree.iterdir()):
        _run("umoci", "insert", "--image", image, str(tree), "/")


def add_layer(layout: Path, tag: str, tar: bytes) -> str:
    """Adds a layer of any bytes at all, uncompressed, to an image: what no builder would make. The new digest."""
    blobs = layout / "blobs" / "sha256"

    def write(data: bytes) -> str:
        digest = hashlib.sha256(data).hexdigest()
        (blobs / digest).write_bytes(data)
        return digest

    def change_config(config: dict[str, Any]) -> None:
        config["rootfs"]["diff_ids"].append(f"sha256:{hashlib.sha256(tar).hexdigest()}")

    def change(manifest: dict[str, Any]) -> None:
        config = json.loads((blobs / manifest["config"]["digest"].split(":")[1]).read_bytes())
        change_config(config)
        data = json.dumps(config).encode()
        manifest["config"] |= {"digest": f"sha256:{write(data)}", "size": len(data)}
        layer = {"mediaType": "application/vnd.oci.image.layer.v1.tar"}
        manifest["layers"].append(layer | {"digest": f"sha256:{write(tar)}", "size": len(tar)})

    return change_manifest(layout, tag, change)


def change_manifest(layout: Path, tag: str, change: Callable[[dict[str, Any]], Any]) -> str:
    """Puts another manifest under a tag: ``change`` alters the one there, or gives the bytes. The new digest."""
    blobs = layout / "blobs" / "sha256"
    manifest = json.loads((blobs / digest_of(layout, tag)).read_bytes())
    given = change(manifest)
    data = given if isinstance(given, bytes) else json.dumps(manifest).encode()
    digest = hashlib.sha256(data).hexdigest()
    (blobs / digest).write_bytes(data)
    index = json.loads((layout / "index.json").read_text())
    for entry in index["manifests"]:
        if entry["annotations"]["org.opencontainers.image.ref.name"] == tag:
            entry |= {"digest": f"sha256:{digest}", "size": len(data)}
    (layout / "index.json").write_text(json.dumps(index))
    return digest


def _umoci_quietly(layout: Path) -> None:
    if not layout.exists():
        layout.parent.mkdir(parents=True, exist_ok=True)
        _run("umoci", "init", "--layout", str(layout))


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, timeout=_DEADLINE_S, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.decode(errors='replace')}")
