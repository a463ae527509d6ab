"""The AWS API over neighbours: embedded, and the same moto as if it were a real endpoint."""

import asyncio
import importlib.util
from pathlib import Path
from typing import Any

import pytest
from botocore.credentials import Credentials

from lambent.http1.client import Server
from lambent.model.errors import AwsError
from lambent.neighbours.api import NeighbourApi
from lambent.neighbours.forwarding import Neighbours
from lambent.neighbours.moto_process import MotoProcess
from lambent.neighbours.routing import parse_neighbour
from lambent.neighbours.signing import OperatorCredentials

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("moto") is None, reason="moto is not installed"
)
PLACE: dict[str, Any] = {"account_id": "000000000000", "region": "eu-west-1"}


async def exchange(api: NeighbourApi) -> None:
    """Bytes through a stream and an object, and an error in the service's words."""
    stream = {"StreamName": "stream"}
    await api.call("kinesis", "CreateStream", stream | {"ShardCount": 1}, **PLACE)
    record = stream | {"Data": b"\x00\xff", "PartitionKey": "p"}
    await api.call("kinesis", "PutRecord", record, **PLACE)
    shards = await api.call("kinesis", "ListShards", stream, **PLACE)
    start = stream | {
        "ShardId": shards["Shards"][0]["ShardId"],
        "ShardIteratorType": "TRIM_HORIZON",
    }
    iterator = await api.call("kinesis", "GetShardIterator", start, **PLACE)
    wanted = {"ShardIterator": iterator["ShardIterator"]}
    records = await api.call("kinesis", "GetRecords", wanted, **PLACE)
    assert [one["Data"] for one in records["Records"]] == [b"\x00\xff"]
    there = {"LocationConstraint": "eu-west-1"}
    bucket = {"Bucket": "bucket-1"}
    await api.call("s3", "CreateBucket", bucket | {"CreateBucketConfiguration": there}, **PLACE)
    await api.call("s3", "PutObject", bucket | {"Key": "a b", "Body": b"\xff\x00"}, **PLACE)
    found = await api.call("s3", "GetObject", bucket | {"Key": "a b"}, **PLACE)
    assert found["Body"] == b"\xff\x00"
    with pytest.raises(AwsError) as failed:
        await api.call("kinesis", "DescribeStream", {"StreamName": "no"}, **PLACE)
    assert failed.value.code == "ResourceNotFoundException"


@pytest.mark.parametrize("embedded", [True, False])
def test_calls_pass_through_a_neighbour(tmp_path: Path, embedded: bool) -> None:
    """Requests are serialised, signed and parsed as botocore does, for moto and for an endpoint."""

    async def run() -> None:
        moto = MotoProcess(tmp_path / "moto.log")
        server: Server = await moto.server()
        url = f"http://127.0.0.1:{server.port}"
        endpoints: dict[str, Any] = {}
        if not embedded:
            endpoints = dict(parse_neighbour(f"{name}={url}") for name in ("s3", "kinesis"))
        credentials = OperatorCredentials(lambda: Credentials("AKIA", "secret"))
        neighbours = Neighbours(
            {"sqs"}, endpoints, tmp_path / "log", embedded=embedded, credentials=credentials
        )
        try:
            await exchange(NeighbourApi(neighbours))
            with pytest.raises(AwsError) as hosted:
                await NeighbourApi(neighbours).call("sqs", "ListQueues", {}, **PLACE)
            assert hosted.value.status == 501
        finally:
            await neighbours.close()
            await moto.close()

    asyncio.run(run())
