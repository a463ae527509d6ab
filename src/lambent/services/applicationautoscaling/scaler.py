"""Sets capacity: within a target's bounds, as policies choose, and when scheduled actions are due.

Used on the control plane's thread. What the last minutes showed is kept in memory: after a restart a policy
looks at three new minutes before it scales out, and at fifteen before it scales in.
"""

import time
import uuid
from collections import deque
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from lambent.control.plane import ControlPlane
from lambent.control.provisioned_concurrency import (
    delete_provisioned_concurrency_config,
    get_provisioned_concurrency_config,
    put_provisioned_concurrency_config,
)
from lambent.model.call import Call, Caller, Result
from lambent.model.errors import AwsError
from lambent.services.applicationautoscaling.activities import record_activity
from lambent.services.applicationautoscaling.lookup import qualified_arn, split_resource
from lambent.services.applicationautoscaling.schedule import Schedule, parse_schedule
from lambent.services.applicationautoscaling.tracking import (
    IN_PERIODS,
    Tracking,
    Use,
    choose_capacity,
)
from lambent.store import scaling
from lambent.store.scaling import ScalingRecord

_BATCH = 100
_LONG_AGO = float("-inf")


class Scaler:
    """Of one platform."""

    def __init__(self, plane: ControlPlane, time_scale: int) -> None:
        self._plane = plane
        self._time_scale = time_scale
        self._uses: dict[str, deque[Use]] = {}
        self._scaled_at_s: dict[tuple[str, bool], float] = {}

    # Capacity

    def current_capacity(self, target: ScalingRecord) -> int:
        """What is provisioned; 0 where nothing is. Raises AwsError where nothing can be."""
        try:
            shown = self._ask(get_provisioned_concurrency_config, target)
        except AwsError as error:
            if error.code == "ProvisionedConcurrencyConfigNotFoundException":
                return 0
            raise
        return int(shown.output["RequestedProvisionedConcurrentExecutions"])

    def keep_within_bounds(self, target: ScalingRecord, cause: str) -> None:
        """Changes the capacity when it is outside the target's bounds; whatever comes of it is an activity."""
        try:
            current = self.current_capacity(target)
        except AwsError as error:
            record_activity(self._plane, target, "The capacity is not known", cause, error.message)
            return
        wanted = min(max(current, target.document["Min"]), target.document["Max"])
        if wanted != current:
            self.set_capacity(target, wanted, cause)

    def set_capacity(self, target: ScalingRecord, wanted: int, cause: str) -> bool:
        """Provisions so much; False when it was refused."""
        failure = None
        try:
            if wanted:
                self._ask(
                    put_provisioned_concurrency_config,
                    target,
                    ProvisionedConcurrentExecutions=wanted,
                )
            else:
                self._ask(delete_provisioned_concurrency_config, target)
        except AwsError as error:
            failure = error.message
        description = f"Setting desired concurrency to {wanted}."
        record_activity(self._plane, target, description, cause, failure)
        return failure is None

    def _ask(self, operation: Any, target: ScalingRecord, **parameters: Any) -> Result:
        name, qualifier = split_resource(target.resource_id)
        caller = Caller(target.account_id, target.region, str(uuid.uuid4()))
        named = {"FunctionName": name, "Qualifier": qualifier, **parameters}
        result: Result = operation(self._plane, Call("lambda", operation.__name__, named, caller))
        return result

    # Target tracking

    def observe(self, uses: Mapping[str, Use]) -> None:
        """One period is over: ``uses`` by qualified ARN, of what is READY. Scales what policies say."""
        for arn in self._uses.keys() - uses.keys():
            del self._uses[arn]  # AWS: without data no alarm rings
        for arn, use in uses.items():
            self._uses.setdefault(arn, deque(maxlen=IN_PERIODS)).append(use)
        for policy in scaling.every_record(self._plane.database.connection, "policy"):
            arn = qualified_arn(policy.account_id, policy.region, policy.resource_id)
            if arn in uses:
                self._follow(policy, list(self._uses[arn]))

    def _follow(self, policy: ScalingRecord, uses: list[Use]) -> None:
        place = (policy.account_id, policy.region)
        cx = self._plane.database.connection
        target = scaling.get_record(cx, place, "target", policy.resource_id)
        if target is None:
            return
        try:
            current = self.current_capacity(target)
        except AwsError:
            return  # the function went between the period's end and now
        arn = policy.document["Arn"]
        now_s = time.monotonic()
        since_s = tuple(
            (now_s - self._scaled_at_s.get((arn, high), _LONG_AGO)) * self._time_scale
            for high in (True, False)
        )
        bounds = (target.document["Min"], target.document["Max"])
        chosen = choose_capacity(uses, current, _tracking(policy), bounds, (since_s[0], since_s[1]))
        if chosen is None:
            return
        capacity, alarm = chosen
        suspended = target.document["Suspended"]
        direction = "Out" if alarm == "AlarmHigh" else "In"
        if suspended.get(f"DynamicScaling{direction}Suspended"):
            return
        cause = (
            f"monitor alarm TargetTracking-{policy.resource_id}-{alarm}-{arn.split(':')[6]} "
            f"in state ALARM triggered policy {policy.name}"
        )
        if self.set_capacity(target, capacity, cause):
            self._scaled_at_s[(arn, direction == "Out")] = now_s

    # Scheduled actions

    def run_due(self) -> float | None:
        """Runs every action whose time has come; when the next one's does, in seconds since the epoch."""
        now = self._plane.clock().astimezone(UTC)
        cx = self._plane.database.connection
        while due := scaling.due_records(cx, now.timestamp(), _BATCH):
            for action in due:
                try:
                    self._run(action)
                finally:  # after it: a crash in between repeats what repeating does not change
                    later = replace(action, due_at_s=self.next_due_s(action, now))
                    with self._plane.database.transaction() as tx:
                        scaling.put_record(tx, later)
        return scaling.next_due_s(cx)

    def next_due_s(self, action: ScalingRecord, now: datetime) -> float | None:
        """When an action runs next after ``now``."""
        document = action.document
        schedule = self.schedule_of(document["Schedule"], document.get("Timezone"))
        start = datetime.fromtimestamp(document.get("Start", document["Created"]), UTC)
        moment = max(now, start - timedelta(milliseconds=1)) if schedule.cron else now
        found = schedule.next_after(moment, start)
        if schedule.at is not None and found is not None and found < start:
            return None
        if found is None or found.timestamp() > document.get("End", float("inf")):
            return None
        return found.timestamp()

    def schedule_of(self, text: str, timezone: str | None) -> Schedule:
        """Raises ScheduleError."""
        return parse_schedule(text, timezone, self._time_scale)

    def _run(self, action: ScalingRecord) -> None:
        place = (action.account_id, action.region)
        cx = self._plane.database.connection
        target = scaling.get_record(cx, place, "target", action.resource_id)
        if target is None or target.document["Suspended"].get("ScheduledScalingSuspended"):
            return
        low = action.document.get("Min", target.document["Min"])
        high = action.document.get("Max", target.document["Max"])
        changed = replace(target, document={**target.document, "Min": low, "Max": high})
        cause = bounds_cause(action.document.get("Min"), action.document.get("Max"))
        cause = f"scheduled action name {action.name} was triggered: {cause}"
        if low > high:
            why = "The minimum capacity would be greater than the maximum capacity."
            record_activity(self._plane, target, "Setting the bounds", cause, why)
            return
        with self._plane.database.transaction() as tx:
            scaling.put_record(tx, changed)
        self.keep_within_bounds(changed, cause)

    def forget_all(self) -> None:
        """What the last minutes showed."""
        self._uses.clear()
        self._scaled_at_s.clear()


def bounds_cause(low: int | None, high: int | None) -> str:
    """Why a capacity outside new bounds changes, in AWS's words."""
    said = [
        f"{which} capacity was set to {value}"
        for which, value in (("minimum", low), ("maximum", high))
        if value is not None
    ]
    return " and ".join(said)


def _tracking(policy: ScalingRecord) -> Tracking:
    config = policy.document["Config"]
    return Tracking(
        config["TargetValue"],
        config.get("DisableScaleIn", False),
        config.get("ScaleOutCooldown", 0),
        config.get("ScaleInCooldown", 0),
    )
