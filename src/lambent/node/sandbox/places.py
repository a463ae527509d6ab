"""The places of a node: slots, the user and address that go with each, and control groups with their limits."""

import asyncio
import os
from collections.abc import Mapping
from typing import Any

from lambent.model.limits import MEMORY_MAX
from lambent.node.linux.cgroups import Cgroup, CgroupLayout
from lambent.node.sandbox.connections import Connections
from lambent.node.sandbox.contract import SandboxError
from lambent.node.zygote.root import FIRST_UID

MAX_PIDS = 1024
"""AWS: processes and threads of an environment. Source: "Lambda quotas"."""
REMOVE_RETRY_S = 0.005
_REMOVE_TRIES = 400


class Places:
    """As many as there may be environments. ``layout``: where control groups are made, set before the first is."""

    def __init__(self, connections: Connections, count: int, *, rootless: bool) -> None:
        self._connections = connections
        self.free = list(range(count - 1, -1, -1))
        """Slots that nobody has."""
        # An ordinary user has no other ids to give: inside its namespace it is root, then a mere 1000.
        self.uids = [0 if rootless else FIRST_UID + n for n in range(count)]
        self.live = 0
        self.layout = CgroupLayout(None, frozenset())

    def take_room(
        self, memory_mib: int, address: str | None = None, ready: Cgroup | None = None
    ) -> tuple[int, Cgroup]:
        """A slot, with that address or another, and that cgroup or one with its limits. Raises SandboxError."""
        if not self.free:
            raise SandboxError("every slot of this node is taken")
        slot = self.free.pop()
        self.live += 1
        self._connections.take(slot, address)
        if ready is not None:
            return slot, ready
        cgroup = Cgroup(self.layout, str(slot))
        try:
            cgroup.create(memory_mib, MAX_PIDS)
        except OSError as error:
            self.abandon(cgroup, slot)
            raise SandboxError(f"cannot limit an environment: {error}") from error
        return slot, cgroup

    def make_cgroup(self, name: str) -> Cgroup:
        """One ahead, with the largest limits there are. Raises OSError."""
        cgroup = Cgroup(self.layout, name)
        try:
            cgroup.create(MEMORY_MAX.value, MAX_PIDS)
        except OSError:
            cgroup.close()
            cgroup.remove()
            raise
        return cgroup

    def uid(self, slot: int) -> int:
        """Whom an environment runs as."""
        return self.uids[slot]

    def way(self, slot: int) -> Mapping[str, Any]:
        """How the network of a slot is connected."""
        return self._connections.way(slot)

    def abandon(self, cgroup: Cgroup, slot: int) -> None:
        """A zygote that was killed may have forked before: its child is ours, though we never heard of it."""
        pids = cgroup.pids()
        cgroup.kill()
        cgroup.close()
        self._remove(cgroup, slot, pids, _REMOVE_TRIES)

    def _remove(self, cgroup: Cgroup, slot: int, pids: set[int], tries: int) -> None:
        """The slot is free when nobody and nothing is left of it."""
        for pid in tuple(pids):
            try:
                reaped = os.waitpid(pid, os.WNOHANG)[0]
            except ChildProcessError:
                reaped = pid  # pid 1's child, or its own
            pids.discard(reaped)
        if (not pids and cgroup.remove()) or tries == 0:
            self.release(slot)
            return
        loop = asyncio.get_running_loop()
        loop.call_later(REMOVE_RETRY_S, self._remove, cgroup, slot, pids, tries - 1)

    def release(self, slot: int) -> None:
        """Takes back the slot of an environment that is gone, and its address."""
        self._connections.release(slot)
        self.free.append(slot)
        self.live -= 1
