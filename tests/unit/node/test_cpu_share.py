"""Memory in, CPU out."""

from hypothesis import given
from hypothesis import strategies as st

from lambent.node.linux.cpu_share import PERIOD_US, cpu_quota_us


@given(st.integers(128, 10_240))
def test_cpu_is_in_proportion_to_memory(memory_mib: int) -> None:
    """A vCPU for each 1,769 MB, to a microsecond of each period."""
    assert abs(cpu_quota_us(memory_mib) / PERIOD_US - memory_mib / 1769) <= 0.5 / PERIOD_US


def test_one_vcpu_and_the_least() -> None:
    """1,769 MB are exactly one, and nothing is less than the kernel takes."""
    assert cpu_quota_us(1769) == PERIOD_US
    assert cpu_quota_us(1) == 1000
