"""What a change in the control plane means to the invocation path."""

import asyncio
from contextlib import suppress

from lambent.app.snapshots import SnapshotMaker
from lambent.control.concurrency import reserved_executions
from lambent.control.directory import Directory
from lambent.control.provisioned_concurrency import provisioned_of
from lambent.control.snap_start import not_ready
from lambent.invoke.counting import Counting
from lambent.invoke.event_queue import EventQueue
from lambent.invoke.placement import Placement
from lambent.invoke.provisioned import INITIALIZATION_TYPE, Provisioned
from lambent.invoke.tenancy import spec_for
from lambent.model.errors import AwsError
from lambent.model.invocation import EnvironmentSpec
from lambent.model.provisioned import ProvisionedStatus
from lambent.store.concurrency import list_reservations
from lambent.store.database import Database
from lambent.store.provisioned import ProvisionedConcurrency, functions_with_provisioned


class Changes:
    """Takes word of a change from the control thread to the loop's."""

    def __init__(
        self,
        directory: Directory,
        counting: Counting,
        database: Database,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self.placement: Placement | None = None
        self.events: EventQueue | None = None
        self.provisioned: Provisioned | None = None
        self.snapshots: SnapshotMaker | None = None
        self.counting = counting
        self._directory = directory
        self._database = database
        self._loop = loop

    def reserve_all(self) -> None:
        """At start: the reservations there are."""
        for function, executions in list_reservations(self._database.connection):
            self.counting.reserve(function.account_id, function.region, function.name, executions)

    def provision_all(self) -> None:
        """At start: what is provisioned."""
        for function in functions_with_provisioned(self._database.connection):
            arn = function.function_arn
            self._provision(arn, provisioned_of(self._database.connection, arn))

    def provisioned_status(self, qualified_arn: str) -> ProvisionedStatus:
        """How far an allocation is; nothing is there before the invocation path is."""
        if self.provisioned is None:
            return ProvisionedStatus(0, 0, "IN_PROGRESS")
        return self.provisioned.status(qualified_arn)

    def on_change(self, function_arn: str) -> None:
        """Called on the control thread after a commit."""
        self._directory.invalidate(function_arn)
        reserved = reserved_executions(self._database.connection, function_arn)
        provisioned = provisioned_of(self._database.connection, function_arn)
        self._loop.call_soon_threadsafe(self._take_over, function_arn, reserved, provisioned)

    def _provision(self, function_arn: str, configs: list[ProvisionedConcurrency]) -> None:
        """Has kept what is provisioned for a function, and no more than that."""
        *_, region, account_id, _, name = function_arn.split(":")
        self.counting.provision(account_id, region, name, sum(c.executions for c in configs))
        if self.provisioned is None:
            return
        self.provisioned.drop(
            f"{function_arn}:", [f"{function_arn}:{config.qualifier}" for config in configs]
        )
        for config in configs:
            with suppress(AwsError):  # Pending: its turn comes with the change to Active
                target = self._directory.resolve(account_id, region, name, config.qualifier)
                self.provisioned.put(target, config.executions)

    def _take_over(
        self, function_arn: str, reserved: int | None, provisioned: list[ProvisionedConcurrency]
    ) -> None:
        """Environments of what is no more, or may not run, go; a function that may again keeps its."""
        *_, region, account_id, _, name = function_arn.split(":")
        self.counting.reserve(account_id, region, name, reserved)
        self._directory.warm(account_id, region, name)
        self._provision(function_arn, provisioned)
        if self.events is not None:
            self.events.function_changed(account_id, region, name)
        if self.placement is None:
            return
        prefix = function_arn + ":"
        stopped = reserved == 0

        def may_run(spec: EnvironmentSpec) -> bool:
            return not stopped and self._is_current(spec)

        self.placement.retire(lambda spec: not spec.key.startswith(prefix) or may_run(spec))
        if self.snapshots is not None:
            self.snapshots.retire(
                lambda spec: not spec.key.startswith(prefix) or self._is_current(spec, ready=False)
            )
        self.placement.revive(lambda spec: spec.key.startswith(prefix) and may_run(spec))

    def _is_current(self, spec: EnvironmentSpec, *, ready: bool = True) -> bool:
        """``ready``: whether one that is being initialised is not."""
        if spec.initialization_type == INITIALIZATION_TYPE:
            return True  # what is provisioned goes by its own rules
        try:
            target = self._directory.resolve(
                spec.account_id, spec.region, spec.function_name, spec.version
            )
        except AwsError as error:
            return not ready and error.code == not_ready().code
        current = target.primary
        if spec.tenant_id is None or not current.is_per_tenant:
            return current.key == spec.key
        return spec_for(current, spec.tenant_id).key == spec.key
