"""Lambda Insights: a record an invocation, of what is known and of nothing else."""

import json
import os
import socket
import threading
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from lambent.node.environment_log import Ending
from lambent.node.insights import Insights
from lambent.node.linux.usage import Usage, read_usage
from lambent.observe.insights import LOG_GROUP, performance
from lambent.testing.node import make_spec

MIB = 1024 * 1024
NUMBERS = st.one_of(st.none(), st.integers(0, 1 << 40))


class Sink:
    """Remembers what is appended."""

    def __init__(self) -> None:
        self.events: list[tuple[Any, ...]] = []

    def append(self, *event: Any) -> None:
        self.events.append(event)


def ending(**changes: Any) -> Ending:
    """An invocation that took 12.3 ms."""
    known: dict[str, Any] = {
        "request_id": "r-1",
        "duration_ms": 12.3,
        "max_memory_mib": 64,
        "init_ms": None,
        "status": None,
        "error_type": None,
        "function_error": None,
        "produced_bytes": 2,
        "failure": None,
    }
    return Ending(**known | changes)


def record_of(before: Usage | None, after: Usage | None, **changes: Any) -> dict[str, Any]:
    """The record of one invocation between two readings."""
    sink, readings = Sink(), iter((before, after))
    spec = make_spec("f", version="3", memory_mib=256)
    about = Insights(spec, "2026/01/31/[3]abc", sink, lambda: next(readings))
    about.begin("Root=1-5faae118-12345678901234567890;Parent=x;Sampled=0")
    about.end(1_700_000_000_000, ending(**changes))
    (event,) = sink.events
    assert event[2:5] == (LOG_GROUP, "f/2026/01/31/[3]abc", 1_700_000_000_000)
    record: dict[str, Any] = json.loads(event[5])
    return record


def test_a_record_has_what_the_invocation_used() -> None:
    """CPU and network are differences, threads and files what there is now, memory the peak; billing rounds up."""
    before = Usage(100.0, 20.0, 1000, 500, 2, 8, 1024, 500 * MIB, 512 * MIB)
    after = Usage(150.4, 21.0, 1500, 501, 5, 9, 1024, 400 * MIB, 512 * MIB)
    record = record_of(before, after)
    wanted = {
        "event_type": "performance",
        "function_name": "f",
        "version": "3",
        "request_id": "r-1",
        "trace_id": "1-5faae118-12345678901234567890",
        "duration": 12,
        "billed_duration": 13,
        "billed_mb_ms": 13 * 256,
        "cpu_user_time": 50,
        "cpu_system_time": 1,
        "cpu_total_time": 51,
        "rx_bytes": 500,
        "tx_bytes": 1,
        "total_network": 501,
        "used_memory_max": 64,
        "total_memory": 256,
        "memory_utilization": 25,
        "threads_max": 5,
        "fd_use": 9,
        "fd_max": 1024,
        "tmp_free": 400 * MIB,
        "tmp_max": 512 * MIB,
    }
    assert {name: record.get(name) for name in wanted} == wanted
    assert "cold_start" not in record
    assert "timeout" not in record


def test_the_first_invocation_and_a_timeout_say_so() -> None:
    """A cold start has its initialisation, a timeout its reason; an environment that is gone tells no use."""
    assert record_of(Usage(), Usage(), init_ms=130.4)["cold_start"] is True
    assert record_of(Usage(), Usage(), init_ms=130.4)["init_duration"] == 130
    late = record_of(Usage(1.0), None, status="timeout")
    assert (late["timeout"], late["shutdown_reason"]) == (True, "Timeout")
    assert "cpu_user_time" not in late


@given(
    st.dictionaries(st.sampled_from(["rx_bytes", "total_memory", "init_duration", "x"]), NUMBERS)
)
def test_only_what_is_there_is_declared(members: dict[str, Any]) -> None:
    """Every declared metric is a member of the record, and what is not known is nowhere in it."""
    record = json.loads(performance(1, members))
    declared = {m["Name"] for m in record["_aws"]["CloudWatchMetrics"][0]["Metrics"]}
    known = {name for name, value in members.items() if value is not None}
    assert declared == known - {"x"}
    assert known == set(record) - {"_aws", "event_type"}


def test_this_process_is_read() -> None:
    """Threads, files and CPU of a living process; network but for loopback; nothing of a process that is gone."""
    stop = threading.Event()
    before = read_usage(os.getpid(), (), None)
    thread = threading.Thread(target=stop.wait, args=(30,))
    thread.start()
    held = [socket.socket() for _ in range(5)]
    sum(range(3_000_000))
    after = read_usage(os.getpid(), (), None)
    stop.set()
    thread.join()
    for one in held:
        one.close()
    assert after.threads is not None
    assert before.threads is not None
    assert after.threads == before.threads + 1
    assert (after.open_files or 0) >= (before.open_files or 0) + 5
    assert (after.cpu_user_ms or 0) > (before.cpu_user_ms or 0)
    assert after.tmp_bytes is not None
    gone = read_usage(2**22 + 1, (), None)
    assert gone == Usage()
