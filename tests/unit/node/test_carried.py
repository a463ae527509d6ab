"""What a fork takes along of its template's files and connections, in a process of its own."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

_PROBE = """
import json, os, pathlib, socket, sys
from lambent.node.zygote import carried
log = os.open(os.devnull, os.O_RDONLY)  # takes 3, as it does in a template
tmp = pathlib.Path(sys.argv[1])
carried._TMP = str(tmp)
(tmp / "d").mkdir()
(tmp / "d" / "f").write_text("kept")
(tmp / "link").symlink_to("d/f")
os.mkfifo(tmp / "pipe")
known = open(tmp / "known", "w+"); known.write("abcdef"); known.flush(); known.seek(2)
gone = open(tmp / "gone", "w+"); gone.write("deleted"); gone.flush(); gone.seek(3)
os.unlink(tmp / "gone")
outside = open(__file__ if "__file__" in globals() else os.devnull)
listener = socket.socket(); listener.bind(("127.0.0.1", 0)); listener.listen()
client = socket.create_connection(listener.getsockname()); server, _ = listener.accept()
spare = os.dup(client.fileno())
luggage = carried.pack({spare})
# The fork's own: the same path, and nothing in it.
old = tmp.with_name("old")
tmp.rename(old); tmp.mkdir()
carried.unpack(luggage)
known.write("XY"); known.flush()
os.write(gone.fileno(), b"Z"); os.lseek(gone.fileno(), 0, os.SEEK_SET)
os.write(spare, b"template's")
print(json.dumps({
    "copied": (tmp / "d" / "f").read_text(), "link": os.readlink(tmp / "link"),
    "own": (tmp / "known").read_text(), "theirs": (old / "known").read_text(),
    "gone": os.read(gone.fileno(), 99).decode(), "names": sorted(os.listdir(tmp)),
    "read": client.recv(9).decode(), "is_another": os.fstat(client.fileno()) != os.fstat(spare),
    "inheritable": os.get_inheritable(known.fileno()),
}))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_files_are_copied_open_ones_opened_again_connections_read_as_closed(tmp_path: Path) -> None:
    """What a fork writes is not in the template's file; a deleted file is there still; a pipe holds nobody up."""
    directory = tmp_path / "tmp"
    directory.mkdir()
    done = subprocess.run(
        [sys.executable, "-c", _PROBE, str(directory)],
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {
        "copied": "kept",
        "link": "d/f",
        "own": "abXYef",
        "theirs": "abcdef",
        "gone": "delZted",
        "names": ["d", "known", "link"],
        "read": "",
        "is_another": True,
        "inheritable": False,
    }
