"""The runtime client's rehearsal, with the real client, in a process of its own."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from lambent.node.zygote import rehearsal

_PROGRAM = """
import json, logging, os, sys
import awslambdaric.__main__
from lambent.node.zygote import rehearsal
client, bootstrap = sys.modules["awslambdaric.lambda_runtime_client"], sys.modules["awslambdaric.bootstrap"]

def state():
    return (
        sys.stdout, sys.stderr, dict(os.environ), list(sys.path), list(logging.getLogger().handlers),
        logging.getLogger().level, logging.Formatter.converter, client.runtime_client,
        bootstrap._GLOBAL_AWS_REQUEST_ID, len(os.listdir("/proc/self/fd")), "lambent_rehearsed" in sys.modules,
        sys.argv[1] in sys.path_importer_cache,
    )

import awslambdaric.lambda_literals
before, calls, requests = state(), [], []
was_handled = bootstrap.handle_event_request

def handle(*arguments):
    requests.append(arguments[2])
    return was_handled(*arguments)

bootstrap.handle_event_request = handle
rehearsal.rehearse(awslambdaric.__main__.main, sys.argv[1], lambda: calls.append(1))
print(json.dumps([before == state(), len(calls), len(requests)]))
"""


def test_rehearsal_goes_all_the_way_and_leaves_nothing(tmp_path: Path) -> None:
    """Each start imports the module and answers events; what is the process's own is afterwards as before."""
    Path(rehearsal.file_in(str(tmp_path))).write_text(rehearsal.SOURCE)
    environ = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(sys.path),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    command = [sys.executable, "-c", _PROGRAM, str(tmp_path)]
    is_same, starts, events = json.loads(subprocess.check_output(command, env=environ))
    assert is_same
    assert starts > 8  # calls until bytecode is rewritten
    assert events == 2 * starts


def test_rehearsal_of_another_client_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A client without such parts is not started, and no reason for the zygote not to be."""
    monkeypatch.delitem(sys.modules, "awslambdaric.lambda_runtime_client", raising=False)
    started: list[list[str]] = []
    environ = dict(os.environ)
    rehearsal.rehearse(started.append, str(tmp_path), lambda: None)
    assert dict(os.environ) == environ
    assert not started
