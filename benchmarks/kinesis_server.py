"""A Kinesis of one stream on loopback, for checkers: filled by hand, read over HTTP as pollers do.

It holds its records in the checker's memory, so it outlives every platform that reads it. Enough of the JSON
protocol for a poller: DescribeStream, ListShards, GetShardIterator, GetRecords.
"""

import base64
import json
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

_BASE = 10**20
_MAX_BYTES = 5_000_000


@dataclass(slots=True)
class Shard:
    """Records in order: (key, data, Unix seconds)."""

    shard_id: str
    records: list[tuple[str, bytes, float]] = field(default_factory=list)

    def put(self, key: str, data: bytes) -> str:
        """One more; its sequence number."""
        self.records.append((key, data, time.time()))
        return sequence_number(len(self.records) - 1)


def sequence_number(index: int) -> str:
    """Of a shard's record."""
    return str(_BASE + index)


def index_of(number: str) -> int:
    """The other way round."""
    return int(number) - _BASE


class KinesisServer:
    """Serves while its ``with`` block runs."""

    def __init__(self, name: str, shards: int) -> None:
        self.name = name
        self.shards = {f"shardId-{n:012d}": Shard(f"shardId-{n:012d}") for n in range(shards)}
        self.reads = 0
        stream = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                operation = self.headers["x-amz-target"].partition(".")[2]
                status, document = stream.answer(operation, json.loads(body or b"{}"))
                data = json.dumps(document).encode()
                self.send_response(status)
                self.send_header("content-type", "application/x-amz-json-1.1")
                self.send_header("content-length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_: object) -> None:
                """Silent."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def answer(self, operation: str, given: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """Status and document."""
        if operation == "GetRecords":
            return 200, self._records(given["ShardIterator"], given.get("Limit", 10_000))
        if operation == "GetShardIterator":
            return 200, {"ShardIterator": self._iterator(given)}
        shards = [
            {
                "ShardId": shard_id,
                "HashKeyRange": {"StartingHashKey": "0", "EndingHashKey": "1"},
                "SequenceNumberRange": {"StartingSequenceNumber": sequence_number(0)},
            }
            for shard_id in self.shards
        ]
        if operation == "ListShards":
            return 200, {"Shards": shards}
        if operation == "DescribeStream":
            described = {
                "StreamName": self.name,
                "StreamARN": f"arn:aws:kinesis:us-east-1:000000000000:stream/{self.name}",
                "StreamStatus": "ACTIVE",
                "Shards": shards,
                "HasMoreShards": False,
                "RetentionPeriodHours": 24,
                "StreamCreationTimestamp": 1_700_000_000,
                "EnhancedMonitoring": [],
            }
            return 200, {"StreamDescription": described}
        return 400, {"__type": "UnknownOperationException"}

    def _iterator(self, given: dict[str, Any]) -> str:
        shard = self.shards[given["ShardId"]]
        kind, index = given["ShardIteratorType"], 0
        if kind == "LATEST":
            index = len(shard.records)
        elif kind == "AT_TIMESTAMP":
            index = sum(record[2] < given["Timestamp"] for record in shard.records)
        elif kind != "TRIM_HORIZON":
            after = kind == "AFTER_SEQUENCE_NUMBER"
            index = index_of(given["StartingSequenceNumber"]) + after
        return f"{shard.shard_id}:{index}"

    def _records(self, iterator: str, limit: int) -> dict[str, Any]:
        self.reads += 1
        shard_id, _, start = iterator.partition(":")
        records, index, size = self.shards[shard_id].records, int(start), 0
        found: list[dict[str, Any]] = []
        while index < len(records) and len(found) < limit and size < _MAX_BYTES:
            key, data, arrived_s = records[index]
            found.append(
                {
                    "SequenceNumber": sequence_number(index),
                    "ApproximateArrivalTimestamp": arrived_s,
                    "Data": base64.b64encode(data).decode(),
                    "PartitionKey": key,
                }
            )
            size += len(data) + len(key)
            index += 1
        behind_s = time.time() - records[index][2] if index < len(records) else 0.0
        return {
            "Records": found,
            "NextShardIterator": f"{shard_id}:{index}",
            "MillisBehindLatest": max(0, round(behind_s * 1000)),
        }
