"""The variables of a child, as Python, C and a program it starts find them."""

import json
import os
import subprocess
import sys

_PROGRAM = """
import ctypes, json, os, subprocess, sys
from lambent.node.zygote import variables
wanted = {"A": "1", "UMLAUT": "grün", "EMPTY": ""}
variables.replace(wanted)
libc = ctypes.CDLL(None)
libc.getenv.restype = ctypes.c_char_p
os.environ["LATER"] = "2"
del os.environ["EMPTY"]
program = "import json, os; print(json.dumps(dict(os.environ)))"
print(json.dumps({
    "python": dict(os.environ),
    "c": [None if v is None else v.decode() for v in map(libc.getenv, (b"A", b"UMLAUT", b"EMPTY", b"BEFORE"))],
    "program": json.loads(subprocess.check_output([sys.executable, "-I", "-S", "-X", "utf8", "-c", program])),
}))
"""


def test_variables_are_replaced_for_python_and_for_c() -> None:
    """Nothing of before is left, whoever asks; what is set and deleted afterwards goes to both as ever."""
    environ = {"BEFORE": "0", "PYTHONPATH": os.pathsep.join(sys.path), "LC_ALL": "C.UTF-8"}
    command = [sys.executable, "-X", "utf8", "-c", _PROGRAM]
    found = json.loads(subprocess.check_output(command, env=environ))
    wanted = {"A": "1", "UMLAUT": "grün", "LATER": "2"}
    assert found["python"] == wanted
    assert found["c"] == ["1", "grün", None, None]
    assert wanted.items() <= found["program"].items()
    assert "BEFORE" not in found["program"]
