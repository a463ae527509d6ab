"""SQS in the query protocol: the names its forms and XML had, which botocore's model no longer tells.

The JSON model lists the same shapes without the names of their members on the wire. Clients older
than 2023, and everything that posts forms to a queue's URL, still go by them.

Source: botocore's ``sqs`` model before 1.31.81; "Making Query API requests" of SQS's developer guide.
"""

import copy
from collections.abc import Mapping
from typing import Any

from lambent.model.http import HttpRequest

NAMESPACE = "http://queue.amazonaws.com/doc/2012-11-05/"

_ELEMENTS = {
    "AWSAccountIdList": "AWSAccountId",
    "ActionNameList": "ActionName",
    "AttributeNameList": "AttributeName",
    "BatchResultErrorEntryList": "BatchResultErrorEntry",
    "BinaryList": "BinaryListValue",
    "ChangeMessageVisibilityBatchRequestEntryList": "ChangeMessageVisibilityBatchRequestEntry",
    "ChangeMessageVisibilityBatchResultEntryList": "ChangeMessageVisibilityBatchResultEntry",
    "DeleteMessageBatchRequestEntryList": "DeleteMessageBatchRequestEntry",
    "DeleteMessageBatchResultEntryList": "DeleteMessageBatchResultEntry",
    "ListMessageMoveTasksResultEntryList": "ListMessageMoveTasksResultEntry",
    "MessageAttributeNameList": "MessageAttributeName",
    "MessageList": "Message",
    "MessageSystemAttributeList": "MessageSystemAttributeName",
    "QueueUrlList": "QueueUrl",
    "SendMessageBatchRequestEntryList": "SendMessageBatchRequestEntry",
    "SendMessageBatchResultEntryList": "SendMessageBatchResultEntry",
    "StringList": "StringListValue",
    "TagKeyList": "TagKey",
}
"""List shape → what an element of it is called."""

_MAPS = {
    "MessageBodyAttributeMap": ("Name", "Value"),
    "MessageBodySystemAttributeMap": ("Name", "Value"),
    "MessageSystemAttributeMap": ("Name", "Value"),
    "QueueAttributeMap": ("Name", "Value"),
    "TagMap": ("Key", "Value"),
}
"""Map shape → what a key and a value of it are called."""

_MEMBERS = {
    "QueueAttributeMap": "Attribute",
    "MessageSystemAttributeMap": "Attribute",
    "MessageBodyAttributeMap": "MessageAttribute",
    "MessageBodySystemAttributeMap": "MessageSystemAttribute",
    "TagMap": "Tag",
}
"""Map shape → what a member of that shape is called, wherever it is one."""


def with_query_names(description: Mapping[str, Any]) -> dict[str, Any]:
    """A service description with the query protocol's names; the one given stays as it is."""
    named = copy.deepcopy(dict(description))
    named["metadata"]["xmlNamespace"] = NAMESPACE
    for name, shape in named["shapes"].items():
        if name in _ELEMENTS:
            shape["member"]["locationName"] = _ELEMENTS[name]
        elif name in _MAPS:
            shape["key"]["locationName"], shape["value"]["locationName"] = _MAPS[name]
        for member in shape.get("members", {}).values():
            if member["shape"] in _MEMBERS:
                member["locationName"] = _MEMBERS[member["shape"]]
    for name, operation in named["operations"].items():
        if "output" in operation:
            operation["output"]["resultWrapper"] = f"{name}Result"
    return named


def name_queue(operation: Any, request: HttpRequest, parameters: dict[str, Any]) -> None:
    """Takes the queue from the URL a form is posted to, where the form does not name it."""
    if "QueueUrl" in operation.input_shape.members and request.path.strip("/"):
        parameters.setdefault("QueueUrl", request.path)
