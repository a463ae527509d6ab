"""The resource groups tagging API with boto3, over real resources of every service that has tags."""

import uuid
from typing import Any


def test_tags_of_everything_hosted(platform: Any, deploy: Any) -> None:
    """Functions, topics, queues and log groups are tagged, found, counted and untagged in one place."""
    function = deploy("def handler(event, context): pass")
    key, name = f"e2e-{uuid.uuid4().hex[:8]}", function.name
    services = {one: platform.client(one) for one in ("sns", "sqs", "logs")}
    topic = services["sns"].create_topic(Name=name)["TopicArn"]
    services["sqs"].create_queue(QueueName=name)
    services["logs"].create_log_group(logGroupName=f"/e2e/{name}")
    place = "us-east-1:000000000000"
    queue, group = f"arn:aws:sqs:{place}:{name}", f"arn:aws:logs:{place}:log-group:/e2e/{name}"
    arns = sorted([function.arn, topic, queue, group])
    tagging = platform.client("resourcegroupstaggingapi")
    gone = f"{function.arn}-gone"
    done = tagging.tag_resources(ResourceARNList=[*arns, gone], Tags={key: "ä"})
    assert done["FailedResourcesMap"].keys() == {gone}
    assert function.client.list_tags(Resource=function.arn)["Tags"][key] == "ä"
    pages = tagging.get_paginator("get_resources").paginate(
        TagFilters=[{"Key": key}], ResourcesPerPage=1
    )
    found = [one for page in pages for one in page["ResourceTagMappingList"]]
    assert [one["ResourceARN"] for one in found] == arns
    assert {"Key": key, "Value": "ä"} in found[0]["Tags"]
    assert tagging.get_tag_values(Key=key)["TagValues"] == ["ä"]
    tagging.untag_resources(ResourceARNList=arns, TagKeys=[key])
    assert not tagging.get_resources(TagFilters=[{"Key": key}])["ResourceTagMappingList"]
    for client in (*services.values(), tagging):
        client.close()
