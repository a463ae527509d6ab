"""What the resource groups tagging API is given: each service's tagged resources, and its own operations."""

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from typing import Any, TypeVar

from lambent.control import tags as lambda_tags
from lambent.control.plane import ControlPlane
from lambent.model.call import Call, Caller, Result
from lambent.services.logs import tags as logs_tags
from lambent.services.logs.service import LogsService
from lambent.services.resourcegroupstaggingapi.service import Tagged
from lambent.services.sns import tags as sns_tags
from lambent.services.sns.service import SnsService
from lambent.services.sqs import tags as sqs_tags
from lambent.services.sqs.service import SqsService
from lambent.store import tags as tags_table

T = TypeVar("T")


class LambdaTags:
    """Functions, mappings and code signing configurations; on the control plane's thread."""

    types = ("lambda:function", "lambda:event-source-mapping", "lambda:code-signing-config")

    def __init__(self, plane: ControlPlane, thread: Executor) -> None:
        self._plane = plane
        self._thread = thread

    async def list_tagged(self, account_id: str, region: str) -> Tagged:
        """See :class:`~lambent.services.resourcegroupstaggingapi.service.TaggedResources`."""
        cx, prefix = self._plane.database.connection, f"arn:aws:lambda:{region}:{account_id}:"
        return await self._run(lambda: tags_table.list_tagged(cx, prefix))

    async def tag(self, caller: Caller, arn: str, tags: Mapping[str, str]) -> None:
        """See the protocol."""
        await self._change(lambda_tags.tag_resource, caller, Resource=arn, Tags=tags)

    async def untag(self, caller: Caller, arn: str, keys: Sequence[str]) -> None:
        """See the protocol."""
        await self._change(lambda_tags.untag_resource, caller, Resource=arn, TagKeys=keys)

    async def _change(
        self, operation: Callable[[ControlPlane, Call], Result], caller: Caller, **parameters: Any
    ) -> None:
        call = Call("lambda", operation.__name__, parameters, caller)
        await self._run(lambda: operation(self._plane, call))

    async def _run(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)


class SqsTags:
    """Queues."""

    types = ("sqs:queue",)

    def __init__(self, sqs: SqsService) -> None:
        self._sqs = sqs

    async def list_tagged(self, account_id: str, region: str) -> Tagged:
        """See the protocol."""
        prefix = f"arn:aws:sqs:{region}:{account_id}:"
        return {q.arn: q.tags for q in self._sqs.queues() if q.tags and q.arn.startswith(prefix)}

    async def tag(self, caller: Caller, arn: str, tags: Mapping[str, str]) -> None:
        """See the protocol."""
        parameters = {"QueueUrl": _url(caller, arn), "Tags": tags}
        await sqs_tags.tag_queue(self._sqs, Call("sqs", "TagQueue", parameters, caller))

    async def untag(self, caller: Caller, arn: str, keys: Sequence[str]) -> None:
        """See the protocol."""
        parameters = {"QueueUrl": _url(caller, arn), "TagKeys": keys}
        await sqs_tags.untag_queue(self._sqs, Call("sqs", "UntagQueue", parameters, caller))


class SnsTags:
    """Topics; subscriptions have no tags."""

    types = ("sns:topic",)

    def __init__(self, sns: SnsService) -> None:
        self._sns = sns

    async def list_tagged(self, account_id: str, region: str) -> Tagged:
        """See the protocol."""
        prefix = f"arn:aws:sns:{region}:{account_id}:"
        topics = self._sns.directory.topics.values()
        return {one.arn: one.tags for one in topics if one.tags and one.arn.startswith(prefix)}

    async def tag(self, caller: Caller, arn: str, tags: Mapping[str, str]) -> None:
        """See the protocol."""
        listed = [{"Key": key, "Value": value} for key, value in tags.items()]
        parameters = {"ResourceArn": arn, "Tags": listed}
        await sns_tags.tag_resource(self._sns, Call("sns", "TagResource", parameters, caller))

    async def untag(self, caller: Caller, arn: str, keys: Sequence[str]) -> None:
        """See the protocol."""
        parameters = {"ResourceArn": arn, "TagKeys": keys}
        await sns_tags.untag_resource(self._sns, Call("sns", "UntagResource", parameters, caller))


class LogsTags:
    """Log groups; on a thread, for their store blocks."""

    types = ("logs:log-group",)

    def __init__(self, logs: LogsService) -> None:
        self._logs = logs

    async def list_tagged(self, account_id: str, region: str) -> Tagged:
        """See the protocol."""
        prefix = f"arn:aws:logs:{region}:{account_id}:log-group:"
        sql = "SELECT name, tags FROM groups WHERE account_id = ? AND region = ? AND tags <> '{}'"
        rows = await asyncio.to_thread(self._logs.store.query, sql, (account_id, region))
        return {prefix + name: json.loads(tags) for name, tags in rows}

    async def tag(self, caller: Caller, arn: str, tags: Mapping[str, str]) -> None:
        """See the protocol."""
        call = Call("logs", "TagResource", {"resourceArn": arn, "tags": tags}, caller)
        await asyncio.to_thread(logs_tags.tag_resource, self._logs, call)

    async def untag(self, caller: Caller, arn: str, keys: Sequence[str]) -> None:
        """See the protocol."""
        call = Call("logs", "UntagResource", {"resourceArn": arn, "tagKeys": keys}, caller)
        await asyncio.to_thread(logs_tags.untag_resource, self._logs, call)


def _url(caller: Caller, arn: str) -> str:
    _, account_id, name = arn.rsplit(":", 2)
    return f"{caller.endpoint}/{account_id}/{name}"
