"""First invokes of fresh functions by what starts them, in turns, each after 250 ms of idleness.

.venv/bin/python -m benchmarks.cold_starts [--quick]
"""

import base64
import io
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path

from benchmarks.harness import Platform, invoke_bytes, request_bytes
from benchmarks.invoke import HANDLER, PAYLOAD, latencies_ms, percentile, show
from lambent.node.nodejs.runtimes import find_nodes

BOOTSTRAPS = Path(__file__).parents[1] / "tests" / "contract" / "bootstraps"
NODE = b"export const handler = async (event) => event;"
WRAPPER = '#!/bin/sh\nexec "$@"\n'


def build_static() -> bytes | None:
    """A custom runtime as a static C program; None where this host builds none."""
    compiler = shutil.which("cc")
    if compiler is None:
        return None
    with tempfile.TemporaryDirectory() as directory:
        program = Path(directory) / "bootstrap"
        options = ["-static", "-D_GNU_SOURCE", "-O1", "-o", str(program)]
        built = subprocess.run([compiler, *options, str(BOOTSTRAPS / "echo.c")], check=False)
        return program.read_bytes() if built.returncode == 0 else None


def create(platform: Platform, name: str, files: dict[str, bytes], **settings: object) -> None:
    """Creates a function from executable files."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        for path, content in files.items():
            info = zipfile.ZipInfo(path)
            info.external_attr = 0o100755 << 16
            file.writestr(info, content)
    document = {
        "FunctionName": name,
        "Role": "arn:aws:iam::000000000000:role/bench",
        "Handler": "app.handler",
        "MemorySize": 1769,
        "Timeout": 30,
        "Code": {"ZipFile": base64.b64encode(archive.getvalue()).decode()},
        **settings,
    }
    data = request_bytes("POST", "/2015-03-31/functions", json.dumps(document).encode())
    status, _, answer = platform.connection.call(data)
    assert status == 201, answer


def measure(count: int) -> None:
    """Runs every kind in turns and prints it."""
    python = f"python3.{sys.version_info.minor}"
    variables = {"Variables": {"AWS_LAMBDA_EXEC_WRAPPER": "/var/task/wrap"}}
    app = HANDLER.encode()
    kinds: dict[str, tuple[dict[str, bytes], dict[str, object]]] = {
        python: ({"app.py": app}, {"Runtime": python}),
        "provided.al2023, bash": (
            {"bootstrap": (BOOTSTRAPS / "echo.sh").read_bytes()},
            {"Runtime": "provided.al2023"},
        ),
        f"{python}, wrapper script": (
            {"app.py": app, "wrap": WRAPPER.encode()},
            {"Runtime": python, "Environment": variables},
        ),
    }
    if static := build_static():
        kinds["provided.al2023, static C"] = {"bootstrap": static}, {"Runtime": "provided.al2023"}
    for node in find_nodes():
        kinds[node.name] = {"app.mjs": NODE}, {"Runtime": node.name}
    times: dict[str, list[float]] = {kind: [] for kind in kinds}
    with Platform() as platform:
        for index in range(count):
            for number, (kind, (files, settings)) in enumerate(kinds.items()):
                name = f"cold{number}-{index}"
                create(platform, name, files, **settings)
                time.sleep(0.25)
                times[kind] += latencies_ms(platform.port, invoke_bytes(name, PAYLOAD), 1)
    for kind, found in times.items():
        p50, p99 = statistics.median(found), percentile(found, 0.99)
        show(f"cold invoke, {kind}", f"p50 {p50:.1f} ms", f"p99 {p99:.1f} ms")


if __name__ == "__main__":
    measure(10 if "--quick" in sys.argv else 40)
