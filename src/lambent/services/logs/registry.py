"""Operation name → function, for the server."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from lambent.model.call import Call, Result
from lambent.services.logs import events, groups, streams, tags
from lambent.services.logs.service import LogsService

OPERATIONS: Final[Mapping[str, Callable[[LogsService, Call], Result]]] = MappingProxyType(
    {
        "CreateLogGroup": groups.create_log_group,
        "DeleteLogGroup": groups.delete_log_group,
        "DescribeLogGroups": groups.describe_log_groups,
        "PutRetentionPolicy": groups.put_retention_policy,
        "DeleteRetentionPolicy": groups.delete_retention_policy,
        "CreateLogStream": streams.create_log_stream,
        "DeleteLogStream": streams.delete_log_stream,
        "DescribeLogStreams": streams.describe_log_streams,
        "PutLogEvents": events.put_log_events,
        "GetLogEvents": events.get_log_events,
        "FilterLogEvents": events.filter_log_events,
        "TagResource": tags.tag_resource,
        "UntagResource": tags.untag_resource,
        "ListTagsForResource": tags.list_tags_for_resource,
        "TagLogGroup": tags.tag_log_group,
        "UntagLogGroup": tags.untag_log_group,
        "ListTagsLogGroup": tags.list_tags_log_group,
    }
)
