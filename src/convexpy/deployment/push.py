"""A push: from module texts to a live version, all or nothing.

Steps (ARCHITECTURE.md, "Push with index build"):
1. One push at a time. The version is materialised in a folder of its own and imported there; nothing that runs changes.
2. If tables, indexes or validators changed: one transaction makes tables and building indexes; from that row on every
   write carries their keys and is checked against the pending schema too.
3. A checkpoint to at least that row; only then the older documents are walked, checked and entered.
4. Switch: new mutations wait, those under way become durable, the first call of the new mutation executor activates
   version, schema and indexes in one transaction.
5. All subscriptions run again; old executors end when their calls have ended.
6. A failure before 4 takes the pending indexes back; the old version serves on.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from convexpy.deployment.changes import describe_changes, schema_needs_check
from convexpy.deployment.scheduling import planned_crons
from convexpy.deployment.sources import PushedModule
from convexpy.errors import PushRejected, RequestError
from convexpy.execution.settings import ExecutorSettings
from convexpy.execution.starter import VersionHandle
from convexpy.runtime import pauses
from convexpy.values import encode_wire

if TYPE_CHECKING:
    from convexpy.deployment.deployment import Deployment


class PushConfig(msgspec.Struct, rename="camel", frozen=True):
    """Settings of the project that matter to its functions."""

    function_case: str = "snake"
    label: str = "convex"


class PushRequest(msgspec.Struct, rename="camel"):
    """The body of a push."""

    modules: dict[str, PushedModule]
    config: PushConfig = PushConfig()
    dry_run: bool = False


class Pusher:
    """Runs pushes, one at a time."""

    def __init__(self, deployment: Deployment) -> None:
        self._deployment = deployment
        self._lock = asyncio.Lock()

    async def push(self, request: PushRequest) -> dict[str, Any]:
        """Make the pushed version live; return what changed.

        Raises:
            ProjectError: it does not import, or defines something that makes no sense.
            PushRejected: stored documents do not fit its schema.
            RequestError: another push is under way, or contents are missing.
        """
        if self._lock.locked():
            raise RequestError(
                "another push is under way",
                status=409,
                code="PushInProgress",
                hint="try again when it has ended",
            )
        async with self._lock, self._deployment.version_lock:
            return await self._push(request)

    async def _push(self, request: PushRequest) -> dict[str, Any]:
        started = time.perf_counter()
        deployment = self._deployment
        modules = await asyncio.to_thread(deployment.sources.receive, request.modules)
        active = deployment.active
        answer: dict[str, Any]
        if modules == active.modules and request.config == active.config and active.version > 0:
            answer = {
                "version": active.version,
                "unchanged": True,
                **self._describe(deployment, None, modules),
            }
        else:
            answer = await self._push_changed(request, modules)
        answer["ms"] = round((time.perf_counter() - started) * 1000, 3)
        return answer

    def _describe(
        self, deployment: Deployment, description: dict[str, Any] | None, modules: Mapping[str, str]
    ) -> dict[str, Any]:
        before = deployment.live.registry.description
        return describe_changes(before, description or before, deployment.active.modules, modules)

    async def _push_changed(self, request: PushRequest, modules: dict[str, str]) -> dict[str, Any]:
        deployment = self._deployment
        version = deployment.active.version + 1
        folder = await asyncio.to_thread(deployment.sources.materialise, version, modules)
        settings = deployment.executor_settings(version, str(folder), request.config)
        handle = await deployment.starter.start_version(settings, deployment.functions_environment())
        pauses.reach("push.loaded")
        try:
            changes = self._describe(deployment, handle.description, modules)
            answer = {"version": version, "unchanged": False, **changes}
            if request.dry_run:
                await handle.retire()
                return answer
            await self._make_live(request, modules, settings, handle)
        except BaseException:
            await handle.retire()
            raise
        deployment.schedule_warm(handle.description["packages"])
        return answer

    async def _make_live(
        self,
        request: PushRequest,
        modules: dict[str, str],
        settings: ExecutorSettings,
        handle: VersionHandle,
    ) -> None:
        deployment = self._deployment
        schema = handle.description["schema"]
        before = deployment.live.registry.description["schema"]
        built: list[dict[str, Any]] = []
        if schema is not None and schema_needs_check(before, schema):
            built = await self._build(schema, pending=deployment.active.version > 0)
        try:
            now_ready = [index["number"] for index in built if not index["staged"]]
            new_sources = set(modules.values()) - set(deployment.active.modules.values())
            args = {
                "version": settings.version,
                "config": msgspec.to_builtins(request.config),
                "schema": schema,
                "schemaJson": "" if schema is None else msgspec.json.encode(schema).decode(),
                "ready": now_ready,
                "modules": [[path, sha256] for path, sha256 in sorted(modules.items())],
                "crons": planned_crons(
                    handle.description["crons"], deployment.settings.name, deployment.clock.now_ns() / 1e6
                ),
                "sources": [[sha256, deployment.sources.read(sha256)] for sha256 in sorted(new_sources)],
            }

            async def activate() -> None:
                pauses.reach("push.before_activate")
                if deployment.misfits:
                    raise self._misfit()
                await deployment.run_system("_system/push:activate", encode_wire(args), first=True)

            await deployment.live.switch(handle, activate)
        except BaseException:
            await self._abort(built)
            raise
        finally:
            deployment.misfits.clear()
        pauses.reach("push.activated")
        deployment.activated(settings.version, modules, request.config)
        staged = [index for index in built if index["staged"]]
        if staged:
            deployment.builds.begin(staged)

    def _misfit(self) -> PushRejected:
        return PushRejected(
            f"a document that was written while the push was under way does not fit the new schema: "
            f"{self._deployment.misfits[0]}",
            code="SchemaMismatch",
            data={"retryOn": "data"},
        )

    async def _build(self, schema: dict[str, Any], *, pending: bool) -> list[dict[str, Any]]:
        """Steps 2 and 3; returns the indexes that were built or, if staged, begun."""
        deployment = self._deployment
        deployment.misfits.clear()
        outcome = await deployment.run_system(
            "_system/push:begin", encode_wire({"schema": schema, "pending": pending})
        )
        building: list[dict[str, Any]] = msgspec.json.decode(outcome.value)["building"]
        pauses.reach("push.begun")
        try:
            await deployment.checkpoint(at_least=outcome.row)
            await deployment.walk([index for index in building if not index["staged"]], schema)
            pauses.reach("push.walked")
        except BaseException:
            await self._abort(building)
            raise
        return building

    async def _abort(self, building: list[dict[str, Any]]) -> None:
        numbers = [index["number"] for index in building]
        await self._deployment.run_system("_system/push:abort", encode_wire({"numbers": numbers}))
