"""A world outside for functions to reach: another network namespace, and what a function tries to reach it by."""

import json
import os
import socket
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from tests.e2e.conftest import ROLE, RUNTIME, zip_of

from lambent.node.linux import links
from lambent.node.linux import syscalls as sys_
from lambent.node.linux.netlink import NETLINK_ROUTE, Netlink

_OWN = os.getpid() % 63 * 4  # tests run side by side, on one host
NEAR, OUTSIDE = f"203.0.113.{_OWN + 1}", f"203.0.113.{_OWN + 2}"
"""TEST-NET-3: no real machine has these."""
METADATA = f"169.254.169.{_OWN + 2}"

REACH = """
    import socket
    def handler(event, context):
        if "listen" in event:
            listener = socket.create_server(("0.0.0.0", event["listen"]))
            globals()["kept"] = listener
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
                probe.connect(("203.0.113.9", 9))
                return probe.getsockname()[0]
        if "interfaces" in event:
            return [name for _, name in socket.if_nameindex()]
        if "raw" in event:
            for family, kind in ((17, socket.SOCK_RAW), (socket.AF_INET, socket.SOCK_RAW)):
                try:
                    socket.socket(family, kind, 1)
                except OSError:
                    continue
                return "opened"
            return "denied"
        if "ask" in event:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
                probe.settimeout(2)
                probe.connect((event["ask"], event["port"]))
                probe.send(b"who?")
                return probe.recv(100).decode()
        if "name" in event:
            return socket.gethostbyname(event["name"])
        if "functions" in event:
            import boto3
            return len(boto3.client("lambda").list_functions()["Functions"])
        if "resolv" in event:
            return open("/etc/resolv.conf").read()
        try:
            family = socket.AF_INET6 if ":" in event["host"] else socket.AF_INET
            with socket.socket(family) as connection:
                connection.settimeout(2)
                connection.connect((event["host"], event["port"]))
                return connection.recv(100).decode()
        except OSError as error:
            return {"error": type(error).__name__, "errno": error.errno}
"""


@dataclass
class World:
    """A listener outside, and a name server that knows where everything is. ``peers``: who connected."""

    port: int
    peers: list[str]


def serve(listener: socket.socket, peers: list[str]) -> None:
    """Greets whoever connects, and remembers them, until the listener is shut down."""
    while True:
        try:
            connection, peer = listener.accept()
        except OSError:
            return
        peers.append(peer[0])
        connection.sendall(b"hello from outside")
        connection.close()


@contextmanager
def listen_everywhere() -> Iterator[int]:
    """A service on all addresses of the network this thread is in; its port."""
    listener = socket.create_server(("0.0.0.0", 0))
    thread = threading.Thread(target=serve, args=(listener, []), daemon=True)
    thread.start()
    yield listener.getsockname()[1]
    listener.shutdown(socket.SHUT_RDWR)
    thread.join(5)
    listener.close()


def _answer(answering: socket.socket) -> None:
    while True:
        question, peer = answering.recvfrom(100)
        if not question:
            return
        answering.sendto(b"you are " + peer[0].encode(), peer)


def _name(naming: socket.socket) -> None:
    """Answers every question (RFC 1035) with the address outside; an empty datagram ends it."""
    while True:
        query, peer = naming.recvfrom(512)
        if not query:
            return
        question = query[12 : query.index(b"\0", 12) + 5]
        found = b"\xc0\x0c\0\1\0\1\0\0\0\5\0\4" + socket.inet_aton(OUTSIDE)
        is_a = question[-3:-2] == b"\1"
        counts = b"\0\1\0\1\0\0\0\0" if is_a else b"\0\1\0\0\0\0\0\0"
        naming.sendto(query[:2] + b"\x81\x80" + counts + question + found * is_a, peer)


@contextmanager
def make_outside() -> Iterator[World]:
    """Another network namespace with an address this one reaches over a pair of interfaces, and one listener.

    Takes root.
    """
    name = f"out{uuid.uuid4().hex[:8]}"
    made: dict[str, Any] = {}

    def make() -> None:
        sys_.unshare(sys_.CLONE_NEWNET)
        made["fd"] = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        made["netlink"] = Netlink(NETLINK_ROUTE)
        made["listener"] = socket.create_server(("0.0.0.0", 0))
        made["answering"] = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        made["answering"].bind(made["listener"].getsockname())
        made["naming"] = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        made["naming"].bind(("0.0.0.0", 53))

    thread = threading.Thread(target=make)
    thread.start()
    thread.join()
    host, there, listener = Netlink(NETLINK_ROUTE), made["netlink"], made["listener"]
    host.request("veth", [links.make_veth(name, b"\x02\0\0\0\0\1", "up0", made["fd"])])

    def index(netlink: Netlink, wanted: str) -> int:
        listed = netlink.dump("links", links.list_links())
        return next(li.number for li in map(links.parse_link, listed) if li.name == wanted)

    here, far = index(host, name), index(there, "up0")
    there.request("up", [links.bring_up(), links.bring_up(far)])
    there.request("address", [links.add_address(far, OUTSIDE, 30)])
    there.request("address", [links.add_address(far, METADATA, 32)])
    host.request("up", [links.bring_up(here), links.add_address(here, NEAR, 30)])
    peers: list[str] = []
    server = threading.Thread(target=serve, args=(listener, peers), daemon=True)
    server.start()
    answering = made["answering"]
    answerer = threading.Thread(target=_answer, args=(answering,), daemon=True)
    answerer.start()
    naming = made["naming"]
    namer = threading.Thread(target=_name, args=(naming,), daemon=True)
    namer.start()
    yield World(listener.getsockname()[1], peers)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as last:
        last.sendto(b"", (OUTSIDE, listener.getsockname()[1]))
        last.sendto(b"", (OUTSIDE, 53))
    answerer.join(5)
    namer.join(5)
    answering.close()
    naming.close()
    host.request("delete", [links.delete_link(here)])
    listener.shutdown(socket.SHUT_RDWR)
    server.join(5)
    listener.close()
    os.close(made["fd"])
    host.close()
    there.close()


def reach_from(platform: Any) -> Callable[[Any], Any]:
    """A function of that platform that tries to reach what it is told to: call it with an event."""
    client = platform.client("lambda")
    name = f"net-{uuid.uuid4().hex[:8]}"
    client.create_function(
        FunctionName=name,
        Code={"ZipFile": zip_of({"app.py": REACH})},
        Runtime=RUNTIME,
        Role=ROLE,
        Handler="app.handler",
        Timeout=10,
    )
    client.get_waiter("function_active_v2").wait(FunctionName=name)

    def invoke(event: Any) -> Any:
        answer = client.invoke(FunctionName=name, Payload=json.dumps(event).encode())
        return json.load(answer["Payload"])

    return invoke
