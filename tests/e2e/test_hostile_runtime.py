"""Functions that misuse the Runtime API, their descriptors and the platform's endpoint."""

from collections.abc import Callable
from typing import Any

import pytest

# What the functions below share: a small HTTP client for the Runtime API.
API = """
import http.client, json, os, socket, sys, threading, time

def api(method, path, body=None, headers={}):
    connection = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"], timeout=5)
    connection.request(method, "/2018-06-01/runtime/" + path, body, headers)
    answer = connection.getresponse()
    data = answer.read()
    connection.close()
    return answer.status, data.decode()

def dial():
    host, port = os.environ["AWS_LAMBDA_RUNTIME_API"].split(":")
    return socket.create_connection((host, int(port)), timeout=5)
"""


def hostile(deploy: Callable[..., Any], body: str, **settings: Any) -> Any:
    """A function with ``api`` and ``dial`` at hand, whose handler has this body."""
    lines = "\n".join(f"    {line}" for line in body.strip("\n").splitlines())
    source = f"{API}\ndef handler(event, context):\n    me = context.aws_request_id\n{lines}\n"
    return deploy({"app.py": source}, **({"Timeout": 10} | settings))


def test_an_answer_by_hand_counts_once(
    deploy: Callable[..., Any], bystander: Callable[[], None]
) -> None:
    """The first answer is the answer; a second one, or the runtime's own, changes nothing."""
    function = hostile(
        deploy,
        """
if event == "ok": return "fine"
first = api("POST", f"invocation/{me}/response", '"mine"')
second = api("POST", f"invocation/{me}/response", '"again"')
third = api("POST", f"invocation/{me}/error", '{}')
assert (first[0], second[0], third[0]) == (202, 410, 410), (first, second, third)
return "late"
""",
    )
    assert function("by hand").payload == "mine"
    assert function("ok").payload == "fine"
    bystander()


def test_wrong_requests_to_the_runtime_api_are_refused(
    deploy: Callable[..., Any], bystander: Callable[[], None]
) -> None:
    """Wrong ids, order, paths and methods get the API's own errors, and the invocation goes on."""
    function = hostile(
        deploy,
        """
return [
    api("POST", "invocation/00000000-0000-4000-8000-000000000000/response", "1"),
    api("POST", "invocation//response", "1"),
    api("POST", f"invocation/{me}", "1"),
    api("POST", f"invocation/{me}/nothing", "1"),
    api("GET", "invocation/next"),
    api("POST", "init/error", "{}"),
    api("GET", f"invocation/{me}/response"),
    api("PUT", "invocation/next"),
    api("GET", "../../_lambent/health"),
    api("POST", "invocation/" + "x" * 5000 + "/response", "1"),
]
""",
    )
    answers = function().payload
    statuses = [status for status, _ in answers]
    assert statuses[:2] == [400, 400]
    assert all(400 <= status < 500 for status in statuses), statuses
    assert statuses[4:6] == [403, 403]
    assert all('"errorType"' in text for _, text in answers)
    bystander()


def test_an_answer_of_the_invocation_before_is_gone(deploy: Callable[..., Any]) -> None:
    """A late answer to an earlier event is 410, and the event in work is not touched by it."""
    function = hostile(
        deploy,
        """
global past
if event == "first":
    past = me
    return "first"
return api("POST", f"invocation/{past}/response", '"stolen"')[0]
""",
    )
    assert function("first").payload == "first"
    assert function("second").payload == 410


def test_asking_for_the_next_event_by_hand(
    deploy: Callable[..., Any], bystander: Callable[[], None]
) -> None:
    """A handler that answers and takes the next event itself gets it, and the one after is served."""
    function = hostile(
        deploy,
        """
if event != "steal": return "fine"
connection = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
api("POST", f"invocation/{me}/response", '"one"')
connection.request("GET", "/2018-06-01/runtime/invocation/next")
answer = connection.getresponse()
body, new = answer.read(), answer.headers["Lambda-Runtime-Aws-Request-Id"]
api("POST", f"invocation/{new}/response", json.dumps({"stolen": json.loads(body)}))
os._exit(0)
""",
    )
    assert function("steal").payload == "one"
    assert function("x").payload == {"stolen": "x"}
    assert function("y").payload == "fine"
    bystander()


def test_a_function_that_answers_but_never_returns_is_ended(
    deploy: Callable[..., Any], platform: Any, poll: Callable[..., Any]
) -> None:
    """An answered invocation still has its timeout: what does not come back for an event is ended."""
    function = hostile(
        deploy,
        """
if event == "ok": return "fine"
api("POST", f"invocation/{me}/response", '"answered"')
while True: time.sleep(1)
""",
        Timeout=1,
    )
    before = platform.get_health()["environments"]["busy"]
    assert function("stay").payload == "answered"
    assert function("ok").payload == "fine"
    poll(
        lambda: platform.get_health()["environments"]["busy"] <= before,
        5, "the environment that stayed to be ended",
    )  # fmt: skip


def test_garbage_to_the_runtime_api(
    deploy: Callable[..., Any], bystander: Callable[[], None]
) -> None:
    """Bytes that are no HTTP, half requests and many connections disturb nobody."""
    function = hostile(
        deploy,
        """
kept = []
for garbage in (b"\\x00" * 1000, b"GET", b"POST /x HTTP/1.1\\r\\ncontent-length: 5\\r\\n\\r\\nab",
                b"GET / HTTP/9.9\\r\\n\\r\\n", b"X" * 200_000, b"POST / HTTP/1.1\\r\\n"
                b"transfer-encoding: chunked\\r\\n\\r\\nZZZ\\r\\n"):
    connection = dial()
    try: connection.sendall(garbage)
    except OSError: pass
    kept.append(connection)
for _ in range(300):
    try: kept.append(dial())
    except OSError: break
return "fine"
""",
    )
    assert function().payload == "fine"
    assert function().payload == "fine"
    bystander()


def test_bodies_that_never_end_do_not_fill_the_platform(
    deploy: Callable[..., Any], platform: Any, bystander: Callable[[], None], isolated: None
) -> None:
    """Many half-sent requests, inside and at the endpoint, cost the platform a bounded memory."""
    function = hostile(
        deploy,
        """
from urllib.parse import urlsplit
endpoint = urlsplit(os.environ["AWS_ENDPOINT_URL"])
kept = []
def half(address, path, size):
    try:
        connection = socket.create_connection(address, timeout=3)
        kept.append(connection)
        connection.sendall(b"POST %s HTTP/1.1\\r\\nhost: x\\r\\ncontent-length: %d\\r\\n\\r\\n" % (path, size))
        block = bytes(1 << 20)
        for _ in range(size // len(block) - 1): connection.sendall(block)
    except OSError: pass
api_host, api_port = os.environ["AWS_LAMBDA_RUNTIME_API"].split(":")
threads = [threading.Thread(target=half, args=((api_host, int(api_port)), b"/x", 6 << 20)) for _ in range(100)]
threads += [threading.Thread(target=half, args=((endpoint.hostname, endpoint.port),
            b"/2015-03-31/functions", 60 << 20)) for _ in range(20)]
for thread in threads: thread.start()
for thread in threads: thread.join()
time.sleep(.3)
return "fine"
""",
        Timeout=20,
        MemorySize=512,
    )
    before_mib = platform.rss_mib()
    assert function().payload == "fine"
    assert platform.rss_mib() - before_mib < 400
    bystander()


def test_answers_that_are_never_read_do_not_fill_the_platform(
    deploy: Callable[..., Any], platform: Any, bystander: Callable[[], None]
) -> None:
    """A client that asks and asks, and reads nothing, is made to wait."""
    function = hostile(
        deploy,
        """
from urllib.parse import urlsplit
if event == "fill":
    for n in range(900): print("x" * 1000)
    return "filled"
endpoint = urlsplit(os.environ["AWS_ENDPOINT_URL"])
body = json.dumps({"logGroupName": context.log_group_name}).encode()
request = (b"POST / HTTP/1.1\\r\\nhost: x\\r\\nx-amz-target: Logs_20140328.FilterLogEvents\\r\\n"
           b"content-type: application/x-amz-json-1.1\\r\\ncontent-length: %d\\r\\n\\r\\n%s" % (len(body), body))
connection = socket.create_connection((endpoint.hostname, endpoint.port))
connection.settimeout(1)
sent = 0
try:
    while sent < 1500:
        connection.sendall(request)
        sent += 1
except OSError: pass
time.sleep(4)
return sent
""",
        Timeout=20,
    )
    assert function("fill").payload == "filled"
    before_mib = platform.rss_mib()
    function("ask")
    assert platform.rss_mib() - before_mib < 120
    bystander()


def test_garbage_on_the_telemetry_descriptor(
    deploy: Callable[..., Any], bystander: Callable[[], None], isolated: None
) -> None:
    """Frames that lie about type, length and time are log lines at worst."""
    function = hostile(
        deploy,
        """
# The runtime hides the number: it is the one pipe beside stdout and stderr.
[fd] = [n for n in range(3, 64) if os.path.exists(f"/proc/self/fd/{n}")
        and os.readlink(f"/proc/self/fd/{n}").startswith("pipe:")]
for junk in (b"\\xa5\\x5a\\x00\\x03" + b"\\xff" * 12, os.urandom(200_000), b"\\xa5\\x5a\\x00", b"\\n" * 999):
    os.write(fd, junk)
return "fine"
""",
    )
    assert function().payload == "fine"
    assert function().payload == "fine"
    bystander()


@pytest.mark.parametrize(
    "what", ["os.closerange(0, 1024)", "os.closerange(3, 1024)", "os.close(1)"]
)
def test_closing_descriptors(
    deploy: Callable[..., Any], bystander: Callable[[], None], what: str
) -> None:
    """A function that closes everything it has fails at worst itself, and comes back."""
    function = hostile(
        deploy,
        f"""
if event == "ok": return "fine"
{what}
return "closed"
""",
        Timeout=3,
    )
    answer = function("close")
    assert answer.error is not None or answer.payload == "closed"
    assert function("ok").payload == "fine"
    bystander()


def test_a_function_cannot_reset_the_platform(
    deploy: Callable[..., Any], isolated: None, client: Any
) -> None:
    """``/_lambent/`` is out of reach from inside, by any spelling."""
    function = hostile(
        deploy,
        """
import urllib.error, urllib.request
found = []
for path in ("/_lambent/reset", "//_lambent/reset", "/./_lambent/reset", "/%5flambent/reset",
             "/_lambent/health", "/_lambent/code/" + "0" * 64):
    request = urllib.request.Request(os.environ["AWS_ENDPOINT_URL"] + path, b"", method="POST")
    try: found.append(urllib.request.urlopen(request, timeout=5).status)
    except urllib.error.HTTPError as error: found.append(error.code)
return found
""",
    )
    statuses = function().payload
    assert statuses[0] == statuses[4] == statuses[5] == 403
    assert all(status >= 400 for status in statuses), statuses
    assert client.get_function(FunctionName=function.name)
    assert function().error is None
