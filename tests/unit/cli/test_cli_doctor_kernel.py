"""cli.doctor_checks: the kernel's own finding."""

import pytest

from lambent.cli.doctor_checks import check_kernel


class _Host:
    """A machine of which only the kernel's release is known."""

    def __init__(self, release: str | None) -> None:
        self._release = release

    def read_text(self, path: str) -> str | None:
        return self._release if path == "/proc/sys/kernel/osrelease" else None

    def exists(self, path: str) -> bool:
        return False

    def which(self, name: str) -> str | None:
        return None

    def run(self, *command: str) -> str | None:
        return None

    def uid(self) -> int:
        return 1000

    def network_obstacle(self) -> str | None:
        return None


@pytest.mark.parametrize(
    ("release", "status"),
    [("6.1.0-18-amd64\n", "ok"), ("5.14.0", "ok"), ("5.13.19\n", "warn"), (None, "warn")],
)
def test_isolation_needs_linux_5_14(release: str | None, status: str) -> None:
    """A kernel too old for isolation, or no Linux at all, is a warning with a remedy."""
    finding = check_kernel(_Host(release))
    assert finding.status == status
    assert bool(finding.remedy) == (status == "warn")
