"""Operation name → coroutine function, for the server."""

from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType
from typing import Final

from lambent.model.call import Call, Result
from lambent.services.sqs import (
    delete,
    move_tasks,
    permissions,
    queue_attributes,
    queues,
    receive,
    send,
    tags,
    visibility,
)
from lambent.services.sqs.service import SqsService

OPERATIONS: Final[Mapping[str, Callable[[SqsService, Call], Awaitable[Result]]]] = MappingProxyType(
    {
        "AddPermission": permissions.add_permission,
        "CancelMessageMoveTask": move_tasks.cancel_message_move_task,
        "ChangeMessageVisibility": visibility.change_message_visibility,
        "ChangeMessageVisibilityBatch": visibility.change_message_visibility_batch,
        "CreateQueue": queues.create_queue,
        "DeleteMessage": delete.delete_message,
        "DeleteMessageBatch": delete.delete_message_batch,
        "DeleteQueue": queues.delete_queue,
        "GetQueueAttributes": queue_attributes.get_queue_attributes,
        "GetQueueUrl": queues.get_queue_url,
        "ListDeadLetterSourceQueues": queues.list_dead_letter_source_queues,
        "ListMessageMoveTasks": move_tasks.list_message_move_tasks,
        "ListQueueTags": tags.list_queue_tags,
        "ListQueues": queues.list_queues,
        "PurgeQueue": queue_attributes.purge_queue,
        "ReceiveMessage": receive.receive_message,
        "RemovePermission": permissions.remove_permission,
        "SendMessage": send.send_message,
        "SendMessageBatch": send.send_message_batch,
        "SetQueueAttributes": queue_attributes.set_queue_attributes,
        "StartMessageMoveTask": move_tasks.start_message_move_task,
        "TagQueue": tags.tag_queue,
        "UntagQueue": tags.untag_queue,
    }
)
