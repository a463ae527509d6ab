"""What a child does to be connected: loopback always, and an interface of its own where there is a way out.

A zygote with a way out lives in the network namespace between the host and its children (see
:mod:`lambent.node.sandbox.network`), and only there can a child put its interface on the way.
"""

import os
from typing import Any

from lambent.node.linux import links
from lambent.node.linux import syscalls as sys_
from lambent.node.linux.netlink import NETLINK_ROUTE, Netlink

_INDEX = 2
"""The interface's index inside: the first after loopback's."""


def connect(way: "dict[str, Any] | None") -> None:
    """This process's network, in a namespace of its own. ``way``: None for loopback alone, made already

    by the fork. Raises OSError.
    """
    messages = [links.bring_up()]
    if way is not None:
        between = Netlink(NETLINK_ROUTE)
        sys_.unshare(sys_.CLONE_NEWNET)
        mac = bytes.fromhex(way["mac"])
        made = links.make_macvlan("eth0", mac, way["lower"], _INDEX, os.getpid())
        between.request("macvlan", [made])
        between.close()
        if way["ipv6"]:
            messages.append(links.without_ipv6_addresses(_INDEX))
        # Alone in its net: whatever it sends goes to the gateway, other environments' addresses included.
        messages += [
            links.bring_up(_INDEX),
            links.add_address(_INDEX, way["address"], 32),
            links.add_default_route(_INDEX, way["gateway"]),
        ]
    own = Netlink(NETLINK_ROUTE)
    own.request("network", messages)
    own.close()
