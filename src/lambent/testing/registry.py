"""A registry of container images on loopback: the half of the distribution API that pulls, over OCI layouts.

``root/NAME`` is the layout of the repository ``NAME``. ``log`` holds every request's path.
"""

import base64
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

_REF_NAME = "org.opencontainers.image.ref.name"


class Registry:
    """``credentials``: ``user:password`` that clients must give, if any. ``refuses``: answered 403 always."""

    def __init__(self, root: Path, credentials: str = "") -> None:
        self.root = root
        self.credentials = credentials
        self.refuses = False
        self.log: list[str] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://{self.host}"

    @property
    def host(self) -> str:
        """``127.0.0.1:port``."""
        return f"127.0.0.1:{self._server.server_address[1]}"

    @contextmanager
    def serving(self) -> Iterator["Registry"]:
        """Serves for as long as the context lasts."""
        thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self._server.shutdown()
            self._server.server_close()
            thread.join()

    def answer(self, path: str, authorization: str) -> tuple[int, str, bytes, str]:
        """Status, content type, body, and the digest of what is asked for."""
        self.log.append(path)
        expected = "Basic " + base64.b64encode(self.credentials.encode()).decode()
        if self.refuses:
            return _error(403, "DENIED", "requested access to the resource is denied")
        if self.credentials and authorization != expected:
            return _error(401, "UNAUTHORIZED", "authentication required")
        if path == "/v2/":
            return 200, "application/json", b"{}", ""
        name, kind, reference = path.removeprefix("/v2/").rsplit("/", 2)
        layout = self.root / name
        if not layout.is_dir():
            return _error(404, "NAME_UNKNOWN", "repository name not known to registry")
        digest = reference if ":" in reference else _digest(layout, reference)
        blob = layout / "blobs" / "sha256" / digest.removeprefix("sha256:")
        if not digest or not blob.is_file():
            code = "MANIFEST_UNKNOWN" if kind == "manifests" else "BLOB_UNKNOWN"
            return _error(404, code, f"{kind} unknown")
        media_type = "application/octet-stream"
        if kind == "manifests":
            media_type = "application/vnd.oci.image.manifest.v1+json"
        return 200, media_type, blob.read_bytes(), digest


def _digest(layout: Path, tag: str) -> str:
    for entry in json.loads((layout / "index.json").read_text())["manifests"]:
        if entry["annotations"][_REF_NAME] == tag:
            return str(entry["digest"])
    return ""


def _error(status: int, code: str, message: str) -> tuple[int, str, bytes, str]:
    body = json.dumps({"errors": [{"code": code, "message": message}]}).encode()
    return status, "application/json", body, ""


def _handler(registry: Registry) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            """A manifest or a blob."""
            self._answer(with_body=True)

        def do_HEAD(self) -> None:
            """Its headers."""
            self._answer(with_body=False)

        def _answer(self, *, with_body: bool) -> None:
            authorization = self.headers.get("Authorization", "")
            status, media_type, body, digest = registry.answer(self.path, authorization)
            self.send_response(status)
            self.send_header("Content-Type", media_type)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Docker-Distribution-Api-Version", "registry/2.0")
            if status == 401:
                self.send_header("WWW-Authenticate", 'Basic realm="test"')
            if digest:
                self.send_header("Docker-Content-Digest", digest)
            self.end_headers()
            if with_body:
                self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Nothing is printed."""

    return Handler
