"""The control plane's operations by their AWS names."""

from collections.abc import Callable, Mapping

from lambent.control import (
    account,
    aliases,
    concurrency,
    function_updates,
    functions,
    layer_policies,
    layers,
    policies,
    recursion,
    runtime_management,
    tags,
    versions,
)
from lambent.control.plane import ControlPlane
from lambent.model.call import Call, Result

Operation = Callable[[ControlPlane, Call], Result]

OPERATIONS: Mapping[str, Operation] = {
    "AddLayerVersionPermission": layer_policies.add_layer_version_permission,
    "AddPermission": policies.add_permission,
    "CreateAlias": aliases.create_alias,
    "CreateFunction": functions.create_function,
    "DeleteAlias": aliases.delete_alias,
    "DeleteFunction": functions.delete_function,
    "DeleteFunctionConcurrency": concurrency.delete_function_concurrency,
    "DeleteLayerVersion": layers.delete_layer_version,
    "GetAccountSettings": account.get_account_settings,
    "GetAlias": aliases.get_alias,
    "GetFunction": functions.get_function,
    "GetFunctionConcurrency": concurrency.get_function_concurrency,
    "GetFunctionConfiguration": functions.get_function_configuration,
    "GetFunctionRecursionConfig": recursion.get_function_recursion_config,
    "GetLayerVersion": layers.get_layer_version,
    "GetLayerVersionByArn": layers.get_layer_version_by_arn,
    "GetLayerVersionPolicy": layer_policies.get_layer_version_policy,
    "GetPolicy": policies.get_policy,
    "GetRuntimeManagementConfig": runtime_management.get_runtime_management_config,
    "ListAliases": aliases.list_aliases,
    "ListFunctions": functions.list_functions,
    "ListLayerVersions": layers.list_layer_versions,
    "ListLayers": layers.list_layers,
    "ListTags": tags.list_tags,
    "ListVersionsByFunction": versions.list_versions_by_function,
    "PublishLayerVersion": layers.publish_layer_version,
    "PublishVersion": versions.publish_version,
    "PutFunctionConcurrency": concurrency.put_function_concurrency,
    "PutFunctionRecursionConfig": recursion.put_function_recursion_config,
    "PutRuntimeManagementConfig": runtime_management.put_runtime_management_config,
    "RemoveLayerVersionPermission": layer_policies.remove_layer_version_permission,
    "RemovePermission": policies.remove_permission,
    "TagResource": tags.tag_resource,
    "UntagResource": tags.untag_resource,
    "UpdateAlias": aliases.update_alias,
    "UpdateFunctionCode": function_updates.update_function_code,
    "UpdateFunctionConfiguration": function_updates.update_function_configuration,
}
