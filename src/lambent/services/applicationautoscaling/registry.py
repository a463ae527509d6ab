"""Operation name → coroutine function, for the server."""

from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType
from typing import Final

from lambent.model.call import Call, Result
from lambent.services.applicationautoscaling import (
    activities,
    policies,
    scheduled_actions,
    tags,
    targets,
)
from lambent.services.applicationautoscaling.service import AutoScaling, Operation


def _on_thread(operation: Operation) -> Callable[[AutoScaling, Call], Awaitable[Result]]:
    async def operate(service: AutoScaling, call: Call) -> Result:
        return await service.operate(operation, call)

    return operate


OPERATIONS: Final[Mapping[str, Callable[[AutoScaling, Call], Awaitable[Result]]]] = (
    MappingProxyType(
        {
            name: _on_thread(operation)
            for name, operation in {
                "DeleteScalingPolicy": policies.delete_scaling_policy,
                "DeleteScheduledAction": scheduled_actions.delete_scheduled_action,
                "DeregisterScalableTarget": targets.deregister_scalable_target,
                "DescribeScalableTargets": targets.describe_scalable_targets,
                "DescribeScalingActivities": activities.describe_scaling_activities,
                "DescribeScalingPolicies": policies.describe_scaling_policies,
                "DescribeScheduledActions": scheduled_actions.describe_scheduled_actions,
                "ListTagsForResource": tags.list_tags_for_resource,
                "PutScalingPolicy": policies.put_scaling_policy,
                "PutScheduledAction": scheduled_actions.put_scheduled_action,
                "RegisterScalableTarget": targets.register_scalable_target,
                "TagResource": tags.tag_resource,
                "UntagResource": tags.untag_resource,
            }.items()
        }
    )
)
