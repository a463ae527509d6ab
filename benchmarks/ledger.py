"""What clients were told, and what they then saw: the account that a durability test draws up.

Each stream is a producer's promise (``acknowledged``), what consumers received, and what they deleted with
an acknowledgement. :meth:`Ledger.faults` lists every promise that was broken; duplicates are no fault but a
figure: at least once is what is promised.
"""

import threading
from collections import Counter
from dataclasses import dataclass, field


@dataclass(slots=True)
class Ledger:
    """One stream's. ``ordered``: names are ``GROUP-NUMBER`` and a group's numbers go up from 0, one by one.
    ``may_repeat``: a name may come as several messages (a function that runs again); else that is a fault.
    """

    name: str
    ordered: bool = False
    may_repeat: bool = False
    acknowledged: set[str] = field(default_factory=set)
    received: Counter[str] = field(default_factory=Counter)
    messages: dict[str, str] = field(default_factory=dict)
    """Message id → name."""
    deleted: set[str] = field(default_factory=set)
    _last: dict[str, int] = field(default_factory=dict)
    _faults: list[str] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def acknowledge(self, names: list[str]) -> None:
        """A producer was told yes."""
        with self._lock:
            self.acknowledged.update(names)

    def receive(self, messages: list[tuple[str, str]]) -> None:
        """A consumer got these (name, message id), in this order."""
        with self._lock:
            for name, message_id in messages:
                self.received[name] += 1
                self.messages[message_id] = name
                if name in self.deleted and not self.may_repeat:
                    self._faults.append(f"{name} came again after its deletion was acknowledged")
                if self.ordered:
                    self._check_order(name)

    def delete(self, names: list[str]) -> None:
        """A consumer was told that these are deleted."""
        with self._lock:
            self.deleted.update(names)

    def missing(self) -> set[str]:
        """Acknowledged, and not received so far."""
        with self._lock:
            return self.acknowledged - self.received.keys()

    def faults(self) -> list[str]:
        """Every broken promise."""
        found = [f"lost {name}" for name in sorted(self.missing())] + self._faults
        if not self.may_repeat:
            copies = Counter(self.messages.values())
            found += [
                f"{name} was stored {count} times" for name, count in copies.items() if count > 1
            ]
        return [f"{self.name}: {fault}" for fault in found]

    def copies(self) -> int:
        """Messages beyond the first one of a name."""
        return len(self.messages) - len(self.received)

    def redeliveries(self) -> int:
        """Receives beyond the first one of a message."""
        return self.received.total() - len(self.messages)

    def report(self) -> str:
        """One line."""
        return (
            f"{self.name:<22}{len(self.acknowledged):>8,} acknowledged{len(self.missing()):>4,} lost"
            f"{self.copies():>6,} duplicates{self.redeliveries():>6,} received again"
        )

    def _check_order(self, name: str) -> None:
        group, _, text = name.rpartition("-")
        number, last = int(text), self._last.get(group, -1)
        if number > last + 1:
            self._faults.append(f"{name} came when {group}-{last} was the last one")
        self._last[group] = max(last, number)
