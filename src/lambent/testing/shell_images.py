"""Images of busybox whose program runs what events say, and functions of them; for tests."""

import base64
import json
from typing import Any

from lambent.testing.images import BUSYBOX

ROLE = "arn:aws:iam::000000000000:role/e2e"
# Runs what the event says in a shell, and answers with what that printed; both in base64.
SHELL = """\
#!/bin/sh
api=http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime/invocation
echo "shell started with $*"
while :; do
  wget -S -O /tmp/event $api/next 2>/tmp/head || exit 9
  id=$(sed -n 's/.*aws-request-id: //Ip' /tmp/head | tr -d '\\r')
  tr -d '"' < /tmp/event | base64 -d > /tmp/script
  sh /tmp/script > /tmp/printed 2>&1
  wget -q -O /dev/null --post-data "\\"$(base64 /tmp/printed | tr -d '\\n')\\"" $api/$id/response
done
"""
APPLETS = [
    "base64",
    "cat",
    "chmod",
    "chroot",
    "cp",
    "df",
    "dmesg",
    "echo",
    "env",
    "find",
    "grep",
    "head",
    "hostname",
    "id",
    "ln",
    "ls",
    "mkdir",
    "mknod",
    "mount",
    "ping",
    "ps",
    "pwd",
    "readlink",
    "rm",
    "sed",
    "sh",
    "sleep",
    "stat",
    "touch",
    "tr",
    "umount",
    "unshare",
    "wget",
    "whoami",
    "wc",
]


def shell_layers(**more: str | bytes) -> list[dict[str, str | bytes]]:
    """A root file system of busybox and the client above."""
    links = {f"bin/{name}@": "busybox" for name in APPLETS}
    base: dict[str, str | bytes] = {"bin/busybox*": BUSYBOX.read_bytes(), **links}
    return [base, {"client*": SHELL, **more}]


class Shell:
    """A function that runs scripts."""

    def __init__(self, client: Any, name: str) -> None:
        self.client, self.name = client, name

    def invoke(self, script: str) -> tuple[Any, str | None, str]:
        """Payload, function error, and the tail of the log."""
        event = json.dumps(base64.b64encode(script.encode()).decode())
        answer = self.client.invoke(FunctionName=self.name, Payload=event, LogType="Tail")
        log = base64.b64decode(answer["LogResult"]).decode(errors="replace")
        return json.loads(answer["Payload"].read()), answer.get("FunctionError"), log

    def __call__(self, script: str) -> str:
        """What it printed."""
        payload, error, log = self.invoke(script)
        if error is not None:
            raise AssertionError((payload, log))
        return base64.b64decode(payload).decode(errors="replace").strip()
