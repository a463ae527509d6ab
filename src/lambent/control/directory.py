"""Which versions a name leads to, for the invocation path: from a cache, or else from the records.

Contract: 1. A hit is one dictionary look-up and takes no lock. 2. :meth:`Directory.invalidate`,
called after a commit, makes the next :meth:`~Directory.resolve` see it; it may be called from any
thread. 3. Only versions that can be invoked are kept, so refusals are always fresh.
"""

import sqlite3
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from threading import Lock

from lambent.control.event_invoke_config import event_invoke_config_of
from lambent.control.file_systems import (
    NO_FILE_SYSTEMS,
    MissingFileSystem,
    check_file_system,
)
from lambent.control.image_ports import Images, NoImages
from lambent.control.images import started_image
from lambent.control.locate import version_of
from lambent.control.recursion import recursive_loop_mode
from lambent.control.runtime_management import runtime_gone
from lambent.control.snap_start import has_snapshot, not_ready
from lambent.model.errors import AwsError, conflict
from lambent.model.function import FunctionVersion
from lambent.model.function_name import FunctionName, parse_function_name
from lambent.model.image import ContainerImage
from lambent.model.invocation import SNAP_START, EnvironmentSpec, Target
from lambent.model.runtime_version import runtime_version_arn
from lambent.store import functions
from lambent.store.code import CodeStore
from lambent.store.database import Database

_WARM_MAX = 1_000
"""POLICY: targets kept, each some kilobytes."""
_CacheKey = tuple[str, str, str, str | None]


class Directory:
    """Resolves names on one thread, with a connection of its own."""

    def __init__(
        self,
        database: Database,
        code: CodeStore,
        runtime_build: Callable[[str], str | None] = lambda _: None,
        file_system_missing: MissingFileSystem = NO_FILE_SYSTEMS,
        images: Images | None = None,
    ) -> None:
        """The callables and ``images`` as :class:`lambent.control.plane.ControlPlane` has them."""
        self._cx: sqlite3.Connection = database.reader()
        self._code = code
        self._runtime_build = runtime_build
        self._file_system_missing = file_system_missing
        self._images = images or NoImages()
        self._targets: dict[_CacheKey, Target] = {}
        self._keys_of: dict[str, set[_CacheKey]] = {}
        self._lock = Lock()
        self._changes = 0

    def resolve(
        self, account_id: str, region: str, function_name: str, qualifier: str | None
    ) -> Target:
        """The target of an invocation; ``function_name`` and ``qualifier`` as the Invoke API gets
        them.

        Raises ``ResourceNotFoundException`` for what is not there, ``ResourceConflictException``
        for a version that is not Active, ``InvalidRuntimeException`` for one whose pinned
        runtime version is gone, ``EFSMountFailureException`` where its access point
        is, and what ``parse_function_name`` raises.
        """
        key = (account_id, region, function_name, qualifier)
        target = self._targets.get(key)
        return self._look_up(key) if target is None else target

    def warm(self, account_id: str, region: str, function_name: str) -> None:
        """Looks a function up before it is invoked: that is half a millisecond its first caller need not wait.

        Only while little is kept: who makes thousands of functions will not invoke them all at once.
        """
        if len(self._targets) < _WARM_MAX:
            with suppress(AwsError):  # Pending, deleted, refused: whoever asks hears of it
                self.resolve(account_id, region, function_name, None)

    def invalidate(self, function_arn: str) -> None:
        """Forgets what is known of a function, by its unqualified ARN."""
        with self._lock:
            self._changes += 1
            for key in self._keys_of.pop(function_arn, ()):
                self._targets.pop(key, None)

    def clear(self) -> None:
        """Forgets everything, after a reset."""
        with self._lock:
            self._changes += 1
            self._targets.clear()
            self._keys_of.clear()

    def _look_up(self, key: _CacheKey) -> Target:
        account_id, region, text, qualifier = key
        function = parse_function_name(
            text, account_id=account_id, region=region, qualifier=qualifier
        )
        changes = self._changes
        target = self._target(function)
        with self._lock:
            if changes == self._changes:  # else what was read may be old already
                self._targets[key] = target
                self._keys_of.setdefault(function.function_arn, set()).add(key)
        return target

    def _target(self, function: FunctionName) -> Target:
        version, alias = version_of(self._cx, function)
        loop = recursive_loop_mode(self._cx, function)
        target = Target(
            function.arn,
            self._spec(version),
            recursive_loop=loop,
            event_invoke_config=event_invoke_config_of(self._cx, function),
        )
        if alias is None or alias.additional_version is None:
            return target
        other = functions.get_version(self._cx, function, alias.additional_version)
        if other is None:
            return target
        weight = alias.additional_weight
        return replace(target, secondary=self._spec(other), secondary_weight=weight)

    def _image(self, version: FunctionVersion) -> tuple[str, ContainerImage | None]:
        """The revision that environments belong to, and the image they start from, where it is one."""
        if version.image is None:
            return version.config_revision, None
        sha256, code, revision = version.code.sha256, version.image, version.config_revision
        if version.serving is not None:
            serving = version.serving
            sha256, code, revision = serving.sha256, serving.image, serving.config_revision
        return f"{revision}/{sha256}", started_image(self._images.image(sha256), code.config)

    def _spec(self, version: FunctionVersion) -> EnvironmentSpec:
        if version.state == "Pending" and has_snapshot(version):
            raise not_ready()
        if version.state != "Active":
            raise conflict(
                "The operation cannot be performed at this time. "
                f"The function is currently in the following state: {version.state}"
            )
        return self.spec(version)

    def spec(self, version: FunctionVersion) -> EnvironmentSpec:
        """What environments of a version are started from, Active or not.

        Raises what :meth:`resolve` says of runtimes and file systems.
        """
        pinned = version.pinned_runtime_version_arn
        build = self._runtime_build(version.runtime) if pinned else None
        if pinned and (not build or pinned != runtime_version_arn(version.region, build)):
            raise runtime_gone(version)
        check_file_system(version, self._file_system_missing)
        revision, image = self._image(version)
        return EnvironmentSpec(
            key=f"{version.qualified_arn}@{revision}",
            account_id=version.account_id,
            region=version.region,
            function_name=version.name,
            version=version.version,
            runtime=version.runtime,
            handler=version.handler,
            role=version.role,
            memory_mib=version.memory_mib,
            timeout_s=version.timeout_s,
            ephemeral_storage_mib=version.ephemeral_storage_mib,
            environment=version.environment,
            task_dir=image.root if image else self._code.task_dir(version.code.sha256),
            opt_dir=self._code.opt_dir(version.layer_code),
            log_group=version.log_group,
            log_format=version.log_format,
            application_log_level=version.application_log_level,
            system_log_level=version.system_log_level,
            dead_letter_arn=version.dead_letter_arn,
            file_system=version.file_system,
            image=image,
            tracing_mode=version.tracing_mode,
            initialization_type=SNAP_START if has_snapshot(version) else "on-demand",
            has_insights=any(layer.is_insights for layer in version.layers),
            is_per_tenant=bool(version.tenant_isolation_mode),
        )
