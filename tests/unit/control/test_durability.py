"""What was acknowledged survives the process that acknowledged it."""

import hashlib
import os
import signal
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

from lambent.control import lifecycle
from lambent.control.plane import ControlPlane, WorkItem
from lambent.model.function_name import FunctionName
from lambent.store import functions
from lambent.store.code import CodeStore
from lambent.store.database import Database

ACKNOWLEDGED = 15
CHILD = """
import io
import sys
import zipfile
from datetime import UTC, datetime
from pathlib import Path

from lambent.control.plane import ControlPlane
from lambent.control.registry import OPERATIONS
from lambent.model.call import Call, Caller
from lambent.store.code import CodeStore
from lambent.store.database import Database

root = Path(sys.argv[1])
code = CodeStore(root / "code")
plane = ControlPlane(Database(root), code, lambda: datetime.now(UTC), lambda arn: None)
caller = Caller("000000000000", "us-east-1", "r")
number = 0
while True:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("app.py", f"number = {number}")
    parameters = {
        "FunctionName": f"f{number}",
        "Code": {"ZipFile": buffer.getvalue()},
        "Handler": "app.handler",
        "Role": "arn:aws:iam::000000000000:role/r",
        "Runtime": "python3.12",
    }
    call = Call("lambda", "CreateFunction", parameters, caller)
    OPERATIONS["CreateFunction"](plane, call)
    print(number, flush=True)
    number += 1
"""


def _reopen(root: Path) -> ControlPlane:
    return ControlPlane(
        Database(root), CodeStore(root / "code"), lambda: datetime.now(UTC), lambda _: None
    )


def test_acknowledged_functions_survive_kill_9(tmp_path: Path) -> None:
    """Every function acknowledged before SIGKILL is there afterwards, with its code, and Active."""
    command = [sys.executable, "-c", CHILD, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        for number in range(ACKNOWLEDGED):
            assert child.stdout.readline() == f"{number}\n"
        os.kill(child.pid, signal.SIGKILL)
    plane = _reopen(tmp_path)
    lifecycle.recover(plane)
    for number in range(ACKNOWLEDGED):
        name = FunctionName("000000000000", "us-east-1", f"f{number}")
        version = functions.get_version(plane.database.connection, name, "$LATEST")
        assert version is not None
        assert version.state == "Active"
        content = plane.code.zip_path(version.code.sha256).read_bytes()
        assert hashlib.sha256(content).hexdigest() == version.code.sha256
        module = plane.code.task_dir(version.code.sha256) / "app.py"
        assert module.read_text() == f"number = {number}"
    assert not list((tmp_path / "code" / "tmp").iterdir())
    plane.database.close()


def test_recover_finishes_what_was_pending(tmp_path: Path) -> None:
    """A version left Pending by a crash is Active after the next start, and found without a scan."""
    command = [sys.executable, "-c", CHILD, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        child.stdout.readline()
        os.kill(child.pid, signal.SIGKILL)
    plane = _reopen(tmp_path)
    waiting = functions.unsettled(plane.database.connection)
    assert waiting
    assert waiting[0].state == "Pending"
    lifecycle.recover(plane)
    assert functions.unsettled(plane.database.connection) == []
    plane.pending_work.append(WorkItem(f"{waiting[0].function_arn}-gone", "$LATEST"))
    lifecycle.drain(plane)
    plane.database.close()
