"""How much CPU a function gets for its memory.

AWS: "At 1,769 MB, a function has the equivalent of one vCPU"; less memory is a part of it, more is several.
Source: "Configure Lambda function memory".
"""

VCPU_MIB = 1769
PERIOD_US = 20_000
"""POLICY: short, because a function that used up its share waits for the next period: 128 MB have 1.4 ms in
each of these, and would have 7.2 ms in the kernel's usual 100, but 93 ms of standing still after it."""
_LEAST_US = 1_000
"""The kernel takes no smaller quota."""


def cpu_quota_us(memory_mib: int) -> int:
    """Microseconds of CPU in each period, over all CPUs together."""
    return max(_LEAST_US, round(memory_mib * PERIOD_US / VCPU_MIB))
