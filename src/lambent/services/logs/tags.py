"""Tags of log groups, by ARN and by the older operations that take a name."""

import json
from collections.abc import Iterable, Mapping
from typing import Final

from lambent.model.call import Call, Result
from lambent.model.errors import ClientFault
from lambent.services.logs import faults
from lambent.services.logs.service import Group, LogsService, group_arn

MAX_TAGS: Final = 50
"""Source: TagResource in botocore's ``logs`` model."""


def tag_resource(logs: LogsService, call: Call) -> Result:
    """Add tags or replace their values."""
    return _add(logs, _by_arn(logs, call), call.parameters["tags"])


def untag_resource(logs: LogsService, call: Call) -> Result:
    """Remove tags; those that are not there are no error."""
    return _remove(logs, _by_arn(logs, call), call.parameters["tagKeys"])


def list_tags_for_resource(logs: LogsService, call: Call) -> Result:
    """The tags of a group."""
    return Result({"tags": json.loads(_by_arn(logs, call).tags)})


def tag_log_group(logs: LogsService, call: Call) -> Result:
    """The older ``tag_resource``."""
    return _add(logs, _by_name(logs, call), call.parameters["tags"])


def untag_log_group(logs: LogsService, call: Call) -> Result:
    """The older ``untag_resource``."""
    return _remove(logs, _by_name(logs, call), call.parameters["tags"])


def list_tags_log_group(logs: LogsService, call: Call) -> Result:
    """The older ``list_tags_for_resource``."""
    return Result({"tags": json.loads(_by_name(logs, call).tags)})


def _by_arn(logs: LogsService, call: Call) -> Group:
    """AWS: the ARN here has no trailing ``:*``; no group's name has those characters."""
    arn, prefix = call.parameters["resourceArn"], group_arn(call, "")
    if not arn.startswith(prefix):
        raise faults.not_found("The specified resource does not exist.")
    logs.settle()
    return logs.find_group(call, arn.removeprefix(prefix))


def _by_name(logs: LogsService, call: Call) -> Group:
    logs.settle()
    return logs.find_group(call, call.parameters["logGroupName"])


def _add(logs: LogsService, group: Group, tags: Mapping[str, str]) -> Result:
    merged = json.loads(group.tags) | dict(tags)
    if len(merged) > MAX_TAGS:
        raise ClientFault(
            "TooManyTagsException", "A resource can have no more than 50 tags.", fields={}
        )
    return _store(logs, group, merged)


def _remove(logs: LogsService, group: Group, keys: Iterable[str]) -> Result:
    gone = set(keys)
    kept = {key: value for key, value in json.loads(group.tags).items() if key not in gone}
    return _store(logs, group, kept)


def _store(logs: LogsService, group: Group, tags: Mapping[str, str]) -> Result:
    logs.store.change(
        ("UPDATE groups SET tags = ? WHERE id = ?", (json.dumps(tags), group.group_id))
    )
    return Result()
