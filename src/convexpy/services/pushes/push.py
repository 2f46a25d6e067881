"""A push: from module texts to a live version, all or nothing.

Steps (ARCHITECTURE.md, section 5):
1. One push at a time. The version is materialised in a folder of its own and imported there; nothing that runs changes.
   A dry run ends here with its plan; a push of a deploy is held against its own: data, variables, consents.
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
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import msgspec

from convexpy.engine.background import BackgroundTasks
from convexpy.engine.checkpoints import CheckpointService
from convexpy.engine.system_functions import SystemFunctions
from convexpy.engine.versions import LiveVersion
from convexpy.errors import Error, PushRejected, RequestError
from convexpy.executors.starter import VersionHandle
from convexpy.protocol.admin_api import PushNote
from convexpy.protocol.app_description import AppDescription, SchemaDescription
from convexpy.protocol.system.pushes import (
    AbortPush,
    ActivateVersion,
    BeginPush,
    BuildingIndex,
    FinishIndexes,
    ForgetSources,
    KeepSources,
    PushedBy,
    SourcePart,
)
from convexpy.protocol.system.variables import VariableChange
from convexpy.runtime import Clock, pauses
from convexpy.schema.changes import AppChanges, SchemaChanges, app_changes
from convexpy.services.pushes.active_app import ActiveApp
from convexpy.services.pushes.changes import describe_changes
from convexpy.services.pushes.kept import KeptVersion, KeptVersions, manifest_of
from convexpy.services.pushes.plan import Plan, Planner
from convexpy.services.pushes.requests import PushRequest
from convexpy.services.pushes.sources import SourceStore
from convexpy.services.scheduling.service import planned_crons
from convexpy.services.variables.service import Variables

NOTE_LENGTH_MAX = 1000
WAIT_FOR_OTHERS_S = 20.0


@dataclass(kw_only=True, eq=False)
class Pusher:
    """Runs pushes, one at a time.

    `kept` are the versions that can be brought back, `kept_sources` the hashes of all contents in the data, `unfinished` the
    indexes that were being built when the server stopped, `schema_violations` those of writes since the pending schema is
    checked. `sweep_data` removes the contents of tables and indexes that are given up.
    """

    app: ActiveApp
    live: LiveVersion
    planner: Planner
    sources: SourceStore
    kept: KeptVersions
    kept_sources: Iterable[str]
    variables: Variables
    system: SystemFunctions
    checkpoints: CheckpointService
    unfinished: list[BuildingIndex]
    schema_violations: list[str]
    background: BackgroundTasks
    clock: Clock
    deployment: str
    sweep_data: Callable[[], Awaitable[None]]

    def __post_init__(self) -> None:
        self._keeping: frozenset[str] = frozenset()
        self._leftovers = set(self.kept_sources) - self._needed()
        self._forgetting = asyncio.Lock()
        self._lock = asyncio.Lock()
        self._pushing: PushNote | None = None
        self._unchecked = False

    async def push(self, request: PushRequest) -> dict[str, Any]:
        """Make the pushed version live; return what changed. A dry run only plans.

        Plans, and pushes of a plan, wait a while for a push that is under way; others are refused at once.

        Raises:
            ProjectError: it does not import, or defines something that makes no sense.
            PushRejected: stored documents do not fit its schema, a variable or a consent is missing.
            RequestError: another push is under way or came in between, or contents are missing.
        """
        waits = request.dry_run or request.expected is not None
        if self._pushing is not None and not waits:
            raise self._in_progress()
        try:
            async with asyncio.timeout(WAIT_FOR_OTHERS_S):
                await self._lock.acquire()
        except TimeoutError:
            raise self._in_progress() from None
        try:
            async with self.app.lock:
                self._pushing = None if request.dry_run else request.note
                return await self._push(request)
        finally:
            self._pushing = None
            self._lock.release()

    def _in_progress(self) -> RequestError:
        note = self._pushing or PushNote()
        by = f", by {note.actor}" if note.actor else ""
        return RequestError(
            f"another push is under way{by}",
            status=409,
            code="PushInProgress",
            hint="try again when it has ended",
            data={"actor": note.actor, "commit": note.commit},
        )

    async def _push(self, request: PushRequest) -> dict[str, Any]:
        started = time.perf_counter()
        request, modules = await self._wanted(request)
        active = self.app.active
        answer: dict[str, Any]
        same = modules == active.modules and request.config == active.config and active.version > 0
        values = self.variables.values
        sets_something = any(values.get(change.name) != change.value for change in request.environment)
        if same and not sets_something and not request.dry_run:
            answer = {
                "version": active.version,
                "unchanged": True,
                **self._described(self._changes(live := self.live.registry.description), live, modules),
            }
        else:
            self._require_expected(request)
            answer = {**await self._push_changed(request, modules), "unchanged": same}
        answer["ms"] = round((time.perf_counter() - started) * 1000, 3)
        return answer

    async def _wanted(self, request: PushRequest) -> tuple[PushRequest, dict[str, str]]:
        """Return the request with the settings of the version that is to go live, and its files."""
        if request.rollback is None:
            return request, await asyncio.to_thread(self.sources.receive, request.modules)
        version = self.kept.get(request.rollback)
        wrote = msgspec.convert(version.pushed, PushNote)
        note = msgspec.structs.replace(
            request.note, commit=wrote.commit, branch=wrote.branch, dirty=wrote.dirty
        )
        return msgspec.structs.replace(request, config=version.config, note=note), version.modules

    def _require_expected(self, request: PushRequest) -> None:
        active = self.app.active
        if request.dry_run or request.expected is None or request.expected == active.version:
            return
        by = active.pushed.get("actor") or "somebody"
        commit = f" ({active.pushed['commit'][:12]})" if active.pushed.get("commit") else ""
        raise RequestError(
            f"superseded: {by} has pushed version {active.version}{commit} since the plan was made",
            status=409,
            code="PushSuperseded",
            hint="pull, then run it again",
            data={"version": active.version, **active.pushed},
        )

    def _changes(self, app: AppDescription) -> AppChanges:
        return app_changes(self.live.registry.description, app)

    def _described(
        self, changes: AppChanges, app: AppDescription, modules: Mapping[str, str]
    ) -> dict[str, Any]:
        return describe_changes(changes, app, self.app.active.modules, modules)

    async def _push_changed(self, request: PushRequest, modules: dict[str, str]) -> dict[str, Any]:
        version = self.app.active.version + 1
        try:
            sealed = self.variables.sealed(
                [VariableChange(each.name, each.value) for each in request.environment]
            )
        except Error as error:
            raise PushRejected(error.message, code=error.code, data={"retryOn": "never"}) from error
        set_now = {change.name: change.value for change in request.environment}
        handle = await self.app.load(version, modules, request.config, variables=set_now)
        app = handle.description
        pauses.reach("push.loaded")
        try:
            changes = self._changes(app)
            answer = {"version": version, **self._described(changes, app, modules)}
            if request.dry_run:
                plan = await self.planner.plan(request, app, changes, modules)
                await handle.retire()
                active = self.app.active
                return {
                    **answer,
                    "plan": plan,
                    "from": {"version": active.version, **active.pushed},
                    "description": app,
                }
            await self._check(request, modules, app, changes)
            pauses.reach("push.checked")
            # What is written while a new schema is pending is checked against it by the executor that begins the push.
            checked = (
                self.app.active.version > 0
                and changes.schema.after is not None
                and changes.schema.needs_build
            )
            with self.live.mutations.one_lane(self._check_lost) if checked else nullcontext():
                await self._make_live(request, modules, version, handle, changes.schema, sealed)
        except BaseException:
            await handle.retire()
            raise
        self.app.warm(handle)
        return answer

    async def _check(
        self, request: PushRequest, modules: dict[str, str], app: AppDescription, changes: AppChanges
    ) -> None:
        """Refuse before anything is written what can be known to be refused."""
        if request.allow is not None or request.required:
            plan = await self.planner.plan(request, app, changes, modules)
        else:
            plan = Plan()
            if changes.schema.new_indexes:
                await self.planner.check_data(changes.schema, plan)
        plan.require()

    async def _make_live(
        self,
        request: PushRequest,
        modules: dict[str, str],
        version: int,
        handle: VersionHandle,
        changes: SchemaChanges,
        sealed: list[VariableChange],
    ) -> None:
        schema = changes.after
        built: list[BuildingIndex] = []
        if schema is not None and changes.needs_build:
            built = await self._build(schema, pending=self.app.active.version > 0)
        pushed = self._pushed(request)
        manifest = await asyncio.to_thread(self.sources.add, manifest_of(modules))
        kept = KeptVersion(
            manifest=manifest, modules=modules, config=request.config, pushed=msgspec.to_builtins(pushed)
        )
        beside = self.kept.beside(kept)
        before = self._needed()
        new = kept.contents - before
        try:
            sources = await self._keep_sources(new)
            activation = ActivateVersion(
                version=version,
                config=msgspec.to_builtins(request.config),
                schema="" if schema is None else msgspec.json.encode(schema).decode(),
                ready=[index.number for index in built if not index.staged],
                modules=sorted(modules.items()),
                crons=planned_crons(handle.description.crons, self.deployment, self.clock.now_ns() / 1e6),
                note=pushed,
                variables=sealed,
                sources=sources,
                manifest=manifest,
                kept=beside,
            )

            async def activate() -> None:
                pauses.reach("push.before_activate")
                if self._unchecked:
                    raise RequestError(
                        "the executor that checks what is written against the new schema was lost during the push",
                        status=503,
                        code="ExecutorLost",
                        hint="push again",
                    )
                if self.schema_violations:
                    raise PushRejected(
                        "a document that was written while the push was under way does not match the new schema: "
                        f"{self.schema_violations[0]}",
                        code="SchemaMismatch",
                        data={"retryOn": "data"},
                    )
                stored = await self.system.run(activation, first=True)
                if sealed:
                    self.variables.take(stored)

            await self.live.switch(handle, activate)
        except BaseException:
            await self._abort(built)
            self._keeping = frozenset()
            self.background.start(self._forget_sources(new))
            raise
        finally:
            self.schema_violations.clear()
            self._unchecked = False
        pauses.reach("push.activated")
        self.kept.activated(version, kept, beside)
        self.app.activated(version, modules, request.config, kept.pushed)
        self._keeping = frozenset()
        self.background.start(self._forget_sources(before))
        staged = [index for index in built if index.staged]
        if staged:
            self.background.start(self._build_staged(staged))

    def _needed(self) -> frozenset[str]:
        """The hashes of the contents that stay."""
        return self.kept.contents | frozenset(self.app.active.modules.values()) | self._keeping

    async def _keep_sources(self, sha256s: frozenset[str]) -> list[SourcePart]:
        """Keep new contents in the data, before the version that needs them is live; return the last, which go with it."""
        self._keeping = sha256s
        last: list[SourcePart] = []
        for batch in self.sources.batches(sorted(sha256s)):
            if last:
                await self.system.run(KeepSources(last))
            last = [SourcePart(*part) for part in batch]
        return last

    async def _forget_sources(self, sha256s: Iterable[str]) -> None:
        """Remove contents that no version needs, unless one has come to need them meanwhile."""
        async with self._forgetting:
            left = sorted(sha256s)
            while left := sorted(set(left) - self._needed()):
                left = await self.system.run(ForgetSources(left))

    async def resume(self) -> None:
        """Go on with the staged indexes of the live version; what a push began that did not end is taken back."""
        staged = {
            (table, index.name, index.fields)
            for table, definition in self.live.registry.description.tables.items()
            for index in definition.indexes
            if index.staged
        }
        wanted: list[BuildingIndex] = []
        abandoned: list[BuildingIndex] = []
        for index in self.unfinished:
            key = (index.table, index.name, tuple(index.fields))
            (wanted if key in staged else abandoned).append(index)
        if abandoned:
            await self._abort(abandoned)
            self.background.start(self.sweep_data())
        if wanted:
            self.background.start(self._build_staged(wanted))

    async def _build_staged(self, indexes: list[BuildingIndex]) -> None:
        """Build indexes beside everything else; they turn ready when they are complete."""
        await self.checkpoints.catch_up()
        await self.checkpoints.walk(indexes, None)
        self.checkpoints.announce()
        await self.system.run(FinishIndexes([index.number for index in indexes]))

    def sweep(self) -> None:
        """Remove what a push that was killed has left."""
        leftovers, self._leftovers = self._leftovers, set()
        self.background.start(self._forget_sources(leftovers))

    def _pushed(self, request: PushRequest) -> PushedBy:
        """Return the entry of the history."""
        note = request.note
        return PushedBy(
            pushed_at=self.clock.now_ns() / 1e6,
            message=note.message[:NOTE_LENGTH_MAX],
            actor=note.actor[:NOTE_LENGTH_MAX],
            commit=note.commit[:NOTE_LENGTH_MAX],
            branch=note.branch[:NOTE_LENGTH_MAX],
            dirty=note.dirty,
            rollback_of=request.rollback,
        )

    async def _build(self, schema: SchemaDescription, *, pending: bool) -> list[BuildingIndex]:
        """Steps 2 and 3; returns the indexes that were built or, if staged, begun."""
        self.schema_violations.clear()
        call = BeginPush(msgspec.json.encode(schema).decode(), pending)
        building, position = await self.system.run_at(call)
        pauses.reach("push.begun")
        try:
            await self.checkpoints.reach(position)
            await self.checkpoints.walk([index for index in building if not index.staged], schema)
            pauses.reach("push.walked")
        except BaseException:
            await self._abort(building)
            raise
        return building

    def _check_lost(self) -> None:
        """What is written from now on is not checked against the new schema."""
        self._unchecked = True

    async def _abort(self, building: list[BuildingIndex]) -> None:
        await self.system.run(AbortPush([index.number for index in building]))
