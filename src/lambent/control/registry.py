"""The control plane's operations by their AWS names."""

from collections.abc import Callable, Mapping

from lambent.control import functions, tags, versions
from lambent.control.plane import ControlPlane
from lambent.model.call import Call, Result

Operation = Callable[[ControlPlane, Call], Result]

OPERATIONS: Mapping[str, Operation] = {
    "CreateFunction": functions.create_function,
    "DeleteFunction": functions.delete_function,
    "GetFunction": functions.get_function,
    "GetFunctionConfiguration": functions.get_function_configuration,
    "ListFunctions": functions.list_functions,
    "ListTags": tags.list_tags,
    "ListVersionsByFunction": versions.list_versions_by_function,
    "PublishVersion": versions.publish_version,
    "TagResource": tags.tag_resource,
    "UntagResource": tags.untag_resource,
}
