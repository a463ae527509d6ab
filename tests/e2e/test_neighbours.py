"""Services that Lambent does not host: embedded moto through the platform's port, and code from its S3."""

import importlib.util
import os
import signal
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("moto") is None, reason="moto is not installed"
)
REGION = "us-east-1"
CODE = "def handler(event, context): return {version!r}"


@pytest.fixture
def s3(platform: Any) -> Iterator[Any]:
    """boto3's S3 client."""
    made = platform.client("s3")
    yield made
    made.close()


@pytest.fixture
def bucket(s3: Any) -> str:
    """A fresh bucket with versions."""
    name = f"bucket-{uuid.uuid4().hex[:12]}"
    s3.create_bucket(Bucket=name)
    s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    return name


def failure(call: Callable[..., Any], **parameters: Any) -> tuple[str, str]:
    """Code and message of the error that a call ends with."""
    with pytest.raises(ClientError) as failed:
        call(**parameters)
    error = failed.value.response["Error"]
    return error["Code"], error["Message"]


def test_objects_are_kept_with_their_metadata(s3: Any, bucket: str) -> None:
    """What is put comes back whole, with its length, its metadata, and who served it."""
    body = os.urandom(3_000_000)
    s3.put_object(Bucket=bucket, Key="dir/a b", Body=body, Metadata={"owner": "me"})
    got = s3.get_object(Bucket=bucket, Key="dir/a b")
    assert got["Body"].read() == body
    assert (got["ContentLength"], got["Metadata"]) == (len(body), {"owner": "me"})
    assert got["ResponseMetadata"]["HTTPHeaders"]["x-lambent-neighbour"] == "moto"
    assert s3.head_object(Bucket=bucket, Key="dir/a b")["ContentLength"] == len(body)
    assert [one["Key"] for one in s3.list_objects_v2(Bucket=bucket)["Contents"]] == ["dir/a b"]


def test_an_object_of_several_parts_is_joined(s3: Any, bucket: str) -> None:
    """A multipart upload gives one object of all its parts."""
    upload = s3.create_multipart_upload(Bucket=bucket, Key="k")["UploadId"]
    given = {"Bucket": bucket, "Key": "k", "UploadId": upload}
    bodies = [b"a" * 5_242_880, b"b"]
    parts = [
        {"PartNumber": n, "ETag": s3.upload_part(**given, PartNumber=n, Body=body)["ETag"]}
        for n, body in enumerate(bodies, 1)
    ]
    s3.complete_multipart_upload(**given, MultipartUpload={"Parts": parts})
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"".join(bodies)


def test_tables_and_streams_belong_to_the_caller_s_account(platform: Any) -> None:
    """DynamoDB and Kinesis answer, with the ARNs of the platform's default account."""
    dynamodb, kinesis = platform.client("dynamodb"), platform.client("kinesis")
    name = f"t{uuid.uuid4().hex[:8]}"
    dynamodb.create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "p", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "p", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    arn = dynamodb.describe_table(TableName=name)["Table"]["TableArn"]
    assert arn == f"arn:aws:dynamodb:{REGION}:000000000000:table/{name}"
    kinesis.create_stream(StreamName=name, ShardCount=2)
    kinesis.put_record(StreamName=name, Data=b"x", PartitionKey="p")
    assert len(kinesis.list_shards(StreamName=name)["Shards"]) == 2
    dynamodb.close()
    kinesis.close()


def test_a_hosted_service_never_falls_through(platform: Any) -> None:
    """What a hosted service has not yet is refused, though moto may have it."""
    logs = platform.client("logs")
    code, _ = failure(logs.create_delivery, deliverySourceName="s", deliveryDestinationArn="a")
    assert code == "NotImplementedException"
    logs.close()


def test_a_function_reaches_neighbours(deploy: Any, bucket: str) -> None:
    """A function puts an object into S3 with boto3 and reads it back."""
    function = deploy(
        """
        import boto3
        def handler(event, context):
            s3 = boto3.client("s3")
            s3.put_object(Bucket=event, Key="from/inside", Body=b"hello")
            return s3.get_object(Bucket=event, Key="from/inside")["Body"].read().decode()
        """,
        Timeout=30,
        MemorySize=512,
    )
    answer = function(bucket)
    assert answer.payload == "hello", answer.log


def test_code_is_taken_from_a_version_of_an_object(
    client: Any, s3: Any, bucket: str, deploy: Any, zip_of: Any
) -> None:
    """CreateFunction's and UpdateFunctionCode's S3 members name an object, or a version of it."""
    zips = [zip_of({"app.py": CODE.format(version=n)}) for n in (1, 2)]
    versions = [s3.put_object(Bucket=bucket, Key="c.zip", Body=z)["VersionId"] for z in zips]
    function = deploy("def handler(event, context): return 0")
    source = {"FunctionName": function.name, "S3Bucket": bucket, "S3Key": "c.zip"}
    dry = client.update_function_code(**source, DryRun=True)
    assert function().payload == 0
    done = client.update_function_code(**source)
    assert done["CodeSha256"] == dry["CodeSha256"]
    assert function().payload == 2
    client.update_function_code(**source, S3ObjectVersion=versions[0])
    assert function().payload == 1
    layer = client.publish_layer_version(
        LayerName=f"l-{function.name}", Content={"S3Bucket": bucket, "S3Key": "c.zip"}
    )
    assert layer["Content"]["CodeSize"] == len(zips[1])


def test_what_s3_refuses_is_told_in_lambda_s_words(
    client: Any, bucket: str, s3: Any, deploy: Any
) -> None:
    """A missing key, bucket or version, and what is no zip, give AWS's errors and change nothing."""
    function = deploy("def handler(event, context): return 0")
    start = "Error occurred while GetObject. S3 Error Code: "
    invalid = "InvalidParameterValueException"

    def told(**source: str) -> tuple[str, str]:
        return failure(client.update_function_code, FunctionName=function.name, **source)

    assert told(S3Bucket=bucket, S3Key="no") == (
        invalid,
        f"{start}NoSuchKey. S3 Error Message: The specified key does not exist.",
    )
    assert told(S3Bucket=f"{bucket}-no", S3Key="no") == (
        invalid,
        f"{start}NoSuchBucket. S3 Error Message: The specified bucket does not exist",
    )
    s3.put_object(Bucket=bucket, Key="k", Body=b"no zip")
    code, message = told(S3Bucket=bucket, S3Key="k", S3ObjectVersion=str(uuid.uuid4()))
    assert (code, message.startswith(f"{start}NoSuchVersion")) == (invalid, True), message
    code, message = told(S3Bucket=bucket, S3Key="k")
    assert (code, message.startswith("Could not unzip uploaded file")) == (invalid, True), message
    elsewhere = f"{bucket}-west"
    s3.create_bucket(
        Bucket=elsewhere, CreateBucketConfiguration={"LocationConstraint": "us-west-2"}
    )
    place = "The bucket is in this region: us-west-2. Please use this region to retry the request"
    assert told(S3Bucket=elsewhere, S3Key="k") == (
        invalid,
        f"{start}PermanentRedirect. S3 Error Message: {place}",
    )
    assert function().payload == 0


def test_a_neighbour_that_is_killed_says_so_and_recovers(start_platform: Any, poll: Any) -> None:
    """It starts at first use; killed, the next request is told what is lost, and then all is empty."""
    platform = start_platform()
    embedded = platform.health["neighbours"]["embedded"]
    assert (embedded["state"], embedded["pid"]) == ("not started", None)
    s3 = platform.client("s3")
    s3.create_bucket(Bucket="kept-in-memory")
    pid = platform.get_health()["neighbours"]["embedded"]["pid"]
    os.kill(pid, signal.SIGKILL)
    poll(lambda: platform.get_health()["neighbours"]["embedded"]["state"] == "ended", 10, "its end")
    code, message = failure(s3.list_buckets)
    assert (code, "in memory and is gone" in message) == ("ServiceUnavailable", True)
    assert s3.list_buckets()["Buckets"] == []
    again = platform.get_health()["neighbours"]["embedded"]["pid"]
    platform.stop()
    poll(lambda: not Path(f"/proc/{again}").exists(), 5, "nothing left of it")
    s3.close()


def test_without_neighbours_nothing_is_served_for_others(start_platform: Any) -> None:
    """With --no-neighbours what is not hosted is refused with 501."""
    platform = start_platform(None, "--no-neighbours")
    dynamodb = platform.client("dynamodb")
    code, _ = failure(dynamodb.list_tables)
    assert code == "NotImplementedException"
    dynamodb.close()
